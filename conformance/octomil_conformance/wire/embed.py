"""Vectors (spec section 7)."""

from typing import Any

from octomil_conformance.exchange import MISSING, Exchange, field, is_number, items
from octomil_conformance.expect import Want, expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import ARRAY, INTEGER, NAME

ONE_LENGTH = Want("one length for all vectors", lambda lengths: len(lengths) <= 1)


def vectors(exchange: Exchange) -> list[Any]:
    """The vectors in `data`, where all SDKs read them."""
    return [field(item, "embedding") for item in items(exchange.field("data"))]


@requirement("EMBED-01")
def the_answer_is_a_200_with_data(exchange: Exchange) -> None:
    without = [vector for vector in vectors(exchange) if vector is MISSING]

    expect(exchange.status, 200)
    expect(exchange.field("data"), ARRAY)
    expect(without, [], "an embedding in each item")


@requirement("EMBED-02")
def there_is_one_vector_per_text(exchange: Exchange) -> None:
    asked = field(exchange.request.fields, "input")
    texts = [asked] if isinstance(asked, str) else items(asked)

    expect(len(vectors(exchange)), len(texts), f"{len(texts)}, one vector per text")


@requirement("EMBED-03")
def index_is_the_position(exchange: Exchange) -> None:
    given = [field(item, "index") for item in items(exchange.field("data"))]
    places = [n if index is not MISSING else index for n, index in enumerate(given)]

    expect(given, places)


@requirement("EMBED-04")
def vectors_are_finite_numbers(exchange: Exchange) -> None:
    bad = [vector for vector in vectors(exchange) if not is_vector(vector)]

    expect(bad, [], "arrays of finite numbers, none empty")


@requirement("EMBED-05")
def vectors_have_one_length(exchange: Exchange) -> None:
    lengths = {len(items(vector)) for vector in vectors(exchange)}

    expect(lengths, ONE_LENGTH)


@requirement("EMBED-06")
def usage_is_counted(exchange: Exchange) -> None:
    usage = exchange.field("usage")

    expect(field(usage, "prompt_tokens"), INTEGER, "an integer prompt_tokens")
    expect(field(usage, "total_tokens"), INTEGER, "an integer total_tokens")


@requirement("EMBED-07")
def the_model_is_named(exchange: Exchange) -> None:
    expect(exchange.field("model"), NAME)


@requirement("EMBED-08")
def embeddings_repeats_the_vectors(exchange: Exchange) -> None:
    expect(exchange.field("embeddings"), vectors(exchange))


@requirement("EMBED-16")
def embeddings_are_the_vectors_of_data(exchange: Exchange) -> None:
    expect(exchange.field("embeddings"), one_of(MISSING, vectors(exchange)))


@requirement("EMBED-09")
def model_object_and_provider_are_correct(exchange: Exchange) -> None:
    expect(exchange.field("model"), field(exchange.request.fields, "model_id"))
    expect(exchange.field("object"), "list")
    expect(exchange.field("provider"), NAME)


def is_vector(value: object) -> bool:
    return bool(items(value)) and all(
        is_number(number) and abs(number) < float("inf") for number in items(value)
    )
