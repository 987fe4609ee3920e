"""Generation parameters: their types and ranges, and the names that are refused (spec section 3). Pure.

Unknown names are passed on to the backend, since the SDKs send arbitrary extras; a name that would change the request
itself is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any

from octomil_ref.errors import invalid

Parameters = Mapping[str, Any]
"""Name to value, without nulls. `stop` is a list, integers are int."""

REFUSED = frozenset(
    [
        *("model", "messages", "input", "prompt", "n", "options", "encoding_format"),
        *("stream", "stream_options"),
        *("tools", "tool_choice", "functions", "function_call"),
    ]
)

STOP_MAX_STRINGS = 8


def parse_parameters(path: str, value: object) -> Parameters:
    """Raises BadRequest that names the parameter. None and {} are no parameters."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(path, "must be an object")
    return {
        name: _parameter(f"{path}.{name}", name, given)
        for name, given in value.items()
        if given is not None
    }


def _parameter(path: str, name: str, value: Any) -> Any:
    if name.lower() in REFUSED:  # Go servers do not mind the case of a key
        raise invalid(path, "is not a generation parameter")
    rule = RULES.get(name)
    if rule is None:
        return value
    try:
        return rule(value)
    except ValueError as ex:
        raise invalid(path, f"must be {ex}") from ex


Rule = Callable[[Any], Any]
"""The value as backends get it. Raises ValueError with what was expected."""


def _number(low: float, high: float) -> Rule:
    def rule(value: Any) -> Any:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return rule


def _integer(value: Any) -> int:
    # JSON has one kind of number: 16.0 is an integer there. A boolean is none, though Python's is.
    if type(value) is int or type(value) is float and value.is_integer():
        return int(value)
    raise ValueError("an integer")


def positive_integer(value: Any) -> int:
    try:
        number = _integer(value)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError("an integer of at least 1")
    return number


def _stop(value: Any) -> list[str]:
    strings = [value] if isinstance(value, str) else value
    if (
        not isinstance(strings, list)
        or len(strings) > STOP_MAX_STRINGS
        or not all(isinstance(string, str) for string in strings)
    ):
        raise ValueError(f"a string or an array of at most {STOP_MAX_STRINGS} strings")
    return strings


RULES: Mapping[str, Rule] = {
    "temperature": _number(0, 2),
    "max_tokens": positive_integer,
    "top_p": _number(0, 1),
    "top_k": positive_integer,
    "seed": _integer,
    "stop": _stop,
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
}
