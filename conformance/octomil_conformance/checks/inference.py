"""Requests for inference (spec section 3), and single answers of the model (section 4). How clients read those is in wire/infer.py."""

import re
from typing import Any

from octomil_conformance.api import (
    MAX_TOKENS,
    PROMPT,
    REFUSED,
    UNAVAILABLE,
    Api,
    model_for,
)
from octomil_conformance.backend import GIANT, TEXTS
from octomil_conformance.checks import upstream
from octomil_conformance.checks.answers import ending, said
from octomil_conformance.exchange import MISSING, field, read_json
from octomil_conformance.expect import between, expect, one_of
from octomil_conformance.requirement import EACH_BACKEND, requirement

SHORT = {"max_tokens": MAX_TOKENS}
MESSAGE = {"role": "user", "content": "Name a fruit."}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

OBJECTS = {
    "text": {"text": "Name a fruit."},
    "features": {"sepal": 5.1, "colour": ["red"]},
}
MALFORMED: dict[str, Any] = {
    "string": "Hi",
    "empty": [],
    "no-object": ["Hi"],
    "role": [{"role": "king", "content": "Hi"}],
    "no-content": [{"role": "user"}],
    "no-role": [{"content": "Hi"}],
    "number": [MESSAGE, {"role": "user", "content": 7}],
}
OUT_OF_RANGE: list[Any] = [
    ("temperature", "hot"),
    ("temperature", 2.5),
    ("temperature", -1),
    ("temperature", "0.7"),
    ("temperature", True),
    ("temperature", [0.7]),
    ("max_tokens", 0),
    ("max_tokens", "8"),
    ("max_tokens", 1.5),
    ("max_tokens", True),
    ("top_p", 1.5),
    ("top_p", -0.5),
    ("top_p", "0.5"),
    ("top_p", True),
]
OF_WRONG_TYPE: list[Any] = [
    *[("top_k", "20"), ("top_k", 1.5), ("top_k", True)],
    *[("seed", "42"), ("seed", 0.5), ("seed", False)],
    *[("presence_penalty", "0.5"), ("presence_penalty", True)],
    *[("frequency_penalty", "0.5"), ("frequency_penalty", [1])],
    *[("stop", 7), ("stop", ["END", 7]), ("stop", {"a": "END"})],
]
VALUES = {
    "least": {"temperature": 0, "max_tokens": 1},
    "usual": {"temperature": 0.25, "max_tokens": 7},
    "largest": {"temperature": 2, "max_tokens": 100_000},
}
STOPS = ["a, b", " END ", "\n\n", "x;y|z", "4", "five", "six", "\u4f60"]
"""As many as a request may have, and with what careless servers split or trim."""
USUAL = {
    "top_p": 0.5,
    "top_k": 20,
    "seed": 42,
    "stop": ["END", "\n"],
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
}
ZERO = {"top_p": 0, "seed": 0, "presence_penalty": 0, "frequency_penalty": 0}
LEAST = {"top_k": 1, "seed": -1, "presence_penalty": -2, "frequency_penalty": -2}
MOST = {
    "top_p": 1,
    "top_k": 1000,
    "seed": 2**32 + 1,
    "stop": STOPS,
    "presence_penalty": 2,
    "frequency_penalty": 2,
}
OTHER_VALUES = {
    "usual": (USUAL, USUAL),
    "zero": (ZERO, ZERO),
    "least": (LEAST, LEAST),
    "most": (MOST, MOST),
    "large-seed": ({"seed": 2**53 - 1}, {"seed": 2**53 - 1}),
    "one-stop": ({"stop": " a, b\n"}, {"stop": [" a, b\n"]}),
}
"""The parameters that the client sends, and those that reach the model."""
NULLS = dict.fromkeys(["temperature", "max_tokens", *USUAL])
UNKNOWN: dict[str, dict[str, Any]] = {
    "number": {"mirostat_tau": 4.5},
    "other-types": {
        "minP": 0,
        "ignore_eos": False,
        "grammar": "root ::= [a-z]+, ' '",
        "logit_bias": {"7": -1.5, "8": [None, True]},
        "bad_words": [],
    },
    "beside-options": {
        "think": True,
        "format": {"type": "object", "properties": {"a": {"type": "string"}}},
        "keep_alive": "10m",
        "logprobs": True,
        "top_logprobs": 2,
    },
}
"""Parameters that only the model's server knows. Ollama reads those of the last case beside its `options`."""
ROUGH = TEXTS["rough"]
CONVERSATION = [
    ("user", ROUGH),
    ("tool", "12 plums"),
    ("user", " Bien. "),
    ("user", "Bien."),
    ("system", "Be brief.\n"),
    ("assistant", "Oui."),
    ("assistant", ""),
    ("user", "caf\u00e9"),
]
"""Messages that careless servers trim, merge, move or drop."""
TEXT_FIELDS: dict[str, dict[str, Any]] = {
    "text": {"text": ...},
    "prompt": {"prompt": ...},
    "both": {"prompt": "No.", "text": ...},
    "empty-text": {"text": "", "prompt": ...},
    "null-text": {"text": None, "prompt": ...},
    "text-is-no-string": {"text": 7, "prompt": ...},
    "null-messages": {"messages": None, "text": ...},
}
"""Objects with a text as `input_data`. The dots stand for the text that the model gets."""
OTHER_FORMS: dict[str, Any] = {
    "zero": 0,
    "negative": -7,
    "false": False,
    "true": True,
    "empty-object": {},
    "empty-texts": {"text": "", "prompt": ""},
    "strings": ["a, b", '"c"', ""],
    "nested": [[1, [2]], {"a": None}, False, {"role": "user"}, "caf\u00e9"],
    "object": {"a": {"b": [1, 2]}, "c": None, "d": False},
}
"""Values that reach the model as JSON text."""
NAMES = [
    "{}",
    "{}:8b-instruct-Q4_K_M",
    "{}:8b ",
    "{}:caf\u00e9 \u4f60",
    "{}:hf.co/a/B",
]
"""Around the name of a scripted model."""
LONG_TEXT = " ".join(f"word{number}" for number in range(20_000))
LONG_CONVERSATION = [
    *[(role, f"{role} {number}: {'so it goes, ' * 20}") for number in range(40) for role in ("user", "assistant", "tool")],
    *[("system", "Be brief."), ("user", LONG_TEXT), ("user", "Again."), ("user", "Again.")],
]  # fmt: skip
"""124 messages, some of them equal, and one that is longer than a careless server reads."""
PARTS = ("apple", "birch", "cedar")
NO_ANSWERS = (
    *("answer-null", "answer-array", "answer-missing", "answer-inside-null"),
    *("answer-empty", "answer-string", "answer-item-null", "content-object"),
    *("error-frame", "error-beside-end", "error-of-other-type", "error-odd"),
)
REQUEST_ITSELF: list[Any] = [
    *(("input", "Hi"), ("prompt", "Hi"), ("n", 2), ("options", {"seed": 1})),
    *(("stream_options", {}), ("tool_choice", "auto"), ("encoding_format", "float")),
    *(("functions", []), ("function_call", "auto")),
]
COUNTED = one_of([MISSING] * 3, [6, 9, 15])
"""Three words in the prompt, three in the answer, as the upstream counts them, and the sum; or no usage."""
LIKE_CODE = ["42", "true", "null", '{"a": [1, 2.50]}', '"quoted"', "data: x"]


