"""Batches (spec section 6); the shape of their answers is in wire/batch.py."""

from collections.abc import Sequence
from typing import Any

from octomil_conformance.api import REFUSED, Api
from octomil_conformance.backend import LONE_HALVES, TEXTS
from octomil_conformance.backend.gated import pace_for
from octomil_conformance.checks import validation
from octomil_conformance.checks.answers import all_or_none, outputs
from octomil_conformance.checks.fault import secrets, shown_of
from octomil_conformance.checks.infer import after_leaving
from octomil_conformance.exchange import Json, field, is_number
from octomil_conformance.expect import (
    Want,
    at_least,
    expect,
    less_than,
    none_of,
    one_of,
)
from octomil_conformance.request_parts import messages
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.wire.batch import is_answer, is_failure, results_of

SIX = [f"text {number}" for number in range(6)]
NINE = [f"text {number}" for number in range(9)]
SIXTY_FOUR = [f"text {number}" for number in range(64)]
MALFORMED: Json = {
    "message": {"messages": [{"role": "user"}]},
    "parameter": {"input_data": "Hi", "parameters": {"temperature": "hot"}},
    "string": "Hi",
}
OTHERS: Json = {
    "null": None,
    "number": 7,
    "array": [validation.MESSAGE],
    "no-prompt": {},
    "two-prompts": {"messages": [validation.MESSAGE], "input_data": "Hi"},
    "empty-input-data": {"input_data": ""},
    "image": {"messages": [{"role": "user", "content": [validation.IMAGE]}]},
    "parameters": {"input_data": "Hi", "parameters": "hot"},
    "empty-parameters": {"input_data": "Hi", "parameters": []},
    **{
        f"messages-{name}": {"messages": each}
        for name, each in validation.MALFORMED.items()
    },
    **{
        f"{name}-{value}": {"input_data": "Hi", "parameters": {name: value}}
        for name, value in [
            *validation.OUT_OF_RANGE,
            *validation.OF_WRONG_TYPE,
            *validation.REQUEST_ITSELF,
        ]
    },
}
REJECTED_ALONE = {
    name: value for name, value in OTHERS.items() if value not in MALFORMED.values()
}
"""Inputs that would be rejected in a request of their own, besides those in MALFORMED."""
WRONG_FOR_ALL: Json = {
    "text": "hot",
    "empty": [],
    "type": {"temperature": "hot"},
    "range": {"max_tokens": 0},
    "request": {"stream": True},
}
"""Parameters of a batch with which each input would be rejected in a request of its own."""
KINDS = {
    **dict.fromkeys((400, 422), "the request is at fault"),
    404: "there is no such model",
    429: "too many requests",
    **dict.fromkeys((502, 503, 504), "the upstream failed"),
}
EACH_FAILS = {
    "http-500": (KINDS[502], True),
    "missing": (KINDS[404], False),
    "http-400": (KINDS[400], False),
    "http-429": (KINDS[429], True),
}
"""How an input fails, and whether it may be tried again, by the scenario of its model."""
SPREADING = [
    *[("http-500", 30), ("http-429", 8), ("auth", 8), ("missing", 8)],
    *[("http-400", 8), ("answer-missing", 8), ("drop", 4), ("slow", 3)],
]
"""How inputs fail, and how many fail before the good ones: enough for every worker, and for a limit on failures."""
AS_MANY = (
    "as many inputs at once as the max_concurrency of each batch, no fewer and no more"
)
NAMES_THE_SECOND = Want(
    "a message with inputs[1]", lambda text: "inputs[1]" in str(text)
)


def inputs_of(texts: Sequence[str]) -> list[Json]:
    return [{"messages": messages(text)} for text in texts]


def inputs_playing(api: Api, scenarios: Sequence[str]) -> list[Json]:
    """An input for each scenario. If it is empty, the name of the model decides."""
    return inputs_of([api.tag("Hi", str(n), each) for n, each in enumerate(scenarios)])


