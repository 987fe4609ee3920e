"""Bugs in the requests to one upstream: parameters, messages, the model's name and the key. Each function is a mutant for each dialect."""

import re
import struct
from collections.abc import Callable
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any
from unicodedata import normalize

from octomil_conformance.backend import API_KEY
from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.subjects import table

TEXTS = ("REQ-17", "REQ-23", "REQ-24")


def parameters_in(payload: Json) -> Json:
    """The object that has the parameters in this dialect."""
    parameters: Json = payload.get("options", payload)
    return parameters


def texts(change: Callable[[str], str]) -> Callable[[Json], None]:
    """Changes the text of each message."""

    def play(payload: Json) -> None:
        for message in payload.get("messages", ()):
            message["content"] = change(message["content"])

    return play


def parameter(name: str, change: Callable[[Any], Any]) -> Callable[[Json], None]:
    """Changes this parameter if it is sent."""

    def play(payload: Json) -> None:
        parameters = parameters_in(payload)
        if name in parameters:
            parameters[name] = change(parameters[name])

    return play


def added(name: str, value: object) -> Callable[[Json], None]:
    """Adds this parameter to a chat that does not have it."""

    def play(payload: Json) -> None:
        if "messages" in payload:
            parameters_in(payload).setdefault(name, value)

    return play


def messages(change: Callable[[list[Json]], list[Json]]) -> Callable[[Json], None]:
    """Changes the list of messages."""
    return lambda payload: payload.update(messages=change(payload.get("messages", [])))


def last_messages(most: int) -> Callable[[Json], None]:
    return messages(lambda given: given[-most:])


def fractions(change: Callable[[float], float]) -> Callable[[Json], None]:
    """Changes each parameter that is a fraction."""

    def play(payload: Json) -> None:
        parameters = parameters_in(payload)
        for name, value in parameters.items():
            if type(value) is float:
                parameters[name] = change(value)

    return play


table(
    on.sends("infer@2", "REQ-21", shows=None),
    partial(parameter, "stop"),
    one_stop_is_enough=("Only the first string of stop is sent.", itemgetter(slice(1))),
    four_stops_are_sent=(
        "Only the first four strings of stop are sent.",
        itemgetter(slice(4)),
    ),
    stops_are_split_at_commas=(
        "A string of stop is split at its commas.",
        lambda stops: ",".join(stops).split(","),
    ),
)
table(
    on.sends("infer@2", "REQ-21", shows=None),
    partial(parameter, "seed"),
    "A seed is {}.",
    seeds_are_the_servers_own=("replaced by one of the server", lambda seed: 4711),
    seeds_have_32_bits=("cut to 32 bits", lambda seed: seed % 2**32),
)
table(
    on.sends("infer@2", "REQ-22", shows=None),
    added,
    "{} is added if the client gives none.",
    temperature_has_a_default=("A temperature", "temperature", 0.7),
    contexts_have_a_default=("`num_ctx`", "num_ctx", 4096),
)
table(
    on.sends("infer@2", "REQ-15", "REQ-16", "REQ-21", shows=None),
    fractions,
    fractions_have_32_bits=(
        "A fraction is read as a number of 32 bits.",
        lambda value: struct.unpack("f", struct.pack("f", value))[0],
    ),
    fractions_have_two_places=(
        "A fraction is rounded to two decimal places.",
        lambda value: round(value, 2),
    ),
)
table(
    on.sends("infer@2", *TEXTS, shows=None),
    texts,
    texts_are_trimmed=("White space around a message is removed.", str.strip),
)
table(
    on.sends("infer@2", "REQ-17", "REQ-23", shows=None),
    texts,
    prompts_are_normalized=(
        "The text of messages is changed to another Unicode form.",
        partial(normalize, "NFKC"),
    ),
    prompts_lose_carriage_returns=(
        "CR LF in messages becomes LF.",
        lambda text: text.replace("\r\n", "\n"),
    ),
    prompts_end_at_a_nul=(
        "The text of a message ends at a NUL.",
        lambda text: text.partition("\x00")[0],
    ),
    prompts_lose_control_characters=(
        "Control characters in messages are removed.",
        partial(re.sub, r"[\x01-\x08\x7f]", ""),
    ),
    dollars_are_patterns=("`$$` becomes `$`.", lambda text: text.replace("$$", "$")),
    dates_are_rewritten=(
        "A date is rewritten.",
        partial(re.sub, r"05:06Z\Z", "05:06.000Z"),
    ),
    long_messages_are_cut=(
        "Only the first 100,000 characters of a message are sent.",
        lambda text: text[:100_000],
    ),
)
table(
    on.sends("infer@2", "REQ-17", "REQ-24", shows=None),
    messages,
    systems_are_dropped=(
        "System messages are not sent.",
        lambda given: [each for each in given if each["role"] != "system"],
    ),
    only_the_last_message_is_sent=(
        "Only the last message is sent.",
        lambda given: given[-1:],
    ),
)
table(
    on.sends("infer@2", "REQ-17", shows=None),
    messages,
    systems_move_to_the_front=(
        "System messages are sent before all others.",
        lambda given: sorted(given, key=lambda each: each["role"] != "system"),
    ),
    empty_messages_are_dropped=(
        "A message without text is not sent.",
        lambda given: [each for each in given if each["content"]],
    ),
)
table(
    on.sends("infer@2", "REQ-17", shows=None),
    last_messages,
    "Only the last {} messages are sent.",
    two_hundred_messages_are_sent=("two hundred", 200),
    ten_messages_are_sent=("ten", 10),
)


