"""A page of another origin that calls the API through CORS, as a browser SDK does, in a real Chromium."""

import json

import pytest
from octomil_conformance.backend import ScriptedBackend, environment, new_nonce, tagged
from octomil_conformance.backend.scripts import whole
from octomil_conformance.backend.upstream import ANY_PORT, Upstream
from processes import serve
from reference import TOKEN

pytestmark = pytest.mark.machine

BLANK = b"<!doctype html><link rel=icon href='data:,'><title>client</title>"

CALL = """([url, headers, body]) => {
  window.seen = "";
  (async () => {
    const response = await fetch(url, {method: "POST", headers, body});
    const names = ["X-Request-Id", "Retry-After", "Server"];
    window.head = [response.status, ...names.map((name) => response.headers.get(name))];
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) seen += piece.value;
    return "complete";
  })().then((ended) => (window.ended = ended), (problem) => (window.ended = problem.name));
}"""
"""Sends a request as an SDK in a page does and reads the response as it arrives."""

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def origin():
    """The origin of the page: a server that knows nothing of the API."""
    with Upstream() as web:
        web.on("/", whole(BLANK, content_type="text/html"))
        yield web.url


@pytest.fixture(scope="module")
def backend():
    with ScriptedBackend(ANY_PORT, ANY_PORT) as backend:
        yield backend


under_both = pytest.mark.parametrize("api", ["waitress", "gunicorn"], indirect=True)
"""For streams that are cut. In everything else one kind of server is enough."""


@pytest.fixture(scope="module", params=["waitress"])
def api(request, backend, origin):
    """The URL of a server that allows the origin."""
    origins = f"https://app.example.com,{origin}"
    env = {"OCTOMIL_API_KEYS": TOKEN, "OCTOMIL_CORS_ORIGINS": origins}
    with serve(request.param, **environment(backend), **env) as server:
        yield server.url


def call(page, url, model, prompt="one two", headers=BEARER):
    """Starts a call; its results are in `head`, `seen` and `ended`."""
    body = {"model_id": model, "input_data": prompt}
    fetch(
        page, f"{url}/api/v1/inference/stream", body, {"X-App-Version": "1", **headers}
    )


def chat(page, url, model):
    """Starts the same call of OpenAI's API."""
    messages = [{"role": "user", "content": "one two"}]
    body = {"model": model, "messages": messages, "stream": True}
    fetch(page, f"{url}/v1/chat/completions", body, BEARER)


def fetch(page, url, body, headers):
    sent = {"Content-Type": "application/json", **headers}
    page.evaluate(CALL, [url, sent, json.dumps(body)])


def ended(page):
    """How the call ended, its status and headers, and the body."""
    page.wait_for_function("window.ended")
    return page.evaluate("[window.ended, window.head, window.seen]")


@pytest.mark.parametrize(
    "headers", [BEARER, {"X-API-Key": TOKEN}], ids=["Bearer", "key"]
)
def test_a_page_has_a_token_before_the_next_one_exists(
    api, origin, backend, page, complaints, headers
):
    nonce = new_nonce()
    page.goto(origin)

    call(page, api, "conf-gated", tagged(nonce, "Good morning"), headers)
    page.wait_for_function("window.seen.includes('Good')")
    early = page.evaluate("seen")
    backend.open(nonce)
    how, (status, request_id, *_), text = ended(page)

    assert "morning" not in early
    assert (how, status) == ("complete", 200)
    assert request_id
    assert json.loads(text.split("data: ")[-1])["done"] is True
    assert complaints == []


@pytest.mark.parametrize(
    ("token", "status", "wait", "code"),
    [(TOKEN, 429, "7", "rate_limited"), ("x", 401, None, "authentication_failed")],
)
def test_a_page_reads_why_it_is_refused_and_the_id_and_the_wait(
    api, origin, page, token, status, wait, code
):
    page.goto(origin)

    call(page, api, "conf-http-429", headers={"Authorization": f"Bearer {token}"})
    _, head, text = ended(page)

    envelope = json.loads(text)
    assert head == [status, envelope["request_id"], wait, None]
    assert envelope["code"] == code


@under_both
def test_a_page_sees_that_a_stream_is_cut(api, origin, page):
    page.goto(origin)

    call(page, api, "conf-cut", "one two three")
    how, (status, *_), text = ended(page)

    assert (how, status) == ("TypeError", 200)
    assert '"done":true' not in text.replace(" ", "")


@under_both
@pytest.mark.parametrize(
    ("model", "how"), [("conf-echo", "complete"), ("conf-cut", "TypeError")]
)
def test_a_page_reads_a_stream_of_openais_api(api, origin, page, model, how):
    page.goto(origin)

    chat(page, api, model)
    end, (status, request_id, *_), text = ended(page)

    assert (end, status) == (how, 200)
    assert request_id
    assert ("data: [DONE]" in text) == (how == "complete")
