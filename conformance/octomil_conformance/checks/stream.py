"""Streams in time, and when they fail (spec sections 5.2 and 5.3). How clients read them is in wire/stream.py."""

import time

from octomil_conformance.api import Api
from octomil_conformance.backend import FORMS, GIANT, LONE_HALVES, TEXTS
from octomil_conformance.backend.gated import pace_for
from octomil_conformance.backend.words import FLOOD_TOKENS
from octomil_conformance.checks.answers import ending
from octomil_conformance.checks.fault import secrets, shown_of
from octomil_conformance.checks.infer import OTHER_WORDS
from octomil_conformance.exchange import MISSING, Json, field
from octomil_conformance.expect import (
    Want,
    Words,
    at_least,
    expect,
    less_than,
    none_of,
    one_of,
)
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.wire.common import BOOLEAN, NAME

WORDS = "one two three four five"

BEFORE_THE_FIRST = (
    *("http-500", "garbage", "answer-missing", "no-body"),
    *("cut-before-first", "cut-in-thought", "cut-after-nothing"),
    *("truncate-before-first", "truncate-after-nothing", "garbage-after-nothing"),
    *("error-frame-first", "error-first-before-end", "error-frame-after-nothing"),
    *("answer-null", "answer-array", "answer-string", "answer-inside-null"),
    *("answer-empty", "answer-item-null", "content-object", "object-beside"),
)
AFTER_THE_FIRST = (
    *("cut", "truncate", "truncate-at-mark", "error-frame"),
    *("garbage-later", "garbage-between"),
    *("error-before-end", "error-beside-end", "error-of-other-type", "error-odd"),
    *("error-reason", "error-bare"),
    *("nulls-truncate", "no-reason-truncate", "blank-reason-truncate"),
    "null-word-truncate",
)
BEFORE_A_TOKEN = ["cut-after-long-thought", "stall-after-long-thought"]
"""Failures after a second of reasoning, when the status may have been sent."""
CUT_OR_REFUSED = Want(
    "a stream that is cut, or a status of 400 or higher",
    lambda seen: seen[0] >= 400 or seen[1] == "cut",
)
PONDERS = 4.0
"""Seconds. The model reasons for ten."""
BEGINNINGS: dict[str, tuple[str, Json]] = {
    "word": ("one", {}),
    "stop": ("one", {"stop": ["END OF TEXT"]}),
    "object": ('{"a":', {}),
    "array": ("[1,", {}),
    "tag": ("<think>", {}),
    "fence": ("```json", {}),
    "line-end": ("\n", {}),
}
"""The first token, and the parameters. Some servers wait whether a call of a tool, reasoning or a string of `stop` begins."""
STREAMS = 4
"""Streams that end at once: a session_id made of the time occurs again."""
HEADERS = {
    "": {},
    "one-id": dict.fromkeys(("X-Request-Id", "X-Session-Id"), "conf-7"),
}
HANGS_UP = {"at-once": 0.0, "after-the-status": 2.0}
"""Seconds after which a client hangs up. The status is sent after a second."""
BROKEN_OFF = "cut"
HELD_BACK = "the first token while the second is held back, then one final event"
NOT_FINAL = Want(
    "false as `done`, and a string as `token`",
    lambda seen: seen[0] is False and isinstance(seen[1], str),
)
IN_THE_LAST = "in the `error` of the last event that the client gets"
NO_EVENTS, NOT_DONE = "no events", "no event with done: true"


@requirement("STREAM-20", BEGINNINGS, through=EACH_BACKEND)
def a_token_is_sent_before_the_next_one_exists(
    api: Api, token: str, parameters: Json
) -> None:
    call = api.start(f"{token} two three", scenario="gated", parameters=parameters)
    first = call.until_text(len(token))
    api.backend.open(api.nonce)
    whole = call.finish()

    expect((first, len(whole.finals)), (token, 1), HELD_BACK)


@requirement("STREAM-21", through=EACH_BACKEND)
def tokens_join_to_what_the_model_said(api: Api) -> None:
    expect("".join(api.ask("one two three", scenario="echo").tokens), "one two three")


@requirement("STREAM-21", [*TEXTS], through=EACH_BACKEND)
def no_character_is_lost(api: Api, scenario: str) -> None:
    expect("".join(api.ask(scenario=scenario).tokens), TEXTS[scenario])


@requirement("STREAM-21", through=EACH_BACKEND)
def half_a_character_that_stays_alone_is_replaced(api: Api) -> None:
    expect("".join(api.ask(scenario="lone-halves").tokens), LONE_HALVES)


@requirement("STREAM-21", serial=True, through=EACH_BACKEND)
def a_large_token_is_read(api: Api) -> None:
    expect("".join(api.ask(scenario="giant").tokens), GIANT)