@requirement("REQ-01")
def messages_are_accepted(api: Api) -> None:
    answer = api.ask()

    expect(answer.status, 200)


@requirement("REQ-02")
def a_string_as_input_data_is_accepted(api: Api) -> None:
    answer = api.ask(without=("messages",), input_data=api.tag("Name a fruit."))

    expect(answer.status, 200)


@requirement("REQ-03", OBJECTS)
def an_object_as_input_data_is_accepted(api: Api, data: dict[str, Any]) -> None:
    answer = api.ask(without=("messages",), input_data=data)

    expect(answer.status, 200)


@requirement("REQ-04")
def empty_parameters_are_accepted(api: Api) -> None:
    answer = api.accepts("Yes or no?", parameters={})

    expect(answer.status, 200)


@requirement("REQ-05")
def null_counts_as_absent(api: Api) -> None:
    answer = api.ask(input_data=None, parameters={**NULLS, **SHORT})

    expect(answer.status, 200)


@requirement("REQ-05")
def null_messages_count_as_absent(api: Api) -> None:
    answer = api.ask(messages=None, input_data=api.tag("Name a fruit."))

    expect(answer.status, 200)


@requirement("REQ-05")
def null_parameters_count_as_absent(api: Api) -> None:
    answer = api.accepts("Yes or no?", parameters=None)

    expect(answer.status, 200)


