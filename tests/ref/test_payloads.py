"""What clients may send: all forms of a prompt, batches, texts to embed, and errors that name the field."""

import pytest
from builders import complaint

from octomil_ref.errors import ApiError, UnsupportedModality
from octomil_ref.payloads import (
    ROLES,
    BatchRequest,
    CompletionRequest,
    EmbeddingsRequest,
    Message,
    parse_batch,
    parse_completion,
    parse_embeddings,
)

HI = [{"role": "user", "content": "Hi"}]

TEXT = {"type": "text", "text": "a"}

MESSAGES = {
    "one message": (HI, [("user", "Hi")]),
    "every role": (
        [{"role": role, "content": role} for role in ROLES],
        [(role, role) for role in ROLES],
    ),
    "unknown fields, ignored": (
        [{"role": "user", "content": "Hi", "name": 1, "tool_calls": None}],
        [("user", "Hi")],
    ),
    "a text part": ([{"role": "user", "content": [TEXT]}], [("user", "a")]),
    "text parts of both names, joined by newlines": (
        [{"role": "user", "content": [TEXT, {"type": "input_text", "text": "b"}]}],
        [("user", "a\nb")],
    ),
}

INPUT_DATA = {
    "a string": ("Hi", "Hi"),
    "a blank string": (" ", " "),
    "an array of objects with a role": (HI, "Hi"),
    "an object with messages": ({"messages": HI, "text": "x"}, "Hi"),
    "an object with text": ({"text": "Hi", "prompt": "x"}, "Hi"),
    "an object with a prompt": ({"prompt": "Hi", "lang": "en"}, "Hi"),
    "an object with null messages": ({"messages": None, "prompt": "Hi"}, "Hi"),
    "an object with empty text": ({"text": "", "prompt": "Hi"}, "Hi"),
    "an object with text that is not a string": ({"text": 1}, '{"text":1}'),
    "an object with an empty prompt": ({"prompt": ""}, '{"prompt":""}'),
    "an object of features": (
        {"age": 41, "city": "K\u00f6ln"},
        '{"age":41,"city":"K\u00f6ln"}',
    ),
    "an empty object": ({}, "{}"),
    "an array of numbers": ([1, 2.5], "[1,2.5]"),
    "an array with one message and one other object": (
        [*HI, {"x": 1}],
        '[{"role":"user","content":"Hi"},{"x":1}]',
    ),
    "an array of strings": (["role"], '["role"]'),
    "a number": (0, "0"),
    "false": (False, "false"),
}
"""The text of the only message."""


def user(content: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}]}


ONE_OF = "exactly one of 'messages' and 'input_data' is required"
NO_CONTENT = "'messages[0].content' must be a string or a non-empty array of text parts"
NO_ROLE = "'messages[0].role' must be one of system, user, assistant, tool"

BAD_PROMPTS = {
    "neither form": ({}, f"{ONE_OF}, neither was given"),
    "both forms": ({"messages": HI, "input_data": "Hi"}, f"{ONE_OF}, both were given"),
    "both forms, empty": ({"messages": [], "input_data": ""}, "both were given"),
    "null for the only form": ({"input_data": None}, "neither was given"),
    "null for both forms": ({"messages": None, "input_data": None}, "neither was"),
    "text for messages": (
        {"messages": "Hi"},
        "'messages' must be an array of messages",
    ),
    "no message": ({"messages": []}, "'messages' must not be empty"),
    "text for a message": (
        {"messages": [*HI, "Hi"]},
        "'messages[1]' must be an object",
    ),
    "an unknown role": ({"messages": [{"role": "x", "content": "Hi"}]}, NO_ROLE),
    "no role": ({"messages": [{"content": "Hi"}]}, NO_ROLE),
    "an array for a role": ({"messages": [{"role": ["user"]}]}, NO_ROLE),
    "an object for a role": ({"messages": [{"role": {}}]}, NO_ROLE),
    "null content": (user(None), NO_CONTENT),
    "no content": ({"messages": [{"role": "user"}]}, NO_CONTENT),
    "a number for content": (user(7), NO_CONTENT),
    "no part": (user([]), NO_CONTENT),
    "a part that is not an object": (user(["Hi"]), "'messages[0].content[0]' must be"),
    "a part without a type": (
        user([{"text": "Hi"}]),
        "'messages[0].content[0].type' must be a string",
    ),
    "a part without text": (
        user([{"type": "text"}]),
        "'messages[0].content[0].text' must be a string",
    ),
    "an empty string": ({"input_data": ""}, "'input_data' must be a non-empty string"),
    "no message in input_data": ({"input_data": []}, "'input_data' must not be empty"),
    "no message in an object": (
        {"input_data": {"messages": []}},
        "'input_data.messages' must not be empty",
    ),
    "a bad message in input_data": (
        {"input_data": [{"role": "user", "content": 1}]},
        "'input_data[0].content' must be a string",
    ),
    "a bad message in an object": (
        {"input_data": {"messages": [*HI, {"role": "x", "content": "Hi"}]}},
        "'input_data.messages[1].role' must be one of",
    ),
}

