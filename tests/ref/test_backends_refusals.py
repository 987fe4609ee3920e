"""What the status and message of an upstream's error mean (spec sections 9 and 10)."""

import json

import pytest

from octomil_ref.backends.refusals import refusal
from octomil_ref.errors import (
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    RateLimited,
    RequestRefused,
    TimedOut,
)

CONTEXT = {
    "llama.cpp": {
        "error": {
            "code": 400,
            "message": "the request exceeds the available context size",
            "type": "exceed_context_size_error",
        }
    },
    "llama.cpp, by its type alone": {
        "error": {"message": "no", "type": "exceed_context_size_error"}
    },
    "OpenAI": {
        "error": {
            "message": "This model's maximum context length is 8192 tokens.",
            "code": "context_length_exceeded",
        }
    },
    "OpenAI, by its code alone": {
        "error": {"message": "no", "code": "context_length_exceeded"}
    },
    "vLLM": {"message": "This model's maximum context length is 2048 tokens."},
    "a context window": {"error": "the prompt exceeds the Context Window"},
    "too many tokens": {"detail": "Too many tokens in the prompt"},
}
MODALITY = {
    "chat, Ollama": {"error": '"all-minilm" does not support chat'},
    "embeddings": {"error": {"message": "This server does not support embeddings."}},
    "images": {"error": "images are not supported by this model"},
    "capitals": {"error": "Vision DOES NOT SUPPORT this"},
    "several": {"error": "these models do not support images"},
}
OPTION = {"error": 'option "seed" must be of type integer'}

EMBEDDINGS = MODALITY["embeddings"]
MEANINGS = [
    *((status, {}, KeyRefused) for status in (401, 402, 403)),
    *((status, {}, Broken) for status in (204, 302, 500, 501, 502, 599)),
    *((status, {}, RequestRefused) for status in (400, 418, 422, 499)),
    (404, {}, ModelNotFound),
    (408, {}, TimedOut),
    (429, {}, RateLimited),
    (503, {}, Busy),
    (500, OPTION, RequestRefused),
    *((400, body, ContextTooLong) for body in CONTEXT.values()),
    *((400, body, ModalityRefused) for body in MODALITY.values()),
    (422, EMBEDDINGS, ModalityRefused),
    # With these statuses the message does not matter.
    (404, EMBEDDINGS, ModelNotFound),
    (418, EMBEDDINGS, RequestRefused),
    (501, EMBEDDINGS, Broken),
    (422, CONTEXT["OpenAI"], RequestRefused),
    (500, CONTEXT["OpenAI"], Broken),
]


@pytest.mark.parametrize("status, body, meaning", MEANINGS)
def test_an_error_response_means(status, body, meaning):
    failure = refusal("openai", status, json.dumps(body).encode())

    assert type(failure) is meaning


SHAPES = [
    pytest.param(b'{"error": {"message": "why"}}', id="an error with a message"),
    pytest.param(b'{"error": "why"}', id="an error that is text"),
    pytest.param(b'{"message": "why", "code": 4}', id="a flat message"),
    pytest.param(b'{"detail": "why"}', id="a detail"),
    pytest.param(b'{"error": {"detail": "why"}}', id="a detail in an error"),
    pytest.param(b"why", id="plain text"),
    pytest.param(b" \n why\nand more lines", id="the first line of many"),
    pytest.param(b'{"error": "why\\u2028because"}', id="the first line, by U+2028"),
    pytest.param(b'"why"', id="a JSON string"),
]


@pytest.mark.parametrize("body", SHAPES)
def test_the_reason_is_read_from(body):
    failure = refusal("openai", 400, body)

    assert failure.message == "The openai backend refused the request: why"


NO_REASON = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"  \n ", id="white space"),
    pytest.param(b"{}", id="an empty object"),
    pytest.param(b'{"error": {}}', id="an empty error"),
    pytest.param(b'{"error": null}', id="a null"),
    pytest.param(b'{"error": 7}', id="a number"),
    pytest.param(b'{"detail": [{"loc": ["body"]}]}', id="a list of details"),
    pytest.param(b"[1]", id="an array"),
]


@pytest.mark.parametrize("body", NO_REASON)
def test_no_reason_is_read_from(body):
    failure = refusal("openai", 400, body)

    assert failure.message.endswith(": it gave no reason")


GARBAGE = [
    pytest.param(b"\xff\xfe", id="not UTF-8"),
    pytest.param(b"[" * 100_000, id="100,000 nested arrays"),
    pytest.param(b"9" * 5000, id="a number of 5,000 digits"),
]


@pytest.mark.parametrize("body", GARBAGE)
def test_a_refusal_does_not_depend_on_its_body(body):
    failure = refusal("openai", 400, body)

    assert type(failure) is RequestRefused


@pytest.mark.parametrize(
    "status, body",
    [
        pytest.param(400, CONTEXT["vLLM"], id="a context too long"),
        pytest.param(400, MODALITY["images"], id="an unsupported modality"),
    ],
)
def test_the_client_gets_the_upstreams_message_for(status, body):
    failure = refusal("openai", status, json.dumps(body).encode())

    assert failure.message.endswith(next(iter(body.values())))


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 429, 500, 503])
def test_the_client_does_not_get_the_message_of_other_errors(status):
    failure = refusal("openai", status, b'{"error": "key sk-123 at 10.0.0.1"}')

    assert "sk-123" not in failure.message


RETRY_AFTER = [
    pytest.param("17", "17", id="its own"),
    pytest.param("0", "0", id="0"),
    pytest.param("0017", "17", id="its own, without leading zeros"),
    pytest.param("86400", "86400", id="a day"),
    pytest.param("86401", "86400", id="a day if it is longer"),
    pytest.param("9" * 5000, "86400", id="a day if it has 5,000 digits"),
    pytest.param(None, "1", id="1 if it is missing"),
    pytest.param("", "1", id="1 if it is empty"),
    pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", "1", id="1 for a date"),
    pytest.param("1.5", "1", id="1 for a fraction"),
    pytest.param("-3", "1", id="1 for a negative number"),
    pytest.param("\u0663", "1", id="1 for a digit that is not ASCII"),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("given, sent", RETRY_AFTER)
def test_a_busy_upstreams_retry_after_is(status, given, sent):
    failure = refusal("openai", status, b"", given)

    assert failure.headers == {"Retry-After": sent}