@requirement("REQ-06")
def text_parts_are_accepted(api: Api) -> None:
    parts = [{"type": "text", "text": api.tag("Name a fruit.")}]
    answer = api.ask(messages=[{"role": "user", "content": parts}])

    expect(answer.status, 200)


@requirement("REQ-07")
def a_request_without_model_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    expect(answer.status, REFUSED)


@requirement("REQ-08")
def a_request_without_a_prompt_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("messages",)))

    expect(answer.status, REFUSED)


@requirement("REQ-09")
def a_request_with_two_prompts_is_refused(api: Api) -> None:
    answer = api.refused(api.body(input_data="Name a fruit."))

    expect(answer.status, REFUSED)


@requirement("REQ-10", ["", "  ", 7, ["conf-echo"]])
def an_invalid_model_is_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(model_id=value))

    expect(answer.status, REFUSED)


@requirement("REQ-11", MALFORMED)
def malformed_messages_are_refused(api: Api, messages: Any) -> None:
    answer = api.refused(api.body(messages=messages))

    expect(answer.status, REFUSED)


@requirement("REQ-12", OUT_OF_RANGE)
def a_parameter_out_of_range_is_refused(api: Api, name: str, value: Any) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    expect(answer.status, REFUSED)


@requirement("REQ-28", OF_WRONG_TYPE)
def another_parameter_of_the_wrong_type_is_refused(
    api: Api, name: str, value: Any
) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    expect(answer.status, REFUSED)


@requirement("REQ-12", {"string": "hot", "array": ["hot"]})
def parameters_that_are_not_an_object_are_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(parameters=value))

    expect(answer.status, REFUSED)


@requirement("REQ-13")
def an_image_is_refused(api: Api) -> None:
    parts = [{"type": "text", "text": "What is this?"}, IMAGE]
    answer = api.refused(api.body(messages=[{"role": "user", "content": parts}]))

    expect(answer.status, REFUSED)


@requirement(
    "REQ-14",
    [("stream", True), ("model", "other"), ("messages", [MESSAGE]), ("tools", [])],
)
def a_parameter_that_changes_the_request_is_refused(
    api: Api, name: str, value: Any
) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    expect(answer.status, REFUSED)


@requirement("REQ-15", VALUES, through=EACH_BACKEND)
def parameters_reach_the_model(api: Api, given: dict[str, Any]) -> None:
    api.ask(scenario="echo", parameters=given)
    sent = upstream.parameters(api.call())

    expect({name: sent.get(name) for name in given}, given)


@requirement("REQ-16", UNKNOWN, through=EACH_BACKEND)
def unknown_parameters_reach_the_model(api: Api, given: dict[str, Any]) -> None:
    api.ask(scenario="echo", parameters=given)
    sent = upstream.parameters(api.call())

    expect({name: sent.get(name) for name in given}, given)


@requirement("REQ-17", through=EACH_BACKEND)
def all_messages_reach_the_model_in_order(api: Api) -> None:
    given = [("system", api.tag("Speak French.")), *CONVERSATION]
    messages = [{"role": role, "content": text} for role, text in given]
    api.ask(scenario="echo", messages=messages)

    expect(upstream.messages(api.call()), given)


@requirement("REQ-17", through=EACH_BACKEND)
def a_long_conversation_reaches_the_model(api: Api) -> None:
    given = [("system", api.tag("Speak French.")), *LONG_CONVERSATION]
    messages = [{"role": role, "content": text} for role, text in given]
    api.ask(scenario="echo", messages=messages)

    expect(upstream.messages(api.call()), given)