@requirement("STREAM-21", ["varied", "zipped", *FORMS], through=EACH_BACKEND)
def text_is_read_in_every_form(api: Api, scenario: str) -> None:
    text = "Un caf\u00e9 \u4f60"
    answer = api.ask(text, scenario)

    expect(("".join(answer.tokens), len(answer.finals)), (text, 1))


@requirement(
    "STREAM-22", ["empty", "call-alone", "thinking-only"], through=EACH_BACKEND
)
def an_empty_answer_is_a_final_event(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(answer.status, 200)
    expect(
        (answer.tokens, len(answer.finals)), ([], 1), "no token, and one final event"
    )


@requirement("STREAM-23", through=EACH_BACKEND)
def two_streams_do_not_mix(api: Api) -> None:
    texts = ("red green blue", "uno due tre")
    calls = [
        api.start(scenario="gated", messages=api.messages(api.tag(text, str(index))))
        for index, text in enumerate(texts)
    ]
    for call in calls:
        call.until_text(3)
    api.backend.open(api.nonce)
    texts_got = ["".join(call.finish().tokens) for call in calls]

    expect(texts_got, [*texts])


@requirement("STREAM-23", through=EACH_BACKEND)
def two_streams_do_not_exchange_halves_of_characters(api: Api) -> None:
    calls = [api.start(scenario="gated-halves") for _ in range(2)]
    for call in calls:
        call.until_text(len("Ripe"))
    api.backend.open(api.nonce)
    together = ["".join(call.finish().tokens) for call in calls]
    alone = "".join(api.ask(scenario="halves").tokens)

    expect(together, [alone] * 2)


@requirement("STREAM-24", through=EACH_BACKEND)
def a_client_that_hangs_up_stops_the_model(api: Api) -> None:
    call = api.start(scenario="long")
    call.until_text(6)
    call.hang_up()
    left = api.backend.wait_for_hang_up(api.nonce, timeout=api.within(3.0))

    expect(
        "closed" if left else "open", "closed", "the upstream call closed within 3 s"
    )


@requirement("STREAM-24", HANGS_UP, through=EACH_BACKEND)
def a_client_that_hangs_up_stops_the_reasoning(api: Api, waits: float) -> None:
    call = api.start(scenario="ponder")
    api.until_called()
    time.sleep(waits)  # the response begins meanwhile, or does not
    call.hang_up()
    left = api.backend.wait_for_hang_up(api.nonce, timeout=api.within(6.0))

    expect(
        "closed" if left else "open", "closed", "the upstream call closed within 6 s"
    )


@requirement("STREAM-25", ["thinking", "thinking-renamed"], through=EACH_BACKEND)
def thoughts_are_not_sent(api: Api, scenario: str) -> None:
    expect("".join(api.ask(WORDS, scenario).tokens), WORDS)


@requirement("STREAM-26", ["drip", "muse", "muse-renamed"], through=EACH_BACKEND)
def a_slow_stream_lasts_longer_than_the_timeout(api: Api, scenario: str) -> None:
    text = " ".join("a" * api.steps(pace_for(api.timeout).gap))
    answer = api.ask(text, scenario)

    expect(("".join(answer.tokens), len(answer.finals)), (text, 1))


@requirement("STREAM-26", through=EACH_BACKEND)
def no_timer_ends_a_stream(api: Api) -> None:
    text = " ".join("a" * api.steps(pace_for(api.timeout).gap, api.long))
    answer = api.ask(text, "drip")

    expect(("".join(answer.tokens), len(answer.finals)), (text, 1))


@requirement("STREAM-26", through=EACH_BACKEND)
def a_client_may_read_slowly(api: Api) -> None:
    call = api.start(scenario="flood")
    call.until_text(1)
    time.sleep(api.timeout + 1)  # the client reads nothing
    answer = call.finish()
    length = sum(map(len, answer.tokens))

    expect((length, len(answer.finals)), (sum(map(len, FLOOD_TOKENS)), 1))


@requirement("STREAM-27", HEADERS, through=EACH_BACKEND)
def each_stream_has_its_own_session(api: Api, headers: dict[str, str]) -> None:
    first = api.ask(scenario="echo", headers=headers, session_id="conf-7")
    more = {**headers, "Cookie": first.header("Set-Cookie")}
    answers = [first, api.ask(scenario="echo", headers=more, session_id="conf-7")]
    sessions = [field(ending(answer), "session_id") for answer in answers]

    expect(sessions[0], none_of(sessions[1]), "another session_id in each stream")


@requirement("STREAM-27", through=EACH_BACKEND)
def streams_at_once_have_their_own_sessions(api: Api) -> None:
    calls = [api.start(scenario="gated") for _ in range(STREAMS)]
    for call in calls:
        call.until_text(1)
    api.backend.open(api.nonce)
    sessions = [field(ending(call.finish()), "session_id") for call in calls]

    expect(len({*map(str, sessions)}), STREAMS, f"{STREAMS} different session_id")


@requirement("STREAM-28", through=EACH_BACKEND)
def a_stream_that_reaches_its_limit_says_so(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo", parameters={"max_tokens": 2})

    expect(field(ending(answer), "finish_reason"), one_of("length", None, MISSING))


@requirement("STREAM-28", OTHER_WORDS, through=EACH_BACKEND)
def another_word_for_a_reason_is_not_stop(api: Api, scenario: str, word: str) -> None:
    answer = api.ask(scenario=scenario)

    expect(field(ending(answer), "finish_reason"), one_of(word, None, MISSING))


@requirement("STREAM-29", through=EACH_BACKEND)
def reasoning_does_not_delay_the_status(api: Api) -> None:
    call = api.start(scenario="ponder")
    is_there = call.wait_for_response(api.within(PONDERS))
    call.hang_up()
    got = Words("a status" if is_there else "none")

    expect(got, "a status", f"the status within {PONDERS:g} s")


@requirement("STREAM-30", BEFORE_THE_FIRST, through=EACH_BACKEND)
def a_failure_before_the_first_token_is_a_status(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    expect(answer.status, at_least(400))
    expect(answer.events, [], NO_EVENTS)


@requirement("STREAM-31", AFTER_THE_FIRST, through=EACH_BACKEND)
def half_an_answer_is_not_done(api: Api, scenario: str) -> None:
    expect(api.ask(WORDS, scenario).finals, [], NOT_DONE)


@requirement("STREAM-31", BEFORE_A_TOKEN, through=EACH_BACKEND)
def reasoning_alone_is_not_done(api: Api, scenario: str) -> None:
    expect(api.ask(WORDS, scenario).finals, [], NOT_DONE)


@requirement("STREAM-32", BEFORE_A_TOKEN, through=EACH_BACKEND)
def a_stream_without_a_token_is_broken_off(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    expect((answer.status, answer.end), CUT_OR_REFUSED)


@requirement("STREAM-32", AFTER_THE_FIRST, through=EACH_BACKEND)
def half_an_answer_is_broken_off(api: Api, scenario: str) -> None:
    expect(api.ask(WORDS, scenario).end, BROKEN_OFF)


@requirement("STREAM-32", ["cut", "truncate"], through=EACH_BACKEND)
def half_an_answer_is_broken_off_although_the_connection_ends(
    api: Api, scenario: str
) -> None:
    expect(api.ask(WORDS, scenario, {"Connection": "close"}).end, BROKEN_OFF)


@requirement("STREAM-33", ["cut", "error-frame", "stall"], through=EACH_BACKEND)
def half_an_answer_ends_with_an_error_event(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)
    last = next(reversed(answer.events), None)
    error = field(last, "error")

    expect((field(last, "done"), field(last, "token")), NOT_FINAL)
    expect(field(error, "code"), NAME, f"a code {IN_THE_LAST}")
    expect(field(error, "message"), NAME, f"a message {IN_THE_LAST}")
    expect(
        field(error, "retryable"), BOOLEAN, f"retryable, true or false, {IN_THE_LAST}"
    )


@requirement("STREAM-33", through=EACH_BACKEND)
def a_client_that_reads_slowly_gets_the_error_event(api: Api) -> None:
    call = api.start(scenario="flood-cut")
    call.until_text(1)
    time.sleep(1.0)  # the client reads nothing
    last = next(reversed(call.finish().events), None)

    expect(field(field(last, "error"), "code"), NAME, f"a code {IN_THE_LAST}")


@requirement("STREAM-34", ["cut", "error-frame", "garbage-later", "stall"])
def no_other_backend_takes_over_after_the_first_token(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, f"ollama-{scenario}-openai-ok")
    asked = {call.backend for call in api.backend.calls(api.nonce)}

    expect("".join(answer.tokens), "one two")
    expect(asked, {"ollama"})


@requirement("STREAM-35", ["stall", "stall-awake"], through=EACH_BACKEND)
def silence_fails_the_stream(api: Api, scenario: str) -> None:
    answer = api.ask(WORDS, scenario)

    expect(answer.finals, [], NOT_DONE)
    expect(answer.end, BROKEN_OFF)
    expect(answer.seconds, less_than(api.within(api.timeout + 3), " s"))


@requirement(
    "STREAM-36", ["cut", "error-frame", "garbage-later", "stall"], through=EACH_BACKEND
)
def an_error_event_shows_no_secret(api: Api, scenario: str) -> None:
    expect(shown_of(secrets(api), api.ask(scenario=scenario)), [], "no secret")