@requirement("BATCH-06")
def both_forms_of_input_are_accepted(api: Api) -> None:
    inputs = [{"messages": api.messages(api.tag("Hi"))}, {"input_data": api.tag("Hi")}]
    answer = api.ask(inputs=inputs)

    expect(answer.status, 200)
    expect(sum(map(is_answer, results_of(answer))), 2, "two answers")


@requirement("BATCH-07", [[], "Hi", {"0": {"input_data": "Hi"}}, None])
def no_inputs_are_refused(api: Api, inputs: Any) -> None:
    expect(api.refused(inputs=inputs).status, REFUSED)


@requirement("BATCH-08", MALFORMED)
def a_malformed_input_is_named(api: Api, malformed: Any) -> None:
    answer = api.refused(inputs=[{"input_data": "Hi"}, malformed])

    expect(answer.status, REFUSED)
    expect(answer.field("message"), NAMES_THE_SECOND)


@requirement("BATCH-09")
def a_batch_without_model_is_refused(api: Api) -> None:
    expect(api.refused(**validation.without_model(api)).status, REFUSED)


@requirement("BATCH-10", [0, -1, 1.5, "2", "", True, False])
def a_wrong_max_concurrency_is_refused(api: Api, value: Any) -> None:
    expect(api.refused(max_concurrency=value).status, REFUSED)


@requirement("BATCH-11", [100_000, 2**31, 2**53])
def a_large_max_concurrency_is_lowered(api: Api, value: int) -> None:
    expect(api.ask(max_concurrency=value).status, 200)


@requirement("BATCH-20", through=EACH_BACKEND)
def results_are_in_the_order_of_the_inputs(api: Api) -> None:
    call = api.start(SIX[:3], "gated", max_concurrency=3)
    api.backend.wait_for_active(api.nonce, 3, api.timeout / 2)
    for index in ("2", "1", "0"):
        api.backend.open(f"{api.nonce}.{index}")
        api.backend.wait_until_idle(f"{api.nonce}.{index}", api.timeout / 4)

    expect(outputs(call.finish()), SIX[:3])


@requirement("BATCH-21", ["http-500", "slow", "answer-missing"], through=EACH_BACKEND)
def a_failing_input_does_not_affect_the_others(api: Api, failing: str) -> None:
    texts = [api.tag("one", "0"), api.tag("two", "1", failing), api.tag("three", "2")]
    answer = api.ask(scenario="echo", inputs=inputs_of(texts))

    expect(outputs(answer)[::2], ["one", "three"])
    failed = [n for n, each in enumerate(results_of(answer)) if is_failure(each)]

    expect(failed, [1], "a failure at index 1 alone")


@requirement("BATCH-21", SPREADING, through=EACH_BACKEND)
def failures_do_not_spread_to_later_inputs(api: Api, failing: str, count: int) -> None:
    scenarios = [*[api.failing(failing)] * count, "", "", ""]
    inputs = inputs_playing(api, scenarios)
    answer = api.ask(scenario="echo", inputs=inputs, max_concurrency=3)

    expect(outputs(answer)[count:], ["Hi"] * 3)


@requirement("BATCH-21", through=EACH_BACKEND)
def failures_are_counted_in_their_own_batch(api: Api) -> None:
    failing = api.failing("http-500")
    one, other = ([failing, ""], [failing, failing, "empty"])
    call = api.start(scenario="gated", inputs=inputs_playing(api, one))
    api.until_called(2)
    answers = [api.ask(scenario="echo", inputs=inputs_playing(api, other))]
    api.backend.open(api.nonce)
    answers.append(call.finish())
    counted = [(each.field("succeeded"), each.field("failed")) for each in answers]

    expect(counted, [(1, 2), (1, 1)], "[1, 2] and [1, 1] as [succeeded, failed]")


