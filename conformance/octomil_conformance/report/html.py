"""Pages by Jinja2, and the functions that their templates call. Every text of a page is redacted and escaped here, and nowhere else."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from octomil_conformance import spec
from octomil_conformance.exchange import Event, Exchange, Headers
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import curl, seen, shown_headers
from octomil_conformance.report.words import LABELS, UNSEEN, number, plural

FOLDER = Path(__file__).parent
SPARED = 40
"""A text is cut only if it loses more characters than this, because the note about them is as long."""
INSET = 2.0
"""Per cent of the width of a timeline at either end, so that nothing is drawn over the edge."""


@dataclass(frozen=True)
class Limits:
    """How much of an exchange a page shows."""

    body: int
    """Characters of a body."""
    first_events: int
    last_events: int
    event: int
    """Characters of each event."""
    headers: bool


WIDE = Limits(body=4000, first_events=8, last_events=4, event=600, headers=True)
"""The limits for verdicts that did not pass."""
NARROW = Limits(body=400, first_events=3, last_events=1, event=300, headers=False)
"""The limits for verdicts that passed."""


def page(template: str, token: str | None, **context: object) -> str:
    """The page. The token is redacted from every text, and an unseen character is written as its number, in a box."""

    def text(value: object) -> Markup:
        if isinstance(value, Markup):
            return value
        escaped = escape(redact(str(value), token))
        return Markup(UNSEEN.sub(lambda each: f"<b>{number(each[0])}</b>", escaped))

    def prose(sentence: str) -> Markup:
        """A sentence of the spec: text between backticks is code."""
        parts = [text(each) for each in sentence.split("`")]
        parts[1::2] = [Markup("<code>{}</code>").format(each) for each in parts[1::2]]
        return Markup().join(parts)

    def cut(words: str, most: int) -> Markup:
        """At most `most` characters, and how many are left out. It redacts first, because half a token is a secret too."""
        masked = redact(words, token)
        left = len(masked) - most
        if left <= SPARED:
            return text(masked)
        return text(masked[:most]) + Markup(f"<i>… {left} more characters</i>")

    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=text,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    filters = (prose, cut, curl, seen, shown_headers, readable, shortened, line, plural)
    templates.filters |= {each.__name__: each for each in filters}
    templates.globals |= {"labels": LABELS, "levels": spec.LEVELS}
    templates.globals |= {"origins": spec.ORIGINS, "wide": WIDE, "narrow": NARROW}
    return templates.get_template(template).render(**_own_code(), **context)


def _own_code() -> dict[str, Markup]:
    """A page loads nothing, and runs no script but its own."""
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return {"style": style, "script": script, "policy": Markup(policy)}


def _asset(name: str) -> Markup:
    return Markup((FOLDER / name).read_text("utf-8"))


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


# Functions that the templates call


def readable(data: bytes | Headers) -> str:
    if isinstance(data, bytes):
        return data.decode("utf-8", "backslashreplace")
    return "\n".join(f"{name}: {value}" for name, value in data)


def shortened(events: Sequence[Event], limits: Limits) -> list[Event | int]:
    """The first and the last events, with the number of those left out between them."""
    first, rest = events[: limits.first_events], events[limits.first_events :]
    left_out = len(rest) - limits.last_events
    return [*first, left_out, *rest[left_out:]] if left_out > 1 else [*events]


@dataclass(frozen=True)
class Line:
    """When the events of a stream arrived: a line from the request to the end of the transfer, to scale."""

    words: str
    start: str
    stop: str
    end: str
    events: dict[str, bool]
    """The places of events. The value is True if the final event is there."""


def line(exchange: Exchange) -> Line:
    times = [event.at for event in exchange.data_events]
    whole = max(exchange.seconds, *times) or 1.0
    first, last = f"+{times[0]:.3f} s", f"+{times[-1]:.3f} s"
    when = f"{len(times)} events from {first} to {last}"
    words = when if times[1:] else f"1 event at {first}"
    places: dict[str, bool] = {}
    for event in exchange.data_events:
        place = _per_cent(event.at / whole)
        places[place] = places.get(place, False) or _is_final(event.value)
    return Line(
        words + (" (dot: final)" if exchange.finals else ""),
        start=_per_cent(0),
        stop=_per_cent(1),
        end=_per_cent(exchange.seconds / whole),
        events=places,
    )


def _per_cent(share: float) -> str:
    return f"{INSET + share * (100 - 2 * INSET):.1f}%"


def _is_final(value: object) -> bool:
    return isinstance(value, dict) and value.get("done") is True