@requirement("REQ-17", through=EACH_BACKEND)
def no_part_of_a_message_is_lost(api: Api) -> None:
    parts = [{"type": "text", "text": f" {text} "} for text in PARTS]
    messages = [{"role": role, "content": parts} for role in ("system", "user")]
    api.ask(scenario="echo", messages=[*api.messages(api.tag("Hi")), *messages])
    sent = [upstream.messages(call)[1:] for call in api.calls()]
    kept = [[word for _, text in texts for word in re.findall("[a-z]+", text)] for texts in sent]  # fmt: skip

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


@requirement("REQ-21", OTHER_VALUES, through=EACH_BACKEND)
def other_parameters_reach_the_model(
    api: Api, given: dict[str, Any], wanted: dict[str, Any]
) -> None:
    api.ask(scenario="echo", parameters=given)
    sent = upstream.parameters(api.call())

    expect({name: sent.get(name) for name in wanted}, wanted)


@requirement("REQ-22", {"none": {}, "nulls": NULLS}, through=EACH_BACKEND)
def no_parameter_is_added(api: Api, given: dict[str, None]) -> None:
    api.ask(scenario="echo", parameters=given)
    sent = upstream.parameters(api.call())
    added = {name: sent[name] for name in sent if name not in upstream.NO_PARAMETERS}

    expect(added, {}, "only the parameters that the client sent")


@requirement("REQ-23", through=EACH_BACKEND)
def a_string_reaches_the_model_as_it_is(api: Api) -> None:
    text = api.tag(ROUGH)
    api.ask(scenario="echo", without=("messages",), input_data=text)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-23", through=EACH_BACKEND)
def a_long_string_reaches_the_model_as_it_is(api: Api) -> None:
    text = api.tag(LONG_TEXT)
    api.ask(scenario="empty", without=("messages",), input_data=text)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-24", TEXT_FIELDS, through=EACH_BACKEND)
def the_text_in_an_object_reaches_the_model_as_it_is(
    api: Api, fields: dict[str, Any]
) -> None:
    text = api.tag(" Bien.\n")
    given = {name: text if value is ... else value for name, value in fields.items()}
    data = {"id": 7, **given}
    api.ask(scenario="echo", without=("messages",), input_data=data)

    expect(upstream.messages(api.call()), [("user", text)])


@requirement("REQ-24", through=EACH_BACKEND)
def messages_in_input_data_are_messages(api: Api) -> None:
    given = [("system", api.tag("Be brief.")), ("user", "Bien.")]
    messages = [{"role": role, "content": text} for role, text in given]
    api.ask(scenario="echo", without=("messages",), input_data=messages)
    api.ask(scenario="echo", without=("messages",), input_data={"messages": messages})
    sent = [upstream.messages(call) for call in api.calls()]

    expect(sent, [given, given])


@requirement("REQ-24", OTHER_FORMS, through=EACH_BACKEND)
def any_other_value_reaches_the_model_as_json(api: Api, value: Any) -> None:
    answer = api.ask(scenario="echo", without=("messages",), input_data=value)
    sent = read_json(str(said(answer)).encode())

    expect(sent, value, f"JSON text with the value {value!r}")


@requirement("REQ-24", through=EACH_BACKEND)
def parts_reach_the_model_as_one_text(api: Api) -> None:
    texts = [api.tag(" One"), "two ", ""]
    parts = [{"type": "text", "text": text} for text in texts]
    api.ask(scenario="echo", messages=[{"role": "user", "content": parts}])

    expect(upstream.messages(api.call()), [("user", "\n".join(texts))])


@requirement("REQ-25", NAMES, through=EACH_BACKEND)
def the_upstream_is_asked_for_the_model_by_its_name(api: Api, name: str) -> None:
    asked = name.format(model_for("Echo", api.through))
    api.ask(scenario="echo", model_id=asked)

    expect(api.call().model, asked)


@requirement("REQ-26")
def an_empty_string_as_input_data_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("messages",), input_data=""))

    expect(answer.status, REFUSED)


@requirement("REQ-27", REQUEST_ITSELF)
def any_parameter_that_changes_the_request_is_refused(
    api: Api, name: str, value: Any
) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    expect(answer.status, REFUSED)


@requirement("REQ-19")
def a_model_that_no_upstream_has_is_not_found(api: Api) -> None:
    answer = api.ask(scenario="missing")

    expect(answer.status, 404)


