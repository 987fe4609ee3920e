"""Servers that refuse valid forms of `input_data`, or change what of it reaches the model."""

import json
import re
from collections.abc import Callable

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request
from octomil_conformance.server.mutants.prompts import lowered


@on.refuses("infer@1", "REQ-02")
def text_is_refused(fields: Json) -> bool:
    """A string as `input_data` is refused."""
    return isinstance(fields.get("input_data"), str)


@on.refuses("infer@1", "REQ-03")
def features_are_refused(fields: Json) -> bool:
    """An object as `input_data` is refused."""
    return isinstance(fields.get("input_data"), dict)


@on.requests("infer@1", "REQ-11")
def messages_in_input_data_are_not_judged(request: Request) -> None:
    """Malformed messages in `input_data` are no failure: the model gets their JSON text."""
    data = request.fields.get("input_data")
    if isinstance(data, list) or (isinstance(data, dict) and "messages" in data):
        request.send(request.fields | {"input_data": json.dumps(data)})


@on.refuses("infer@2", "REQ-23", shows=None)
def blank_prompts_are_refused(fields: Json) -> bool:
    """A string of white space alone as `input_data` is refused."""
    data = fields.get("input_data")
    return isinstance(data, str) and data.isspace()


@on.refuses("infer@2", "REQ-24", shows=None)
def falsy_values_count_as_missing(fields: Json) -> bool:
    """0, false or an empty object as `input_data` is refused."""
    data = fields.get("input_data")
    return data is not None and data != "" and not data


@on.refuses("infer@2", "REQ-24", shows=None)
def texts_may_not_be_empty(fields: Json) -> bool:
    """An empty `text` beside a `prompt` is refused."""
    data = fields.get("input_data")
    return isinstance(data, dict) and data.get("text") == "" and "prompt" in data


@on.refuses("infer@2", "REQ-24", shows=None)
def the_first_item_decides(fields: Json) -> bool:
    """An array as `input_data` with a message and something else is refused."""
    data = json.dumps(fields.get("input_data"))
    return re.match(r'\[\{"role".*, 7\]$', data) is not None


@on.bodies("infer@2", "REQ-24", shows=None)
def forms_have_no_case(fields: Json) -> None:
    """The names in an object as `input_data` are read in any case."""
    if isinstance(fields.get("input_data"), dict):
        fields["input_data"] = lowered(fields["input_data"])


@on.refuses("infer@2", "REQ-23", shows=None)
def a_prompt_of_zero_is_missing(fields: Json) -> bool:
    """The text 0 as `input_data` is refused, because it is false in PHP and Perl."""
    return fields.get("input_data") == "0"


@on.refuses("infer@2", "REQ-24", shows=None)
def a_text_of_zero_is_missing(fields: Json) -> bool:
    """The text 0 as `text` or `prompt` in `input_data` is refused."""
    data = fields.get("input_data")
    return isinstance(data, dict) and "0" in (data.get("text"), data.get("prompt"))


@on.refuses("infer@2", "REQ-24", shows=None)
def blank_texts_are_missing(fields: Json) -> bool:
    """A `text` or a `prompt` of white space alone in `input_data` is refused."""
    data = fields.get("input_data")
    texts = data.values() if isinstance(data, dict) else ()
    return any(isinstance(text, str) and text.isspace() for text in texts)


@on.bodies("infer@2", "REQ-18")
def names_are_lost(fields: Json) -> None:
    """Only the values of an object as `input_data` reach the model."""
    data = fields.get("input_data")
    if isinstance(data, dict) and "petals" in data:
        fields["input_data"] = " ".join(map(str, data.values()))


@on.bodies("infer@2", "REQ-18", shows=None)
def features_are_the_systems(fields: Json) -> None:
    """An object as `input_data` reaches the model as a system message."""
    data = fields.get("input_data")
    if isinstance(data, dict) and "petals" in data:
        fields["input_data"] = [{"role": "system", "content": json.dumps(data)}]


