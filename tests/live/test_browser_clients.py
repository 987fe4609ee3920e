"""A web page of another origin is let in by `octomil-conformance serve`, in a real Chromium."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from browser import Page
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.server.cors import cors
from octomil_conformance.server.http_server import ANY_PORT, serving
from octomil_conformance.server.layers import around
from octomil_conformance.server.served import Upstreams, served

pytestmark = pytest.mark.machine

TOKEN = "conf-token"

ASK = """
(async () => {
  const response = await fetch(%r + "/api/v1/inference/stream", {
    method: "POST",
    headers: {Authorization: "Bearer %s", "Content-Type": "application/json", "X-App-Version": "1"},
    body: JSON.stringify({model_id: %r, input_data: "one two three"}),
  });
  const names = ["X-Request-Id", "Retry-After"];
  const headers = names.map(name => response.headers.get(name));
  try {
    return [response.status, headers, await response.text()];
  } catch (error) {
    return [response.status, headers, error.name];
  }
})()
"""


class BlankPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            b"<!doctype html><link rel=icon href='data:,'><title>client</title>"
        )

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def elsewhere(page: Page) -> Iterator[Page]:
    """A page of another origin than the server's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BlankPage) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        page.open(f"http://127.0.0.1:{server.server_port}/")
        yield page
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ScriptedBackend(ANY_PORT, ANY_PORT, 2.0) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url)
        with serving(around(served(upstreams, TOKEN), cors), TOKEN) as url:
            yield url


def test_a_page_streams_with_its_own_headers(elsewhere: Page, url: str) -> None:
    status, (request_id, _), text = elsewhere.evaluate(ASK % (url, TOKEN, "any"))

    assert status == 200
    assert request_id
    assert text.count('"done": true') == 1
    assert elsewhere.complaints() == []


def test_a_page_reads_a_refusal(elsewhere: Page, url: str) -> None:
    model = "conf-status-429"

    status, (request_id, wait), text = elsewhere.evaluate(ASK % (url, TOKEN, model))

    assert (status, wait) == (429, "7")
    assert request_id in text


def test_a_page_sees_that_a_stream_is_cut(elsewhere: Page, url: str) -> None:
    status, _, text = elsewhere.evaluate(ASK % (url, TOKEN, "conf-cut"))

    assert (status, text) == (200, "TypeError")