@on.sends("infer@2", "REQ-24", shows=None)
def messages_have_a_name(payload: Json) -> None:
    """Each message is sent with a name."""
    for message in payload.get("messages", ()):
        message["name"] = "ann"


@on.sends("infer@2", "REQ-24", only="openai", shows=None)
def texts_are_sent_in_parts(payload: Json) -> None:
    """Each line of a message is sent as a part of its own."""
    for message in payload.get("messages", ()):
        lines = message["content"].split("\n")
        message["content"] = [{"type": "text", "text": line} for line in lines]


@on.sends("infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", shows=None)
def parameters_are_not_sent(payload: Json) -> None:
    """Parameters are not sent."""
    payload.pop("options", None)
    for name in [*payload]:
        if name not in ("model", "messages", "stream", "stream_options", "input"):
            del payload[name]


@on.sends("infer@2", "REQ-15", "REQ-21", shows=None)
def zero_counts_as_nothing(payload: Json) -> None:
    """A parameter of 0 is not sent."""
    parameters = parameters_in(payload)
    for name in [*parameters]:
        if type(parameters[name]) in (int, float) and not parameters[name]:
            del parameters[name]


@on.sends("infer@2", "REQ-15", shows=None)
def limits_are_capped(payload: Json) -> None:
    """A limit of more than 4096 tokens is lowered."""
    parameters = parameters_in(payload)
    for name in ("num_predict", "max_tokens"):
        if name in parameters:
            parameters[name] = min(4096, parameters[name])


@on.sends("infer@2", "INFER-10", "REQ-15", only="ollama", shows=None)
def limit_has_the_name_of_another_dialect(payload: Json) -> None:
    """The limit of tokens is called max_tokens."""
    options = parameters_in(payload)
    if "num_predict" in options:
        options["max_tokens"] = options.pop("num_predict")


@on.sends(
    "infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", only="ollama", shows=None
)
def options_are_beside_the_messages(payload: Json) -> None:
    """The options are beside the messages, where Ollama does not read them."""
    payload |= payload.pop("options", {})


@on.sends(
    "infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", only="openai", shows=None
)
def parameters_are_in_options(payload: Json) -> None:
    """Parameters are sent in options, as in Ollama's API."""
    known = ("model", "messages", "stream", "stream_options", "input")
    names = [name for name in payload if name not in known]
    payload["options"] = {name: payload.pop(name) for name in names}


