"""Which requests for inference are accepted, and which are refused (spec section 3)."""

from typing import Any

from octomil_conformance.api import REFUSED, Api
from octomil_conformance.checks.parameters import NULLS
from octomil_conformance.exchange import Json
from octomil_conformance.expect import expect
from octomil_conformance.request_parts import MAX_TOKENS, json_bytes
from octomil_conformance.requirement import requirement

SHORT = {"max_tokens": MAX_TOKENS}
MESSAGE = {"role": "user", "content": "Name a fruit."}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
QUESTION = {"type": "text", "text": "What is this?"}
NO_TEXT = {
    "image": ([QUESTION, IMAGE],),
    "image-alone": ([IMAGE],),
    "audio": ([QUESTION, AUDIO],),
}
"""A `content` with a part that is not text."""

OBJECTS = {
    "text": {"text": "Name a fruit."},
    "features": {"sepal": 5.1, "colour": ["red"]},
}
MALFORMED: Json = {
    "string": "Hi",
    "object": MESSAGE,
    "numbered": {"0": MESSAGE},
    "empty": [],
    "no-object": ["Hi"],
    "null": [MESSAGE, None],
    "role": [{"role": "king", "content": "Hi"}],
    "newer-role": [{"role": "developer", "content": "Hi"}],
    "older-role": [{"role": "function", "content": "Hi"}],
    "no-content": [{"role": "user"}],
    "null-content": [MESSAGE, {"role": "assistant", "content": None}],
    "no-role": [{"content": "Hi"}],
    "capital-role": [{"role": "User", "content": "Hi"}],
    "space-role": [MESSAGE, {"role": "user ", "content": "Hi"}],
    "number": [MESSAGE, {"role": "user", "content": 7}],
    "number-as-role": [{"role": 1, "content": "Hi"}],
    "true-as-role": [{"role": True, "content": "Hi"}],
    "true-as-type": [{"role": "user", "content": [{"type": True, "text": "Hi"}]}],
    "number-in-part": [{"role": "user", "content": [{"type": "text", "text": 7}]}],
    "no-text": [{"role": "user", "content": [{"type": "text", "text": None}]}],
    "no-array": [{"role": "user", "content": {"type": "text", "text": "Hi"}}],
    "false": [MESSAGE, {"role": "user", "content": False}],
    "text-and-null": [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, None]}
    ],
    "no-part": [{"role": "user", "content": [7]}],
    "null-part": [{"role": "user", "content": [None]}],
}

IN_INPUT_DATA: Json = {
    "empty-array": [],
    "array": MALFORMED["role"],
    "array-no-content": MALFORMED["no-content"],
    **{name: {"messages": each} for name, each in MALFORMED.items()},
}
"""Malformed messages as `input_data`, or in it."""


def pairs(**values: list[Any]) -> list[tuple[str, Any]]:
    """Each parameter with each of its values."""
    return [(name, value) for name, given in values.items() for value in given]


TWO_PROMPTS: Json = {
    "text": {"input_data": "Name a fruit."},
    "empty-text": {"input_data": ""},
    "zero": {"input_data": 0},
    "false": {"input_data": False},
    "empty-object": {"input_data": {}},
    "empty-array": {"input_data": []},
    "no-messages": {"messages": [], "input_data": "Name a fruit."},
    "false-messages": {"messages": False, "input_data": "Name a fruit."},
}
"""What a request has besides its messages, or in place of them. Only null counts as missing."""
OUT_OF_RANGE = pairs(
    temperature=["hot", "", 2.5, -1, "0.7", True, [0.7]],
    max_tokens=[0, -1, "8", 1.5, True, False],
    top_p=[1.5, -0.5, "0.5", True, []],
)
OF_WRONG_TYPE = pairs(
    top_k=["20", 1.5, True],
    seed=["42", 0.5, False],
    presence_penalty=["0.5", True],
    frequency_penalty=["0.5", [1]],
    stop=[7, ["END", 7], ["END", None], {"a": "END"}],
)
THE_REQUEST = pairs(
    stream=[True, False], model=["other", ""], messages=[[MESSAGE]], tools=[[]]
)
REQUEST_ITSELF = pairs(
    input=["Hi"],
    prompt=["Hi"],
    n=[2, 0],
    options=[{"seed": 1}],
    stream_options=[{}],
    tool_choice=["auto"],
    encoding_format=["float"],
    functions=[[]],
    function_call=["auto"],
)
"""Parameters with which other APIs change the request. Those of this API are in THE_REQUEST."""
NO_CHANGES = dict.fromkeys(name for name, _ in [*THE_REQUEST, *REQUEST_ITSELF])
"""The same, with null as their value."""


def without_model(api: Api) -> Json:
    """The changes to a request that names its model only as other APIs do."""
    names = ("model", "modelId", "model_name", "engine")
    other: Json = dict.fromkeys(names, api.body()["model_id"])
    return {"without": ("model_id",), **other}


