"""What upstreams send may be anything: it is understood, or the attempt is broken."""

import json

import pytest
import responses
from builders import arriving

from octomil_ref.backends import upstream_json
from octomil_ref.backends.http import Upstream
from octomil_ref.errors import Broken, ModelNotFound, RateLimited, RequestRefused

URL = "http://upstream.test/"


def whole_answer(status: int, body: object) -> object:
    responses.get(URL, status=status, body=body)
    answer = Upstream("openai", URL, {}, 20).get("", 20)
    return upstream_json.whole_answer(answer)


@responses.activate
def test_a_whole_answer_is_the_object_in_its_body():
    fields = whole_answer(200, b'{"a": [1, 2.5, "\xc3\xa9"]}')

    assert fields == {"a": [1, 2.5, "é"]}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="no JSON"),
        pytest.param(b'{"a": ', id="JSON that breaks off"),
        pytest.param(b"[1]", id="an array"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b"[" * 100_000, id="100,000 nested arrays"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="a number of 5,000 digits"),
    ],
)
@responses.activate
def test_a_body_is_garbage_that_is(body):
    with pytest.raises(Broken, match="something else than an answer"):
        whole_answer(200, body)


@pytest.mark.parametrize("status", [201, 204, 301, 500])
@responses.activate
def test_only_status_200_announces_an_answer(status):
    with pytest.raises(Broken):
        whole_answer(status, b'{"a": 1}')


@responses.activate
def test_a_refusal_is_told_by_its_status():
    with pytest.raises(ModelNotFound):
        whole_answer(404, b'{"error": "no such model"}')


@responses.activate
def test_an_error_with_status_200_is_a_failure():
    with pytest.raises(Broken, match="failed"):
        whole_answer(200, b'{"error": {"message": "no"}}')


@responses.activate
def test_an_error_about_an_option_with_status_200_is_a_fault_of_the_request():
    with pytest.raises(RequestRefused, match="seed"):
        whole_answer(200, b'{"error": "option \\"seed\\" must be a number"}')


@responses.activate
def test_an_error_that_is_null_is_none():
    fields = whole_answer(200, b'{"error": null, "a": 1}')

    assert fields["a"] == 1


@responses.activate
def test_an_answer_that_breaks_off_is_closed():
    body = arriving(b"{", ConnectionResetError())

    with pytest.raises(Broken):
        whole_answer(200, body)

    assert body.closed


@responses.activate
def test_a_refusal_that_breaks_off_still_means_what_its_status_says():
    body = arriving(b"{", ConnectionResetError())

    with pytest.raises(ModelNotFound):
        whole_answer(404, body)

    assert body.closed


@pytest.mark.parametrize(
    "error, meaning",
    [
        pytest.param({"code": 429}, RateLimited, id="its own code"),
        pytest.param({"code": "overloaded"}, Broken, id="a failure where it is a word"),
        pytest.param("no", Broken, id="a failure where there is none"),
    ],
)
@responses.activate
def test_an_error_with_status_200_means(error, meaning):
    with pytest.raises(meaning):
        whole_answer(200, json.dumps({"error": error}))


@pytest.mark.parametrize(
    "value, text",
    [
        pytest.param("é", "é", id="itself"),
        pytest.param(None, "", id="empty where it is absent"),
        pytest.param("a\ud800b", "a?b", id="without half of a surrogate pair"),
    ],
)
def test_text_is(value, text):
    assert upstream_json.text(value) == text


@pytest.mark.parametrize("value", [7, True, [], {}], ids=repr)
def test_text_is_not(value):
    with pytest.raises(Broken), upstream_json.understanding("openai"):
        upstream_json.text(value)


@pytest.mark.parametrize("value, count", [(7, 7), (0, 0), (None, 0)])
def test_a_count_is(value, count):
    assert upstream_json.count(value) == count


@pytest.mark.parametrize("value", [-1, 1.5, True, "7", [], 10**16], ids=repr)
def test_a_count_is_not(value):
    with pytest.raises(Broken), upstream_json.understanding("openai"):
        upstream_json.count(value)


def test_vectors_are_as_many_as_the_inputs_and_of_one_dimension():
    vectors = upstream_json.vectors([[1, 2.5], [-3.0, 1e300]], 2)

    assert vectors == [[1, 2.5], [-3.0, 1e300]]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([[1.0]], id="too few"),
        pytest.param([[1.0]] * 3, id="too many"),
        pytest.param([[1.0], [1.0, 2.0]], id="of two dimensions"),
        pytest.param([[], []], id="of no dimension"),
        pytest.param([[1.0], [None]], id="with a null"),
        pytest.param([[1.0], ["1"]], id="with text"),
        pytest.param([[1.0], [True]], id="with a boolean"),
        pytest.param([[1.0], [float("nan")]], id="with a number that is none"),
        pytest.param([[1.0], [10**400]], id="with a number beyond all floats"),
        pytest.param([[1.0], [float("inf")]], id="with an endless number"),
        pytest.param([[1.0], "1"], id="with text for a vector"),
        pytest.param([{"0": 1.0}, {"0": 1.0}], id="with objects for vectors"),
        pytest.param([1.0, 2.0], id="with numbers for vectors"),
        pytest.param("ab", id="as text"),
        pytest.param({"a": [1.0], "b": [1.0]}, id="as an object"),
        pytest.param(None, id="as null"),
    ],
)
def test_vectors_are_garbage(value):
    with pytest.raises(Broken), upstream_json.understanding("openai"):
        upstream_json.vectors(value, 2)
