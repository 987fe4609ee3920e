"""Bugs in the requests to one upstream: parameters, messages, the model's name and the key. Each function is a mutant for each dialect."""

import re
import struct
import unicodedata
from collections.abc import Callable
from itertools import groupby

from octomil_conformance.backend import API_KEY
from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.subjects import keys, layer, sends

TEXTS = ("REQ-17", "REQ-23", "REQ-24")


def parameters_in(payload: Json) -> Json:
    """The object that has the parameters in this dialect."""
    parameters: Json = payload.get("options", payload)
    return parameters


def change_texts(payload: Json, change: Callable[[str], str]) -> None:
    for message in payload.get("messages", ()):
        message["content"] = change(message["content"])


@sends("infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", shows=None)
def parameters_are_not_sent(payload: Json) -> None:
    """Parameters are not sent."""
    payload.pop("options", None)
    for name in [*payload]:
        if name not in ("model", "messages", "stream", "stream_options", "input"):
            del payload[name]


@sends("infer@2", "REQ-15", "REQ-21", shows=None)
def zero_counts_as_nothing(payload: Json) -> None:
    """A parameter of 0 is not sent."""
    parameters = parameters_in(payload)
    for name in [*parameters]:
        if type(parameters[name]) in (int, float) and not parameters[name]:
            del parameters[name]


def change_fractions(payload: Json, change: Callable[[float], float]) -> None:
    parameters = parameters_in(payload)
    for name, value in parameters.items():
        if type(value) is float:
            parameters[name] = change(value)


@sends("infer@2", "REQ-15", "REQ-16", "REQ-21", shows=None)
def fractions_have_32_bits(payload: Json) -> None:
    """A fraction is read as a number of 32 bits."""
    change_fractions(payload, lambda value: struct.unpack("f", struct.pack("f", value))[0])  # fmt: skip


@sends("infer@2", "REQ-15", "REQ-16", "REQ-21", shows=None)
def fractions_have_two_places(payload: Json) -> None:
    """A fraction is rounded to two decimal places."""
    change_fractions(payload, lambda value: round(value, 2))


@sends("infer@2", "REQ-15", shows=None)
def limits_are_capped(payload: Json) -> None:
    """A limit of more than 4096 tokens is lowered."""
    parameters = parameters_in(payload)
    for name in ("num_predict", "max_tokens"):
        if name in parameters:
            parameters[name] = min(4096, parameters[name])


@sends("infer@2", "INFER-10", "REQ-15", only="ollama", shows=None)
def limit_has_the_name_of_another_dialect(payload: Json) -> None:
    """The limit of tokens is called max_tokens."""
    options = parameters_in(payload)
    if "num_predict" in options:
        options["max_tokens"] = options.pop("num_predict")


@sends("infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", only="ollama", shows=None)
def options_are_beside_the_messages(payload: Json) -> None:
    """The options are beside the messages, where Ollama does not read them."""
    payload |= payload.pop("options", {})


@sends("infer@2", "INFER-10", "REQ-15", "REQ-16", "REQ-21", only="openai", shows=None)
def parameters_are_in_options(payload: Json) -> None:
    """Parameters are sent in options, as in Ollama's API."""
    known = ("model", "messages", "stream", "stream_options", "input")
    names = [name for name in payload if name not in known]
    payload["options"] = {name: payload.pop(name) for name in names}


@sends("infer@2", "REQ-22", shows=None)
def temperature_has_a_default(payload: Json) -> None:
    """A temperature is added if the client gives none."""
    if "messages" in payload:
        parameters_in(payload).setdefault("temperature", 0.7)


@sends("infer@2", "REQ-22", only="openai", shows=None)
def what_is_not_given_is_null(payload: Json) -> None:
    """A parameter that the client does not give is sent as null."""
    if "messages" in payload:
        payload.setdefault("top_p", None)


