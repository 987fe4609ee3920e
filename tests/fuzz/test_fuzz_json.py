"""JSON from anywhere: the bytes of clients and of upstreams, and any value for a request."""

import json
import math

from hypothesis import example, given
from hypothesis import strategies as st
from json_values import json_values

from octomil_ref import json_codec
from octomil_ref.backends.reading import json_object
from octomil_ref.errors import ApiError
from octomil_ref.payloads import parse_batch, parse_completion, parse_embeddings

TEXT = st.text(st.characters())
"""Half surrogate pairs too."""

NAMES = [
    *("model_id", "messages", "input_data", "parameters", "inputs", "input"),
    *("role", "content", "type", "text", "prompt", "max_concurrency", "stop", "seed"),
    *("temperature", "max_tokens", "top_k", "stream"),
]
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = json_values(NAMES, ["user", "text", "m"], FINITE, max_leaves=30)

JSON_LIKE = st.one_of(
    VALUES.map(json.dumps).map(str.encode),
    st.text(st.sampled_from('{}[]",:0123456789.eE+-\\ud8tfnrNaI \n')).map(str.encode),
    st.binary(),
    TEXT.map(json.dumps).map(str.encode),
)


def standard(data):
    """The value that the standard library decodes. Raises ValueError if there is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as ex:
        return ValueError(str(ex))


@given(JSON_LIKE)
@example(b"[" * 100_000)
@example(b"9" * 5000)
@example(b"-0")
@example(b"1e999")
def test_bytes_are_json_or_a_value_error(data):
    try:
        value = json_codec.decode_strictly(data)
    except ValueError as ex:
        assert str(ex).isprintable()
        return

    assert json.loads(json_codec.encode(value)) == value == standard(data)


@given(JSON_LIKE)
@example(b'"\\ud800"')
@example(b"1e400")
@example(b"1" * 400)
@example(b"NaN")
@example(b' {"a":1,"a":2} ')
def test_both_codecs_read_the_same(data):
    try:
        value = json_codec.decode(data)
    except (ValueError, RecursionError):
        assert isinstance(standard(data), ValueError)
        return

    assert same(value, standard(data))


def same(one, other):
    """An integer of more than 64 bits may have become a float, and no number equals NaN."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, float) and isinstance(other, float | int):
        return one == float(other) or math.isnan(one) and math.isnan(other)
    return one == other


@given(JSON_LIKE)
def test_what_an_upstream_sends_is_an_object_or_garbage(data):
    try:
        value = json_object(data)
    except (ValueError, TypeError):
        return

    assert isinstance(value, dict)


@given(VALUES, st.sampled_from([parse_completion, parse_batch, parse_embeddings]))
def test_any_value_is_a_request_or_a_refusal(value, parse):
    limits = () if parse is parse_completion else (256,)

    try:
        request = parse(value, *limits)
    except ApiError as ex:
        assert 400 <= ex.status < 500
        json_codec.encode(ex.envelope())
        return

    assert request.model_id == value["model_id"]
