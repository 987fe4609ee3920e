"""Requests to the scripted backend in either dialect, and what its answers say."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

ANY = ("127.0.0.1", 0)
TIMEOUT = 0.2
SOON = 5.0
DIALECTS = ["ollama", "openai"]


def base(backend, dialect):
    url = backend.ollama_url if dialect == "ollama" else backend.openai_url
    return urlsplit(url)


@contextmanager
def exchange(backend, dialect, path, body) -> Iterator[http.client.HTTPResponse]:
    url = base(backend, dialect)
    with closing(http.client.HTTPConnection(url.netloc, timeout=SOON)) as connection:
        connection.request("POST", url.path + path, json.dumps(body))
        with connection.getresponse() as response:
            yield response


def chat(backend, dialect, model, prompt, **fields):
    path = "/api/chat" if dialect == "ollama" else "/chat/completions"
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": messages, "stream": False} | fields
    return exchange(backend, dialect, path, body)


def stream(backend, dialect, model, prompt, **fields):
    return chat(backend, dialect, model, prompt, stream=True, **fields)


def whole(backend, dialect, model, prompt, **fields):
    with chat(backend, dialect, model, prompt, **fields) as response:
        body = json.loads(response.read())
    if dialect == "ollama":
        return response.status, body["message"]["content"]
    return response.status, body["choices"][0]["message"]["content"]


def frames(dialect, data: bytes) -> list:
    lines = [line for line in data.split(b"\n") if line]
    if dialect == "ollama":
        return [json.loads(line) for line in lines]
    events = [line.removeprefix(b"data: ") for line in lines]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def texts(dialect, data: bytes) -> list[str]:
    found = frames(dialect, data)
    if dialect == "ollama":
        said = [frame["message"]["content"] for frame in found if "message" in frame]
    else:
        choices = [frame["choices"][0] for frame in found if frame.get("choices")]
        said = [choice["delta"].get("content") for choice in choices]
    return [text for text in said if text]


def vectors(backend, dialect, model, given):
    path = "/api/embed" if dialect == "ollama" else "/embeddings"
    with exchange(backend, dialect, path, {"model": model, "input": given}) as response:
        body = json.loads(response.read())
    if dialect == "ollama":
        return body["embeddings"]
    return [item["embedding"] for item in body["data"]]
