"""Parameters of requests: types, ranges, and names that are refused."""

import pytest
from builders import complaint

from octomil_ref.errors import BadRequest
from octomil_ref.payloads import parse_parameters

ACCEPTED = [
    ("temperature", 0, 0),
    ("temperature", 2, 2),
    ("temperature", 0.7, 0.7),
    ("top_p", 0, 0),
    ("top_p", 1, 1),
    ("presence_penalty", -2, -2),
    ("presence_penalty", 2, 2),
    ("frequency_penalty", -2, -2),
    ("frequency_penalty", 2, 2),
    ("max_tokens", 1, 1),
    ("max_tokens", 16.0, 16),
    ("top_k", 1, 1),
    ("top_k", 40.0, 40),
    ("seed", 0, 0),
    ("seed", -1, -1),
    ("seed", 7.0, 7),
    ("stop", "END", ["END"]),
    ("stop", ["a", "b"], ["a", "b"]),
    ("stop", ["s"] * 8, ["s"] * 8),
    ("repeat_penalty", 1.1, 1.1),
    ("think", True, True),
    ("logit_bias", {"1": -100}, {"1": -100}),
]

OUT_OF_RANGE = [
    ("temperature", -0.1, "a number from 0 to 2"),
    ("temperature", 2.1, "a number from 0 to 2"),
    ("top_p", -0.1, "a number from 0 to 1"),
    ("top_p", 1.1, "a number from 0 to 1"),
    ("presence_penalty", -2.1, "a number from -2 to 2"),
    ("presence_penalty", 2.1, "a number from -2 to 2"),
    ("frequency_penalty", -2.1, "a number from -2 to 2"),
    ("frequency_penalty", 2.1, "a number from -2 to 2"),
    ("max_tokens", 0, "an integer of at least 1"),
    ("max_tokens", -1, "an integer of at least 1"),
    ("max_tokens", 1.5, "an integer of at least 1"),
    ("top_k", 0, "an integer of at least 1"),
    ("top_k", 2.5, "an integer of at least 1"),
    ("seed", 1.5, "an integer"),
    ("stop", ["s"] * 9, "a string or an array of at most 8 strings"),
    ("stop", ["a", 1], "a string or an array of at most 8 strings"),
    ("stop", ["a", None], "a string or an array of at most 8 strings"),
    ("stop", {"a": "b"}, "a string or an array of at most 8 strings"),
    ("stop", 1, "a string or an array of at most 8 strings"),
]

NUMBERS = [
    *("temperature", "top_p", "presence_penalty", "frequency_penalty"),
    *("max_tokens", "top_k", "seed"),
]


def parameter_complaint(name: str, value: object) -> str:
    return complaint(parse_parameters, "parameters", {name: value})


@pytest.mark.parametrize("name, given, parsed", ACCEPTED)
def test_a_parameter_is_accepted(name, given, parsed):
    parameters = parse_parameters("parameters", {name: given})

    assert parameters == {name: parsed}
    assert type(parameters[name]) is type(parsed)


@pytest.mark.parametrize("name, value, expected", OUT_OF_RANGE)
def test_the_error_names_a_parameter_out_of_range(name, value, expected):
    assert (
        parameter_complaint(name, value)
        == f"Validation failed: 'parameters.{name}' must be {expected}."
    )


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False, "1", [1], {}], ids=repr)
def test_a_numeric_parameter_must_be_a_number(name, value):
    assert f"'parameters.{name}' must be a" in parameter_complaint(name, value)


@pytest.mark.parametrize(
    "name", ["model", "messages", "tools", "Stream", "MODEL", "me\u017f\u017fages"]
)
def test_a_parameter_that_would_change_the_request_itself_is_refused(name):
    assert (
        parameter_complaint(name, 1)
        == f"Validation failed: 'parameters.{name}' is not a generation parameter."
    )


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "stop", "model", "mine"])
def test_a_null_parameter_counts_as_not_given(name):
    assert parse_parameters("parameters", {name: None}) == {}


@pytest.mark.parametrize("value", [[], "", 0, False, "temperature=1"], ids=repr)
def test_parameters_that_are_not_an_object_are_refused(value):
    with pytest.raises(BadRequest, match="'inputs\\[1\\].parameters' must be an objec"):
        parse_parameters("inputs[1].parameters", value)