@on.bodies("infer@2", "REQ-23", shows=None)
def input_data_is_trimmed(fields: Json) -> None:
    """White space around a string as `input_data` is removed."""
    if isinstance(fields.get("input_data"), str):
        fields["input_data"] = fields["input_data"].strip()


def form_as_json(name: str) -> Callable[[Json], None]:
    def play(fields: Json) -> None:
        data = fields.get("input_data")
        if isinstance(data, dict) and name in data:
            fields["input_data"] = json.dumps(data)

    return play


on.bodies("infer@2", "REQ-24", shows=None).table(
    form_as_json,
    "An object with {} as `input_data` reaches the model as JSON text.",
    objects_with_text_are_json=("a text", "text"),
    prompts_are_unknown=("a prompt", "prompt"),
    messages_in_objects_are_json=("messages", "messages"),
)


@on.bodies("infer@2", "REQ-24", shows=None)
def empty_objects_inside_are_arrays(fields: Json) -> None:
    """An empty object inside `input_data` reaches the model as an empty array."""
    data = fields.get("input_data")
    if isinstance(data, dict):
        empty: Json = {name: [] for name, value in data.items() if value == {}}
        fields["input_data"] = data | empty


@on.bodies("infer@2", "REQ-24", shows=None)
def texts_of_digits_are_numbers(fields: Json) -> None:
    """A text of digits inside `input_data` reaches the model as a number."""
    data = fields.get("input_data")
    if isinstance(data, list) and "007" in data:
        fields["input_data"] = [7 if each == "007" else each for each in data]


@on.bodies("infer@2", "REQ-24", shows=None)
def booleans_are_numbers(fields: Json) -> None:
    """True and false as `input_data` reach the model as 1 and 0."""
    if isinstance(fields.get("input_data"), bool):
        fields["input_data"] = int(fields["input_data"])


@on.requests("infer@2", "REQ-24", shows=None)
def numbers_out_of_range_are_zero(request: Request) -> None:
    """A number that 64 bits cannot hold reaches the model as 0."""
    request.body = request.body.replace(b": 1e999", b": 0")


@on.requests("infer@2", "REQ-24", shows=None)
def long_integers_are_texts(request: Request) -> None:
    """An integer that 64 bits cannot hold reaches the model as a text."""
    number = b"12345678901234567890"
    request.body = request.body.replace(b": " + number, b': "%b"' % number)


@on.bodies("infer@2", "REQ-24", shows=None)
def nulls_inside_are_lost(fields: Json) -> None:
    """A null in an array inside `input_data` is lost."""
    given = json.dumps(fields.get("input_data"))
    fields |= {"input_data": json.loads(given.replace("1, null", "1"))}


@on.bodies("infer@2", "REQ-24", shows=None)
def prompt_is_before_text(fields: Json) -> None:
    """If `input_data` has a `text` and a `prompt`, the model gets the `prompt`."""
    data = fields.get("input_data")
    if isinstance(data, dict) and data.get("prompt") and data.get("text"):
        del data["text"]


@on.bodies("infer@2", "REQ-24", shows=None)
def arrays_are_joined(fields: Json) -> None:
    """The items of an array as `input_data` are joined with commas."""
    data = fields.get("input_data")
    if isinstance(data, list) and not isinstance(data[0], dict):
        fields["input_data"] = ",".join(map(str, data))


@on.bodies("infer@2", "REQ-24", shows=None)
def values_are_in_pythons_form(fields: Json) -> None:
    """Any other value as `input_data` reaches the model as Python writes it."""
    data = fields.get("input_data")
    if isinstance(data, bool | list) and "role" not in str(data):
        fields["input_data"] = str(data)


@on.bodies("infer@2", "REQ-24", shows=None)
def messages_in_arrays_are_json(fields: Json) -> None:
    """An array of messages as `input_data` reaches the model as JSON text."""
    if isinstance(fields.get("input_data"), list):
        fields["input_data"] = json.dumps(fields["input_data"])


@on.bodies("infer@1", "REQ-26")
def empty_prompts_are_accepted(fields: Json) -> None:
    """An empty string as `input_data` is accepted."""
    if fields.get("input_data") == "":
        fields["input_data"] = " "