@requirement("REQ-20")
def a_missing_model_has_its_code(api: Api) -> None:
    answer = api.ask(scenario="missing")

    expect(field(answer.fields, "code"), "model_not_found")


@requirement("INFER-08", [*TEXTS], through=EACH_BACKEND)
def output_is_what_the_model_said(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(field(answer.fields, "output"), TEXTS[scenario])


@requirement("INFER-08", through=EACH_BACKEND)
def output_may_be_beside_nulls(api: Api) -> None:
    answer = api.ask(scenario="nulls")

    expect(field(answer.fields, "output"), PROMPT)


@requirement("INFER-08", serial=True, through=EACH_BACKEND)
def a_large_output_is_what_the_model_said(api: Api) -> None:
    answer = api.ask(scenario="giant")

    expect(field(answer.fields, "output"), GIANT)


@requirement("INFER-08", LIKE_CODE, through=EACH_BACKEND)
def text_that_looks_like_a_value_stays_text(api: Api, text: str) -> None:
    answer = api.ask(text, scenario="echo")

    expect(field(answer.fields, "output"), text)


@requirement("INFER-09", through=EACH_BACKEND)
def an_empty_answer_is_an_answer(api: Api) -> None:
    answer = api.ask(scenario="empty")

    expect(answer.status, 200)
    expect(field(answer.fields, "output"), "")


@requirement("INFER-10", through=EACH_BACKEND)
def an_answer_that_reaches_its_limit_says_so(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo", parameters={"max_tokens": 2})

    expect(field(answer.fields, "finish_reason"), "length")


@requirement("INFER-11", ["echo", "totals"], through=EACH_BACKEND)
def usage_is_what_the_model_counted(api: Api, scenario: str) -> None:
    answer = api.ask("one two three", scenario)
    usage = field(ending(answer), "usage")
    names = ("prompt_tokens", "completion_tokens", "total_tokens")

    expect([field(usage, name) for name in names], COUNTED)


@requirement("INFER-12", through=EACH_BACKEND)
def latency_is_in_milliseconds(api: Api) -> None:
    answer = api.ask(scenario="wait")
    latency = field(ending(answer), "latency_ms")

    expect(latency, between(150 * api.timeout, 1000 * answer.seconds + 50))


@requirement("INFER-13", ["thinking", "thinking-renamed"], through=EACH_BACKEND)
def reasoning_is_not_output(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(said(answer), PROMPT)


@requirement("REQ-29", through=EACH_BACKEND)
def equal_requests_are_asked_anew(api: Api) -> None:
    calls = [api.start(scenario="gated") for _ in range(2)]
    together = api.backend.wait_for_active(api.nonce, 2, 0.8 * api.timeout)
    calls[0].hang_up()
    api.backend.open(api.nonce)
    answers = [said(calls[1].finish()), said(api.ask(scenario="gated"))]
    seen = (together, answers, len(api.calls()))

    expect(seen, (True, [PROMPT, PROMPT], 3), "two calls at once and one later")


@requirement("INFER-16", NO_ANSWERS, through=EACH_BACKEND)
def what_is_no_answer_is_a_failure(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, UNAVAILABLE)


@requirement("INFER-15")
def no_other_is_asked_for_a_client_that_has_left(api: Api) -> None:
    call = api.start(scenario="ollama-slow-openai-ok")
    api.backend.wait_for_calls(api.nonce, 1, api.timeout)
    call.hang_up()
    calls = api.backend.wait_for_calls(api.nonce, 2, api.within(api.timeout + 1))

    expect([call.backend for call in calls], ["ollama"], "one upstream call, to Ollama")


@requirement("INFER-14", through=EACH_BACKEND)
def requests_do_not_wait_for_each_other(api: Api) -> None:
    texts = ["red", "green", "blue", "black"]
    calls = [
        api.start(scenario="gated", messages=api.messages(api.tag(text, text)))
        for text in texts
    ]
    together = api.backend.wait_for_active(api.nonce, 4, 0.8 * api.timeout)
    api.backend.open(api.nonce)
    answers = [said(call.finish()) for call in calls]

    expect(together, True, "four upstream calls at once")
    expect(answers, texts)
