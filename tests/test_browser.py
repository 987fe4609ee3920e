"""The browser of the tests sees, says and does what a person's would: a page without complaints has none."""

import pytest

pytestmark = pytest.mark.machine

BROKEN = """<!doctype html><meta http-equiv="Content-Security-Policy" content="img-src 'none'">
<input><button onclick="document.title = 'pressed'">go</button><img src="http://127.0.0.1:9/x.png">
<script>console.error("said", 7); setTimeout(() => document.title = "late"); throw new Error("thrown");</script>"""


@pytest.fixture
def url(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(BROKEN)
    return file.as_uri()


def test_what_goes_wrong_in_a_page_is_among_its_complaints(page, url):
    page.open(url)

    blocked, said, thrown = page.complaints()
    assert "Content Security Policy" in blocked
    assert said == "said 7"
    assert thrown.startswith("Error: thrown")


def test_keys_and_mouse_reach_the_page(page, url):
    page.open(url)
    page.wait_for("document.title === 'late'")

    page.press("Tab")
    page.write("ä")
    page.press("Tab")
    page.press("Enter")
    by_keys = page.evaluate("[document.querySelector('input').value, document.title]")
    page.evaluate("document.title = ''")
    page.click("button")

    assert by_keys == ["ä", "pressed"]
    assert page.evaluate("document.title") == "pressed"


def test_a_page_is_seen_as_on_a_phone_in_the_dark(page, url, tmp_path):
    page.look(360, dark=True)
    page.open(url)
    page.screenshot(tmp_path / "page.png")

    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_script_and_who_is_not_there_are_errors(page):
    with pytest.raises(RuntimeError, match="ReferenceError"):
        page.evaluate("nothing")
    with pytest.raises(RuntimeError, match="NAME_NOT_RESOLVED"):
        page.open("http://example.org/")
