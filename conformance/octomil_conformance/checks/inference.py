"""Requests for inference (spec section 3), and single answers of the model (section 4). How clients read those is in wire/infer.py."""

from typing import Any

from octomil_conformance.api import MAX_TOKENS, REFUSED, Api
from octomil_conformance.backend import UNICODE_TOKENS
from octomil_conformance.checks import upstream
from octomil_conformance.exchange import field
from octomil_conformance.expect import expect
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
    ("temperature", True),
    ("max_tokens", 0),
    ("max_tokens", "8"),
    ("max_tokens", 1.5),
    ("top_p", 1.5),
]


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
    parameters = {**SHORT, "temperature": None, "stop": None}
    answer = api.ask(input_data=None, parameters=parameters)

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


@requirement("REQ-15", through=EACH_BACKEND)
def parameters_reach_the_model(api: Api) -> None:
    api.ask(scenario="echo", parameters={"temperature": 0.25, "max_tokens": 7})
    sent = upstream.parameters(api.call())

    expect((sent.get("temperature"), sent.get("max_tokens")), (0.25, 7))


@requirement("REQ-16", through=EACH_BACKEND)
def an_unknown_parameter_reaches_the_model(api: Api) -> None:
    api.ask(scenario="echo", parameters={"mirostat_tau": 4.5})
    sent = upstream.parameters(api.call())

    expect(sent.get("mirostat_tau"), 4.5)


@requirement("REQ-17", through=EACH_BACKEND)
def all_messages_reach_the_model_in_order(api: Api) -> None:
    said = [
        ("system", api.tag("Be brief.")),
        ("user", "Caf\u00e9?"),
        ("assistant", "Oui."),
        ("user", "Bien."),
    ]
    api.ask(
        scenario="echo",
        messages=[{"role": role, "content": text} for role, text in said],
    )

    expect(upstream.messages(api.call()), said)


@requirement("REQ-18", through=EACH_BACKEND)
def any_other_object_reaches_the_model_as_text(api: Api) -> None:
    data = {"colour": "red", "petals": 5, "note": api.tag("here")}
    api.ask(scenario="echo", without=("messages",), input_data=data)
    sent = upstream.messages(api.call())
    text = " ".join(text for _, text in sent)
    lost = [word for word in ("colour", "red", "petals", "5") if word not in text]

    expect([role for role, _ in sent], ["user"])
    expect(lost, [], "every name and value of the object")


@requirement("REQ-19")
def a_model_that_no_upstream_has_is_not_found(api: Api) -> None:
    answer = api.ask(scenario="missing")

    expect(answer.status, 404)


@requirement("REQ-20")
def a_missing_model_has_its_code(api: Api) -> None:
    answer = api.ask(scenario="missing")

    expect(field(answer.fields, "code"), "model_not_found")


@requirement("INFER-08", through=EACH_BACKEND)
def output_is_what_the_model_said(api: Api) -> None:
    answer = api.ask(scenario="unicode")

    expect(field(answer.fields, "output"), "".join(UNICODE_TOKENS))


@requirement("INFER-09", through=EACH_BACKEND)
def an_empty_answer_is_an_answer(api: Api) -> None:
    answer = api.ask(scenario="empty")

    expect(answer.status, 200)
    expect(field(answer.fields, "output"), "")


@requirement("INFER-10", through=EACH_BACKEND)
def an_answer_that_reaches_its_limit_says_so(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo", parameters={"max_tokens": 2})

    expect(field(answer.fields, "finish_reason"), "length")