@sends("infer@2", "REQ-21", shows=None)
def one_stop_is_enough(payload: Json) -> None:
    """Only the first string of stop is sent."""
    parameters = parameters_in(payload)
    if "stop" in parameters:
        parameters["stop"] = parameters["stop"][:1]


@sends("infer@2", "REQ-21", shows=None)
def stop_is_not_sent(payload: Json) -> None:
    """`stop` is not sent."""
    parameters_in(payload).pop("stop", None)


@sends("infer@2", "REQ-21", shows=None)
def seeds_are_the_servers_own(payload: Json) -> None:
    """A seed is replaced by one of the server."""
    parameters = parameters_in(payload)
    if "seed" in parameters:
        parameters["seed"] = 4711


_refusing: set[str] = set()


@sends("infer@2", "REQ-21", shows=None)
def a_refused_seed_is_never_sent_again(payload: Json) -> None:
    """A parameter that one model refuses is not sent to any other model later."""
    if "no-seed" in payload["model"]:
        _refusing.add("seed")
        return
    for name in _refusing:
        parameters_in(payload).pop(name, None)


@layer("infer@2 stream@2", "REQ-30", shows=None)
def refused_parameters_are_left_out_silently(request: Request, server: Server) -> Response:  # fmt: skip
    """If the upstream refuses a parameter, it is asked again without it, and the answer does not say so."""
    response, fields = server(request), request.fields
    if response.status not in (400, 422) or "no-seed" not in request.scenario:
        return response
    return server(request.send({**fields, "parameters": {}}))


@sends("infer@2", "REQ-21", shows=None)
def four_stops_are_sent(payload: Json) -> None:
    """Only the first four strings of stop are sent."""
    parameters = parameters_in(payload)
    if "stop" in parameters:
        parameters["stop"] = parameters["stop"][:4]


@sends("infer@2", "REQ-21", shows=None)
def stops_are_split_at_commas(payload: Json) -> None:
    """A string of stop is split at its commas."""
    parameters = parameters_in(payload)
    if "stop" in parameters:
        parameters["stop"] = ",".join(parameters["stop"]).split(",")


@sends("infer@2", "REQ-21", shows=None)
def seeds_have_32_bits(payload: Json) -> None:
    """A seed is cut to 32 bits."""
    parameters = parameters_in(payload)
    if "seed" in parameters:
        parameters["seed"] %= 2**32


@sends("infer@2", "REQ-16", only="ollama", shows=None)
def what_is_beside_options_is_inside(payload: Json) -> None:
    """All parameters are in options, where Ollama does not read format."""
    if "format" in payload:
        payload["options"]["format"] = payload.pop("format")


@sends("infer@2", "REQ-22", only="ollama", shows=None)
def models_stay_for_five_minutes(payload: Json) -> None:
    """`keep_alive` is added if the client gives none."""
    payload.setdefault("keep_alive", "5m")


@sends("infer@2", "REQ-22", shows=None)
def contexts_have_a_default(payload: Json) -> None:
    """`num_ctx` is added if the client gives none."""
    if "messages" in payload:
        parameters_in(payload).setdefault("num_ctx", 4096)


@sends("infer@2", "REQ-17", shows=None)
def tools_are_users(payload: Json) -> None:
    """The messages of tools reach the model as the user's."""
    for message in payload.get("messages", ()):
        message["role"] = message["role"].replace("tool", "user")


@sends("infer@2", *TEXTS, shows=None)
def texts_are_trimmed(payload: Json) -> None:
    """White space around a message is removed."""
    change_texts(payload, str.strip)


@sends("infer@2", "REQ-17", "REQ-23", shows=None)
def prompts_are_normalized(payload: Json) -> None:
    """The text of messages is changed to another Unicode form."""
    change_texts(payload, lambda text: unicodedata.normalize("NFKC", text))


@sends("infer@2", "REQ-17", "REQ-23", shows=None)
def prompts_lose_carriage_returns(payload: Json) -> None:
    """CR LF in messages becomes LF."""
    change_texts(payload, lambda text: text.replace("\r\n", "\n"))


