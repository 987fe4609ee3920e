"""Generation parameters: types, ranges, and names that are refused."""

import pytest
from builders import complaint

from octomil_ref.errors import BadRequest
from octomil_ref.payloads import parse_parameters

UNCHECKED = {"repeat_penalty": 1.1, "think": True, "logit_bias": {"1": -100}}
CHECKED = {
    "temperature": ("a number from 0 to 2", [0, 0.7, 2], [-0.1, 2.1]),
    "top_p": ("a number from 0 to 1", [0, 1], [-0.1, 1.1]),
    "presence_penalty": ("a number from -2 to 2", [-2, 2], [-2.1, 2.1]),
    "frequency_penalty": ("a number from -2 to 2", [-2, 2], [-2.1, 2.1]),
    "max_tokens": ("an integer of at least 1", [1], [0, -1, 1.5]),
    "top_k": ("an integer", [1, 0, -1], [2.5]),
    "seed": ("an integer", [0, -1], [1.5]),
    "stop": (
        "a string or an array of at most 8 strings",
        [["a", "b"], ["s"] * 8],
        [["s"] * 9, ["a", 1], ["a", None], {"a": "b"}, 1],
    ),
}
"""What a parameter must be, values that are accepted as they are, and others that are refused."""

ACCEPTED = [
    *((name, each, each) for name, (_, good, _) in CHECKED.items() for each in good),
    *(("max_tokens", 16.0, 16), ("top_k", 40.0, 40), ("seed", 7.0, 7)),
    ("stop", "END", ["END"]),
    *((name, each, each) for name, each in UNCHECKED.items()),
]
REFUSED = [
    (name, each, expected)
    for name, (expected, _, bad) in CHECKED.items()
    for each in bad
]


def parameter_complaint(name: str, value: object) -> str:
    return complaint(parse_parameters, "parameters", {name: value})


@pytest.mark.parametrize("name, given, parsed", ACCEPTED)
def test_a_parameter_is_accepted(name, given, parsed):
    parameters = parse_parameters("parameters", {name: given})

    assert parameters == {name: parsed}
    assert type(parameters[name]) is type(parsed)


@pytest.mark.parametrize("name, value, expected", REFUSED)
def test_the_error_names_a_parameter_out_of_range(name, value, expected):
    said = f"Validation failed: 'parameters.{name}' must be {expected}."
    assert parameter_complaint(name, value) == said


@pytest.mark.parametrize("name", [name for name in CHECKED if name != "stop"])
@pytest.mark.parametrize("value", [True, False, "1", [1], {}], ids=repr)
def test_a_numeric_parameter_must_be_a_number(name, value):
    assert f"'parameters.{name}' must be a" in parameter_complaint(name, value)


@pytest.mark.parametrize(
    "name", ["model", "messages", "tools", "Stream", "MODEL", "me\u017f\u017fages"]
)
def test_a_parameter_that_would_change_the_request_itself_is_refused(name):
    said = f"Validation failed: 'parameters.{name}' is not a generation parameter."
    assert parameter_complaint(name, 1) == said


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "stop", "model", "mine"])
def test_a_null_parameter_counts_as_not_given(name):
    assert parse_parameters("parameters", {name: None}) == {}


@pytest.mark.parametrize("value", [[], "", 0, False, "temperature=1"], ids=repr)
def test_parameters_that_are_not_an_object_are_refused(value):
    with pytest.raises(BadRequest, match="'inputs\\[1\\].parameters' must be an objec"):
        parse_parameters("inputs[1].parameters", value)