@on.sends("infer@2", "REQ-21", shows=None)
def stop_is_not_sent(payload: Json) -> None:
    """`stop` is not sent."""
    parameters_in(payload).pop("stop", None)


_refusing: set[str] = set()


@on.sends("infer@2", "REQ-21", shows=None)
def a_refused_seed_is_never_sent_again(payload: Json) -> None:
    """A parameter that one model refuses is not sent to any other model later."""
    if "no-seed" in payload["model"]:
        _refusing.add("seed")
        return
    for name in _refusing:
        parameters_in(payload).pop(name, None)


@on.layer("infer@2 stream@2", "REQ-30", shows=None)
def refused_parameters_are_left_out_silently(request: Request, server: Server) -> Response:  # fmt: skip
    """If the upstream refuses a parameter, it is asked again without it, and the answer does not say so."""
    response, fields = server(request), request.fields
    if response.status not in (400, 422) or "no-seed" not in request.scenario:
        return response
    given = {**fields["parameters"]}
    del given["seed"]
    return server(request.send({**fields, "parameters": given}))


@on.layer("infer@2", "REQ-30", shows=None)
def all_is_left_out_if_one_is_refused(request: Request, server: Server) -> Response:
    """A model that refuses one parameter is asked without any, and the answer names the refused one."""
    if "no-seed" not in request.scenario:
        return server(request)
    response = server(request.send({**request.fields, "parameters": {}}))
    return response.send(response.fields | {"ignored_parameters": ["seed"]})


@on.sends("infer@2", "REQ-16", only="ollama", shows=None)
def what_is_beside_options_is_inside(payload: Json) -> None:
    """All parameters are in options, where Ollama does not read format."""
    if "format" in payload:
        payload["options"]["format"] = payload.pop("format")


@on.sends("infer@2", "REQ-22", only="openai", shows=None)
def what_is_not_given_is_null(payload: Json) -> None:
    """A parameter that the client does not give is sent as null."""
    if "messages" in payload:
        payload.setdefault("top_p", None)


@on.sends("infer@2", "REQ-22", only="ollama", shows=None)
def models_stay_for_five_minutes(payload: Json) -> None:
    """`keep_alive` is added if the client gives none."""
    payload.setdefault("keep_alive", "5m")


@on.sends("infer@2", "REQ-17", shows=None)
def tools_are_users(payload: Json) -> None:
    """The messages of tools reach the model as the user's."""
    for message in payload.get("messages", ()):
        message["role"] = message["role"].replace("tool", "user")


@on.sends("infer@2", "REQ-17", shows=None)
def messages_of_one_role_are_merged(payload: Json) -> None:
    """Consecutive messages with the same role become one."""
    groups = groupby(payload.get("messages", ()), lambda each: each["role"])
    payload["messages"] = [
        {"role": role, "content": "\n".join(each["content"] for each in group)}
        for role, group in groups
    ]


@on.sends("infer@2", "REQ-17", shows=None)
def messages_are_sent_once(payload: Json) -> None:
    """Of equal consecutive messages only one is sent."""
    given = payload.get("messages", [])
    payload["messages"] = [each for each, before in zip(given, [None, *given]) if each != before]  # fmt: skip


@on.sends("batch@2", "BATCH-30", shows=None)
def inputs_of_batches_have_one_message(payload: Json) -> None:
    """The messages of an input are sent as one."""
    given = payload.get("messages", [])
    text = "\n".join(message["content"] for message in given)
    payload["messages"] = [{"role": "user", "content": text}]


@on.keys("infer@2", "FALLBACK-12", only="openai", shows=None)
def the_key_is_not_sent() -> str:
    """The server's own key is not sent."""
    return ""


@on.keys("infer@2", "FALLBACK-12", only="ollama", shows=None)
def the_key_is_sent_to_all() -> str:
    """The server's own key for the fallback is sent."""
    return API_KEY