@requirement("REQ-01")
def messages_are_accepted(api: Api) -> None:
    expect(api.ask().status, 200)


@requirement("REQ-02")
def a_string_as_input_data_is_accepted(api: Api) -> None:
    answer = api.ask(without=("messages",), input_data=api.tag("Name a fruit."))

    expect(answer.status, 200)


@requirement("REQ-03", OBJECTS)
def an_object_as_input_data_is_accepted(api: Api, data: Json) -> None:
    expect(api.ask(without=("messages",), input_data=data).status, 200)


@requirement("REQ-04")
def empty_parameters_are_accepted(api: Api) -> None:
    expect(api.accepts("Yes or no?", parameters={}).status, 200)


@requirement("REQ-05", {"known": NULLS, "of-the-request": NO_CHANGES})
def null_counts_as_absent(api: Api, nulls: Json) -> None:
    expect(api.ask(input_data=None, parameters={**nulls, **SHORT}).status, 200)


@requirement("REQ-05")
def null_messages_count_as_absent(api: Api) -> None:
    expect(api.ask(messages=None, input_data=api.tag("Name a fruit.")).status, 200)


@requirement("REQ-05")
def null_parameters_count_as_absent(api: Api) -> None:
    expect(api.accepts("Yes or no?", parameters=None).status, 200)


@requirement("REQ-06")
def text_parts_are_accepted(api: Api) -> None:
    parts = [{"type": "text", "text": api.tag("Name a fruit.")}]
    answer = api.ask(messages=[{"role": "user", "content": parts}])

    expect(answer.status, 200)


@requirement("REQ-07")
def a_request_without_model_is_refused(api: Api) -> None:
    expect(api.refused(**without_model(api)).status, REFUSED)


@requirement("REQ-08")
def a_request_without_a_prompt_is_refused(api: Api) -> None:
    body = api.body(without=("messages",)) | {"prompt": "Hi", "input": "Hi"}

    expect(api.send(json_bytes(body)).status, REFUSED)


@requirement("REQ-09", TWO_PROMPTS)
def a_request_with_two_prompts_is_refused(api: Api, prompts: Json) -> None:
    expect(api.refused(**prompts).status, REFUSED)


@requirement("REQ-10", ["", "  ", 7, None, ["conf-echo"]])
def an_invalid_model_is_refused(api: Api, value: Any) -> None:
    expect(api.refused(model_id=value).status, REFUSED)


@requirement("REQ-11", MALFORMED)
def malformed_messages_are_refused(api: Api, messages: Any) -> None:
    expect(api.refused(messages=messages).status, REFUSED)


@requirement("REQ-11", IN_INPUT_DATA)
def malformed_messages_in_input_data_are_refused(api: Api, data: Any) -> None:
    expect(api.refused(without=("messages",), input_data=data).status, REFUSED)


@requirement("REQ-12", OUT_OF_RANGE)
def a_parameter_out_of_range_is_refused(api: Api, name: str, value: Any) -> None:
    expect(api.refused(parameters={**SHORT, name: value}).status, REFUSED)


@requirement("REQ-28", OF_WRONG_TYPE)
def another_parameter_of_the_wrong_type_is_refused(
    api: Api, name: str, value: Any
) -> None:
    expect(api.refused(parameters={**SHORT, name: value}).status, REFUSED)


@requirement("REQ-12", ["hot", ["hot"], "", [], False])
def parameters_that_are_not_an_object_are_refused(api: Api, value: Any) -> None:
    expect(api.refused(parameters=value).status, REFUSED)


@requirement("REQ-13", NO_TEXT)
def a_part_that_is_no_text_is_refused(api: Api, parts: list[Json]) -> None:
    answer = api.refused(messages=[{"role": "user", "content": parts}])

    expect(answer.status, REFUSED)


@requirement("REQ-14", THE_REQUEST)
def a_parameter_that_changes_the_request_is_refused(
    api: Api, name: str, value: Any
) -> None:
    expect(api.refused(parameters={**SHORT, name: value}).status, REFUSED)


@requirement("REQ-26")
def an_empty_string_as_input_data_is_refused(api: Api) -> None:
    expect(api.refused(without=("messages",), input_data="").status, REFUSED)


@requirement("REQ-27", REQUEST_ITSELF)
def any_parameter_that_changes_the_request_is_refused(
    api: Api, name: str, value: Any
) -> None:
    expect(api.refused(parameters={**SHORT, name: value}).status, REFUSED)


@requirement("REQ-19")
def a_model_that_no_upstream_has_is_not_found(api: Api) -> None:
    expect(api.ask(scenario="missing").status, 404)


@requirement("REQ-20")
def a_missing_model_has_its_code(api: Api) -> None:
    answer = api.ask(scenario="missing", model_id="conf-missing:caf\u00e9 \u4f60")

    expect(answer.field("code"), "model_not_found")
