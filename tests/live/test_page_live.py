"""The reference page in a real Chromium: what it shows of answers, streams, cuts and refusals, and for whom it is made."""

import json
import threading

import pytest
from browser import Page
from dialects import (
    NDJSON,
    ollama_chat,
    ollama_embed,
    ollama_error,
    ollama_error_frame,
    ollama_frame,
    ollama_version,
    openai_models,
    stream,
)
from models import LlamaCpp, names_a_fruit
from processes import serve
from reference import MODEL_PATIENCE, PATIENCE, TOKEN, UNHURRIED, Reference, reference
from upstreams import Call

pytestmark = pytest.mark.machine

LOAD_FAILED = "Failed to load resource: "
"""How Chromium itself remarks on a status of 400 or more, or a transfer that broke off."""

ENDPOINTS = ["infer", "stream", "batch", "embed", "health", "live"]

ASKED = {
    "model_id": LlamaCpp.model,
    "messages": [{"role": "user", "content": "Name three fruits."}],
    "parameters": {"max_tokens": 16, "temperature": 0, "seed": 1},
}
"""For the likeliest answer, of a few tokens."""

CONTRASTS = """(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
  const parts = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [[r, 0.2126], [g, 0.7152], [b, 0.0722]].reduce((sum, [value, weight]) => {
    const c = value / 255;
    return sum + weight * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parts(getComputedStyle(each).backgroundColor);
      if (color[3] === 255) return color;
    }
  };
  const written = [...document.querySelectorAll("body *:not(script)")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return written.map((element) => {
    const [one, other] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return [element.outerHTML.slice(0, 80), ratio];
  });
})()"""
"""Of each element with text of its own: how its colour stands out from what is behind it (WCAG 2.2, 1.4.3)."""


def opened(page: Page, server: Reference, token: str = TOKEN) -> None:
    page.open(f"{server.url}/?model=smollm2")
    page.click("#token")
    page.write(token)


def send(page: Page, endpoint: str) -> None:
    page.click(f"#{endpoint} [type=submit]")


def text_of(page: Page, endpoint: str, part: str) -> str:
    """What a form shows in its `.state`, `.figures`, `.text` or `.json`."""
    text: str = page.evaluate(
        f"document.querySelector('#{endpoint} .{part}').innerText"
    )
    return text


def wait_for_text(page: Page, endpoint: str, part: str, beginning: str) -> None:
    shown = f"document.querySelector('#{endpoint} .{part}').textContent"
    page.wait_for(f"{shown}.startsWith({json.dumps(beginning)})")


# Trying


def test_a_token_is_on_the_page_before_the_next_one_exists(
    server: Reference, page: Page
) -> None:
    gate = threading.Event()
    server.ollama.on("/api/chat", ollama_chat(["Good", " morning"], gate=gate))
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "text", "Good")
    early = [text_of(page, "stream", part) for part in ("text", "state", "figures")]
    gate.set()
    wait_for_text(page, "stream", "state", "Complete.")

    assert early[:2] == ["Good", "Receiving."]
    assert "status 200" in early[2] and "first token " in early[2]
    assert text_of(page, "stream", "text") == "Good morning"
    figures = text_of(page, "stream", "figures")
    assert "tokens 2" in figures and "tokens a second " in figures
    assert '"done": true' in text_of(page, "stream", "json")
    assert page.complaints() == []


def test_what_is_sent_is_what_stands_there(server: Reference, page: Page) -> None:
    server.ollama.on("/api/chat", ollama_chat())
    opened(page, server)

    send(page, "infer")
    wait_for_text(page, "infer", "state", "Complete.")

    [asked] = server.ollama.wait_for_requests()
    body = json.loads(page.evaluate("document.querySelector('#infer textarea').value"))
    assert asked.json["model"] == body["model_id"] == "smollm2"
    assert asked.json["messages"] == body["messages"]
    assert text_of(page, "infer", "text") == "Good morning"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_can_be_tried(
    server: Reference, page: Page, endpoint: str
) -> None:
    server.ollama.on("/api/chat", ollama_chat())
    server.ollama.on("/api/embed", ollama_embed(size=384))
    server.ollama.on("/api/version", ollama_version)
    server.openai.on("/v1/models", openai_models)
    opened(page, server)

    send(page, endpoint)
    wait_for_text(page, endpoint, "state", "Complete.")

    answer = text_of(page, endpoint, "json")
    assert "X-Request-Id" in text_of(page, endpoint, "figures")
    assert answer.startswith("{")
    assert len(answer) < 2000, "vectors are cut short for the eye"
    assert page.complaints() == []