BAD_MODEL_IDS = {
    "missing": ({}, "'model_id' is required"),
    "null": ({"model_id": None}, "'model_id' is required"),
    "a number": ({"model_id": 7}, "'model_id' must be a string that is not blank"),
    "an array": ({"model_id": ["m"]}, "'model_id' must be a string"),
    "empty": ({"model_id": ""}, "'model_id' must be a string that is not blank"),
    "blank": ({"model_id": " \t\n"}, "'model_id' must be a string that is not blank"),
    "too long": ({"model_id": "m" * 257}, "'model_id' must have at most 256 charact"),
}

ONE_TO_THREE = "'inputs' must be an array of 1 to 3 items"
BAD_INPUTS = {
    "none": (None, "'inputs' is required"),
    "not an array": ({"0": {"input_data": "Hi"}}, ONE_TO_THREE),
    "an empty array": ([], ONE_TO_THREE),
    "one too many": ([{"input_data": "Hi"}] * 4, ONE_TO_THREE),
    "text for one": ([{"input_data": "Hi"}, "Hi"], "'inputs[1]' must be an object"),
    "one without a prompt": (
        [{"input_data": "Hi"}, {}],
        "exactly one of 'inputs[1].messages' and 'inputs[1].input_data' is required",
    ),
    "a bad message of one": (
        [{"messages": HI}, {"messages": [{"role": "x", "content": ""}]}],
        "'inputs[1].messages[0].role' must be one of",
    ),
    "a bad parameter of one": (
        [{"messages": HI, "parameters": {"max_tokens": 0}}],
        "'inputs[0].parameters.max_tokens' must be an integer of at least 1",
    ),
}

BAD_TEXTS = {
    "no input": ({}, "'input' is required"),
    "null": ({"input": None}, "'input' is required"),
    "an empty string": ({"input": ""}, "'input' must be a non-empty string"),
    "a number": ({"input": 1}, "'input' must be a string or an array of 1 to 3 items"),
    "an object": ({"input": {"text": "a"}}, "'input' must be a string or an array"),
    "an empty array": ({"input": []}, "'input' must be a string or an array of 1 to 3"),
    "one string too many": ({"input": ["a"] * 4}, "an array of 1 to 3 items"),
    "an empty one of two": ({"input": ["a", ""]}, "'input[1]' must be a non-empty str"),
    "null in the array": ({"input": [None]}, "'input[0]' must be a non-empty string"),
    "tokens": ({"input": [1, 2]}, "'input[0]' must be a non-empty string"),
}


def completion(**fields: object) -> CompletionRequest:
    return parse_completion({"model_id": "m", **fields})


def batch(**fields: object) -> BatchRequest:
    return parse_batch({"model_id": "m", **fields}, max_inputs=3)


def embeddings(**fields: object) -> EmbeddingsRequest:
    return parse_embeddings({"model_id": "m", **fields}, max_inputs=3)


def plain(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in messages]


@pytest.mark.parametrize("given, parsed", MESSAGES.values(), ids=MESSAGES)
def test_messages_are_accepted(given, parsed):
    assert plain(completion(messages=given, input_data=None).messages) == parsed


@pytest.mark.parametrize("given, text", INPUT_DATA.values(), ids=INPUT_DATA)
def test_input_data_is_accepted(given, text):
    request = completion(input_data=given, messages=None)

    assert plain(request.messages) == [("user", text)]


@pytest.mark.parametrize("fields, message", BAD_PROMPTS.values(), ids=BAD_PROMPTS)
def test_a_prompt_is_refused(fields, message):
    assert message in complaint(completion, **fields)


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "", "TEXT"])
def test_a_part_that_is_not_text_is_an_unsupported_modality(kind):
    content = [{"type": "text", "text": "What is this?"}, {"type": kind, kind: {}}]

    with pytest.raises(UnsupportedModality) as caught:
        completion(messages=[*HI, {"role": "user", "content": content}])

    assert "'messages[1].content[1].type'" in caught.value.message


def test_unknown_fields_of_a_request_are_ignored():
    request = completion(input_data="Hi", stream=True, session_id=7)

    assert request == CompletionRequest("m", (Message("user", "Hi"),), {})