@sends("infer@2", "REQ-17", "REQ-23", shows=None)
def prompts_end_at_a_nul(payload: Json) -> None:
    """The text of a message ends at a NUL."""
    change_texts(payload, lambda text: text.partition("\x00")[0])


@sends("embed@2", "EMBED-23", shows=None)
def inputs_end_at_a_nul(payload: Json) -> None:
    """A text that is embedded ends at a NUL."""
    if "input" in payload:
        payload["input"] = [text.partition("\x00")[0] for text in payload["input"]]


@sends("infer@2", "REQ-17", "REQ-23", shows=None)
def prompts_lose_control_characters(payload: Json) -> None:
    """Control characters in messages are removed."""
    change_texts(payload, lambda text: re.sub(r"[\x01-\x08\x7f]", "", text))


@sends("infer@2", "REQ-17", shows=None)
def messages_of_one_role_are_merged(payload: Json) -> None:
    """Consecutive messages with the same role become one."""
    groups = groupby(payload.get("messages", ()), lambda each: each["role"])
    payload["messages"] = [
        {"role": role, "content": "\n".join(each["content"] for each in group)}
        for role, group in groups
    ]


@sends("infer@2", "REQ-17", shows=None)
def systems_move_to_the_front(payload: Json) -> None:
    """System messages are sent before all others."""
    if "messages" in payload:
        payload["messages"].sort(key=lambda message: message["role"] != "system")


@sends("infer@2", "REQ-17", "REQ-24", shows=None)
def systems_are_dropped(payload: Json) -> None:
    """System messages are not sent."""
    messages = payload.get("messages", ())
    payload["messages"] = [each for each in messages if each["role"] != "system"]


@sends("infer@2", "REQ-17", "REQ-24", shows=None)
def only_the_last_message_is_sent(payload: Json) -> None:
    """Only the last message is sent."""
    payload["messages"] = payload.get("messages", [])[-1:]


@sends("infer@2", "REQ-17", shows=None)
def empty_messages_are_dropped(payload: Json) -> None:
    """A message without text is not sent."""
    messages = payload.get("messages", ())
    payload["messages"] = [each for each in messages if each["content"]]


@sends("infer@2", "REQ-17", shows=None)
def two_hundred_messages_are_sent(payload: Json) -> None:
    """Only the last two hundred messages are sent."""
    payload["messages"] = payload.get("messages", [])[-200:]


@sends("infer@2", "REQ-17", shows=None)
def ten_messages_are_sent(payload: Json) -> None:
    """Only the last ten messages are sent."""
    payload["messages"] = payload.get("messages", [])[-10:]


@sends("infer@2", "REQ-17", "REQ-23", shows=None)
def long_messages_are_cut(payload: Json) -> None:
    """Only the first 100,000 characters of a message are sent."""
    for message in payload.get("messages", ()):
        message["content"] = message["content"][:100_000]


@sends("infer@2", "REQ-17", shows=None)
def messages_are_sent_once(payload: Json) -> None:
    """Of equal messages one after the other only one is sent."""
    given = payload.get("messages", [])
    payload["messages"] = [each for each, before in zip(given, [None, *given]) if each != before]  # fmt: skip


@sends("batch@2", "BATCH-30", shows=None)
def inputs_of_batches_have_one_message(payload: Json) -> None:
    """The messages of an input are sent as one."""
    given = payload.get("messages", [])
    text = "\n".join(message["content"] for message in given)
    payload["messages"] = [{"role": "user", "content": text}]


@keys("infer@2", "FALLBACK-12", only="openai", shows=None)
def the_key_is_not_sent() -> str:
    """The server's own key is not sent."""
    return ""


@keys("infer@2", "FALLBACK-12", only="ollama", shows=None)
def the_key_is_sent_to_all() -> str:
    """The server's own key for the fallback is sent."""
    return API_KEY