def test_a_wrong_token_is_an_envelope(server: Reference, page: Page) -> None:
    opened(page, server, "wrong")

    send(page, "stream")
    wait_for_text(page, "stream", "state", "Refused: 401 authentication_failed.")

    envelope = json.loads(text_of(page, "stream", "json"))
    assert envelope["status_code"] == 401
    assert f"X-Request-Id {envelope['request_id']}" in text_of(
        page, "stream", "figures"
    )
    assert [each for each in page.complaints() if LOAD_FAILED not in each] == []


def test_a_busy_upstream_is_an_envelope_with_its_retry_after(page: Page) -> None:
    with reference(serve, openai=False) as server:
        server.ollama.on("/api/chat", ollama_error(429, "slow down", retry_after="7"))
        opened(page, server)

        send(page, "infer")
        wait_for_text(page, "infer", "state", "Refused: 429 rate_limited.")

        assert "Retry-After 7" in text_of(page, "infer", "figures")


def test_stop_really_stops(server: Reference, page: Page) -> None:
    stopped, over = threading.Event(), threading.Event()

    def script(call: Call) -> None:
        call.start_chunked(NDJSON)
        call.chunk(ollama_frame("Good"))
        call.wait(stopped, PATIENCE)
        while not call.wait_for_hangup(timeout=0.1):
            call.chunk(ollama_frame(" more"))
        over.set()

    server.ollama.on("/api/chat", script)
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "text", "Good")
    page.click("#stream .stop")
    wait_for_text(page, "stream", "state", "Stopped")
    stopped.set()

    assert over.wait(PATIENCE), "the upstream sees that nobody listens"
    assert text_of(page, "stream", "text") == "Good"
    assert page.complaints() == []


def test_a_cut_stream_is_shown_as_cut(server: Reference, page: Page) -> None:
    gate = threading.Event()
    frames = ollama_frame("Good"), ollama_error_frame()
    server.ollama.on("/api/chat", stream(NDJSON, *frames, gate=gate))
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "text", "Good")
    gate.set()
    wait_for_text(page, "stream", "state", "Cut: the transfer broke off.")

    assert "incomplete" in text_of(page, "stream", "state")
    assert text_of(page, "stream", "text") == "Good"
    assert "tokens 1" in text_of(page, "stream", "figures")


def test_a_stream_that_ends_well_but_for_its_done_is_shown_as_cut(
    server: Reference, page: Page
) -> None:
    opened(page, server)
    page.evaluate(
        """window.fetch = async () => new Response('data: {"token":"Good","done":false}\\n\\n',
          {headers: {"Content-Type": "text/event-stream"}})"""
    )

    send(page, "stream")

    wait_for_text(page, "stream", "state", "Cut: the stream ended")
    assert text_of(page, "stream", "text") == "Good"


def test_a_server_that_is_gone_is_told(page: Page) -> None:
    with reference(serve) as server:
        opened(page, server)

    send(page, "infer")

    wait_for_text(page, "infer", "state", "No answer: ")


def test_a_real_model_answers_on_the_page_token_by_token(
    llama_cpp: LlamaCpp, page: Page
) -> None:
    settings = {"OPENAI_API_ENDPOINT": llama_cpp.url, **UNHURRIED}
    with reference(serve, ollama=False, **settings) as server:
        opened(page, server)
        likeliest = json.dumps(ASKED)
        page.evaluate(
            f"document.querySelector('#stream textarea').value = {json.dumps(likeliest)}"
        )
        page.evaluate(
            """window.arrivals = [];
            new MutationObserver(() => arrivals.push(performance.now()))
              .observe(document.querySelector("#stream .text"), {childList: true})"""
        )

        send(page, "stream")
        server.process.wait_for_line('"ended": "complete"', MODEL_PATIENCE)
        wait_for_text(page, "stream", "state", "Complete.")

    assert names_a_fruit(text_of(page, "stream", "text"))
    first, *_, last = page.evaluate("arrivals")
    assert len(page.evaluate("arrivals")) > 3 and first < last
    assert page.complaints() == []


# The token


def test_the_token_stays_in_its_field(server: Reference, page: Page) -> None:
    server.ollama.on("/api/chat", ollama_chat())
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "state", "Complete.")

    everywhere = page.evaluate(
        """JSON.stringify([location.href, document.cookie, document.documentElement.outerHTML,
          {...localStorage}, {...sessionStorage}, history.state, window.name])"""
    )
    assert TOKEN not in everywhere
    assert "$TOKEN" in everywhere


def test_the_page_talks_to_no_other_server(server: Reference, page: Page) -> None:
    page.open(server.url)

    refused = page.evaluate(
        f"fetch('{server.ollama.url}/').then(() => 'answered', () => 'refused')"
    )

    assert refused == "refused"
    assert any("connect-src" in each for each in page.complaints())
    assert server.ollama.requests == []


