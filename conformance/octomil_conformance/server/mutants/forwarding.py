"""Bugs in the requests to one upstream: parameters, messages, the model's name and the key. Each function is a mutant for each dialect."""

import re
import struct
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from unicodedata import normalize

from octomil_conformance.backend import API_KEY
from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response, Server

Messages = list[Json]


# Parameters


@on.parameters("infer@2", "REQ-21")
def one_stop_is_enough(parameters: Json) -> None:
    """Only the first string of stop is sent."""
    del parameters.get("stop", [])[1:]


@on.parameters("infer@2", "REQ-21")
def four_stops_are_sent(parameters: Json) -> None:
    """Only the first four strings of stop are sent."""
    del parameters.get("stop", [])[4:]


@on.parameters("infer@2", "REQ-21")
def stops_are_split_at_commas(parameters: Json) -> None:
    """A string of stop is split at its commas."""
    if "stop" in parameters:
        parameters["stop"] = ",".join(parameters["stop"]).split(",")


@on.parameters("infer@2", "REQ-21")
def seeds_are_the_servers_own(parameters: Json) -> None:
    """A seed is replaced by one of the server."""
    if "seed" in parameters:
        parameters["seed"] = 4711


@on.parameters("infer@2", "REQ-21")
def seeds_have_32_bits(parameters: Json) -> None:
    """A seed is cut to 32 bits."""
    if "seed" in parameters:
        parameters["seed"] %= 2**32


@on.parameters("infer@2", "REQ-22")
def temperature_has_a_default(parameters: Json) -> None:
    """A temperature is added if the client gives none."""
    parameters.setdefault("temperature", 0.7)


@on.parameters("infer@2", "REQ-22")
def contexts_have_a_default(parameters: Json) -> None:
    """`num_ctx` is added if the client gives none."""
    parameters.setdefault("num_ctx", 4096)


def change_fractions(parameters: Json, change: Callable[[float], float]) -> None:
    for name, value in parameters.items():
        if type(value) is float:
            parameters[name] = change(value)


@on.parameters("infer@2", "REQ-15 REQ-16 REQ-21")
def fractions_have_32_bits(parameters: Json) -> None:
    """A fraction is read as a number of 32 bits."""
    single = struct.Struct("f")
    change_fractions(parameters, lambda value: single.unpack(single.pack(value))[0])


@on.parameters("infer@2", "REQ-15 REQ-16 REQ-21")
def fractions_have_two_places(parameters: Json) -> None:
    """A fraction is rounded to two decimal places."""
    change_fractions(parameters, lambda value: round(value, 2))


# Messages


@on.texts("infer@2", "REQ-17 REQ-23 REQ-24")
def texts_are_trimmed(text: str) -> str:
    """White space around a message is removed."""
    return text.strip()


@on.texts("infer@2", "REQ-17 REQ-23")
def prompts_are_normalized(text: str) -> str:
    """The text of messages is changed to another Unicode form."""
    return normalize("NFKC", text)


@on.texts("infer@2", "REQ-17 REQ-23")
def prompts_lose_carriage_returns(text: str) -> str:
    """CR LF in messages becomes LF."""
    return text.replace("\r\n", "\n")


@on.texts("infer@2", "REQ-17 REQ-23")
def prompts_end_at_a_nul(text: str) -> str:
    """The text of a message ends at a NUL."""
    return text.partition("\x00")[0]


@on.texts("infer@2", "REQ-17 REQ-23")
def prompts_lose_control_characters(text: str) -> str:
    """Control characters in messages are removed."""
    return re.sub(r"[\x01-\x08\x7f]", "", text)


@on.texts("infer@2", "REQ-17 REQ-23")
def prompts_lose_tag_characters(text: str) -> str:
    """Tag characters in messages, which are parts of some flags, are removed."""
    return re.sub("[\U000e0000-\U000e007f]", "", text)


@on.texts("infer@2", "REQ-23")
def prompts_lose_their_first_mark(text: str) -> str:
    """A byte order mark at the beginning of a message is removed."""
    return text.removeprefix("\ufeff")


@on.texts("infer@2", "REQ-17 REQ-23")
def dollars_are_patterns(text: str) -> str:
    """`$$` becomes `$`."""
    return text.replace("$$", "$")


@on.texts("infer@2", "REQ-17 REQ-23")
def dates_are_rewritten(text: str) -> str:
    """A date is rewritten."""
    return re.sub(r"05:06Z\Z", "05:06.000Z", text)


@on.texts("infer@2", "REQ-17 REQ-23")
def long_messages_are_cut(text: str) -> str:
    """Only the first 100,000 characters of a message are sent."""
    return text[:100_000]


@on.messages("infer@2", "REQ-17 REQ-24")
def systems_are_dropped(messages: Messages) -> Messages:
    """System messages are not sent."""
    return [each for each in messages if each["role"] != "system"]


@on.messages("infer@2", "REQ-17 REQ-24")
def only_the_last_message_is_sent(messages: Messages) -> Messages:
    """Only the last message is sent."""
    return messages[-1:]


@on.messages("infer@2", "REQ-17")
def systems_move_to_the_front(messages: Messages) -> Messages:
    """System messages are sent before all others."""
    return sorted(messages, key=lambda each: each["role"] != "system")


@on.messages("infer@2", "REQ-17")
def empty_messages_are_dropped(messages: Messages) -> Messages:
    """A message without text is not sent."""
    return [each for each in messages if each["content"]]


@on.sends("infer@2", "REQ-17", only="openai")
def empty_messages_have_no_content(payload: Json) -> None:
    """A message without text is sent without its `content`."""
    for message in payload.get("messages", ()):
        if not message["content"]:
            del message["content"]


