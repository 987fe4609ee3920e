"""The Browser SDK's situation, in a real Chromium: a page of another origin that calls the API through CORS."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser import Page
from dialects import ollama_chat, ollama_error
from processes import serve
from reference import ASK, TOKEN, Reference, reference

pytestmark = pytest.mark.machine

CALL = """(async () => {
  window.seen = "";
  const response = await fetch(%s, {method: "POST", headers: %s, body: %s});
  const names = ["X-Request-Id", "Retry-After", "Server"];
  window.head = [response.status, ...names.map((name) => response.headers.get(name))];
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) seen += piece.value;
  window.ended = true;
})().catch((problem) => (window.problem = problem.name))"""
"""As an SDK in a page calls, with a header for the token, JSON, and an answer read as it comes."""

BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b"<!doctype html><link rel=icon href=data:,><title>page</title>"
        )

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Where the page comes from: a server that knows nothing of the API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["waitress", "gunicorn"])
def allowing(request: pytest.FixtureRequest, origin: str) -> Iterator[Reference]:
    origins = f"https://app.example.com,{origin}"
    with reference(
        serve, request.param, openai=False, OCTOMIL_CORS_ORIGINS=origins
    ) as server:
        yield server


def call(page: Page, server: Reference, path: str, headers: dict[str, str]) -> None:
    """Begins; what comes of it is in `head`, `seen` and `ended`, or in `problem`."""
    url = f"{server.api}{path}"
    headers = headers | {"Content-Type": "application/json"}
    page.evaluate(
        f"void {CALL % tuple(map(json.dumps, (url, headers, json.dumps(ASK))))}"
    )


@pytest.mark.parametrize(
    "headers", [BEARER, {"X-API-Key": TOKEN}], ids=["Bearer", "key"]
)
def test_a_page_has_a_token_before_the_next_one_exists(
    allowing: Reference, origin: str, page: Page, headers: dict[str, str]
) -> None:
    gate = threading.Event()
    allowing.ollama.on("/api/chat", ollama_chat(["Good", " morning"], gate=gate))
    page.open(origin)

    call(page, allowing, "/inference/stream", headers)
    page.wait_for("window.seen?.includes('Good')")
    early = page.evaluate("seen")
    gate.set()
    page.wait_for("window.ended")

    assert "morning" not in early
    assert '"done":true' in page.evaluate("seen")
    status, request_id, *_ = page.evaluate("head")
    assert (status, len(request_id)) == (200, 32)
    assert page.complaints() == []


def test_a_page_reads_the_id_and_the_wait_of_a_refusal(
    allowing: Reference, origin: str, page: Page
) -> None:
    allowing.ollama.on("/api/chat", ollama_error(429, "slow down", retry_after="7"))
    page.open(origin)

    call(page, allowing, "/inference", BEARER)
    page.wait_for("window.ended")

    envelope = json.loads(page.evaluate("seen"))
    assert page.evaluate("head") == [429, envelope["request_id"], "7", None]
    assert envelope["code"] == "rate_limited"


def test_a_page_reads_why_its_token_is_refused(
    allowing: Reference, origin: str, page: Page
) -> None:
    page.open(origin)

    call(page, allowing, "/inference/stream", {"Authorization": "Bearer wrong"})
    page.wait_for("window.ended")

    envelope = json.loads(page.evaluate("seen"))
    assert page.evaluate("head")[:2] == [401, envelope["request_id"]]


@pytest.mark.parametrize(
    "origins", ["", "https://app.example.com"], ids=["none", "other"]
)
def test_a_page_is_refused_whose_origin_is_not_allowed(
    origin: str, page: Page, origins: str
) -> None:
    with reference(serve, OCTOMIL_CORS_ORIGINS=origins) as server:
        page.open(origin)

        call(page, server, "/inference/stream", BEARER)
        page.wait_for("window.problem")

        assert page.evaluate("problem") == "TypeError"
        assert any("CORS" in complaint for complaint in page.complaints())
        assert server.ollama.requests == []
