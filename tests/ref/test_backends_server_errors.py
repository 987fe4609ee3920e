"""Each error of a real server, as `servers/` lists them, means what its users expect, and so do answers to probes."""

import pytest
import responses
from builders import OLLAMA, OPENAI, asking, encoded
from catalogue import Error, Probe, stanzas

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


def every(errors):
    return pytest.mark.parametrize("error", errors, ids=lambda error: error.id)


@every(stanzas(Error, "errors.yaml"))
def test_an_error_means_what_it_says_by(error):
    responses.post(CHAT, status=error.status, body=encoded(error.body))

    whole = failure()
    with pytest.raises(UpstreamError) as streamed:
        list(backend().stream(asking()))

    assert type(whole).__name__ == type(streamed.value).__name__ == error.means
    assert "<h" not in whole.message
    if error.reason:
        assert (
            whole.message == f"The openai backend refused the request: {error.reason}"
        )


@every(stanzas(Error, "ollama_errors.yaml"))
def test_ollamas_error_means_what_it_says_if_it(error):
    url = f"{OLLAMA}/api/chat"
    responses.post(url, status=error.status, body=encoded(error.body))

    with pytest.raises(UpstreamError) as caught:
        OllamaBackend(OLLAMA, 20, {}).complete(asking())

    assert type(caught.value).__name__ == error.means


MASKED = [
    "bad key sk-...abcd",
    "bad key na***ys",
    "bad header Bearer abcdef",
    "bad key AIzaSyA1234567890",
    "bad key gsk_abcdef123",
    "bad address http://10.0.0.1:8080/v1",
    "bad address tcp://upstream/",
    "bad address 10.0.0.1:8080",
    "bad address [fd00::12]:8080",
    "bad address llm.example.org:8080",
    "bad address localhost:8080",
    "connect ECONNREFUSED ::1:11434",
    "bad pool host='upstream'",
    "bad profile arn:aws:bedrock:us-east-1:123456789012:inference-profile/m",
    "bad file /root/models/m.gguf",
    "bad file C:\\models\\m.gguf",
    "seed is no number at /srv/upstream/seed.py:3",
    'Traceback (most recent call last):\n  File "/srv/seed.py", line 3\nValueError: bad key sk-abcdef123',
]


@pytest.mark.parametrize("message", MASKED)
def test_the_client_does_not_see_keys_addresses_and_paths(message):
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
@pytest.mark.parametrize("probe", stanzas(Probe, "probes.yaml"), ids=str)
def test_a_probe_finds_what_it_says(probe, url):
    responses.get(url, status=probe.status, body=encoded(probe.body))

    try:
        found = "a hint" if "base URL" in (BACKENDS[url].probe(1) or "") else ""
    except UpstreamError as ex:
        found = type(ex).__name__

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == pytest.approx((1, 1), abs=0.5)
    assert found == probe.finds
