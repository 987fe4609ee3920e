"""The HTML report: everything is in it, and what a server said is only text."""

import base64
import hashlib
import re

import pytest
from octomil_conformance.report.html_report import write_html
from runs import COOKIE, EVENTS, TOKEN, Page, exchange, nasty_run, run_of, verdict


@pytest.fixture
def page(tmp_path):
    def written(run):
        write_html(run, tmp_path / "r.html")
        return Page((tmp_path / "r.html").read_text("utf-8"))

    return written


@pytest.mark.parametrize(
    ("claims", "message"), [({"stream": 0}, False), ({"stream": 1, "auth": 1}, True)]
)
def test_it_says_that_checks_of_auth_are_counted_twice(page, claims, message):
    words = page(run_of(verdict(), claims=claims)).words

    assert ("those of auth count at their endpoint, too" in words) is message


def test_it_has_the_conclusion_its_reasons_and_how_to_repeat_a_request(page):
    words = page(run_of(verdict(got="no end", want="a blank line"))).words

    assert "Not conformant" in words
    assert "exit code 1" in words
    assert "Every event, the last one too, ends with a blank line." in words
    assert "sdk: a published SDK needs it" in words
    assert "Standard parsers of event streams: they drop" in words
    assert "got no end, want a blank line" in words
    assert "curl -N -X POST http://127.0.0.1:8000/api/v1/inference/stream" in words
    assert "level 0, wire" in words
    assert words.count("not declared") == 5


def test_only_what_did_not_pass_is_open(page):
    found = page(run_of(verdict("warn"), verdict("pass", "STREAM-06")))

    requirements = found.all("details", **{"class": "requirement"})
    states = {each["id"]: "open" in each for each in requirements}
    assert states == {"STREAM-05": True, "STREAM-06": False}


@pytest.mark.parametrize("outcome", ["error", "untestable", "expected"])
def test_it_has_the_reason(outcome, page):
    found = page(run_of(verdict(outcome, reason="because of this")))

    assert "because of this" in found.words


def test_the_verdicts_on_a_requirement_are_grouped_the_worst_first(page):
    good, bad = verdict("pass", "HTTP-05"), verdict("fail", "HTTP-05", "infer")
    other = verdict("pass", "HTTP-03")

    found = page(run_of(good, bad, other))

    verdicts = found.all("details", **{"class": "verdict"})
    assert [each["data-outcome"] for each in verdicts] == ["pass", "fail", "pass"]


def test_it_has_notes_about_the_run_and_its_claims(page):
    run = run_of(verdict("pass"), claims={"stream": 1, "auth": 2})
    run.unknown = ["GET /api/foo"]

    words = page(run).words

    assert "called GET /api/foo, which the scripted backend does not have" in words
    assert "auth@2 is judged at level 1" in words


def test_events_are_drawn_where_they_arrived(page):
    late = exchange((1.0, EVENTS[0]), (2.0, EVENTS[1]), seconds=4.0)

    found = page(run_of(verdict(exchanges=(late,))))

    assert [each["x1"] for each in found.all("line", **{"class": "event"})] == ["26.0%"]
    assert [each["cx"] for each in found.all("circle")] == ["50.0%"]
    assert found.all("line", **{"class": "end"})[0]["x1"] == "98.0%"
    assert "2 events from +1.000 s to +2.000 s" in found.all("svg")[0]["aria-label"]


def test_an_answer_in_no_time_is_drawn_too(page):
    found = page(run_of(verdict(exchanges=(exchange((0.0, EVENTS[1]), seconds=0.0),))))

    assert found.all("circle")[0]["cx"] == "2.0%"


def test_a_long_body_is_cut_with_a_note(page):
    long = exchange((1.0, b"x" * 4100), media_type="text/plain")

    words = page(run_of(verdict(exchanges=(long,)))).words

    assert f"{'x' * 4000}… 100 more characters" in words
    assert "x" * 4001 not in words


def test_of_a_thousand_events_a_few_are_shown(page, tmp_path):
    many = exchange(*((at / 1000, EVENTS[0]) for at in range(1000)))

    words = page(run_of(verdict(exchanges=(many,)))).words

    assert "… 988 more events" in words
    assert (tmp_path / "r.html").stat().st_size < 100_000


def test_a_line_to_paste_is_complete(page):
    asked = exchange(asked=b"{%s}" % (b"z" * 3000))

    words = page(run_of(verdict("pass", exchanges=(asked,)))).words

    assert f"-d '{{{'z' * 3000}}}'" in words


def test_earlier_exchanges_of_a_failure_are_shown_and_counted(page):
    words = page(run_of(verdict(exchanges=(exchange(),) * 6))).words

    assert "5 earlier exchanges of this check (2 left out)" in words


def test_what_a_server_says_is_only_text(page):
    found = page(nasty_run())

    assert len(found.all("script")) == len(found.all("style")) == 1
    assert found.all("img") == []
    names = {name for _, attributes in found.tags for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert found.words.count("<script>alert('\"1\"')</script>") > 15
    assert "U+2028U+202EU+0000U+001B[31mU+D800" in found.words


def test_it_has_no_part_of_the_token(page, tmp_path):
    body = b"x" * 3990 + TOKEN.encode() + b"y" * 100
    long = exchange((1.0, body), media_type="text/plain")

    page(run_of(verdict(exchanges=(long,)), *nasty_run().verdicts))

    text = (tmp_path / "r.html").read_text("utf-8")
    assert TOKEN[:6] not in text
    assert COOKIE not in text
    assert text.count("[redacted]") > 15


def test_a_token_that_is_a_word_of_the_page_does_not_break_it(page):
    run = run_of(verdict("pass"))
    object.__setattr__(run.config, "token", "pass")

    assert page(run).all("details", **{"data-outcome": "pass"})


def test_the_page_may_only_run_and_load_its_own_code(tmp_path):
    write_html(run_of(verdict()), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text("utf-8")

    [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for name in ("style", "script"):
        [inside] = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = hashlib.sha256(inside.encode()).digest()
        assert rules[f"{name}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
