"""Each error of a real server, as `servers/` lists them, means what its users expect, and so do answers to probes."""

import pytest
import responses
from builders import OLLAMA, OPENAI, asking, encoded
from catalogue import Error, stanzas

from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import Broken, Busy, KeyRefused, UpstreamError

ERRORS = stanzas(Error, "errors.yaml")

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


@every(ERRORS)
def test_an_error_means_what_it_says_by(error):
    responses.post(CHAT, status=error.status, body=encoded(error.body))

    whole = failure()
    with pytest.raises(UpstreamError) as streamed:
        list(backend().stream(asking()))

    assert type(whole).__name__ == type(streamed.value).__name__ == error.means
    assert "<h" not in whole.message


@every([each for each in ERRORS if each.reason])
def test_the_reason_is_found_where_it_is_put_by(error):
    responses.post(CHAT, status=error.status, body=encoded(error.body))

    refused = "The openai backend refused the request: "
    assert failure().message == refused + error.reason


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


PROBES: list[tuple[str, int, object, bool]] = [
    ("OpenAI", 200, {"data": []}, False),
    ("Together", 200, [{"id": "m", "object": "model"}], False),
    ("Azure", 404, {"error": {"code": "404", "message": "Resource not found"}}, True),
    ("Perplexity", 404, "", True),
    ("Cloudflare", 405, {"errors": [{"message": "Method not allowed"}]}, True),
    ("a gateway", 400, {"error": "a header is missing"}, False),
    ("a busy gateway", 429, {}, False),
    ("LM Studio", 200, {"error": "Unexpected endpoint or method. (GET /models)"}, True),
    ("a web server", 200, "<!doctype html>", True),
    ("MLX LM until 0.19", 501, "<p>Message: Unsupported method ('GET').</p>", True),
]
"""Server, status and body of `/models`, whether there is a hint. All can be asked."""

FAILING_PROBES: list[tuple[str, int, object, type[UpstreamError]]] = [
    ("OpenAI", 401, {"error": {"message": "Incorrect API key provided"}}, KeyRefused),
    (
        "Cloudflare",
        403,
        {"errors": [{"code": 10000, "message": "Authentication error"}]},
        KeyRefused,
    ),
    ("Gemini", 400, [{"error": {"message": "API key not valid."}}], KeyRefused),
    ("llama.cpp", 503, {"error": {"message": "Loading model"}}, Busy),
    ("nginx", 502, "<html>", Broken),
]

BACKENDS = {
    f"{OPENAI}/models": OpenAIBackend(OPENAI, "a-key", 20, {}),
    f"{OLLAMA}/api/version": OllamaBackend(OLLAMA, 20, {}),
}


@pytest.mark.parametrize("url", BACKENDS)
@pytest.mark.parametrize("server, status, body, hints", PROBES)
def test_a_backend_is_up_if_it_answers_a_probe_like(server, status, body, hints, url):
    responses.get(url, status=status, body=encoded(body))

    hint = BACKENDS[url].probe(1)

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == pytest.approx((1, 1), abs=0.5)
    assert ("base URL" in (hint or "")) == hints


@pytest.mark.parametrize("server, status, body, meaning", FAILING_PROBES)
def test_a_backend_is_down_if_it_answers_a_probe_like(server, status, body, meaning):
    responses.get(f"{OPENAI}/models", status=status, body=encoded(body))

    with pytest.raises(meaning):
        backend().probe(1)
