"""One exchange as HTML: what was asked, what came back and when, and the line that asks it again."""

from dataclasses import dataclass

from octomil_conformance.exchange import Event, Exchange, Headers
from octomil_conformance.report.markup import Markup, Writer, join
from octomil_conformance.report.timeline import timeline
from octomil_conformance.report.transcript import curl, seen, shown_headers


@dataclass(frozen=True)
class Room:
    """How much of an exchange a page has room for."""

    body: int
    """Characters."""
    first_events: int
    last_events: int
    event: int
    """Characters of each."""
    headers: bool


WIDE = Room(body=4000, first_events=8, last_events=4, event=600, headers=True)
"""For what went wrong."""
NARROW = Room(body=400, first_events=3, last_events=1, event=300, headers=False)
"""For what is as it should be."""


def drawn(write: Writer, exchange: Exchange, room: Room) -> Markup:
    return join(
        [
            write.tag("h4", "Request"),
            _request(write, exchange, room),
            write.tag("h4", "Answer"),
            write.tag("p", seen(exchange)),
            _answer(write, exchange, room),
            write.tag("h4", "The same again"),
            write.tag("pre", curl(exchange), class_="curl"),
        ]
    )


def _request(write: Writer, exchange: Exchange, room: Room) -> Markup:
    request = exchange.request
    return join(
        [
            write.tag("p", f"{request.method} {request.url}"),
            _headers(write, request.headers, room),
            _body(write, request.body, room),
        ]
    )


def _answer(write: Writer, exchange: Exchange, room: Room) -> Markup:
    headers = _headers(write, exchange.headers, room)
    body = _body(write, exchange.body, room)
    if exchange.media_type != "text/event-stream" or not exchange.data_events:
        return join([headers, body])
    events = [timeline(write, exchange), _events(write, exchange, room)]
    if room.headers:
        summary = write.tag("summary", "The body as it came")
        events.append(write.tag("details", summary, body, class_="raw"))
    return join([headers, *events])


def _events(write: Writer, exchange: Exchange, room: Room) -> Markup:
    events = exchange.data_events
    first, rest = events[: room.first_events], events[room.first_events :]
    left_out = len(rest) - room.last_events
    rows = [_event(write, each, room) for each in first]
    if left_out > 1:
        rows.append(write.tag("li", write.tag("i", f"… {left_out} more events")))
        rest = rest[left_out:]
    rows += [_event(write, each, room) for each in rest]
    return write.tag("ol", *rows, class_="events")


def _event(write: Writer, event: Event, room: Room) -> Markup:
    data = event.frame.payload.decode("utf-8", "backslashreplace")
    arrival = write.tag("span", f"+{event.at:.3f} s")
    return write.tag("li", arrival, write.tag("code", write.cut(data, room.event)))


def _headers(write: Writer, headers: Headers, room: Room) -> Markup:
    lines = "\n".join(f"{name}: {value}" for name, value in shown_headers(headers))
    return (
        write.tag("pre", write.cut(lines, room.body))
        if room.headers and lines
        else Markup()
    )


def _body(write: Writer, body: bytes, room: Room) -> Markup:
    text = body.decode("utf-8", "backslashreplace")
    return write.tag("pre", write.cut(text, room.body)) if text else Markup()
