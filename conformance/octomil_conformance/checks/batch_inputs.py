"""What reaches the model of each input of a batch (spec section 6)."""

from octomil_conformance.api import Api, model_for
from octomil_conformance.checks import forwarding, parameters, upstream
from octomil_conformance.checks.answers import outputs
from octomil_conformance.exchange import Json, read_json
from octomil_conformance.expect import expect
from octomil_conformance.requirement import EACH_BACKEND, requirement

PARAMETERS = {
    **parameters.OTHER_VALUES,
    **{name: (parameters.UNKNOWN[name],) * 2 for name in parameters.UNKNOWN},
}
OWN: dict[str, tuple[Json, Json]] = {
    "usual": ({"temperature": 0.5, "max_tokens": 5}, {"max_tokens": 3, "seed": 7}),
    "zeros": (
        {"temperature": 0.5, "seed": 7, "presence_penalty": 1},
        {"temperature": 0, "seed": 0, "presence_penalty": 0},
    ),
    "lists": (
        {"stop": ["a", "b"], "bad_words": ["a", "b"]},
        {"stop": ["c"], "bad_words": []},
    ),
    "objects": (
        {"logit_bias": {"7": 1, "8": 2}, "ignore_eos": True},
        {"logit_bias": {"9": 3}, "ignore_eos": False},
    ),
}
"""The parameters of a batch, and those of one of its inputs."""
FOREIGN: Json = {
    "model_id": "conf-http-400",
    "model": "conf-http-400",
    "stream": True,
    "temperature": 0.1,
    "max_tokens": 1,
    "max_concurrency": 1,
    "index": 7,
    "provider": "openai",
    "Messages": [{"role": "user", "content": "No."}],
    "Input_Data": "No.",
    "PARAMETERS": {"temperature": 0.1},
}
"""Fields that an input does not have."""


@requirement("BATCH-25", OWN, through=EACH_BACKEND)
def the_own_parameters_of_an_input_take_precedence(
    api: Api, common: Json, own: Json
) -> None:
    texts = [api.tag("Hi", str(n)) for n in range(3)]
    inputs: list[Json] = [{"messages": api.messages(text)} for text in texts]
    inputs[1] |= {"parameters": own}
    api.ask(scenario="echo", inputs=inputs, parameters=common)
    sent = [upstream.parameters(api.call(str(n))) for n in range(3)]
    both = common | own

    expect(
        [{name: each.get(name) for name in both} for each in sent],
        [{name: each.get(name) for name in both} for each in (common, both, common)],
        "whole values of the input itself, and the batch's for the others",
    )


@requirement("BATCH-25", through=EACH_BACKEND)
def a_null_leaves_the_parameter_of_the_batch(api: Api) -> None:
    text = {"messages": api.messages(api.tag("one"))}
    inputs = [{**text, "parameters": {"max_tokens": None}}]
    api.ask(scenario="echo", inputs=inputs, parameters={"max_tokens": 5})

    expect(upstream.parameters(api.call()).get("max_tokens"), 5)


@requirement("BATCH-30", through=EACH_BACKEND)
def each_input_reaches_the_model_as_it_is(api: Api) -> None:
    given = [("system", api.tag("Speak French.", "0")), *forwarding.CONVERSATION]
    messages = forwarding.conversation(given)
    texts = [api.tag(forwarding.ROUGH, "1"), api.tag(forwarding.LONG_TEXT, "2")]
    inputs = [{"messages": messages}, *[{"input_data": text} for text in texts]]
    api.ask(scenario="empty", inputs=inputs)
    sent = [upstream.messages(api.call(index)) for index in ("0", "1", "2")]

    expect(sent, [given, *[[("user", text)] for text in texts]])


@requirement("BATCH-30", through=EACH_BACKEND)
def unknown_fields_of_an_input_change_nothing(api: Api) -> None:
    messages = api.messages(api.tag("one two"))
    answer = api.ask(scenario="echo", inputs=[{**FOREIGN, "messages": messages}])
    asked = [
        (call.model, upstream.parameters(call).get("temperature"))
        for call in api.calls()
    ]

    expect(
        (asked, outputs(answer)),
        ([(model_for("echo", api.through), None)], ["one two"]),
        "the batch's model without a temperature, and the output for it",
    )


@requirement("BATCH-34", through=EACH_BACKEND)
def each_of_equal_inputs_reaches_the_model(api: Api) -> None:
    input = {"messages": api.messages(api.tag("one"))}
    inputs = [input, input, input | {"parameters": {"max_tokens": 2}}, input]
    api.ask(scenario="echo", inputs=inputs, max_concurrency=2)

    expect(len(api.calls()), 4, "an upstream call for each input")


@requirement("BATCH-36", through=EACH_BACKEND)
def an_input_has_every_form_of_text(api: Api) -> None:
    forms = forwarding.TEXT_FIELDS.values()
    texts = [api.tag(" Bien.\n", str(n)) for n in range(len(forms))]
    data = map(forwarding.with_text, forms, texts)
    inputs = [{"input_data": each} for each in data]
    api.ask(scenario="echo", inputs=inputs)
    sent = [upstream.messages(api.call(str(n))) for n in range(len(texts))]

    expect(sent, [[("user", text)] for text in texts])


@requirement("BATCH-36", through=EACH_BACKEND)
def an_input_has_every_form_of_messages(api: Api) -> None:
    tags = [api.tag("Be brief.", str(n)) for n in range(2)]
    given = [[("system", text), ("user", "Bien.")] for text in tags]
    first, other = map(forwarding.conversation, given)
    nulls = {"messages": None, "parameters": None}
    inputs = [{**nulls, "input_data": first}, {"input_data": {"messages": other}}]
    api.ask(scenario="echo", inputs=inputs)
    sent = [upstream.messages(api.call(str(n))) for n in range(2)]

    expect(sent, given)


@requirement("BATCH-36", through=EACH_BACKEND)
def an_input_may_have_parts(api: Api) -> None:
    texts = [api.tag(" One"), "two "]
    parts = [{"type": "text", "text": text} for text in texts]
    message = {"role": "user", "content": parts}
    api.ask(scenario="echo", inputs=[{"messages": [message]}])

    expect(upstream.messages(api.call()), [("user", "\n".join(texts))])


@requirement("BATCH-36", through=EACH_BACKEND)
def an_input_may_be_any_value(api: Api) -> None:
    inputs = [{"input_data": value} for value in forwarding.OTHER_FORMS.values()]
    answer = api.ask(scenario="echo", inputs=inputs)
    sent = [read_json(str(output).encode()) for output in outputs(answer)]

    expect(
        sent,
        [*forwarding.OTHER_FORMS.values()],
        "JSON text with the value of each input",
    )


@requirement("BATCH-36", PARAMETERS, through=EACH_BACKEND)
def each_parameter_of_an_input_reaches_the_model(
    api: Api, given: Json, wanted: Json
) -> None:
    messages = api.messages(api.tag("Hi"))
    api.ask(scenario="echo", inputs=[{"messages": messages, "parameters": given}])
    call = api.call()
    known = upstream.known(wanted, call)

    expect(parameters.sent_of(known, call), known)