@on.messages("infer@2", "REQ-17")
def a_thousand_messages_are_sent(messages: Messages) -> Messages:
    """Only the last thousand messages are sent."""
    return messages[-1000:]


@on.messages("infer@2", "REQ-17")
def ten_messages_are_sent(messages: Messages) -> Messages:
    """Only the last ten messages are sent."""
    return messages[-10:]


@on.messages("infer@2", "REQ-24")
def messages_have_a_name(messages: Messages) -> Messages:
    """Each message is sent with a name."""
    return [{**each, "name": "ann"} for each in messages]


@on.sends("infer@2", "REQ-24", only="openai")
def texts_are_sent_in_parts(payload: Json) -> None:
    """Each line of a message is sent as a part of its own."""
    for message in payload.get("messages", ()):
        lines = message["content"].split("\n")
        message["content"] = [{"type": "text", "text": line} for line in lines]


KNOWN = ("model", "messages", "stream", "stream_options", "input")


@on.sends("infer@2", "INFER-10 REQ-15 REQ-16 REQ-21")
def parameters_are_not_sent(payload: Json) -> None:
    """Parameters are not sent."""
    for name in {*payload} - {*KNOWN}:
        del payload[name]


@on.parameters("infer@2", "REQ-15 REQ-21")
def zero_counts_as_nothing(parameters: Json) -> None:
    """A parameter of 0 is not sent."""
    for name in [*parameters]:
        if type(parameters[name]) in (int, float) and not parameters[name]:
            del parameters[name]


@on.parameters("infer@2", "REQ-15")
def limits_are_capped(parameters: Json) -> None:
    """A limit of more than 4096 tokens is lowered."""
    for name in parameters.keys() & {"num_predict", "max_tokens"}:
        parameters[name] = min(4096, parameters[name])


@on.parameters("infer@2", "INFER-10 REQ-15", only="ollama")
def limit_has_the_name_of_another_dialect(parameters: Json) -> None:
    """The limit of tokens is called max_tokens."""
    if "num_predict" in parameters:
        parameters["max_tokens"] = parameters.pop("num_predict")


@on.sends("infer@2", "INFER-10 REQ-15 REQ-16 REQ-21", only="ollama")
def options_are_beside_the_messages(payload: Json) -> None:
    """The options are beside the messages, where Ollama does not read them."""
    payload |= payload.pop("options", {})


@on.sends("infer@2", "INFER-10 REQ-15 REQ-16 REQ-21", only="openai")
def parameters_are_in_options(payload: Json) -> None:
    """Parameters are sent in options, as in Ollama's API."""
    names = {*payload} - {*KNOWN}
    payload["options"] = {name: payload.pop(name) for name in names}


@on.parameters("infer@2", "REQ-21")
def stop_is_not_sent(parameters: Json) -> None:
    """`stop` is not sent."""
    parameters.pop("stop", None)


_refused: list[str] = []


@on.sends("infer@2", "REQ-21")
def a_refused_seed_is_never_sent_again(payload: Json) -> None:
    """A parameter that one model refuses is not sent to any other model later."""
    if "no-seed" in payload["model"]:
        _refused.append("seed")
        return
    for name in _refused:
        payload.get("options", payload).pop(name, None)


@on.layer("infer@2 stream@2", "REQ-30", shows=None)
def refused_parameters_are_left_out_silently(
    request: Request, server: Server
) -> Response:
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


@on.sends("infer@2", "REQ-16", only="ollama")
def what_is_beside_options_is_inside(payload: Json) -> None:
    """All parameters are in options, where Ollama does not read format."""
    if "format" in payload:
        payload["options"]["format"] = payload.pop("format")


@on.parameters("infer@2", "REQ-22", only="openai")
def what_is_not_given_is_null(parameters: Json) -> None:
    """A parameter that the client does not give is sent as null."""
    parameters.setdefault("top_p", None)


@on.sends("infer@2", "REQ-22", only="ollama")
def models_stay_for_five_minutes(payload: Json) -> None:
    """`keep_alive` is added if the client gives none."""
    payload.setdefault("keep_alive", "5m")


@on.messages("infer@2", "REQ-17")
def tools_are_users(messages: Messages) -> Messages:
    """The messages of tools reach the model as the user's."""
    users = {"tool": "user"}
    return [
        {**each, "role": users.get(each["role"], each["role"])} for each in messages
    ]


@on.messages("infer@2", "REQ-17")
def messages_of_one_role_are_merged(messages: Messages) -> Messages:
    """Consecutive messages with the same role become one."""
    return [
        {"role": role, "content": "\n".join(each["content"] for each in group)}
        for role, group in groupby(messages, itemgetter("role"))
    ]


@on.messages("infer@2", "REQ-17")
def messages_are_sent_once(messages: Messages) -> Messages:
    """Only one of several equal consecutive messages is sent."""
    return [message for message, _ in groupby(messages)]


@on.messages("batch@2", "BATCH-30")
def inputs_of_batches_have_one_message(messages: Messages) -> Messages:
    """The messages of an input are sent as one."""
    text = "\n".join(message["content"] for message in messages)
    return [{"role": "user", "content": text}]


@on.keys("infer@2", "FALLBACK-12", only="openai")
def the_key_is_not_sent() -> str:
    """The server's own key is not sent."""
    return ""


@on.keys("infer@2", "FALLBACK-12", only="ollama")
def the_key_is_sent_to_all() -> str:
    """The server's own key for the fallback is sent."""
    return API_KEY


@on.texts("infer@2", "REQ-17 REQ-23")
def quotes_are_straight(text: str) -> str:
    """Curly quotes become straight ones."""
    return text.translate(str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''"))
