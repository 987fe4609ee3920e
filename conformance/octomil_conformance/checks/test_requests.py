"""What both kinds of inference take (spec section 3)."""

from typing import Any

import pytest

from octomil_conformance.api import MAX_TOKENS, REFUSED, Api
from octomil_conformance.checks import upstream
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement

SHORT = {"max_tokens": MAX_TOKENS}
MESSAGE = {"role": "user", "content": "Name a fruit."}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@requirement("REQ-01")
def test_messages_are_accepted(api: Api) -> None:
    answer = api.ask()

    assert answer.status == 200


@requirement("REQ-02")
def test_a_string_as_input_data_is_accepted(api: Api) -> None:
    answer = api.ask(without=("messages",), input_data=api.tag("Name a fruit."))

    assert answer.status == 200


@requirement("REQ-03")
@pytest.mark.parametrize(
    "data",
    [{"text": "Name a fruit."}, {"sepal": 5.1, "colour": ["red"]}],
    ids=["text", "features"],
)
def test_an_object_as_input_data_is_accepted(api: Api, data: dict[str, Any]) -> None:
    answer = api.ask(without=("messages",), input_data=data)

    assert answer.status == 200


@requirement("REQ-04")
def test_empty_parameters_are_accepted(api: Api) -> None:
    answer = api.accepts("Yes or no?", parameters={})

    assert answer.status == 200


@requirement("REQ-05")
def test_null_counts_as_not_given(api: Api) -> None:
    parameters = {**SHORT, "temperature": None, "stop": None}
    answer = api.ask(input_data=None, parameters=parameters)

    assert answer.status == 200


@requirement("REQ-05")
def test_null_parameters_count_as_not_given(api: Api) -> None:
    answer = api.accepts("Yes or no?", parameters=None)

    assert answer.status == 200


@requirement("REQ-06")
def test_text_parts_are_accepted(api: Api) -> None:
    parts = [{"type": "text", "text": api.tag("Name a fruit.")}]
    answer = api.ask(messages=[{"role": "user", "content": parts}])

    assert answer.status == 200


@requirement("REQ-07")
def test_a_request_without_model_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    assert answer.status in REFUSED


@requirement("REQ-08")
def test_a_request_without_a_prompt_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("messages",)))

    assert answer.status in REFUSED


@requirement("REQ-09")
def test_a_request_with_two_prompts_is_refused(api: Api) -> None:
    answer = api.refused(api.body(input_data="Name a fruit."))

    assert answer.status in REFUSED


@requirement("REQ-10")
@pytest.mark.parametrize("value", ["", "  ", 7, ["conf-echo"]], ids=repr)
def test_a_model_that_is_no_name_is_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(model_id=value))

    assert answer.status in REFUSED


@requirement("REQ-11")
@pytest.mark.parametrize(
    "messages",
    [
        "Hi",
        [],
        ["Hi"],
        [{"role": "king", "content": "Hi"}],
        [{"role": "user"}],
        [{"content": "Hi"}],
        [MESSAGE, {"role": "user", "content": 7}],
    ],
    ids=["string", "empty", "no-object", "role", "no-content", "no-role", "number"],
)
def test_messages_that_are_none_are_refused(api: Api, messages: Any) -> None:
    answer = api.refused(api.body(messages=messages))

    assert answer.status in REFUSED


@requirement("REQ-12")
@pytest.mark.parametrize(
    "name, value",
    [
        ("temperature", "hot"),
        ("temperature", 2.5),
        ("temperature", -1),
        ("temperature", True),
        ("max_tokens", 0),
        ("max_tokens", "8"),
        ("max_tokens", 1.5),
        ("top_p", 1.5),
    ],
)
def test_a_parameter_out_of_range_is_refused(api: Api, name: str, value: Any) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    assert answer.status in REFUSED


@requirement("REQ-12")
@pytest.mark.parametrize("value", ["hot", ["hot"]], ids=["string", "array"])
def test_parameters_that_are_no_object_are_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(parameters=value))

    assert answer.status in REFUSED


@requirement("REQ-13")
def test_an_image_is_refused(api: Api) -> None:
    parts = [{"type": "text", "text": "What is this?"}, IMAGE]
    answer = api.refused(api.body(messages=[{"role": "user", "content": parts}]))

    assert answer.status in REFUSED


@requirement("REQ-14")
@pytest.mark.parametrize(
    "name, value",
    [("stream", True), ("model", "other"), ("messages", [MESSAGE]), ("tools", [])],
)
def test_a_parameter_that_makes_another_request_is_refused(
    api: Api, name: str, value: Any
) -> None:
    answer = api.refused(api.body(parameters={**SHORT, name: value}))

    assert answer.status in REFUSED


@requirement("REQ-15")
def test_parameters_reach_the_model(api: Api) -> None:
    api.ask(scenario="echo", parameters={"temperature": 0.25, "max_tokens": 7})
    sent = upstream.parameters(api.call())

    assert (sent.get("temperature"), sent.get("max_tokens")) == (0.25, 7)


@requirement("REQ-16")
def test_an_unknown_parameter_reaches_the_model(api: Api) -> None:
    api.ask(scenario="echo", parameters={"mirostat_tau": 4.5})
    sent = upstream.parameters(api.call())

    assert sent.get("mirostat_tau") == 4.5


@requirement("REQ-17")
def test_all_messages_reach_the_model_in_order(api: Api) -> None:
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

    assert upstream.messages(api.call()) == said


@requirement("REQ-18")
def test_any_other_object_reaches_the_model_as_its_text(api: Api) -> None:
    data = {"colour": "red", "petals": 5, "note": api.tag("here")}
    api.ask(scenario="echo", without=("messages",), input_data=data)
    sent = upstream.messages(api.call())

    assert [role for role, _ in sent] == ["user"]
    assert [
        word for word in ("colour", "red", "petals", "5") if word not in sent[0][1]
    ] == []


@requirement("REQ-19")
def test_a_model_that_nobody_has_is_not_found(api: Api) -> None:
    answer = api.ask(scenario="missing")

    assert answer.status == 404


@requirement("REQ-20")
def test_a_missing_model_has_its_code(api: Api) -> None:
    answer = api.ask(scenario="missing")

    assert field(answer.fields, "code") == "model_not_found"
