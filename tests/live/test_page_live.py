"""The reference page in a real Chromium: how it sends requests and shows what comes back, lines to copy, and reading it with any window, without scripts, by keyboard or by ear."""

import json
import re
import shlex
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from playwright.sync_api import expect
from processes import serve
from reference import MAX_WAIT, RUNNER_DIED, TOKEN, reference, talks_until_hangup

pytestmark = pytest.mark.machine

CONTRASTS = Path(__file__).parents[1].joinpath("contrasts.js").read_text("utf-8")

LOAD_FAILED = "Failed to load resource: "
"""How Chromium itself remarks on a status of 400 or more."""


@pytest.fixture(scope="module")
def shared_server(shared):
    """One kind of server is enough: the page is the same under both."""
    return shared()


def opened(page, server, token=TOKEN, model="conf-echo"):
    page.goto(f"{server.url}/?model={model}")
    page.fill("#token", token)


@pytest.fixture
def form(server, page):
    """The page, with a token and a model."""
    opened(page, server)
    return page


def send(page, endpoint):
    page.click(f"#{endpoint} [type=submit]")


def text_of(page, endpoint, part):
    """The text in the `.state`, `.figures`, `.text` or `.json` of a form."""
    return page.locator(f"#{endpoint} .{part}").inner_text()


def wait_for_text(page, endpoint, part, beginning):
    shown = page.locator(f"#{endpoint} .{part}")
    expect(shown).to_have_text(re.compile("^" + re.escape(beginning)))


# Sending requests


def test_a_token_is_on_the_page_before_the_next_one_exists(server, form, complaints):
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))

    send(form, "stream")
    wait_for_text(form, "stream", "text", "Good")
    early = [text_of(form, "stream", part) for part in ("text", "state", "figures")]
    gate.set()
    wait_for_text(form, "stream", "state", "Complete.")

    assert early[:2] == ["Good", "Receiving."]
    assert "status 200" in early[2] and "first token " in early[2]
    assert text_of(form, "stream", "text") == "Good morning"
    figures = text_of(form, "stream", "figures")
    assert "tokens 2" in figures and "tokens a second " in figures
    assert '"done": true' in text_of(form, "stream", "json")
    assert complaints == []


def test_the_page_sends_what_its_text_area_shows(server, form):
    server.ollama.on("/api/chat", says("Good", " morning"))

    send(form, "infer")
    wait_for_text(form, "infer", "state", "Complete.")

    [asked] = server.ollama.wait_for_requests()
    body = json.loads(form.input_value("#infer textarea"))
    assert asked.json["model"] == body["model_id"] == "conf-echo"
    assert asked.json["messages"] == body["messages"]
    assert text_of(form, "infer", "text") == "Good morning"


def test_every_endpoint_can_be_tried(form, complaints):
    for endpoint in ("infer", "stream", "batch", "embed", "health", "live"):
        send(form, endpoint)
        wait_for_text(form, endpoint, "state", "Complete.")

        answer = text_of(form, endpoint, "json")
        assert "X-Request-Id" in text_of(form, endpoint, "figures")
        assert answer.startswith("{")
        assert len(answer) < 2000, "vectors are cut short for the eye"
    assert complaints == []


@pytest.mark.parametrize(
    ("form", "token", "state", "shown"),
    [
        ("infer", "wrong", "Error: 401 authentication_failed.", "X-Request-Id"),
        ("stream", TOKEN, "Error: 429 rate_limited.", "Retry-After 7"),
    ],
)
def test_a_refusal_shows_its_envelope(
    server, page, complaints, form, token, state, shown
):
    opened(page, server, token, model="conf-http-429")

    send(page, form)
    wait_for_text(page, form, "state", state)

    envelope = json.loads(text_of(page, form, "json"))
    figures = text_of(page, form, "figures")
    assert str(envelope["status_code"]) in state
    assert f"X-Request-Id {envelope['request_id']}" in figures
    assert shown in figures
    assert [each for each in complaints if LOAD_FAILED not in each] == []


def test_stop_closes_the_connection(server, form, complaints):
    stopped, over = threading.Event(), threading.Event()

    server.ollama.on("/api/chat", talks_until_hangup(stopped, over))

    send(form, "stream")
    wait_for_text(form, "stream", "text", "Good")
    form.click("#stream .stop")
    wait_for_text(form, "stream", "state", "Stopped")
    stopped.set()

    assert over.wait(MAX_WAIT), "the upstream sees that its client is gone"
    assert text_of(form, "stream", "text") == "Good"
    assert complaints == []


def test_a_cut_stream_is_shown_as_cut(server, form):
    gate = threading.Event()
    frames = OLLAMA.token("Good"), RUNNER_DIED
    server.ollama.on("/api/chat", stream(NDJSON, *frames, gate=gate))

    send(form, "stream")
    wait_for_text(form, "stream", "text", "Good")
    gate.set()
    wait_for_text(form, "stream", "state", "Cut: the transfer broke off.")

    assert "incomplete" in text_of(form, "stream", "state")
    assert text_of(form, "stream", "text") == "Good"
    assert "tokens 1" in text_of(form, "stream", "figures")


def test_a_complete_transfer_without_done_is_shown_as_cut(form):
    form.route(
        "**/inference/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body='data: {"token":"Good","done":false}\n\n',
        ),
    )

    send(form, "stream")

    wait_for_text(form, "stream", "state", "Cut: the stream ended")
    assert text_of(form, "stream", "text") == "Good"


def test_a_server_that_is_gone_is_shown_as_no_answer(page):
    with reference(serve) as server:
        opened(page, server)

    send(page, "infer")

    wait_for_text(page, "infer", "state", "No answer: ")


# The token