@pytest.mark.parametrize("parameters", [None, {}, {"seed": None}], ids=repr)
def test_a_request_needs_no_parameters(parameters):
    assert completion(input_data="Hi", parameters=parameters).parameters == {}


@pytest.mark.parametrize("parse", [completion, batch, embeddings])
@pytest.mark.parametrize("fields, message", BAD_MODEL_IDS.values(), ids=BAD_MODEL_IDS)
def test_a_model_id_is_refused(parse, fields, message):
    good = {"input_data": "Hi", "inputs": [{"input_data": "Hi"}], "input": "Hi"}

    assert message in complaint(parse, **{"model_id": None, **good, **fields})


def test_a_model_id_is_kept_as_the_client_wrote_it():
    model_id = " Hf.co/\u4e2d:Q4 ".ljust(256, "x")

    request = completion(model_id=model_id, input_data="Hi")

    assert request.model_id == model_id


@pytest.mark.parametrize(
    "parse, limits",
    [(parse_completion, ()), (parse_batch, (3,)), (parse_embeddings, (3,))],
    ids=["completion", "batch", "embeddings"],
)
@pytest.mark.parametrize("body", [None, [], [1], "x", 42, True], ids=repr)
def test_a_body_that_is_not_an_object_is_refused(parse, limits, body):
    message = complaint(parse, body, *limits)

    assert message == "Validation failed: the body must be a JSON object."


def test_each_input_of_a_batch_is_a_request_of_its_own():
    bye = {"input_data": {"text": "Bye"}}

    request = batch(inputs=[{"messages": HI}, bye, bye])  # the most that are allowed

    assert request.inputs == (
        CompletionRequest("m", (Message("user", "Hi"),), {}),
        CompletionRequest("m", (Message("user", "Bye"),), {}),
        CompletionRequest("m", (Message("user", "Bye"),), {}),
    )


def test_the_parameters_of_an_input_override_those_of_the_batch():
    request = batch(
        inputs=[
            {"input_data": "a", "parameters": {"seed": 2, "top_k": 3}},
            {"input_data": "b", "parameters": {"seed": None}},
        ],
        parameters={"seed": 1, "temperature": 0},
    )

    first, second = (each.parameters for each in request.inputs)
    assert first == {"seed": 2, "temperature": 0, "top_k": 3}
    assert second == {"seed": 1, "temperature": 0}
    assert first.maps[-1] is second.maps[-1], "inputs and parameters may be many"


@pytest.mark.parametrize("inputs, message", BAD_INPUTS.values(), ids=BAD_INPUTS)
def test_the_inputs_of_a_batch_are_refused(inputs, message):
    assert message in complaint(batch, inputs=inputs)


def test_an_image_in_one_input_refuses_the_batch():
    image = {"role": "user", "content": [{"type": "image_url"}]}

    with pytest.raises(ApiError) as caught:
        batch(inputs=[{"messages": HI}, {"messages": [image]}])

    assert caught.value.status == 422
    assert "'inputs[1].messages[0].content[0].type'" in caught.value.message


@pytest.mark.parametrize(
    "fields, at_once",
    [
        ({}, 4),
        ({"max_concurrency": None}, 4),
        ({"max_concurrency": 1}, 1),
        ({"max_concurrency": 2.0}, 2),
    ],
    ids=["not given: 4", "null: 4", "given", "given as 2.0"],
)
def test_the_concurrency_of_a_batch_is_read(fields, at_once):
    request = batch(inputs=[{"input_data": "Hi"}], **fields)

    assert request.max_concurrency == at_once


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "4", [4]], ids=repr)
def test_a_concurrency_is_refused(value):
    message = complaint(batch, inputs=[{"input_data": "Hi"}], max_concurrency=value)

    said = "'max_concurrency' must be an integer of at least 1."
    assert message == f"Validation failed: {said}"


@pytest.mark.parametrize(
    "given, texts",
    [("a", ("a",)), (["a"], ("a",)), (["a", " ", "c"], ("a", " ", "c"))],
    ids=["a string", "an array of one", "as many strings as allowed"],
)
def test_texts_to_embed_are_accepted(given, texts):
    assert embeddings(input=given) == EmbeddingsRequest("m", texts)


@pytest.mark.parametrize("fields, message", BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_texts_to_embed_are_refused(fields, message):
    assert message in complaint(embeddings, **fields)


def test_texts_that_are_never_logged_are_also_those_in_parameters():
    parameters = {"stop": ["a"], "format": {"title": ["b", 1]}, "user": "c", "seed": 1}
    request = completion(messages=HI, parameters=parameters)

    assert [*request.texts()] == ["Hi", "a", "b", "c"]
