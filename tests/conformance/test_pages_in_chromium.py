"""The report and the matrix in a real Chromium: filters, the keyboard, links, contrast, a phone, paper, and no scripts."""

from pathlib import Path

import pytest
from octomil_conformance.report.html_report import write_html
from octomil_conformance.report.machine import write_json
from octomil_conformance.report.matrix import in_order, matrix_page, read_all
from playwright.sync_api import expect
from runs import exchange, nasty_run, run_of, verdict

pytestmark = pytest.mark.machine

CONTRASTS = Path(__file__).parents[1].joinpath("contrasts.js").read_text("utf-8")
PHONE = {"viewport": {"width": 360, "height": 900}, "is_mobile": True}
SHOWN = "[...document.querySelectorAll('.requirement')].filter(each => each.checkVisibility()).map(each => each.id)"
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
FOCUS = "(({id, tagName, textContent}) => id || tagName + ' ' + textContent.slice(0, 9).trim())(document.activeElement)"


def several():
    """A run with something of everything."""
    event = b'data: {"token": "a", "done": false}\n\n'
    many = exchange(*((at / 9, event) for at in range(40)))
    return run_of(
        verdict("fail", got="x" * 300, exchanges=(many, many)),
        verdict("pass", "HTTP-05", "infer", check="not json is refused"),
        verdict("warn", "HTTP-05", "stream", check="not json is refused"),
        verdict("pass", "STREAM-06", check="done is a boolean"),
        claims={"stream": 1, "infer": 1},
        url=f"http://{'long.' * 40}example",
    )


@pytest.fixture
def report(tmp_path):
    """The address of the report of `several()`."""
    write_html(several(), tmp_path / "r.html")
    return (tmp_path / "r.html").as_uri()


@pytest.fixture
def shown(page, report):
    """The page that shows the report."""
    page.goto(report)
    return page


@pytest.fixture
def nasty_report(tmp_path):
    write_html(nasty_run(), tmp_path / "n.html")
    return (tmp_path / "n.html").as_uri()


@pytest.fixture
def matrix(tmp_path):
    runs = [several(), run_of(verdict("pass"), verdict("pass", "STREAM-06"))]
    for number, run in enumerate(runs):
        write_json(run, tmp_path / f"{number}.json")
    columns = read_all(f"{'name' * 9}{n}={tmp_path}/{n}.json" for n in range(len(runs)))
    (tmp_path / "m.html").write_text(matrix_page(columns, in_order(columns)), "utf-8")
    return (tmp_path / "m.html").as_uri()


def test_filters_choose_the_requirements_that_are_shown(shown, complaints):
    assert shown.evaluate(SHOWN) == ["HTTP-05", "STREAM-05", "STREAM-06"]
    shown.select_option("#outcome", "pass")
    assert shown.evaluate(SHOWN) == ["HTTP-05", "STREAM-06"]
    shown.select_option("#profile", "infer")
    assert shown.evaluate(SHOWN) == ["HTTP-05"]
    expect(shown.locator("output")).to_have_text("1 of 3 requirements shown")
    shown.select_option("#profile", "")
    shown.select_option("#outcome", "not pass")
    assert shown.evaluate(SHOWN) == ["HTTP-05", "STREAM-05"]
    shown.fill("#words", "BLANK line")
    assert shown.evaluate(SHOWN) == ["STREAM-05"]
    assert complaints == []


def test_a_filter_hides_single_verdicts_of_a_requirement(shown):
    shown.select_option("#outcome", "warn")

    hidden = (
        "[...document.querySelectorAll('#HTTP-05 .verdict')].map(each => each.hidden)"
    )
    assert shown.evaluate(hidden) == [False, True]


def test_the_keyboard_reaches_and_opens_everything(shown):
    controls = "[...document.querySelectorAll('a, select, input, button, summary')].filter(each => each.checkVisibility()).length"
    reached = []
    for _ in range(shown.evaluate(controls) + 1):
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate(FOCUS))
    shown.locator("#STREAM-06 > summary").press("Enter")

    assert reached[:2] == ["A Skip to t", "DIV Checks by"]
    assert {"outcome", "profile", "words", "open", "close", "BUTTON Copy"} <= {*reached}
    assert len([each for each in reached if each.startswith("SUMMARY")]) > 5
    assert reached[-1] not in ("A Skip to t", "BODY")
    assert shown.evaluate("document.querySelector('#STREAM-06').open")


def test_the_first_key_shows_a_link_that_skips_to_the_requirements(shown):
    style = "getComputedStyle(document.activeElement)"
    shown.keyboard.press("Tab")
    focused = shown.evaluate(f"[{FOCUS}, {style}.outlineStyle, {style}.position]")
    shown.keyboard.press("Enter")
    shown.keyboard.press("Tab")

    assert focused == ["A Skip to t", "solid", "static"]
    assert shown.evaluate("document.activeElement.parentElement.id") == "HTTP-05"


def test_a_link_opens_and_shows_its_target(shown):
    shown.select_option("#outcome", "fail")

    shown.evaluate("location.hash = '#STREAM-06'")

    expect(shown.locator("#STREAM-06 > summary")).to_be_focused()
    assert shown.evaluate("document.querySelector('#STREAM-06').open")
    expect(shown.locator("output")).to_have_text("3 of 3 requirements shown")


def test_buttons_open_and_close_everything(shown):
    states = "[...document.querySelectorAll('.requirement, .verdict')].map(each => each.open)"
    shown.click("#open")
    opened = shown.evaluate(states)
    shown.click("#close")

    assert opened == [True] * 7
    assert shown.evaluate(states) == [False] * 7


def test_a_button_copies_a_line_or_at_least_selects_it(shown, complaints):
    button = shown.locator("#STREAM-05 .curl + button").first

    button.click()

    expect(button).not_to_have_text("Copy")
    assert button.inner_text() in ("Copied", "Selected: copy it with Ctrl+C")
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_can_be_read_on_a_phone(new_page, report, nasty_report, scheme):
    page = new_page(**PHONE, color_scheme=scheme)

    for address in (report, nasty_report):
        page.goto(address)
        page.locator("details").evaluate_all("all => all.map(each => each.open = true)")

        contrasts = page.evaluate(CONTRASTS)
        assert page.evaluate("innerWidth") == 360
        assert page.evaluate(TOO_WIDE) is False
        assert len(contrasts) > 50
        assert [each for each in contrasts if each[1] < 4.5] == []


def test_the_report_can_be_read_without_scripts(new_page, report, complaints):
    page = new_page(java_script_enabled=False)
    page.goto(report)

    page.locator("#STREAM-06 > summary").press("Enter")

    expect(page.locator("form")).to_be_hidden()
    assert page.evaluate(SHOWN) == ["HTTP-05", "STREAM-05", "STREAM-06"]
    assert page.evaluate("document.querySelector('#STREAM-06').open")
    assert complaints == []


def test_paper_shows_no_form_and_no_button(page, report):
    page.emulate_media(media="print")

    page.goto(report)

    pressed = "[...document.querySelectorAll('form, button')].filter(each => each.checkVisibility()).length"
    assert page.evaluate(pressed) == 0


def test_the_matrix_shows_where_servers_differ_on_a_phone(new_page, matrix, complaints):
    page = new_page(**PHONE)
    page.goto(matrix)

    page.select_option("#rows", "differ")

    assert page.evaluate(SHOWN) == ["STREAM-05"]
    assert page.evaluate(TOO_WIDE) is False
    assert complaints == []
