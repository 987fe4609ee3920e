"""From an upstream's status and words to what it means (spec sections 9 and 10)."""

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

MEANINGS = [
    pytest.param(401, {}, KeyRefused, id="401 is about our key"),
    pytest.param(402, {}, KeyRefused, id="402 is about our key"),
    pytest.param(403, {}, KeyRefused, id="403 is about our key"),
    pytest.param(404, {}, ModelNotFound, id="404 is a missing model"),
    pytest.param(408, {}, TimedOut, id="408 is no answer in time"),
    pytest.param(429, {}, RateLimited, id="429 is a rate limit"),
    pytest.param(503, {}, Busy, id="503 is busy"),
    pytest.param(500, {}, Broken, id="500 is broken"),
    pytest.param(501, {}, Broken, id="501 is broken"),
    pytest.param(502, {}, Broken, id="502 is broken"),
    pytest.param(599, {}, Broken, id="599 is broken"),
    pytest.param(302, {}, Broken, id="a redirect is broken"),
    pytest.param(204, {}, Broken, id="204 is broken"),
    pytest.param(400, {}, RequestRefused, id="400 is a fault of the request"),
    pytest.param(422, {}, RequestRefused, id="422 is a fault of the request"),
    pytest.param(418, {}, RequestRefused, id="any other 4xx is one too"),
    pytest.param(499, {}, RequestRefused, id="even the last 4xx"),
    pytest.param(500, OPTION, RequestRefused, id="so is a 500 about an option"),
    pytest.param(
        422, CONTEXT["OpenAI"], RequestRefused, id="a long context is one with 422"
    ),
    pytest.param(
        404, MODALITY["embeddings"], ModelNotFound, id="404 is that whatever it says"
    ),
    pytest.param(
        418,
        MODALITY["embeddings"],
        RequestRefused,
        id="418 is a fault of the request whatever it says",
    ),
    pytest.param(
        501, MODALITY["embeddings"], Broken, id="501 is broken whatever it says"
    ),
    pytest.param(
        500, CONTEXT["OpenAI"], Broken, id="a long context is broken with 500"
    ),
    *(
        pytest.param(400, body, ContextTooLong, id=f"a context too long: {name}")
        for name, body in CONTEXT.items()
    ),
    *(
        pytest.param(
            status, body, ModalityRefused, id=f"{status}, cannot do it: {name}"
        )
        for name, body in MODALITY.items()
        for status in (400, 422)
    ),
]


@pytest.mark.parametrize("status, body, meaning", MEANINGS)
def test_an_answer_means(status, body, meaning):
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
def test_the_reason_is_found_in(body):
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
def test_no_reason_is_made_up_from(body):
    failure = refusal("openai", 400, body)

    assert failure.message.endswith(": it gave no reason")


GARBAGE = [
    pytest.param(b"\xff\xfe", id="no UTF-8"),
    pytest.param(b"[" * 100_000, id="100,000 nested arrays"),
    pytest.param(b"9" * 5000, id="a number of 5,000 digits"),
]


@pytest.mark.parametrize("body", GARBAGE)
def test_a_refusal_holds_whatever_its_body_is(body):
    failure = refusal("openai", 400, body)

    assert type(failure) is RequestRefused


@pytest.mark.parametrize(
    "status, body",
    [
        pytest.param(400, CONTEXT["vLLM"], id="a context too long"),
        pytest.param(400, MODALITY["images"], id="what the model cannot do"),
    ],
)
def test_the_client_learns_the_upstreams_reason_of(status, body):
    failure = refusal("openai", status, json.dumps(body).encode())

    assert failure.message.endswith(next(iter(body.values())))


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 429, 500, 503])
def test_the_words_of_failures_that_are_not_the_clients_fault_are_kept_back(status):
    failure = refusal("openai", status, b'{"error": "key sk-123 at 10.0.0.1"}')

    assert "sk-123" not in failure.message


RETRY_AFTER = [
    pytest.param("17", "17", id="its own, in seconds"),
    pytest.param("0", "0", id="none at all"),
    pytest.param("0017", "17", id="its own, without what means nothing"),
    pytest.param("86400", "86400", id="a day"),
    pytest.param("86401", "86400", id="a day where it is longer"),
    pytest.param("9" * 5000, "86400", id="a day where it has 5,000 digits"),
    pytest.param(None, "1", id="1 where it has none"),
    pytest.param("", "1", id="1 where it is empty"),
    pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", "1", id="1 for a date"),
    pytest.param("1.5", "1", id="1 for a fraction"),
    pytest.param("-3", "1", id="1 for less than nothing"),
    pytest.param("\u0663", "1", id="1 for a digit that is not ASCII"),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("given, told", RETRY_AFTER)
def test_a_busy_upstreams_retry_after_is(status, given, told):
    failure = refusal("openai", status, b"", given)

    assert failure.headers == {"Retry-After": told}
