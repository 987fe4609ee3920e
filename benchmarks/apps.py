"""The applications on a bare Falcon that are measured beside the reference server."""

import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import falcon
import requests

from benchmarks import relay
from benchmarks.contenders import THREADS

CHAT = os.environ.get("BENCHMARK_UPSTREAM", "") + "/v1/chat/completions"


class Hello:
    """The upper limit: reads the body and answers with a constant."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.bounded_stream.read()
        resp.data = b'{"output":"hello"}'


class Naive:
    """A proxy in twenty lines, as a first draft would be."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = req.media
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        answer = requests.post(CHAT, json=payload, timeout=60)
        content = answer.json()["choices"][0]["message"]["content"]
        resp.media = {"output": content, "provider": "openai", "latency_ms": 0}


class NaiveStream:
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = req.media
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        answer = requests.post(
            CHAT, json={**payload, "stream": True}, stream=True, timeout=60
        )
        resp.content_type = "text/event-stream"
        resp.stream = _tokens(answer)


def _tokens(answer: requests.Response) -> Iterator[bytes]:
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            token = choices[0]["delta"].get("content", "") if choices else ""
            done = bool(choices and choices[0]["finish_reason"])
            event = {"token": token, "done": done, "provider": "openai"}
            yield f"data: {json.dumps(event)}\n\n".encode()


class Relayed:
    """Does only the work of the bare relay, and shows the lowest cost of a streamed token under this server."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        url = urlsplit(CHAT)
        upstream = (url.hostname or "", url.port or 80)
        resp.content_type = "text/event-stream"
        resp.stream = relay.events(relay.ask(upstream, req.bounded_stream.read()))


class Prepared:
    """The shortest proxy that uses requests' adapter as the reference does: no checks, deadlines, log lines or retries."""

    def __init__(self) -> None:
        self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=THREADS)
        headers = {"Content-Type": "application/json"}
        self._request = requests.Request("POST", CHAT, headers).prepare()

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = json.loads(req.bounded_stream.read())
        payload = {"model": asked["model_id"], "messages": asked["messages"]}
        request = self._request.copy()
        request.prepare_body(json.dumps(payload).encode(), None)
        answer = json.loads(self._adapter.send(request, timeout=60).content)
        output = {"output": answer["choices"][0]["message"]["content"]}
        resp.data = json.dumps(output).encode()


def hello() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Hello())
    app.add_route("/health", Hello())
    return app


def naive() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Naive())
    app.add_route("/api/v1/inference/stream", NaiveStream())
    return app


def prepared() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference", Prepared())
    return app


def relayed() -> falcon.App[falcon.Request, falcon.Response]:
    app = falcon.App()
    app.add_route("/api/v1/inference/stream", Relayed())
    return app
