"""Streams in time and when they fail (spec sections 5.2 and 5.3); what clients can read of them is in wire/stream.py."""

import pytest

from octomil_conformance.api import Api
from octomil_conformance.backend import UNICODE_TOKENS
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import is_name

WORDS = "one two three four five"

BEFORE_THE_FIRST = (
    "http-500",
    "garbage",
    "cut-before-first",
    "truncate-before-first",
    "error-frame-first",
)
AFTER_THE_FIRST = ("cut", "truncate", "error-frame", "garbage-later")
NOT_AS_AN_ANSWER = ("cut", "closed")
"""Where the close delimits a body, a cut looks the same."""


@requirement("STREAM-20")
def test_a_token_is_sent_on_before_the_next_one_exists(api: Api) -> None:
    call = api.start(WORDS, scenario="gated")
    first = call.until_text(3)
    api.backend.open(api.nonce)
    whole = call.finish()

    assert [first, bool(whole.finals)] == ["one", True], (
        "the first token while the second is held back, then the rest"
    )


@requirement("STREAM-21")
def test_tokens_join_to_what_the_model_said(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo")

    assert "".join(answer.tokens) == "one two three"


@requirement("STREAM-21")
def test_no_character_is_lost(api: Api) -> None:
    answer = api.ask(scenario="unicode")

    assert "".join(answer.tokens) == "".join(UNICODE_TOKENS)


@requirement("STREAM-22")
def test_an_empty_answer_is_a_final_event(api: Api) -> None:
    answer = api.ask(scenario="empty")

    assert answer.status == 200
    assert (answer.tokens, len(answer.finals)) == ([], 1)


@requirement("STREAM-23")
def test_two_streams_do_not_mix(api: Api) -> None:
    texts = ("red green blue", "uno due tre")
    calls = [
        api.start(scenario="gated", messages=api.messages(api.tag(text, str(index))))
        for index, text in enumerate(texts)
    ]
    for call in calls:
        call.until_text(3)
    api.backend.open(api.nonce)
    told = ["".join(call.finish().tokens) for call in calls]

    assert told == [*texts]


@requirement("STREAM-24")
def test_a_client_that_hangs_up_stops_the_model(api: Api) -> None:
    call = api.start(scenario="long")
    call.until_text(6)
    call.hang_up()
    left = api.backend.wait_for_hang_up(api.nonce, timeout=api.within(3.0))

    assert left is not None, "the upstream call closed within 3 s"


@requirement("STREAM-25")
def test_thoughts_are_not_sent(api: Api) -> None:
    answer = api.ask(WORDS, scenario="thinking")

    assert "".join(answer.tokens) == WORDS


@requirement("STREAM-30")
@pytest.mark.parametrize("scenario", BEFORE_THE_FIRST)
def test_a_failure_before_the_first_token_is_a_status(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    assert answer.status >= 400
    assert answer.events == [], "no events"


@requirement("STREAM-31")
@pytest.mark.parametrize("scenario", AFTER_THE_FIRST)
def test_half_an_answer_is_not_done(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    assert answer.finals == [], "no event with done: true"


@requirement("STREAM-32")
@pytest.mark.parametrize("scenario", AFTER_THE_FIRST)
def test_half_an_answer_breaks_off(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    assert answer.end in NOT_AS_AN_ANSWER, "a transfer that breaks off"


@requirement("STREAM-33")
def test_half_an_answer_ends_with_an_error_event(api: Api) -> None:
    answer = api.ask(WORDS, "cut")
    last = answer.events[-1:]
    error = field(next(iter(last), None), "error")

    assert [event["done"] for event in last] == [False]
    assert is_name(field(error, "code")), "a code"
    assert is_name(field(error, "message")), "a message"
    assert field(error, "retryable") in (True, False)


@requirement("STREAM-34")
def test_nobody_takes_over_after_the_first_token(api: Api) -> None:
    answer = api.ask(WORDS, "ollama-cut-openai-ok")
    asked = {call.backend for call in api.backend.calls(api.nonce)}

    assert "".join(answer.tokens) == "one two"
    assert asked == {"ollama"}


@requirement("STREAM-35")
def test_silence_ends_the_stream_as_a_failure(api: Api) -> None:
    answer = api.ask(WORDS, "stall")

    assert answer.finals == [], "no event with done: true"
    assert answer.end in NOT_AS_AN_ANSWER, "a transfer that breaks off"
    assert answer.seconds < api.within(api.timeout + 3)
