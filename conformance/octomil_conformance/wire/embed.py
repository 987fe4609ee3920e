"""Vectors (spec section 7)."""

from typing import Any

from octomil_conformance.exchange import (
    MISSING,
    Exchange,
    field,
    is_integer,
    is_number,
    items,
)
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import is_name


def vectors(exchange: Exchange) -> list[Any]:
    """As all SDKs read them."""
    return [field(item, "embedding") for item in items(field(exchange.fields, "data"))]


@requirement("EMBED-01")
def the_answer_is_a_200_with_data(exchange: Exchange) -> None:
    assert exchange.status == 200
    assert isinstance(field(exchange.fields, "data"), list), "an array"
    assert MISSING not in vectors(exchange), "an embedding in each item"


@requirement("EMBED-02")
def there_is_one_vector_a_text(exchange: Exchange) -> None:
    asked = field(exchange.request.fields, "input")
    texts = [asked] if isinstance(asked, str) else items(asked)

    assert len(vectors(exchange)) == len(texts)


@requirement("EMBED-03")
def index_is_the_place(exchange: Exchange) -> None:
    data = items(field(exchange.fields, "data"))
    given = [(place, field(item, "index")) for place, item in enumerate(data)]

    assert [pair for pair in given if pair[1] not in (MISSING, pair[0])] == [], (
        "each index its item's place"
    )


@requirement("EMBED-04")
def vectors_are_finite_numbers(exchange: Exchange) -> None:
    bad = [vector for vector in vectors(exchange) if not is_vector(vector)]

    assert bad == [], "arrays of finite numbers, none empty"


@requirement("EMBED-05")
def vectors_have_one_length(exchange: Exchange) -> None:
    lengths = {len(items(vector)) for vector in vectors(exchange)}

    assert len(lengths) <= 1, "vectors of one length"


@requirement("EMBED-06")
def usage_is_counted(exchange: Exchange) -> None:
    usage = field(exchange.fields, "usage")

    assert is_integer(field(usage, "prompt_tokens")), "an integer prompt_tokens"
    assert is_integer(field(usage, "total_tokens")), "an integer total_tokens"


@requirement("EMBED-07")
def the_model_is_named(exchange: Exchange) -> None:
    assert is_name(field(exchange.fields, "model")), "a string that is not empty"


@requirement("EMBED-08")
def embeddings_repeats_the_vectors(exchange: Exchange) -> None:
    assert field(exchange.fields, "embeddings") == vectors(exchange)


@requirement("EMBED-09")
def model_object_and_provider_are_told(exchange: Exchange) -> None:
    assert field(exchange.fields, "model") == field(exchange.request.fields, "model_id")
    assert field(exchange.fields, "object") == "list"
    assert is_name(field(exchange.fields, "provider")), "a string that is not empty"


def is_vector(value: object) -> bool:
    return bool(items(value)) and all(
        is_number(number) and abs(number) < float("inf") for number in items(value)
    )


CHECKS = (
    the_answer_is_a_200_with_data,
    there_is_one_vector_a_text,
    index_is_the_place,
    vectors_are_finite_numbers,
    vectors_have_one_length,
    usage_is_counted,
    the_model_is_named,
    embeddings_repeats_the_vectors,
    model_object_and_provider_are_told,
)
