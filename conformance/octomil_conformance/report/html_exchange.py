"""One exchange as HTML: the request, what came back and when, and the line that repeats it."""

from dataclasses import dataclass

from octomil_conformance.exchange import Event, Exchange, Headers
from octomil_conformance.report.html import NOTHING, Markup, Writer, join
from octomil_conformance.report.transcript import curl, seen, shown_headers

INSET = 2.0
"""Per cent of the width at either end, so that nothing is drawn over the edge."""


@dataclass(frozen=True)
class Room:
    """How much of an exchange a page shows."""

    body: int
    """Characters."""
    first_events: int
    last_events: int
    event: int
    """Characters of each."""
    headers: bool


WIDE = Room(body=4000, first_events=8, last_events=4, event=600, headers=True)
"""For what did not pass."""
NARROW = Room(body=400, first_events=3, last_events=1, event=300, headers=False)
"""For what passed."""


def drawn(write: Writer, exchange: Exchange, room: Room) -> Markup:
    return join(
        [
            write.tag("h4", "Request"),
            _request(write, exchange, room),
            write.tag("h4", "Response"),
            write.tag("p", seen(exchange)),
            _response(write, exchange, room),
            write.tag("h4", "To repeat it"),
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


def _response(write: Writer, exchange: Exchange, room: Room) -> Markup:
    headers = _headers(write, exchange.headers, room)
    body = _body(write, exchange.body, room)
    if exchange.media_type != "text/event-stream" or not exchange.data_events:
        return join([headers, body])
    events = [timeline(write, exchange), _events(write, exchange, room)]
    if room.headers:
        summary = write.tag("summary", "The body as received")
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
        else NOTHING
    )


def _body(write: Writer, body: bytes, room: Room) -> Markup:
    text = body.decode("utf-8", "backslashreplace")
    return write.tag("pre", write.cut(text, room.body)) if text else NOTHING


def timeline(write: Writer, exchange: Exchange) -> Markup:
    """When the events of a stream arrived: a line from the request to the end of the transfer, to scale."""
    words = _words(exchange)
    axis = write.tag("line", x1=_per_cent(0), x2=_per_cent(1), y1="14", y2="14")
    drawing = write.tag(
        "svg",
        *(axis, _end(write, exchange), *_strokes(write, exchange)),
        role="img",
        aria_label=words,
    )
    scale = [write.tag("span", text) for text in ("0 s", words, _end_words(exchange))]
    return write.tag("figure", drawing, write.tag("figcaption", *scale))


def _strokes(write: Writer, exchange: Exchange) -> list[Markup]:
    """A stroke for each event, and a dot for a final one. Events at the same place share one."""
    whole = _whole(exchange)
    places: dict[str, bool] = {}
    for event in exchange.data_events:
        place = _per_cent(event.at / whole)
        places[place] = places.get(place, False) or _is_final(event.value)
    return [
        write.tag("circle", cx=place, cy="14", r="5")
        if final
        else write.tag("line", class_="event", x1=place, x2=place, y1="4", y2="24")
        for place, final in places.items()
    ]


def _end(write: Writer, exchange: Exchange) -> Markup:
    place = _per_cent(exchange.seconds / _whole(exchange))
    return write.tag("line", class_="end", x1=place, x2=place, y1="1", y2="27")


def _words(exchange: Exchange) -> str:
    times = [event.at for event in exchange.data_events]
    first, last = f"+{times[0]:.3f} s", f"+{times[-1]:.3f} s"
    when = f"{len(times)} events from {first} to {last}"
    final = " (dot: final)" if exchange.finals else ""
    return (when if times[1:] else f"1 event at {first}") + final


def _end_words(exchange: Exchange) -> str:
    return f"{exchange.end} at +{exchange.seconds:.3f} s"


def _whole(exchange: Exchange) -> float:
    """The seconds that the line is long."""
    return max(exchange.seconds, *(event.at for event in exchange.data_events)) or 1.0


def _per_cent(share: float) -> str:
    return f"{INSET + share * (100 - 2 * INSET):.1f}%"


def _is_final(value: object) -> bool:
    return isinstance(value, dict) and value.get("done") is True
