"""Single answers of the model (spec section 4). How clients read them is in wire/infer.py."""

from typing import Any

from octomil_conformance.api import UNAVAILABLE, Api, model_for
from octomil_conformance.backend import GIANT, LONE_HALVES, TEXTS
from octomil_conformance.checks.answers import ending, said
from octomil_conformance.exchange import MISSING, Json, field
from octomil_conformance.expect import (
    Want,
    Words,
    at_least,
    between,
    expect,
    one_of,
    written,
)
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.target import PROMPT
from octomil_conformance.transport import Transfer

NO_ANSWERS = (
    *("answer-null", "answer-array", "answer-missing", "answer-inside-null"),
    *("answer-empty", "answer-string", "answer-item-null", "content-object"),
    *("error-frame", "error-beside-end", "error-of-other-type", "error-odd"),
    *("error-before-end", "error-reason", "no-body", "object-beside"),
)
OTHER_WORDS = [("length-reason", "length"), ("filter-reason", "content_filter")]
REASONING = {"thinking": PROMPT, "thinking-renamed": PROMPT, "thinking-only": ""}
"""The text of the answer, by scenario."""


def counts(*allowed: list[Any]) -> Want:
    """These numbers of tokens as text, because 6 differs from 6.0 in text."""
    return one_of(*(Words(written(each)) for each in allowed))


NO_USAGE, ZEROS = [MISSING] * 3, [0] * 3
COUNTED, HALF = [6, 9, 15], [0, 9, 9]
COUNTS = {
    "echo": counts(NO_USAGE, COUNTED),
    "totals": counts(NO_USAGE, COUNTED),
    "negative-counts": counts(NO_USAGE, ZEROS),
    "float-counts": counts(NO_USAGE, ZEROS, COUNTED),
    "odd-counts": counts(NO_USAGE, ZEROS),
    "half-counted": counts(NO_USAGE, HALF),
    "uncounted": counts(NO_USAGE, ZEROS),
}
"""The usage for three words in the prompt and three in the answer, by scenario."""
FORMS = [
    "nulls",
    "negative-counts",
    "float-counts",
    "odd-counts",
    "beside-thoughts",
    "call",
    "plain-type",
    "created",
    "zipped",
]
FORMATS: dict[str, Json] = {
    "format": {"format": "json"},
    "response_format": {"response_format": {"type": "json_object"}},
}
"""Parameters that ask a model for JSON."""
MANY = 32
"""Clients that hang up: more than some servers have connections to an upstream."""
LIKE_CODE = [
    *("42", "0", "true", "null", '{"a": [1, 2.50]}', '"quoted"', "data: x"),
    *("```json\n{}\n```", "Error: no fruit"),
]


def after_leaving(api: Api, call: Transfer, times: int = 1) -> Words:
    """Hangs up after this number of upstream calls. Returns what the server does wrong then: calls that last until their timeout, further calls."""
    asked = api.until_called(times)
    call.hang_up()
    ended = api.backend.wait_until_idle(api.nonce, api.within(0.8 * api.timeout))
    longer = api.within(api.timeout + 1)
    calls = api.backend.wait_for_calls(api.nonce, asked + 1, longer)
    more = len(calls) - asked
    found = [
        "an upstream call that goes on" * (not ended),
        f"{more} more" * (more > 0),
    ]
    return Words(" and ".join(filter(None, found)))


@requirement("INFER-08", [*TEXTS], through=EACH_BACKEND)
def output_is_what_the_model_said(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=scenario).field("output"), TEXTS[scenario])


@requirement("INFER-08", through=EACH_BACKEND)
def half_a_character_that_stays_alone_is_replaced(api: Api) -> None:
    expect(api.ask(scenario="lone-halves").field("output"), LONE_HALVES)


@requirement("INFER-08", FORMS, through=EACH_BACKEND)
def output_is_read_in_every_form(api: Api, scenario: str) -> None:
    text = "Un caf\u00e9, \u4f60?"

    expect(api.ask(text, scenario=scenario).field("output"), text)


@requirement("INFER-08", serial=True, through=EACH_BACKEND)
def a_large_output_is_what_the_model_said(api: Api) -> None:
    expect(api.ask(scenario="giant").field("output"), GIANT)


