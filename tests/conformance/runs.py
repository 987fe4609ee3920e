"""Made-up runs for tests of reports, and a parser of pages."""

from html.parser import HTMLParser

from octomil_conformance import spec
from octomil_conformance.config import Config, Expectation
from octomil_conformance.exchange import Chunk, Exchange, Request
from octomil_conformance.expect import Evidence
from octomil_conformance.run import Run, Verdict

TOKEN = "token-of-a-report-42"
COOKIE = "session=who-has-it-is-let-in"
URL = "http://127.0.0.1:8000/api/v1"
EVENTS = (
    b'data: {"token": "one", "done": false}\n\n',
    b'data: {"token": "", "done": true}\n\n',
)


class Page(HTMLParser):
    """A parsed page: its tags with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words += data

    def all(self, tag, **wanted):
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and wanted.items() <= attributes.items()
        ]


def run_of(*verdicts, expected=(), claims=None, url=URL):
    config = Config(url, claims or {"stream": 0}, TOKEN, expected=tuple(expected))
    return Run(config, verdicts=list(verdicts), seconds=1.5)


def verdict(outcome="fail", name="STREAM-05", profile="stream", **more):
    evidence = Evidence(more.pop("got", "this"), more.pop("want", "that"))
    exchanges = more.pop("exchanges", (exchange(),))
    requirement = spec.requirements()[name]
    check = more.pop("check", "every event ends with a blank line")
    return Verdict(
        requirement,
        profile,
        check,
        outcome,
        0.004,
        evidence,
        exchanges=exchanges,
        **more,
    )


def exchange(
    *pieces, asked=b'{"model_id": "m"}', media_type="text/event-stream", **more
):
    """`pieces`: (seconds, bytes); by default two events, the last at the end."""
    pieces = pieces or tuple(zip((1.0, 4.0), EVENTS, strict=True))
    headers = (
        ("Authorization", f"Bearer {TOKEN}"),
        ("Content-Type", "application/json"),
    )
    request = Request("POST", f"{URL}/inference/stream", headers, asked, "stream")
    answer = {
        "status": 200,
        "headers": (("Content-Type", media_type), ("Set-Cookie", COOKIE)),
        "end": "complete",
        "seconds": 4.0,
    }
    chunks = tuple(Chunk(at, data) for at, data in pieces)
    return Exchange(request, chunks=chunks, **(answer | more))


NASTY = (
    f"</pre></style></title><script>alert('\"1\"')</script><img src=x onerror=alert(2)> {TOKEN} "
    "` | \\ *a* _b_ [c](https://d.example) @e &lt; ${x} \u2028\u202e\x00\x1b[31m\ud800 --> ]]>"
)
"""Text that tries to be more than text in every format."""


def nasty_run():
    """A run with NASTY everywhere where a server, a file or a person may put it."""
    data = NASTY.encode("utf-8", "replace")
    stream = exchange((1.0, b"data: " + data + b"\n\n"), asked=data)
    plain = exchange(
        (1.0, data),
        media_type="text/plain",
        headers=((NASTY, NASTY), ("Content-Type", NASTY)),
        problem=NASTY,
    )
    silent = exchange(status=0, problem=NASTY)
    return run_of(
        verdict(got=NASTY, want=NASTY, exchanges=(plain, stream)),
        verdict("error", "STREAM-06", reason=NASTY, exchanges=(plain,)),
        verdict("pass", "STREAM-07", exchanges=(stream,)),
        verdict("expected", "STREAM-08", reason=NASTY, exchanges=(silent,)),
        expected=[Expectation("HTTP-13", NASTY, NASTY)],
        url=f"http://{NASTY}",
    )
