"""What of a request for inference reaches the model (spec section 3)."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from octomil_conformance.api import Api, Headers, model_for
from octomil_conformance.backend import TEXTS
from octomil_conformance.checks import upstream
from octomil_conformance.checks.answers import said
from octomil_conformance.checks.bodies import DEEP
from octomil_conformance.exchange import Json, read_json
from octomil_conformance.expect import Want, expect, written
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.target import PROMPT

ONE_KEY = {
    "without-a-key": {},
    "with-one-key": dict.fromkeys(("Idempotency-Key", "X-Request-Id"), "conf-7"),
}
"""Headers of equal requests. A server must not answer them from memory, whatever they are called."""
SURE = {"temperature": 0, "seed": 7}
"""With these a model repeats its answer, so programs may cache it."""
ROUGH = TEXTS["rough"]
ROLES = ("user", "assistant", "tool", "system")
CONVERSATION = [
    ("user", ROUGH),
    ("tool", "12 plums"),
    ("user", " Bien. "),
    ("user", "Bien."),
    ("system", "Be brief.\n"),
    ("assistant", "Oui."),
    ("assistant", ""),
    ("user", "caf\u00e9"),
    ("user", "2026-01-03T04:05:06Z"),
]
"""Messages that careless servers trim, merge, move, drop or take for a date."""
BESIDE: Json = {"system": "Hi", "temperature": 0.5, "stop": "a", "options": {"seed": 1}}
"""Fields that other APIs have beside the messages. Here they are unknown."""
LAST = {role: [*CONVERSATION, (role, "Once upon")] for role in ROLES}
"""Conversations that end with a message of any role."""
OTHER_CAPITALS: Json = {"Content": "No.", "ROLE": "system"}
"""Unknown fields of a message, because names are compared character for character."""
IN_A_MESSAGE: Json = {"name": "ann", "images": ["AAAA"], "tool_calls": [{}]}
"""Fields of a message that are dropped."""
TEXT_FIELDS: dict[str, Json] = {
    "text": {"text": ...},
    "prompt": {"prompt": ...},
    "both": {"prompt": "No.", "text": ...},
    "empty-text": {"text": "", "prompt": ...},
    "null-text": {"text": None, "prompt": ...},
    "text-is-no-string": {"text": 7, "prompt": ...},
    "null-messages": {"messages": None, "text": ...},
    "other-capitals": {"text": ..., "Text": "No.", "MESSAGES": []},
}
"""Objects with a text as `input_data`. The dots stand for the text that the model gets."""
OTHER_FORMS: Json = {
    "zero": 0,
    "negative": -7,
    "false": False,
    "true": True,
    "empty-object": {},
    "empty-texts": {"text": "", "prompt": ""},
    "strings": ["a, b", '"c"', "", "007"],
    "nested": [[1, [2]], {"a": None}, False, {"role": "user"}, "caf\u00e9"],
    "almost-messages": [{"role": "user", "content": "Hi"}, {"content": "Hi"}, 7],
    "object": {"a": {"b": [1, None, 2]}, "c": None, "d": False},
    "other-texts": dict.fromkeys(("content", "query", "question", "input"), "Hi"),
    "empty-inside": {"a": {}, "b": [], "c": [{}, [], ""]},
    "capitals": {"Text": "Hi", "PROMPT": "Hi", "Messages": [{"role": "user"}]},
    "names": {"constructor": 1, "a.b": 2, "camelCase": {"snake_case": 3}, "": 4}
    | {"__proto__": {"a": 5}},
}
"""Values that reach the model as JSON text."""
NAMES = [
    "{}",
    "{}:8b-instruct-Q4_K_M",
    "{}:8b ",
    "{}:latest",
    " {}:8b",
    "{}:caf\u00e9 \u4f60",
    "{}:cafe\u0301 \ufb01",
    "{}:hf.co/a/B",
    "openai/{}",
    "ollama/library/{}",
    "models/a:b/{}@1%20+",
    f"hf.co/{'an-organisation-' * 4}/{{}}:{'A-Model-' * 8}Q4_K_M.gguf",
]
"""Names of models. The braces stand for the name of a scripted model."""
BLANK = "\n\t\n"
WHOLE = {
    "blank": BLANK,
    "date": "2026-01-03T04:05:06Z",
    "null": "null",
    "zero": "0",
    "mark": "\ufeff7",
}
"""Texts that careless servers take for nothing, or for another type."""
TEXTS_LIKE_NONE = {
    "blank-text": ("text", BLANK),
    "blank-prompt": ("prompt", BLANK),
    "zero-text": ("text", "0"),
    "zero-prompt": ("prompt", "0"),
}
"""The same as a field of an object."""
FAMILIES = [
    "o3-mini",
    "gpt-5-chat",
    "claude-opus-4",
    "gemma-3:27b",
    "mistral-7b",
    "deepseek-r1",
    "qwen3",
    "llama-2",
]
"""Names of models that some servers treat in their own way, because their templates or their APIs are special."""
LONG_TEXT = " ".join(
    f"\u4f60\u597d\U0001f352\u00e9{number}" for number in range(20_000)
)
"""340 kB, mostly in characters of two to four bytes, which servers that decode a body piece by piece cut."""
LONG_CONVERSATION = [
    *[
        (role, f"{role} {number}: {'so it goes, ' * 9}")
        for number in range(400)
        for role in ("user", "assistant", "tool")
    ],
    ("system", "Be brief."),
    ("user", LONG_TEXT),
    *[("user", "Again.")] * 2,
]
"""244 messages, some of them equal, and one that is longer than a careless server reads."""
PARTS = ("apple", "birch", "cedar")


def conversation(given: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """The messages of (role, text) pairs."""
    return [{"role": role, "content": text} for role, text in given]


def with_text(fields: Json, text: str) -> Json:
    """The fields, with the text in place of the dots."""
    return {name: text if value is ... else value for name, value in fields.items()}


LARGE_NUMBERS = {"range": b"1e999", "digits": b"12345678901234567890"}
"""Numbers that 64 bits cannot hold."""


def refused_or(words: str, value: str) -> Want:
    """A request that is refused, or a text that is `{"a": VALUE}`. The value is a regular expression."""
    return Want(
        f"a 400, 413 or 422, or {words}",
        lambda seen: (
            seen[0] in (400, 413, 422)
            or bool(re.fullmatch(r'\{"a":' + value + r"\}", seen[1]))
        ),
    )


KEPT_OR_REFUSED = refused_or("the value as JSON text", r"[\[\]]+")
NUMBER_OR_REFUSED = refused_or(
    "JSON text with the number or null", r"(null|[1-9]\d*(\.\d+)?([eE]\+?\d+)?)"
)


@requirement("REQ-17", LAST, through=EACH_BACKEND)
def all_messages_reach_the_model_in_order(
    api: Api, rest: list[tuple[str, str]]
) -> None:
    given = [("system", api.tag("Speak French.")), *rest]
    messages = [each | OTHER_CAPITALS for each in conversation(given)]
    api.ask(scenario="echo", messages=messages, **BESIDE)

    expect(upstream.messages(api.call()), given)


@requirement("REQ-17", through=EACH_BACKEND)
def a_long_conversation_reaches_the_model(api: Api) -> None:
    given = [("system", api.tag("Speak French.")), *LONG_CONVERSATION]
    api.ask(scenario="echo", messages=conversation(given))

    expect(upstream.messages(api.call()), given)


@requirement("REQ-17", through=EACH_BACKEND)
def no_part_of_a_message_is_lost(api: Api) -> None:
    parts = [{"type": "text", "text": f" {text} "} for text in PARTS]
    messages = [{"role": role, "content": parts} for role in ("system", "user")]
    api.ask(scenario="echo", messages=[*api.messages(api.tag("Hi")), *messages])
    sent = [upstream.messages(call)[1:] for call in api.calls()]
    joined = [" ".join(text for _, text in texts) for texts in sent]
    kept = [re.findall("[a-z]+", text) for text in joined]

    expect(kept, [[*PARTS, *PARTS]] * len(kept), "every part, however they are joined")


@requirement("REQ-18", through=EACH_BACKEND)
def any_other_object_reaches_the_model_as_text(api: Api) -> None:
    data = {"colour": "red", "petals": 5, "note": api.tag("here")}
    api.ask(scenario="echo", without=("messages",), input_data=data)
    sent = upstream.messages(api.call())
    text = " ".join(text for _, text in sent)
    lost = [word for word in ("colour", "red", "petals", "5") if word not in text]

    expect([role for role, _ in sent], ["user"])
    expect(lost, [], "every name and value of the object")


@requirement("REQ-18", through=EACH_BACKEND)
def a_deeply_nested_value_is_kept_or_refused(api: Api) -> None:
    body = api.good(scenario="echo", without=("messages",), input_data={"a": "..."})
    answer = api.ask_raw(body.replace(b'"..."', DEEP))
    text = "".join(str(said(answer)).split())

    expect((answer.status, text), KEPT_OR_REFUSED)


@requirement("REQ-17", through=EACH_BACKEND)
def the_name_of_a_model_does_not_change_its_messages(api: Api) -> None:
    given = [("system", api.tag("Speak French.")), *CONVERSATION]
    messages = conversation(given)
    for family in FAMILIES:
        name = f"{family}/{model_for('echo', api.through)}"
        api.ask(scenario="echo", model_id=name, messages=messages)
    sent = [upstream.messages(call) for call in api.calls()]

    expect(sent, [given] * len(FAMILIES))


@requirement("REQ-23", through=EACH_BACKEND)
def a_string_reaches_the_model_as_it_is(api: Api) -> None:
    text = api.tag(ROUGH)
    api.ask(scenario="echo", without=("messages",), input_data=text)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-23", WHOLE, through=EACH_BACKEND)
def a_string_that_looks_like_none_reaches_the_model(api: Api, text: str) -> None:
    answer = api.ask(scenario="echo", without=("messages",), input_data=text)

    expect(said(answer), text)


@requirement("REQ-23", through=EACH_BACKEND)
def a_long_string_reaches_the_model_as_it_is(api: Api) -> None:
    text = api.tag(LONG_TEXT)
    api.ask(scenario="empty", without=("messages",), input_data=text)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-24", TEXT_FIELDS, through=EACH_BACKEND)
def the_text_in_an_object_reaches_the_model_as_it_is(api: Api, fields: Json) -> None:
    text = api.tag(" Bien.\n")
    data = {"id": 7, **with_text(fields, text)}
    api.ask(scenario="echo", without=("messages",), input_data=data)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-24", TEXTS_LIKE_NONE, through=EACH_BACKEND)
def a_text_in_an_object_that_looks_like_none_reaches_the_model(
    api: Api, name: str, text: str
) -> None:
    answer = api.ask(scenario="echo", without=("messages",), input_data={name: text})

    expect(said(answer), text)


@requirement("REQ-24", through=EACH_BACKEND)
def messages_in_input_data_are_messages(api: Api) -> None:
    given = [("system", api.tag("Be brief.")), ("user", "Bien.")]
    messages = [each | OTHER_CAPITALS for each in conversation(given)]
    api.ask(scenario="echo", without=("messages",), input_data=messages)
    api.ask(scenario="echo", without=("messages",), input_data={"messages": messages})
    sent = [upstream.messages(call) for call in api.calls()]

    expect(sent, [given, given])


@requirement("REQ-24", OTHER_FORMS, through=EACH_BACKEND)
def any_other_value_reaches_the_model_as_json(api: Api, value: Any) -> None:
    answer = api.ask(scenario="echo", without=("messages",), input_data=value)
    sent = read_json(str(said(answer)).encode())

    expect(sent, value, f"JSON text with the value {written(value)}")


@requirement("REQ-24", LARGE_NUMBERS, through=EACH_BACKEND)
def a_large_number_is_kept_or_null_or_refused(api: Api, number: bytes) -> None:
    body = api.good(scenario="echo", without=("messages",), input_data={"a": "..."})
    answer = api.ask_raw(body.replace(b'"..."', number))
    text = "".join(str(said(answer)).split())

    expect((answer.status, text), NUMBER_OR_REFUSED)


@requirement("REQ-24", through=EACH_BACKEND)
def parts_reach_the_model_as_one_text(api: Api) -> None:
    texts = [api.tag(" One"), "two ", ""]
    more = {"id": 7, "Text": "No.", "TYPE": "image"}
    parts = [{"type": "text", "text": text, **more} for text in texts]
    message = {"role": "user", "content": parts, **IN_A_MESSAGE}
    api.ask(scenario="echo", messages=[message])
    sent = upstream.fields_of_messages(api.call())

    expect(sent, [{"role": "user", "content": "\n".join(texts)}])


@requirement("REQ-25", through=EACH_BACKEND)
def the_upstream_is_asked_for_the_model_by_its_name(api: Api) -> None:
    names = [name.format(model_for("Echo", api.through)) for name in NAMES]
    statuses = []
    for pair in (names[n : n + 2] for n in range(0, len(names), 2)):
        calls = [api.start(scenario="echo", model_id=name) for name in pair]
        statuses += [call.finish().status for call in calls]
    other = {call.model for call in api.calls()} ^ {*names}
    failed = {name: each for name, each in zip(names, statuses) if each != 200}

    expect(other, set(), "no model under another name, and none that is not asked")
    expect(failed, {}, "an answer of each model")


@requirement("REQ-29", ONE_KEY, through=EACH_BACKEND)
def equal_requests_are_asked_anew(api: Api, headers: Headers) -> None:
    ask = partial(api.start, scenario="gated", headers=headers, parameters=SURE)
    calls = [ask() for _ in range(2)]
    together = api.backend.wait_for_active(api.nonce, 2, 0.8 * api.timeout)
    calls[0].hang_up()
    api.backend.open(api.nonce)
    answers = [said(calls[1].finish())]
    answers.append(said(ask().finish()))
    seen = (together, answers, len(api.calls()))

    expect(seen, (2, [PROMPT, PROMPT], 3), "two calls at once, and three in all")
