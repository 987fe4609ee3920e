"""Parameters of requests, and nested values, that are refused, accepted or lost, whatever the upstream is."""

import json
from contextlib import suppress

from octomil_conformance.server import on
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Json, Request, Response, parameters_in
from octomil_conformance.server.payloads import FORBIDDEN, parameters_of

NAMED = ("stream", "model", "messages", "tools")
"""The parameters that REQ-14 names."""


@on.refuses("infer@1", "REQ-04")
def empty_parameters_are_refused(fields: Json) -> bool:
    """An empty object as `parameters` is refused."""
    return fields.get("parameters") == {}


@on.refuses("infer@1", "REQ-05")
def null_seeds_are_refused(fields: Json) -> bool:
    """Null as `seed` is refused."""
    return parameters_in(fields).get("seed", 0) is None


@on.refuses("infer@1", "REQ-05", shows=None)
def null_tools_are_refused(fields: Json) -> bool:
    """Null as a parameter that would change the request is refused."""
    return parameters_in(fields).get("tools", 0) is None


@on.refuses("infer@2", "REQ-16", shows=None)
def unknown_objects_are_refused(fields: Json) -> bool:
    """An object as an unknown parameter is refused."""
    return isinstance(parameters_in(fields).get("logit_bias"), dict)


@on.refuses("infer@2", "REQ-21", shows=None)
def five_stops_are_refused(fields: Json) -> bool:
    """`stop` of more than four strings is refused."""
    stops = parameters_in(fields).get("stop")
    return isinstance(stops, list) and len(stops) > 4


@on.refuses("infer@2", "REQ-21", shows=None)
def empty_stops_are_refused(fields: Json) -> bool:
    """`stop` without a string is refused."""
    return parameters_in(fields).get("stop") == []


@on.refuses("infer@2", "REQ-21", shows=None)
def top_k_begins_at_one(fields: Json) -> bool:
    """A `top_k` of 0 or less is refused."""
    top_k = parameters_in(fields).get("top_k")
    return isinstance(top_k, int) and top_k < 1


@on.refuses("infer@2", "REQ-21", shows=None)
def negative_penalties_are_refused(fields: Json) -> bool:
    """A `presence_penalty` below 0 is refused."""
    return (parameters_in(fields).get("presence_penalty") or 0) < 0


@on.bodies("infer@1", "REQ-12")
def temperature_is_clamped(fields: Json) -> None:
    """A temperature out of range is changed to the nearest valid one."""
    parameters = parameters_in(fields)
    if parameters.get("temperature") in (2.5, -1):
        parameters["temperature"] = min(2, max(0, parameters["temperature"]))


def read_leniently(fields: Json, names: tuple[str, ...]) -> None:
    """Read text and booleans as the numbers that they look like."""
    given = parameters_in(fields)
    for name in names:
        if isinstance(given.get(name), bool | str):
            with suppress(ValueError):
                given[name] = json.loads(str(given[name]).lower()) + 0


@on.bodies("infer@1", "REQ-12")
def numbers_may_be_text(fields: Json) -> None:
    """`temperature`, `top_p` and `max_tokens` may be text or booleans."""
    read_leniently(fields, ("temperature", "top_p", "max_tokens"))


@on.bodies("infer@1", "REQ-28")
def other_numbers_may_be_text(fields: Json) -> None:
    """All other parameters that are numbers may be text or booleans."""
    names = ("top_k", "seed", "presence_penalty", "frequency_penalty")
    read_leniently(fields, names)


@on.bodies("infer@1", "REQ-28")
def stops_may_be_numbers(fields: Json) -> None:
    """A number as `stop` is read as text."""
    given = parameters_in(fields)
    if isinstance(given.get("stop"), int):
        given["stop"] = str(given["stop"])


@on.bodies("infer@1", "REQ-12")
def odd_parameters_are_passed_over(fields: Json) -> None:
    """`parameters` that are not an object are silently dropped."""
    if isinstance(fields.get("parameters"), str | list):
        fields["parameters"] = {"max_tokens": 8}


@on.bodies("infer@1", "REQ-14")
def forbidden_parameters_are_passed_over(fields: Json) -> None:
    """A parameter that is not allowed is silently dropped."""
    for name in NAMED:
        parameters_in(fields).pop(name, None)


@on.bodies("infer@1", "REQ-14 REQ-27")
def falsy_parameters_are_passed_over(fields: Json) -> None:
    """A parameter that is not allowed is silently dropped if it is 0, false or empty."""
    for name in ("stream", "model", "n"):
        if not parameters_in(fields).get(name, 1):
            del fields["parameters"][name]


@on.bodies("infer@2", "REQ-22", shows=None)
def parameters_may_be_beside_the_prompt(fields: Json) -> None:
    """A temperature beside the prompt is sent to the model."""
    if isinstance(fields.get("temperature"), float):
        fields["parameters"] = {"temperature": 0.5} | parameters_in(fields)


@on.bodies("infer@2", "REQ-15 REQ-16 REQ-21 INFER-10")
def drops_parameters(fields: Json) -> None:
    """Valid parameters never reach the model."""
    with suppress(Failure):
        parameters_of(fields)
        fields.pop("parameters", None)


@on.bodies("infer@2", "REQ-16", shows=None)
def unknown_parameters_are_dropped(fields: Json) -> None:
    """An unknown parameter is silently dropped."""
    parameters_in(fields).pop("mirostat_tau", None)


@on.bodies("infer@2", "REQ-16", shows=None)
def a_prototype_is_dropped(fields: Json) -> None:
    """A parameter that is called `__proto__` is silently dropped, as libraries in JavaScript do."""
    parameters_in(fields).pop("__proto__", None)


@on.bodies("infer@2", "REQ-16", shows=None)
def a_thousand_parameters_are_read(fields: Json) -> None:
    """Parameters after the first thousand are silently dropped."""
    for name in [*parameters_in(fields)][1000:]:
        del fields["parameters"][name]


@on.bodies("infer@1", "REQ-27")
def odd_names_are_passed_over(fields: Json) -> None:
    """A parameter that changes the request is silently dropped, except for those in REQ-14."""
    for name in FORBIDDEN - {*NAMED}:
        parameters_in(fields).pop(name, None)


@on.replies("infer@2", "REQ-18", shows=None)
def nested_features_are_a_500(request: Request, response: Response) -> None:
    """A deeply nested object as `input_data` is answered with 500."""
    if b'"input_data": {"a": [[[' in request.body:
        response.fail(500)
