"""The pages in a real browser: read by its parser, used by keys and by eye, on a phone, without scripts."""

import pytest
from octomil_conformance.report.html_report import write_html
from octomil_conformance.report.machine import write_json
from octomil_conformance.report.matrix import read_all
from octomil_conformance.report.matrix_html import matrix_page
from runs import exchange, nasty_run, run_of, verdict

pytestmark = pytest.mark.machine

SHOWN = "[...document.querySelectorAll('.requirement')].filter(each => each.checkVisibility()).map(each => each.id)"
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
FOCUS = "(({id, tagName, textContent}) => id || tagName + ' ' + textContent.slice(0, 9).trim())(document.activeElement)"
OUTPUT = "document.querySelector('output').value"


def several():
    """A run with something of everything."""
    many = exchange(*((at / 9, b'data: {"token": "a", "done": false}\n\n') for at in range(40)))  # fmt: skip
    return run_of(
        verdict("fail", got="x" * 300, exchanges=(many, many)),
        verdict("pass", "HTTP-05", "infer", check="not json is refused"),
        verdict("warn", "HTTP-05", "stream", check="not json is refused"),
        verdict("pass", "STREAM-06", check="done is a boolean"),
        faults=["y" * 500],
        claims={"stream": 1, "infer": 1},
        url=f"http://{'long.' * 40}example",
    )


@pytest.fixture
def open_report(page, tmp_path):
    def opened(run, where=""):
        write_html(run, tmp_path / "r.html")
        page.open((tmp_path / "r.html").as_uri() + where)
        return page

    return opened


@pytest.fixture
def open_matrix(page, tmp_path):
    def opened(*runs):
        for number, run in enumerate(runs):
            write_json(run, tmp_path / f"{number}.json")
        columns = read_all(
            f"{'name' * 9}{n}={tmp_path}/{n}.json" for n in range(len(runs))
        )
        (tmp_path / "m.html").write_text(matrix_page(columns), "utf-8")
        page.open((tmp_path / "m.html").as_uri())
        return page

    return opened


def choose(page, name, value):
    page.evaluate(f"document.getElementById('{name}').value = '{value}'")
    page.evaluate("document.querySelector('form').dispatchEvent(new Event('input'))")


def test_what_a_server_says_is_only_ever_text(open_report):
    page = open_report(nasty_run())

    said = "[...document.querySelectorAll('pre')].filter(each => each.textContent.includes('<script>alert')).length"
    assert page.evaluate("[document.scripts.length, document.images.length, document.styleSheets.length]") == [1, 0, 1]  # fmt: skip
    assert page.evaluate(said) > 10
    assert page.complaints() == []


def test_verdicts_profiles_and_words_choose_what_is_shown(open_report):
    page = open_report(several())

    assert page.evaluate(SHOWN) == ["HTTP-05", "STREAM-05", "STREAM-06"]
    choose(page, "outcome", "pass")
    assert page.evaluate(SHOWN) == ["HTTP-05", "STREAM-06"]
    choose(page, "profile", "infer")
    assert page.evaluate(SHOWN) == ["HTTP-05"]
    assert page.evaluate(OUTPUT) == "1 of 3 requirements shown"
    choose(page, "profile", "")
    choose(page, "outcome", "not pass")
    assert page.evaluate(SHOWN) == ["HTTP-05", "STREAM-05"]
    choose(page, "words", "BLANK line")
    assert page.evaluate(SHOWN) == ["STREAM-05"]
    assert page.complaints() == []


def test_a_verdict_that_was_not_chosen_is_hidden_beside_one_that_was(open_report):
    page = open_report(several())

    choose(page, "outcome", "warn")

    hidden = "[...document.querySelectorAll('#HTTP-05 .verdict')].map(each => each.hidden)"  # fmt: skip
    assert page.evaluate(hidden) == [False, True]