@requirement("BATCH-22", through=EACH_BACKEND)
def max_concurrency_is_not_exceeded(api: Api) -> None:
    call = api.start(SIX, "gated", max_concurrency=2)
    api.backend.wait_for_active(api.nonce, 3, api.timeout / 2)
    api.backend.open(api.nonce)
    call.finish()

    most = api.backend.high_water(api.nonce)

    expect(most, one_of(1, 2), "at most two upstream calls at once")


@requirement("BATCH-23", through=EACH_BACKEND)
def max_concurrency_is_used(api: Api) -> None:
    call = api.start(SIX, "gated", max_concurrency=3)
    together = api.backend.wait_for_active(api.nonce, 3, 0.8 * api.timeout)
    api.backend.open(api.nonce)
    call.finish()

    expect(together, at_least(3), "three upstream calls at once")


@requirement("BATCH-23", through=EACH_BACKEND)
def the_next_input_begins_when_any_other_is_done(api: Api) -> None:
    call = api.start(NINE, "gated", max_concurrency=3)
    for index in range(1, 9):
        api.backend.open(f"{api.nonce}.{index}")
    api.backend.wait_for_calls(f"{api.nonce}.0", 1, 2 * api.timeout)
    fourth = api.backend.wait_for_calls(f"{api.nonce}.3", 1, 0.8 * api.timeout)
    api.backend.open(api.nonce)
    answer = call.finish()

    expect(
        len(fourth), at_least(1), "a call for the fourth input while the first is held"
    )
    expect(outputs(answer), NINE)


@requirement("BATCH-23", [(1, 2), (2, 1)], through=EACH_BACKEND)
def batches_at_once_have_their_own_max_concurrency(
    api: Api, one: int, other: int
) -> None:
    calls, together = [], []
    for bound in (one, other):
        texts = [api.tag(f"{bound} {n}", f"{bound}.{n}") for n in range(4)]
        inputs = inputs_of(texts)
        calls.append(api.start(scenario="gated", inputs=inputs, max_concurrency=bound))
        nonce = f"{api.nonce}.{bound}"
        together.append(api.backend.wait_for_active(nonce, bound, 0.8 * api.timeout))
    api.backend.open(api.nonce)
    said = [outputs(call.finish()) for call in calls]
    most = [api.backend.high_water(f"{api.nonce}.{bound}") for bound in (one, other)]

    expect([*together, *most], [one, other] * 2, AS_MANY)
    expect(said, [[f"{bound} {n}" for n in range(4)] for bound in (one, other)])


@requirement("BATCH-24", MALFORMED)
def a_malformed_batch_calls_no_model(api: Api, malformed: Any) -> None:
    good = {"messages": api.messages(api.tag("Hi"))}
    answer = api.refused(scenario="echo", inputs=[*[good] * 40, malformed])

    expect(answer.status, REFUSED)
    expect(api.backend.wait_for_calls(api.nonce, 1, 0.3), [], "no upstream call")


@requirement("BATCH-26", through=EACH_BACKEND)
def each_input_has_its_own_failure(api: Api) -> None:
    scenarios = [*map(api.failing, EACH_FAILS)]
    inputs = inputs_playing(api, scenarios)
    results = results_of(api.ask(scenario="echo", inputs=inputs))
    errors = [field(result, "error") for result in results]
    seen = [
        (
            KINDS.get(status := field(error, "status_code"), status),
            field(error, "retryable"),
        )
        for error in errors
    ]

    expect(seen, [*EACH_FAILS.values()])


@requirement("BATCH-26", through=EACH_BACKEND)
def the_codes_are_those_of_each_failure(api: Api) -> None:
    scenarios = [*map(api.failing, ("missing", "http-429"))]
    inputs = inputs_playing(api, scenarios)
    results = results_of(api.ask(scenario="echo", inputs=inputs))
    codes = [field(field(result, "error"), "code") for result in results]

    expect(codes, ["model_not_found", "rate_limited"])