@requirement("INFER-08", LIKE_CODE, through=EACH_BACKEND)
def text_that_looks_like_a_value_stays_text(api: Api, text: str) -> None:
    expect(api.ask(text, scenario="echo").field("output"), text)


@requirement("INFER-08", FORMATS, through=EACH_BACKEND)
def text_in_a_format_stays_text(api: Api, parameters: Json) -> None:
    answer = api.ask(LIKE_CODE[3], scenario="echo", parameters=parameters)

    expect(answer.field("output"), LIKE_CODE[3])


@requirement("INFER-09", ["empty", "call-alone"], through=EACH_BACKEND)
def an_empty_answer_is_an_answer(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, 200)
    expect(answer.field("output"), "")


@requirement("INFER-10", through=EACH_BACKEND)
def an_answer_that_reaches_its_limit_says_so(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo", parameters={"max_tokens": 2})

    expect(answer.field("finish_reason"), "length")


@requirement("INFER-10", OTHER_WORDS, through=EACH_BACKEND)
def another_word_for_a_reason_is_not_stop(api: Api, scenario: str, word: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.field("finish_reason"), one_of(word, None, MISSING))


@requirement("INFER-11", [*COUNTS], through=EACH_BACKEND)
def usage_is_what_the_model_counted(api: Api, scenario: str) -> None:
    answer = api.ask("one two three", scenario)
    usage = field(ending(answer), "usage")
    names = ("prompt_tokens", "completion_tokens", "total_tokens")

    given = Words(written([field(usage, name) for name in names]))

    expect(given, COUNTS[scenario])


@requirement("INFER-12", through=EACH_BACKEND)
def latency_is_in_milliseconds(api: Api) -> None:
    answer = api.ask(scenario="wait")
    latency = field(ending(answer), "latency_ms")

    expect(latency, between(300 * api.timeout, 1000 * answer.seconds + 50))


@requirement("INFER-12", through=EACH_BACKEND)
def latency_ends_with_the_answer(api: Api) -> None:
    answer = api.ask(scenario="no-mark-lingers")
    latency = field(ending(answer), "latency_ms")

    expect(latency, between(0, 900 * api.timeout))


@requirement("INFER-13", [*REASONING], through=EACH_BACKEND)
def reasoning_is_not_output(api: Api, scenario: str) -> None:
    expect(said(api.ask(scenario=scenario)), REASONING[scenario])


@requirement("INFER-16", NO_ANSWERS, through=EACH_BACKEND)
def what_is_no_answer_is_a_failure(api: Api, scenario: str) -> None:
    expect(api.ask(scenario=scenario).status, UNAVAILABLE)


@requirement("INFER-14", serial=True, through=EACH_BACKEND)
def clients_that_hung_up_do_not_block_others(api: Api) -> None:
    calls = [api.start(scenario="gated") for _ in range(MANY)]
    api.until_called(MANY)
    for call in calls:
        call.hang_up()
    api.backend.wait_until_idle(api.nonce, api.within(0.8 * api.timeout))
    api.backend.open(api.nonce)
    answer = api.ask(scenario="echo")

    expect((answer.status, said(answer)), (200, PROMPT))


@requirement("INFER-15", through=EACH_BACKEND)
def nothing_is_asked_for_a_client_that_has_left(api: Api) -> None:
    call = api.start(scenario="slow")

    expect(
        after_leaving(api, call), "", "the call ends before its timeout, and no more"
    )


@requirement("INFER-14", through=EACH_BACKEND)
def requests_do_not_wait_for_each_other(api: Api) -> None:
    texts = ["red", "green", "blue", "black"]
    names = [f"{text}/{model_for('gated', api.through)}" for text in texts]
    cookie = {"Cookie": api.ask(scenario="echo").header("Set-Cookie")}
    calls = [
        api.start(text, scenario="gated", model_id=name, headers=cookie)
        for text, name in zip(texts, names)
    ]
    together = api.backend.wait_for_active(api.nonce, 4, 0.8 * api.timeout)
    api.backend.open(api.nonce)
    answers = [call.finish() for call in calls]
    named = [answer.field("model_id") for answer in answers]

    expect(
        together, at_least(4), "four upstream calls at once, even with the same cookie"
    )
    expect([*map(said, answers)], texts)
    expect(named, one_of(names, [MISSING] * 4), "the model of each request")
