"""Faulty answers with status 200, made by changes to a good one. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from octomil_conformance.backend.forms import Change, Form
from octomil_conformance.backend.words import ALMOST_2_MIB

IN = ("choices", "message", "data", "embeddings", "embedding")
"""The fields that have the answer, in either dialect."""


def _with(value: Any, *names: str) -> Change:
    """Gives the fields of these names another value, wherever they are."""

    def change(json: Any) -> Any:
        if isinstance(json, list):
            return [*map(change, json)]
        if not isinstance(json, dict):
            return json
        return {name: value if name in names else change(json[name]) for name in json}

    return change


def _without(*names: str) -> Change:
    return lambda json: {name: json[name] for name in json if name not in names}


ANSWERS: Mapping[str, Form] = {
    "answer-null": Form("null", lambda json: None),
    "answer-array": Form("an array around the answer", lambda json: [json]),
    "answer-missing": Form("an object without the answer", _without(*IN)),
    "answer-inside-null": Form("null instead of the text or vectors", _with(None, *IN)),
    "answer-empty": Form(
        "an empty array instead of the text or vectors", _with([], *IN)
    ),
    "answer-string": Form("a string instead of the answer", _with("one", *IN)),
    "answer-item-null": Form("null instead of an item", _with([None], *IN)),
    "content-object": Form(
        "an object instead of the text; vectors as usual",
        _with({"text": "one"}, "content"),
    ),
    "object-beside": Form(
        'an answer with `"object": "error"`', lambda json: json | {"object": "error"}
    ),
}
"""A stream has one token in this form."""


def padded(json: Any) -> Any:
    """Adds almost 2 MiB of text to an answer with vectors."""
    has_text = "message" in json or "choices" in json
    return json if has_text else json | {"note": ALMOST_2_MIB}


TIMES = 48
"""How often wide vectors repeat their numbers. They have more than 3000 numbers, like those of the largest models."""


def wide(vectors: Any) -> Any:
    """Longer vectors, which are not wrong."""
    return [vector * TIMES for vector in vectors]


TINY = 1e-6


def small(vectors: Any) -> Any:
    """Vectors of small numbers, which are not wrong."""
    return [[TINY * number for number in vector] for vector in vectors]


def _data(change: Change) -> Change:
    """Changes the items of OpenAI's vectors. Ollama's have no items."""
    return lambda json: (
        json | {"data": change(json["data"])} if "data" in json else json
    )


def _last(change: Change) -> Change:
    return lambda vectors: [*vectors[:-1], change(vectors[-1])]


def _of_two(change: Change) -> Change:
    """A change that one vector alone does not show: no vector instead. A server may embed each text on its own."""
    return lambda vectors: change(vectors) if len(vectors) > 1 else []


def _first_number(value: Any) -> Change:
    return _last(lambda vector: [value, *vector[1:]])


VECTORS: Mapping[str, Form] = {
    "shuffled": Form(
        "OpenAI's vectors in another order, each with its index",
        _data(lambda items: items[1::2] + items[::2]),
    ),
    "same-index": Form(
        "OpenAI's vectors, the last with the index of the first",
        _data(_of_two(lambda items: [*items[:-1], items[-1] | {"index": 0}])),
    ),
    "unnumbered": Form(
        "OpenAI's vectors without an index",
        _data(lambda items: [*map(_without("index"), items)]),
    ),
    "never-in-base64": Form(
        "OpenAI's vectors as arrays, although base64 is asked for", in_base64=False
    ),
    "first-unnumbered": Form(
        "OpenAI's vectors, the first without an index",
        _data(lambda items: [*map(_without("index"), items[:1]), *items[1:]]),
    ),
    "another-model": Form(
        "The vectors of another model, the opposite ones",
        vectors=lambda vectors: [[-number for number in each] for each in vectors],
    ),
    "missing-vectors": Form(
        "One vector fewer than there are texts", vectors=lambda vectors: vectors[:-1]
    ),
    "too-many-vectors": Form(
        "One vector more than there are texts",
        vectors=lambda vectors: [*vectors, vectors[0]],
    ),
    "uneven-vectors": Form(
        "The last vector is shorter",
        vectors=_of_two(_last(lambda vector: vector[:-1])),
    ),
    "empty-vectors": Form(
        "Vectors without numbers", vectors=lambda vectors: [[] for _ in vectors]
    ),
    "null-vector": Form(
        "Null instead of the last vector", vectors=_last(lambda vector: None)
    ),
    "null-number": Form("Null instead of a number", vectors=_first_number(None)),
    "nan-number": Form("NaN instead of a number", vectors=_first_number(math.nan)),
    "text-number": Form("A string instead of a number", vectors=_first_number("one")),
    "number-in-text": Form("A number as a string", vectors=_first_number("0.5")),
    "true-number": Form("True instead of a number", vectors=_first_number(True)),
}
"""Wrong embeddings. Some entries change the JSON around the vectors."""
