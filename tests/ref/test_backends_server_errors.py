"""Each error of a real server, as `server_errors.py` lists them, means what its users expect; so do answers to probes."""

import pytest
import responses
import server_errors as servers
from builders import OLLAMA, OPENAI, asking, encoded

from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import UpstreamError

CHAT = f"{OPENAI}/chat/completions"


def backend() -> OpenAIBackend:
    return OpenAIBackend(OPENAI, "a-key", 20, {})


def failure() -> UpstreamError:
    """The failure of a whole answer."""
    with pytest.raises(UpstreamError) as caught:
        backend().complete(asking())
    return caught.value


def told(error: tuple) -> str:
    server, status, _, meaning = error
    return f"{server} {status}: {meaning.__name__}"


@pytest.mark.parametrize("error", servers.ERRORS, ids=told)
def test_an_error_means_what_it_says_by(error):
    _, status, body, meaning = error
    responses.post(CHAT, status=status, body=encoded(body))

    whole = failure()
    with pytest.raises(UpstreamError) as streamed:
        list(backend().stream(asking()))

    assert type(whole) is type(streamed.value) is meaning
    assert "<h" not in whole.message


@pytest.mark.parametrize("server, body, reason", servers.REASONS)
def test_the_reason_is_found_where_it_is_put_by(server, body, reason):
    responses.post(CHAT, status=400, body=encoded(body))

    assert failure().message == f"The openai backend refused the request: {reason}"


@pytest.mark.parametrize("error", servers.OLLAMA_ERRORS, ids=told)
def test_ollamas_answer_is_understood_to(error):
    _, status, body, meaning = error
    responses.post(f"{OLLAMA}/api/chat", status=status, body=encoded(body))

    with pytest.raises(UpstreamError) as caught:
        OllamaBackend(OLLAMA, 20, {}).complete(asking())

    assert type(caught.value) is meaning


MASKED = [
    "bad key sk-...abcd",
    "bad key na***ys",
    "bad header Bearer abcdef",
    "bad key AIzaSyA1234567890",
    "bad key gsk_abcdef123",
    "bad address http://10.0.0.1:8080/v1",
    "seed is no number at /srv/upstream/seed.py:3",
    'Traceback (most recent call last):\n  File "/srv/seed.py", line 3\nValueError: bad key sk-abcdef123',
]


@pytest.mark.parametrize("message", MASKED)
def test_neither_keys_addresses_nor_places_in_source_are_quoted(message):
    body = {"error": {"message": message.replace("key", "thing")}}
    responses.post(CHAT, status=400, json=body)

    shown = failure().message

    assert shown.endswith("(not shown)")
    assert message.split()[-1] not in shown


BACKENDS = {
    f"{OPENAI}/models": OpenAIBackend(OPENAI, "a-key", 20, {}),
    f"{OLLAMA}/api/version": OllamaBackend(OLLAMA, 20, {}),
}


@pytest.mark.parametrize("url", BACKENDS)
@pytest.mark.parametrize("server, status, body, hints", servers.PROBES)
def test_it_can_be_asked_what_answers_a_probe_like(server, status, body, hints, url):
    responses.get(url, status=status, body=encoded(body))

    hint = BACKENDS[url].probe(1)

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == pytest.approx((1, 1), abs=0.5)
    assert ("base URL" in (hint or "")) == hints


@pytest.mark.parametrize("server, status, body, meaning", servers.FAILING_PROBES)
def test_it_cannot_be_asked_what_answers_a_probe_like(server, status, body, meaning):
    responses.get(f"{OPENAI}/models", status=status, body=encoded(body))

    with pytest.raises(meaning):
        backend().probe(1)
