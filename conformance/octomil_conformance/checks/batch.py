"""Batches (spec section 6); the shape of their answers is in wire/batch.py."""

from typing import Any

from octomil_conformance.api import REFUSED, Api
from octomil_conformance.checks import upstream
from octomil_conformance.exchange import field, items
from octomil_conformance.expect import Want, expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.batch import is_answer, is_failure

SIX = [f"text {number}" for number in range(6)]
MALFORMED = {"messages": [{"role": "user"}]}
NAMES_THE_SECOND = Want(
    "a message with inputs[1]", lambda text: "inputs[1]" in str(text)
)


@requirement("BATCH-06")
def both_forms_of_input_are_accepted(api: Api) -> None:
    inputs = [{"messages": api.messages(api.tag("Hi"))}, {"input_data": api.tag("Hi")}]
    answer = api.ask(inputs=inputs)

    expect(answer.status, 200)
    expect([*map(is_answer, items(field(answer.fields, "results")))], [True, True])


@requirement("BATCH-07", [[], "Hi", {}, None])
def no_inputs_are_refused(api: Api, inputs: Any) -> None:
    answer = api.refused(api.body(inputs=inputs))

    expect(answer.status, REFUSED)


@requirement("BATCH-08")
def a_malformed_input_is_named(api: Api) -> None:
    answer = api.refused(api.body(inputs=[{"input_data": "Hi"}, MALFORMED]))

    expect(answer.status, REFUSED)
    expect(field(answer.fields, "message"), NAMES_THE_SECOND)


@requirement("BATCH-09")
def a_batch_without_model_is_refused(api: Api) -> None:
    answer = api.refused(api.body(without=("model_id",)))

    expect(answer.status, REFUSED)


@requirement("BATCH-10", [0, -1, 1.5, "2", True])
def a_wrong_max_concurrency_is_refused(api: Api, value: Any) -> None:
    answer = api.refused(api.body(max_concurrency=value))

    expect(answer.status, REFUSED)


@requirement("BATCH-11")
def a_large_max_concurrency_is_lowered(api: Api) -> None:
    answer = api.ask(max_concurrency=100_000)

    expect(answer.status, 200)


@requirement("BATCH-20")
def results_are_in_the_order_of_the_inputs(api: Api) -> None:
    call = api.start(SIX[:3], "gated", max_concurrency=3)
    api.backend.wait_for_active(api.nonce, 3, api.timeout / 2)
    for index in ("2", "1", "0"):
        api.backend.open(f"{api.nonce}.{index}")
        api.backend.wait_until_idle(f"{api.nonce}.{index}", api.timeout / 4)
    results = items(field(call.finish().fields, "results"))

    expect([field(result, "output") for result in results], SIX[:3])


@requirement("BATCH-21")
def a_failing_input_does_not_affect_the_others(api: Api) -> None:
    texts = [
        api.tag("one", "0"),
        api.tag("two", "1", "http-500"),
        api.tag("three", "2"),
    ]
    inputs = [{"messages": api.messages(text)} for text in texts]
    results = items(field(api.ask(scenario="echo", inputs=inputs).fields, "results"))

    expect([field(result, "output") for result in results][::2], ["one", "three"])
    expect([*map(is_failure, results)], [False, True, False])


@requirement("BATCH-22")
def max_concurrency_is_not_exceeded(api: Api) -> None:
    call = api.start(SIX, "gated", max_concurrency=2)
    api.backend.wait_for_active(api.nonce, 3, api.timeout / 4)
    api.backend.open(api.nonce)
    call.finish()

    expect(api.backend.high_water(api.nonce), one_of(1, 2))


@requirement("BATCH-23")
def max_concurrency_is_used(api: Api) -> None:
    call = api.start(SIX, "gated", max_concurrency=3)
    together = api.backend.wait_for_active(api.nonce, 3, 0.8 * api.timeout)
    api.backend.open(api.nonce)
    call.finish()

    expect(together, True, "three upstream calls at once")


@requirement("BATCH-24")
def a_malformed_batch_calls_no_model(api: Api) -> None:
    good = {"messages": api.messages(api.tag("Hi"))}
    answer = api.refused(api.body(scenario="echo", inputs=[good, MALFORMED]))

    expect(answer.status, REFUSED)
    expect(api.backend.wait_for_calls(api.nonce, 1, 0.3), [], "no upstream call")


@requirement("BATCH-25")
def the_own_parameters_of_an_input_win(api: Api) -> None:
    inputs: list[dict[str, Any]] = [
        {"messages": api.messages(api.tag("one", "0"))},
        {
            "messages": api.messages(api.tag("two", "1")),
            "parameters": {"max_tokens": 3},
        },
    ]
    api.ask(
        scenario="echo", inputs=inputs, parameters={"temperature": 0.5, "max_tokens": 5}
    )
    calls = [api.call(index) for index in ("0", "1")]
    sent = [upstream.parameters(call) for call in calls]

    expect([each.get("max_tokens") for each in sent], [5, 3])
    expect([each.get("temperature") for each in sent], [0.5, 0.5])
