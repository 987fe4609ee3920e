"""The reference page in a real Chromium: how it sends requests, and how it shows answers, streams, cuts and refusals."""

import json
import threading

import pytest
from forms import opened, send, text_of, wait_for_text
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from processes import serve
from reference import MAX_WAIT, RUNNER_DIED, TOKEN, reference, talks_until_hangup

pytestmark = pytest.mark.machine

LOAD_FAILED = "Failed to load resource: "
"""How Chromium itself remarks on a status of 400 or more."""


@pytest.fixture(scope="module")
def shared_server(shared):
    """One kind of server is enough: the page is the same under both."""
    return shared()


# Sending requests


def test_a_token_is_on_the_page_before_the_next_one_exists(server, page, complaints):
    gate = threading.Event()
    server.ollama.on("/api/chat", says("Good", " morning", gate=gate))
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
    assert complaints == []


def test_the_page_sends_what_its_text_area_shows(server, page):
    server.ollama.on("/api/chat", says("Good", " morning"))
    opened(page, server)

    send(page, "infer")
    wait_for_text(page, "infer", "state", "Complete.")

    [asked] = server.ollama.wait_for_requests()
    body = json.loads(page.input_value("#infer textarea"))
    assert asked.json["model"] == body["model_id"] == "conf-echo"
    assert asked.json["messages"] == body["messages"]
    assert text_of(page, "infer", "text") == "Good morning"


def test_every_endpoint_can_be_tried(server, page, complaints):
    opened(page, server)

    for endpoint in ("infer", "stream", "batch", "embed", "health", "live"):
        send(page, endpoint)
        wait_for_text(page, endpoint, "state", "Complete.")

        answer = text_of(page, endpoint, "json")
        assert "X-Request-Id" in text_of(page, endpoint, "figures")
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


def test_stop_closes_the_connection(server, page, complaints):
    stopped, over = threading.Event(), threading.Event()

    server.ollama.on("/api/chat", talks_until_hangup(stopped, over))
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "text", "Good")
    page.click("#stream .stop")
    wait_for_text(page, "stream", "state", "Stopped")
    stopped.set()

    assert over.wait(MAX_WAIT), "the upstream sees that its client is gone"
    assert text_of(page, "stream", "text") == "Good"
    assert complaints == []


def test_a_cut_stream_is_shown_as_cut(server, page):
    gate = threading.Event()
    frames = OLLAMA.token("Good"), RUNNER_DIED
    server.ollama.on("/api/chat", stream(NDJSON, *frames, gate=gate))
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "text", "Good")
    gate.set()
    wait_for_text(page, "stream", "state", "Cut: the transfer broke off.")

    assert "incomplete" in text_of(page, "stream", "state")
    assert text_of(page, "stream", "text") == "Good"
    assert "tokens 1" in text_of(page, "stream", "figures")


def test_a_complete_transfer_without_done_is_shown_as_cut(server, page):
    page.route(
        "**/inference/stream",
        lambda route: route.fulfill(
            content_type="text/event-stream",
            body='data: {"token":"Good","done":false}\n\n',
        ),
    )
    opened(page, server)

    send(page, "stream")

    wait_for_text(page, "stream", "state", "Cut: the stream ended")
    assert text_of(page, "stream", "text") == "Good"


def test_a_server_that_is_gone_is_shown_as_no_answer(page):
    with reference(serve) as server:
        opened(page, server)

    send(page, "infer")

    wait_for_text(page, "infer", "state", "No answer: ")


# The token


def test_the_token_stays_in_its_field(server, page):
    opened(page, server)

    send(page, "stream")
    wait_for_text(page, "stream", "state", "Complete.")

    everywhere = page.evaluate(
        """JSON.stringify([location.href, document.cookie, document.documentElement.outerHTML,
          {...localStorage}, {...sessionStorage}, history.state, window.name])"""
    )
    assert TOKEN not in everywhere
    assert "$TOKEN" in everywhere
