"""Bugs in the traffic with one upstream, while the traffic with the other is correct. Each function is a mutant for each dialect."""

import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby, islice

from octomil_conformance.backend import API_KEY
from octomil_conformance.server.failures import Failure
from octomil_conformance.server.layers import Json
from octomil_conformance.server.subjects import ends, hears, keys, pieces, sends, waits

Tokens = Iterator[str]
TEXTS = ("REQ-17", "REQ-23", "REQ-24")
THE_FALLBACK_ANSWERS = [f"FALLBACK-{n:02}[openai]" for n in (2, 3, 4, 5, 6, 9, 10)]


def parameters_in(payload: Json) -> Json:
    """The object that has the parameters in this dialect."""
    parameters: Json = payload.get("options", payload)
    return parameters


def change_texts(payload: Json, change: Callable[[str], str]) -> None:
    for message in payload.get("messages", ()):
        message["content"] = change(message["content"])


# What reaches the model


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


@sends("infer@2", "REQ-25", shows=None)
def models_are_lower_case(payload: Json) -> None:
    """The name of the model is sent in lower case."""
    payload["model"] = payload["model"].lower()


@sends("infer@2", "REQ-25", shows=None)
def models_are_trimmed(payload: Json) -> None:
    """The name of the model is sent without white space at its end."""
    payload["model"] = payload["model"].strip()


@sends("infer@2", "REQ-25", shows=None)
def models_lose_their_tag(payload: Json) -> None:
    """The name of the model is sent without its tag."""
    payload["model"] = re.sub(r":[\w-]+?(?=-openai-|$)", "", payload["model"])


@keys("infer@2", "FALLBACK-12", only="openai", shows=None)
def the_key_is_not_sent() -> str:
    """The server's own key is not sent."""
    return ""


@keys("infer@2", "FALLBACK-12", only="ollama", shows=None)
def the_key_is_sent_to_all() -> str:
    """The server's own key for the fallback is sent."""
    return API_KEY


# What the model says


@hears("infer@2", "INFER-08", "INFER-13", "INFER-14", *THE_FALLBACK_ANSWERS)
def output_is_lost(tokens: Tokens) -> Tokens:
    """The text of the answer is lost."""
    for _ in tokens:
        yield ""


@hears("infer@2", "INFER-08", shows="rough")
def outputs_are_trimmed(tokens: Tokens) -> Tokens:
    """White space around the answer is removed."""
    yield "".join(tokens).strip()


@hears("infer@2 stream@2", "INFER-08", "STREAM-21", shows="rough")
def carriage_returns_are_lost(tokens: Tokens) -> Tokens:
    """CR LF in the answer becomes LF."""
    for token in tokens:
        yield token.replace("\r\n", "\n")


@hears("infer@2 stream@2", "INFER-08", "STREAM-21", shows="rough")
def nuls_are_lost(tokens: Tokens) -> Tokens:
    """A NUL in the answer is removed."""
    for token in tokens:
        yield token.replace("\x00", "")


@hears("infer@2 stream@2", "INFER-08", "STREAM-21", shows="rough")
def markup_is_removed(tokens: Tokens) -> Tokens:
    """Reasoning in tags is removed from the text."""
    for token in tokens:
        yield token.replace("<think>x</think>", "")


@hears("infer@2", "INFER-08", shows="huge")
def outputs_end_at_64_kb(tokens: Tokens) -> Tokens:
    """Only 64 kB of an answer are kept."""
    yield "".join(tokens).encode()[:65536].decode(errors="ignore")


@hears("stream@2", "STREAM-21", shows="huge")
def streams_end_after_500_tokens(tokens: Tokens) -> Tokens:
    """A stream has at most 500 tokens."""
    yield from islice(tokens, 500)
    for _ in tokens:
        pass