def test_the_token_stays_in_its_field(form):
    send(form, "stream")
    wait_for_text(form, "stream", "state", "Complete.")

    everywhere = form.evaluate(
        """JSON.stringify([location.href, document.cookie, document.documentElement.outerHTML,
          {...localStorage}, {...sessionStorage}, history.state, window.name])"""
    )
    assert TOKEN not in everywhere
    assert "$TOKEN" in everywhere


# Reading and copying


def test_a_link_opens_the_section_that_holds_its_target(server, page):
    page.goto(f"{server.url}/#STREAM-05")
    expect(page.locator("#STREAM-05")).to_be_visible()

    page.evaluate("document.querySelector('a[href=\"#EMBED-06\"]').click()")

    expect(page.locator("#EMBED-06")).to_be_visible()


def test_lines_to_copy_have_the_url_and_the_model_of_the_reader(server, page):
    page.context.grant_permissions(["clipboard-write"])
    page.goto(server.url)
    page.fill("#model", "qwen-3b")

    page.click("#stream .copied button")
    expect(page.locator("#stream .copied button").first).to_have_text("Copied")

    selected = page.evaluate("getSelection().toString()")
    assert selected.startswith(f"curl -sN {server.api}/inference/stream")
    assert '"model_id": "qwen-3b"' in selected


def test_a_line_to_copy_sends_the_body_that_was_edited(form):
    edited = {"model_id": "conf-echo", "input_data": "it's $(reboot) `a`"}

    form.fill("#infer textarea", json.dumps(edited))

    lines = form.locator("#infer .copied code").text_content()
    assert json.loads(shlex.split(lines)[-1]) == edited


def test_the_models_of_the_server_are_listed_and_one_is_chosen(
    server, page, complaints
):
    page.goto(server.url)
    page.fill("#token", TOKEN)

    page.click("#list-models")
    expect(page.locator("#models")).to_contain_text("conf-echo")
    chosen = page.input_value("#model")
    body = json.loads(page.input_value("#infer textarea"))

    assert chosen in page.inner_text("#models").split(", ")
    assert body["model_id"] == chosen
    assert complaints == []


def test_models_that_cannot_be_listed_are_an_error(server, page):
    page.goto(server.url)

    page.click("#list-models")

    expect(page.locator("#models")).to_have_text("No answer: 401.")


def test_a_model_in_the_address_cannot_change_the_lines_to_copy(server, page):
    for model in ("x';reboot;'", "$(reboot)", "`reboot`", '<img src="x">'):
        page.goto(f"{server.url}/?model={quote(model)}")

        lines = page.locator("#stream .copied code").first.text_content()
        assert '"model_id": "phi-4-mini"' in lines
        assert page.locator("img").count() == 0


def test_the_name_of_the_server_cannot_change_the_lines_to_copy(server, page):
    page.goto(server.url)
    shown = {
        "http://$(reboot).example.com": server.url,
        "http://x;reboot;.example.com:8000": server.url,
        "http://`reboot`.example.com": server.url,
        "https://api.example.com": "https://api.example.com",
        "http://[::1]:8000": "http://[::1]:8000",
    }
    for origin, begin in shown.items():
        page.evaluate(f"setOrigin({json.dumps(origin)})")

        lines = page.locator("#stream .copied code").first.text_content()
        assert lines.startswith(f"curl -sN {begin}/api/v1/")


def test_the_page_can_be_read_without_scripts(server, new_page, complaints):
    page = new_page(java_script_enabled=False)

    page.goto(server.url)

    assert "needs" not in page.locator("#stream .copied").first.inner_text()
    assert "POST /api/v1/inference/stream" in page.inner_text("body")
    assert complaints == []


# For everyone


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_the_page_fits_its_window_and_its_contrast_is_sufficient(
    server, new_page, width, scheme
):
    server.ollama.on("/api/chat", says("long" * 100))
    window = {"width": width, "height": 900}
    page = new_page(viewport=window, is_mobile=width < 600, color_scheme=scheme)
    opened(page, server)
    for endpoint, token in (("stream", TOKEN), ("infer", "wrong")):
        page.fill("#token", token)
        send(page, endpoint)
        ended = page.locator(f"#{endpoint} .bad, #{endpoint} .good")
        expect(ended).to_be_visible()
    page.evaluate(
        "document.querySelectorAll('details').forEach((each) => (each.open = true))"
    )

    contrasts = page.evaluate(CONTRASTS)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(contrasts) > 500
    assert [each for each in contrasts if each[1] < 4.5] == []


def test_the_page_can_be_used_with_the_keyboard_alone(server, page):
    page.goto(f"{server.url}/?model=conf-echo")

    page.keyboard.press("Tab")
    skip = page.evaluate(
        "[document.activeElement.hash, document.activeElement.getBoundingClientRect().left >= 0]"
    )
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))
    tab_to(page, "#token")
    page.keyboard.insert_text(TOKEN)
    tab_to(page, "#infer [type=submit]")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    wait_for_text(page, "infer", "state", "Complete.")

    assert skip == ["#main", True]
    assert outline == "solid"


def tab_to(page, selector):
    while not page.evaluate(
        "(wanted) => document.activeElement.matches(wanted)", selector
    ):
        page.keyboard.press("Tab")


def test_a_screen_reader_hears_the_state_and_not_each_token(server, form):
    server.ollama.on("/api/chat", says(*["a"] * 50))
    form.evaluate(
        """() => {
          window.said = [];
          const status = document.querySelector("#stream [role=status]");
          new MutationObserver(() => said.push(status.textContent)).observe(status, {childList: true});
        }"""
    )

    send(form, "stream")
    wait_for_text(form, "stream", "state", "Complete.")

    said = form.evaluate("said")
    assert said[-1] == "Complete."
    assert len(said) <= 4
    assert form.locator("[aria-live]").count() == 0