def test_all_is_reached_and_opened_by_keys(open_report):
    page = open_report(several())
    controls = "[...document.querySelectorAll('a, select, input, button, summary')].filter(each => each.checkVisibility()).length"

    reached = []
    for _ in range(page.evaluate(controls) + 1):
        page.press("Tab")
        reached.append(page.evaluate(FOCUS))
    page.evaluate("document.querySelector('#STREAM-06 > summary').focus()")
    page.press("Enter")

    assert reached[:2] == ["A Skip to t", "DIV Checks by"]
    assert {"outcome", "profile", "words", "open", "close", "BUTTON Copy"} <= {*reached}
    assert len([each for each in reached if each.startswith("SUMMARY")]) > 5
    assert reached[-1] not in ("A Skip to t", "BODY")
    assert page.evaluate("document.querySelector('#STREAM-06').open")


def test_keys_skip_to_the_requirements(open_report):
    page = open_report(several())

    page.press("Tab")
    page.press("Enter")
    page.press("Tab")

    assert page.evaluate("document.activeElement.parentElement.id") == "HTTP-05"


def test_what_has_the_focus_is_marked(open_report):
    page = open_report(several())

    page.press("Tab")

    style = "getComputedStyle(document.activeElement)"
    assert page.evaluate(FOCUS) == "A Skip to t"
    assert page.evaluate(f"{style}.outlineStyle + {style}.position") == "solidstatic"


def test_a_link_leads_to_what_is_closed_or_hidden(open_report):
    page = open_report(several())
    choose(page, "outcome", "fail")

    page.evaluate("location.hash = '#STREAM-06'")

    page.wait_for("document.activeElement.parentElement.id === 'STREAM-06'")
    assert page.evaluate("document.querySelector('#STREAM-06').open")
    assert page.evaluate(OUTPUT) == "3 of 3 requirements shown"


def test_open_all_and_close_all_do(open_report):
    page = open_report(several())
    states = "[...document.querySelectorAll('.requirement, .verdict')].map(each => each.open)"  # fmt: skip

    page.click("#open")
    opened = page.evaluate(states)
    page.click("#close")

    assert opened == [True] * 7
    assert page.evaluate(states) == [False] * 7


def test_a_line_to_paste_is_copied_or_at_least_selected(open_report):
    page = open_report(several())

    page.click("#STREAM-05 .curl + button")

    button = "document.querySelector('#STREAM-05 .curl + button').textContent"
    page.wait_for(f"{button} !== 'Copy'")
    assert page.evaluate(button) in ("Copied", "Selected: copy it with Ctrl+C")
    assert page.complaints() == []


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_a_phone(dark, page, open_report):
    page.look(360, dark=dark)
    open_report(several())

    page.click("#open")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")  # fmt: skip

    assert page.evaluate("innerWidth") == 360
    assert page.evaluate(TOO_WIDE) is False


def test_hostile_text_is_not_wider_than_a_phone_either(page, open_report):
    page.look(360)

    open_report(nasty_run())

    assert page.evaluate(TOO_WIDE) is False


def test_without_scripts_all_is_there_to_read(page, open_report):
    page.without_scripts()

    open_report(several())

    page.evaluate("document.querySelector('#STREAM-06 > summary').focus()")
    page.press("Enter")
    assert page.evaluate("document.querySelector('form').checkVisibility()") is False
    assert page.evaluate(SHOWN) == ["HTTP-05", "STREAM-05", "STREAM-06"]
    assert page.evaluate("document.querySelector('#STREAM-06').open")
    assert page.complaints() == []


def test_on_paper_there_is_nothing_to_press(page, open_report):
    page.look(800, media="print")

    open_report(several())

    pressed = "[...document.querySelectorAll('form, button')].filter(each => each.checkVisibility()).length"
    assert page.evaluate(pressed) == 0


def test_the_matrix_shows_where_servers_differ_and_is_no_wider_than_a_phone(page, open_matrix):  # fmt: skip
    page.look(360)
    open_matrix(several(), run_of(verdict("pass"), verdict("pass", "STREAM-06")))

    choose(page, "rows", "differ")

    assert page.evaluate(SHOWN) == ["STREAM-05"]
    assert page.evaluate(TOO_WIDE) is False
    assert page.complaints() == []
