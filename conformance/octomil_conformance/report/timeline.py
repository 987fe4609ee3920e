"""When the events of a stream arrived: a line from the request to the end of the answer, to scale."""

from octomil_conformance.exchange import Exchange
from octomil_conformance.report.markup import Markup, Writer

INSET = 2.0
"""Per cent of the line's room at either end, so that nothing is drawn over the edge."""


def timeline(write: Writer, exchange: Exchange) -> Markup:
    words = _words(exchange)
    axis = write.tag("line", x1=_per_cent(0), x2=_per_cent(1), y1="14", y2="14")
    drawing = write.tag(
        "svg",
        *(axis, _end(write, exchange), *_events(write, exchange)),
        role="img",
        aria_label=words,
    )
    scale = [write.tag("span", text) for text in ("0 s", words, _end_words(exchange))]
    return write.tag("figure", drawing, write.tag("figcaption", *scale))


def _events(write: Writer, exchange: Exchange) -> list[Markup]:
    """A stroke each, once where they fall together; a dot for what is final."""
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
    """The seconds that the line stands for."""
    return max(exchange.seconds, *(event.at for event in exchange.data_events)) or 1.0


def _per_cent(share: float) -> str:
    return f"{INSET + share * (100 - 2 * INSET):.1f}%"


def _is_final(value: object) -> bool:
    return isinstance(value, dict) and value.get("done") is True