@requirement("BATCH-27", ["500", "slow", "missing"])
def each_input_has_the_fallback(api: Api, failing: str) -> None:
    first = results_of(api.ask(scenario="echo"))
    answer = api.ask(SIX, scenario=f"ollama-{failing}-openai-ok")
    results = [next(iter(each), None) for each in (first, results_of(answer))]
    ollama, other = (field(result, "provider") for result in results)

    expect(outputs(answer), SIX)
    expect(other, none_of(ollama), "another provider than Ollama's")


@requirement("BATCH-29", serial=True, through=EACH_BACKEND)
def sixty_four_inputs_have_their_results(api: Api) -> None:
    expect(outputs(api.ask(SIXTY_FOUR, scenario="echo")), SIXTY_FOUR)


@requirement("BATCH-31", ["unicode", "rough", "huge", "marked"], through=EACH_BACKEND)
def outputs_are_what_the_model_said(api: Api, scenario: str) -> None:
    expect(outputs(api.ask(scenario=scenario)), [TEXTS[scenario]] * 2)


@requirement("BATCH-31", through=EACH_BACKEND)
def half_a_character_does_not_affect_the_other_outputs(api: Api) -> None:
    inputs = inputs_playing(api, ["", api.failing("lone-halves"), ""])
    answer = api.ask(scenario="echo", inputs=inputs)

    expect(outputs(answer), ["Hi", LONE_HALVES, "Hi"])


@requirement("BATCH-31", through=EACH_BACKEND)
def an_empty_output_is_an_answer(api: Api) -> None:
    answer = api.ask(scenario="empty")

    seen = (outputs(answer), answer.field("failed"))

    expect(seen, (["", ""], 0), "two empty outputs, and 0 as `failed`")


@requirement("BATCH-38", through=EACH_BACKEND)
def counts_and_latency_are_those_of_each_input(api: Api) -> None:
    alone = api.ask(["one two three"], scenario="wait")
    answer = api.ask(["one two three"] * 3, scenario="wait", max_concurrency=1)
    results = [*results_of(alone), *results_of(answer)]
    usages = [field(each, "usage") for each in results]
    latencies = [field(each, "latency_ms") for each in results[1:]]
    together = sum(filter(is_number, latencies))

    expect(usages, usages[:1] * 4, "the usage that the input has alone")
    whole = 1000 * answer.seconds + 50

    expect(together, less_than(whole), f"latencies of {whole:.0f} ms at most together")


@requirement("BATCH-33", [200, 600], serial=True)
def no_input_is_left_out(api: Api, count: int) -> None:
    answer = api.ask([f"text {number}" for number in range(count)], scenario="echo")

    expect((answer.status, len(results_of(answer))), all_or_none(count, "results"))


@requirement("BATCH-35", REJECTED_ALONE)
def what_is_rejected_alone_is_malformed(api: Api, wrong: Any) -> None:
    answer = api.refused(inputs=[{"input_data": "Hi"}, wrong])

    expect(answer.status, REFUSED)
    expect(answer.field("message"), NAMES_THE_SECOND)


@requirement("BATCH-35", WRONG_FOR_ALL)
def parameters_of_the_batch_are_judged(api: Api, wrong: Any) -> None:
    expect(api.refused(parameters=wrong).status, REFUSED)


@requirement("BATCH-37", through=EACH_BACKEND)
def each_input_has_the_whole_timeout(api: Api) -> None:
    count = api.steps(pace_for(api.timeout).gap, api.long)
    texts = [f"text {number}" for number in range(count)]
    answer = api.ask(texts, scenario="wait", max_concurrency=1)

    expect(outputs(answer), texts)


@requirement("BATCH-28", through=EACH_BACKEND)
def no_more_is_asked_for_a_client_that_has_left(api: Api) -> None:
    call = api.start(SIX, scenario="slow", max_concurrency=2)
    seen = after_leaving(api, call, times=2)

    expect(seen, "", "the calls end before their timeout, and no more")


@requirement("BATCH-32", ["http-500", "auth", "http-403", "slow"], through=EACH_BACKEND)
def the_failure_of_an_input_shows_no_secret(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=api.failing(scenario))

    expect(shown_of(secrets(api), answer), [], "no secret")
