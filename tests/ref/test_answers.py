"""Answers as JSON: the documented fields, and additions only where they are known."""

import json

import pytest

from octomil_ref.answers import (
    Completion,
    Embeddings,
    Ending,
    Usage,
    completion_fields,
    embeddings_body,
)


def test_usage_adds_up():
    usage = Usage(prompt_tokens=3, completion_tokens=4)

    assert usage.to_json() == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
    }


@pytest.mark.parametrize(
    "ending, fields",
    [
        (Ending(None, None), set()),
        (Ending("stop", None), {"finish_reason"}),
        (Ending(None, Usage(0, 0)), {"usage"}),
        (Ending("length", Usage(1, 2)), {"finish_reason", "usage"}),
    ],
    ids=["nothing", "the reason alone", "a count of none", "both"],
)
def test_an_ending_tells_what_is_known(ending, fields):
    assert set(ending.to_json()) == fields


def test_a_completion_has_the_documented_fields_and_what_is_known_of_its_ending():
    completion = Completion("Cherry", "ollama", Ending("length", Usage(3, 4)))

    fields = completion_fields(completion, "phi-4-mini", 12.5)

    assert fields == {
        "output": "Cherry",
        "latency_ms": 12.5,
        "provider": "ollama",
        "model_id": "phi-4-mini",
        "finish_reason": "length",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


def test_embeddings_stand_in_both_documented_shapes_in_input_order():
    vectors = [[0.25, -1.0], [1e-7, 3]]

    body = embeddings_body(Embeddings(vectors, "openai", 5), "nomic")

    assert json.loads(body) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.25, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [1e-7, 3]},
        ],
        "embeddings": vectors,
        "model": "nomic",
        "provider": "openai",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }


def test_a_model_s_name_cannot_break_the_answer_of_embeddings():
    name = '"},{%b\n\u2028'

    body = embeddings_body(Embeddings([[1.0]], "ollama", 0), name)

    assert json.loads(body)["model"] == name
    assert body.isascii()
