"""Reading what upstreams send, which may be anything: each function gives a sound value or the attempt fails as Broken."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from octomil_ref import json_codec
from octomil_ref.backends.http import Answer
from octomil_ref.backends.refusals import refusal, reported
from octomil_ref.errors import Broken, UpstreamError


@contextmanager
def understanding(provider: str) -> Iterator[None]:
    """A value of another shape than the dialect's is garbage."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as ex:
        raise Broken(
            f"The {provider} backend sent something else than an answer."
        ) from ex


def require_success(answer: Answer) -> None:
    """Raises, and closes the answer, unless its status says that what was asked for follows."""
    if answer.status == 200:
        return
    body = b""
    with suppress(UpstreamError):  # the status tells enough
        body = answer.body()
    answer.close()
    failure = refusal(answer.provider, answer.status, body, answer.retry_after)
    raise answer.hushed(failure)


def whole_answer(answer: Answer) -> dict[str, Any]:
    """The JSON object that the body is."""
    require_success(answer)
    try:
        body = answer.body()
    finally:
        answer.close()
    with understanding(answer.provider):
        fields = json_object(body)
        if fields.get("error"):
            raise answer.hushed(reported(answer.provider, body))
        return fields


def json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json_codec.decode(data)
    except RecursionError as ex:
        raise ValueError("nested too deeply") from ex
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def text(value: object) -> str:
    """Text that is fit for UTF-8; absent text is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError("not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


MAX_COUNT = 2**53
"""Beyond it not every JSON parser keeps an integer exact."""


def count(value: object) -> int:
    """A number of tokens; absent is 0."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError("not a count")
    return value


def vectors(value: Any, expected: int) -> list[list[float]]:
    """As many vectors as inputs, of one dimension, finite."""
    if len(value) != expected or len(set(map(len, value))) != 1 or not value[0]:
        raise ValueError("vectors are missing")
    for vector in value:
        if type(vector) is not list or not set(map(type, vector)) <= {int, float}:
            raise TypeError("not a vector of numbers")
        if not all(map(math.isfinite, vector)):
            raise ValueError("a number is not finite")
    return list(value)