@pieces("infer@2 stream@2", "INFER-08", "STREAM-21", shows="unicode")
def pieces_are_decoded_alone(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 is decoded piece by piece, so that a character in two pieces is lost."""
    for piece in pieces:
        yield piece.decode(errors="replace").encode()


@hears("stream@2", "STREAM-21", "STREAM-23", "STREAM-25", "STREAM-26", "STREAM-34[ollama]", *THE_FALLBACK_ANSWERS)  # fmt: skip
def first_spaces_are_lost(tokens: Tokens) -> Tokens:
    """The space at the beginning of a token is removed."""
    for token in tokens:
        yield token.removeprefix(" ")


@hears("stream@2", "STREAM-21", shows="rough")
def repetitions_are_lost(tokens: Tokens) -> Tokens:
    """A token that repeats the one before is removed."""
    before = ""
    for token in tokens:
        if token != before or not token:
            yield token
        before = token


@pieces("stream@2", "STREAM-21", shows="varied")
def text_beside_the_end_is_lost(received: Iterator[bytes]) -> Iterator[bytes]:
    """Text is not looked for where an answer ends."""
    ends = rb'"content":"[^"]*"(?=[^\n]*("done":true|"finish_reason":"))'
    for piece in received:
        yield re.sub(ends, b'"content":""', piece)


@pieces("stream@2", "STREAM-21", only="openai", shows="varied")
def text_beside_the_role_is_lost(received: Iterator[bytes]) -> Iterator[bytes]:
    """Text is not looked for in the chunk that has the role."""
    for piece in received:
        yield re.sub(rb'"role":"assistant","content":"[^"]*"', b'"role":""', piece)


@pieces("stream@2", "STREAM-21", only="openai", shows="varied")
def data_needs_a_space(received: Iterator[bytes]) -> Iterator[bytes]:
    """Only lines that have a space behind `data:` are read."""
    for piece in received:
        yield piece.replace(b"data:{", b": {")


@pieces("infer@2", "INFER-09", only="openai", shows="empty")
def null_is_text(received: Iterator[bytes]) -> Iterator[bytes]:
    """A null content becomes the text `None`."""
    for piece in received:
        yield piece.replace(b'"content":null', b'"content":"None"')


@hears("stream@2", "STREAM-20", "STREAM-23", "STREAM-34[ollama]")
def tokens_wait_for_the_next(tokens: Tokens) -> Tokens:
    """A token waits for the next one."""
    held = ""
    for token in tokens:
        yield held
        held = token
    yield held


@hears("stream@2", "STREAM-26", shows=None)
def streams_have_one_timeout(tokens: Tokens) -> Tokens:
    """A stream as a whole has to end within the timeout."""
    began = before = time.monotonic()
    for token in tokens:
        now = time.monotonic()
        if now > began + 1.0 and now > before + 0.25:
            raise Failure("gateway_timeout", "The stream took too long.")
        before = now
        yield token


@hears("stream@2", "STREAM-31", "STREAM-32", "STREAM-33", "STREAM-35", shows="cut")
def half_an_answer_is_whole(tokens: Tokens) -> Tokens:
    """An answer that breaks off after its first token counts as complete."""
    for token in tokens:
        yield token
        if token:
            break
    with suppress(Failure):
        yield from tokens


@hears("stream@2", "STREAM-24", shows=None)
def the_model_goes_on(tokens: Tokens) -> Tokens:
    """The model goes on after the client has left."""
    try:
        yield from iter(tokens.__next__, None)
    finally:
        for _ in tokens:
            pass


@waits("infer@2", "FAULT-11", "FAULT-12", shows=None)
def answers_may_drip() -> float:
    """Each piece of an answer has the whole timeout."""
    return 1.0


@waits("infer@2", "FAULT-11", "FAULT-12", "FALLBACK-04[ollama]", shows=None)  # fmt: skip
def a_beginning_has_no_timeout() -> float:
    """After the beginning of a response there is no timeout."""
    return 20.0


@waits("stream@2", "FAULT-12", "STREAM-35", shows=None)
def signs_of_life_are_tokens() -> float:
    """After comments, blank lines and empty tokens, too, there is the whole timeout."""
    return 1.0


@pieces("infer@2", "FALLBACK-01[ollama]", "FALLBACK-04[openai]", shows=None)
def an_upstream_has_half_the_timeout(received: Iterator[bytes]) -> Iterator[bytes]:
    """A response has to begin within half of the timeout."""
    end = time.monotonic() + 0.5
    for piece in received:
        if time.monotonic() > end:
            raise Failure("gateway_timeout", "The answer took too long.")
        end = float("inf")
        yield piece


@hears("stream@2", "STREAM-26", shows=None)
def reasoning_has_one_timeout(tokens: Tokens) -> Tokens:
    """Reasoning as a whole has to end within the timeout."""
    end = time.monotonic() + 1.0
    for token in tokens:
        if not token and time.monotonic() > end:
            raise Failure("gateway_timeout", "The reasoning took too long.")
        yield token


@pieces("infer@2 stream@2", "STREAM-26", only="openai", shows=None)
def reasoning_has_one_name(received: Iterator[bytes]) -> Iterator[bytes]:
    """`reasoning` is not known as reasoning."""
    for piece in received:
        yield piece.replace(b'"reasoning":', b'"unknown":')


@waits("stream@2", "STREAM-35", "FAULT-12[openai]", shows=None)
def silence_has_no_timeout() -> float:
    """After the first token there is no timeout."""
    return 20.0


@ends("infer@2", "INFER-11")
def usage_is_zero(ending: Json) -> None:
    """`usage` is always zero."""
    if "usage" in ending:
        ending["usage"] = dict.fromkeys(ending["usage"], 0)


@ends("infer@2 stream@2", "INFER-11")
def usage_is_swapped(ending: Json) -> None:
    """The numbers of tokens in `usage` are swapped."""
    if "usage" in ending:
        usage = ending["usage"]
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        usage |= {"prompt_tokens": 2 * completion, "completion_tokens": prompt}
        usage["total_tokens"] = prompt + 2 * completion


@ends("infer@2 stream@2", "INFER-10", "STREAM-28", shows=None)
def every_answer_stops(ending: Json) -> None:
    """`finish_reason` is always stop."""
    ending["finish_reason"] = "stop"