# Reading and copying


def test_a_number_leads_into_what_is_closed(server: Reference, page: Page) -> None:
    page.open(f"{server.url}/#STREAM-05")

    page.wait_for("document.getElementById('STREAM-05').checkVisibility()")
    page.evaluate("document.querySelector('a[href=\"#EMBED-06\"]').click()")

    page.wait_for("document.getElementById('EMBED-06').checkVisibility()")


def test_lines_to_copy_have_the_url_and_the_model_of_the_reader(
    server: Reference, page: Page
) -> None:
    page.open(server.url)
    page.click("#model")
    page.write("qwen-3b")

    page.click("#stream .copied button")
    page.wait_for(
        "document.querySelector('#stream .copied button').textContent === 'Copied'"
    )

    selected = page.evaluate("getSelection().toString()")
    assert selected.startswith(f"curl -N {server.api}/inference/stream")
    assert '"model_id": "qwen-3b"' in selected


@pytest.mark.parametrize(
    "model", ["x';reboot;'", "$(reboot)", "`reboot`", '<img src="x">']
)
def test_a_model_in_the_address_cannot_change_what_is_copied(
    server: Reference, page: Page, model: str
) -> None:
    page.evaluate(
        f"window.address = '/?model=' + encodeURIComponent({json.dumps(model)})"
    )
    page.open(server.url + page.evaluate("address"))

    lines = page.evaluate("document.querySelector('#stream .copied code').textContent")
    assert '"model_id": "phi-4-mini"' in lines
    assert page.evaluate("document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ("https://api.example.com", True),
        ("http://[::1]:8000", True),
        ("http://$(reboot).example.com", False),
        ("http://x;reboot;.example.com:8000", False),
        ("http://`reboot`.example.com", False),
    ],
)
def test_the_name_of_the_server_cannot_change_what_is_copied(
    server: Reference, page: Page, origin: str, shown: bool
) -> None:
    page.open(server.url)

    page.evaluate(f"setOrigin({json.dumps(origin)})")

    lines = page.evaluate("document.querySelector('#stream .copied code').textContent")
    assert lines.startswith(f"curl -N {origin if shown else server.url}/api/v1/")


def test_without_scripts_it_can_be_read(server: Reference, page: Page) -> None:
    page.without_scripts()

    page.open(server.url)

    assert "needs" not in text_of(page, "stream", "copied")
    assert "POST /api/v1/inference/stream" in page.evaluate("document.body.innerText")
    assert page.complaints() == []


# For everyone


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_can_be_read(
    server: Reference, page: Page, width: int, dark: bool
) -> None:
    server.ollama.on("/api/chat", ollama_chat(["long" * 100]))
    page.look(width, dark=dark)
    opened(page, server)
    for endpoint, token in (("stream", TOKEN), ("infer", "wrong")):
        page.evaluate(f"document.querySelector('#token').value = '{token}'")
        send(page, endpoint)
        page.wait_for(f"document.querySelector('#{endpoint} .bad, #{endpoint} .good')")
    page.evaluate(
        "document.querySelectorAll('details').forEach((each) => (each.open = true))"
    )

    contrasts = page.evaluate(CONTRASTS)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(contrasts) > 500
    assert [each for each in contrasts if each[1] < 4.5] == []


def test_it_can_be_used_by_keyboard_alone(server: Reference, page: Page) -> None:
    server.ollama.on("/api/chat", ollama_chat())
    page.open(server.url)

    page.press("Tab")
    skip = page.evaluate(
        "[document.activeElement.hash, document.activeElement.getBoundingClientRect().left >= 0]"
    )
    page.press("Enter")
    page.wait_for("location.hash === '#main'")
    while page.evaluate("document.activeElement.id") != "token":
        page.press("Tab")
    page.write(TOKEN)
    while not page.evaluate("document.activeElement.matches('#infer [type=submit]')"):
        page.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.press("Enter")
    wait_for_text(page, "infer", "state", "Complete.")

    assert skip == ["#main", True]
    assert outline == "solid"


def test_what_is_read_aloud_is_the_state_and_not_each_token(
    server: Reference, page: Page
) -> None:
    server.ollama.on("/api/chat", ollama_chat(["a"] * 50))
    opened(page, server)
    page.evaluate(
        """window.said = [];
        new MutationObserver(() => said.push(document.querySelector("#stream [role=status]").textContent))
          .observe(document.querySelector("#stream [role=status]"), {childList: true})"""
    )

    send(page, "stream")
    wait_for_text(page, "stream", "state", "Complete.")

    said = page.evaluate("said")
    assert said[-1] == "Complete."
    assert len(said) <= 4
    assert page.evaluate("document.querySelectorAll('[aria-live]').length") == 0
