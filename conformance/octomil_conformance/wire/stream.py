"""A stream of events (spec section 5.1)."""

from octomil_conformance.exchange import MISSING, Exchange, Fields
from octomil_conformance.expect import Want, expect, less_than, none_of
from octomil_conformance.requirement import requirement
from octomil_conformance.sse import BOM
from octomil_conformance.wire.common import (
    FINISH_REASONS,
    is_latency,
    is_name,
    json_fault,
    usage_adds_up,
)

PROMPTLY = 2.0
"""Seconds from the final event to the end of the transfer."""

SEPARATORS = ("\u0085", "\u2028", "\u2029")


@requirement("STREAM-01")
def the_answer_is_an_event_stream(exchange: Exchange) -> None:
    expect(exchange.status, 200)
    expect(exchange.media_type, "text/event-stream")


@requirement("STREAM-02")
def each_event_is_one_object_on_one_line(exchange: Exchange) -> None:
    bad = [
        event.frame.data
        for event in exchange.data_events
        if len(event.frame.data) != 1 or not isinstance(event.value, Fields)
    ]

    expect(bad, [], "one JSON object on one data line in each event")


@requirement("STREAM-03")
def data_begins_its_line(exchange: Exchange) -> None:
    lines = [line.text for frame in exchange.frames for line in frame.lines]
    indented = [text for text in lines if text[:1].isspace() and b"data:" in text]

    expect(indented, [], "no white space before data:")


@requirement("STREAM-04")
def token_is_a_string(exchange: Exchange) -> None:
    tokens = [event["token"] for event in exchange.events]
    finals = [event["token"] for event in exchange.finals]
    wrong = [token for token in tokens if not isinstance(token, str)]

    expect(
        wrong,
        [token for token in finals if token is MISSING],
        "a string in each event; the final one may have no token",
    )


@requirement("STREAM-05")
def every_event_ends_with_a_blank_line(exchange: Exchange) -> None:
    frames = [frame for frame in exchange.frames if not frame.is_comment]
    ends = [frame.lines[-1] for frame in frames if not frame.terminated]
    open_ended = [line.text + line.end for line in ends]

    expect(open_ended, [], "a blank line after the last event")


@requirement("STREAM-06")
def done_is_a_boolean(exchange: Exchange) -> None:
    done = [event["done"] for event in exchange.events]
    wrong = [value for value in done if not isinstance(value, bool)]

    expect(wrong, [], "true or false in every event")


@requirement("STREAM-07")
def lines_end_with_lf_or_crlf(exchange: Exchange) -> None:
    lines = exchange.body.splitlines(keepends=True)
    bare = [line for line in lines if line.endswith(b"\r")]

    expect(bare, [], "no CR without an LF")


@requirement("STREAM-08")
def the_body_has_no_byte_order_mark(exchange: Exchange) -> None:
    expect(exchange.body[:3], none_of(BOM))


@requirement("STREAM-09")
def exactly_one_final_event_and_it_is_last(exchange: Exchange) -> None:
    events = exchange.events
    final = [n for n, event in enumerate(events, 1) if event["done"] is True]
    got = [f"event {n} of {len(events)}" for n in final]

    expect(
        got,
        [f"event {len(events)} of {len(events)}"],
        "done: true in the last event alone",
    )


@requirement("STREAM-10")
def separators_are_escaped(exchange: Exchange) -> None:
    raw = [mark for mark in SEPARATORS if mark.encode() in exchange.body]

    expect(raw, [], "separators as escapes only")


@requirement("STREAM-11")
def latency_is_a_number(exchange: Exchange) -> None:
    given = [event["latency_ms"] for event in exchange.events if "latency_ms" in event]
    wrong = [value for value in given if not is_latency(value)]

    expect(wrong, [], "finite numbers, zero or more")


@requirement("STREAM-12")
def provider_is_a_name(exchange: Exchange) -> None:
    given = [event["provider"] for event in exchange.events if "provider" in event]
    wrong = [value for value in given if not is_name(value)]

    expect(wrong, [], "strings that are not empty")


@requirement("STREAM-13")
def tokens_name_their_provider(exchange: Exchange) -> None:
    tokens = [event for event in exchange.events if event["done"] is False]
    without = [event for event in tokens if "provider" not in event]

    expect(without, [], "a provider in each")


@requirement("STREAM-14")
def the_final_event_has_latency_and_session(exchange: Exchange) -> None:
    names = {"latency_ms", "session_id"}
    without = [event for event in exchange.finals if not names <= event.keys()]

    expect(without, [], "latency_ms and session_id in the final event")


@requirement("STREAM-15")
def it_is_not_cached(exchange: Exchange) -> None:
    expect(exchange.header("Cache-Control") or MISSING, NOT_CACHED)


@requirement("STREAM-16")
def events_are_strict_json(exchange: Exchange) -> None:
    faults = [json_fault(event.frame.payload) for event in exchange.data_events]

    expect([fault for fault in faults if fault], [], "strict JSON in UTF-8")


@requirement("STREAM-17")
def the_transfer_ends_after_the_final_event(exchange: Exchange) -> None:
    last = max((event.at for event in exchange.data_events), default=exchange.seconds)

    expect(exchange.seconds - last, less_than(PROMPTLY), f"less than {PROMPTLY:g} s")


@requirement("STREAM-18")
def the_ending_is_consistent(exchange: Exchange) -> None:
    usages = [event["usage"] for event in exchange.finals if event.get("usage")]
    reasons = [event.get("finish_reason") for event in exchange.finals]
    unknown = [word for word in reasons if word not in (None, *FINISH_REASONS)]

    expect(
        [usage for usage in usages if not usage_adds_up(usage)],
        [],
        "a usage whose total_tokens is the sum of the other two",
    )
    expect(unknown, [], "a known finish_reason, or none")


@requirement("STREAM-19")
def the_body_is_framed(exchange: Exchange) -> None:
    expect(exchange.end, none_of("closed"), "chunks, or a Content-Length")


def forbids_caching(control: object) -> bool:
    words = {word.strip() for word in str(control).lower().split(",")}
    return not words.isdisjoint(("no-cache", "no-store"))


NOT_CACHED = Want("no-cache or no-store", forbids_caching)
