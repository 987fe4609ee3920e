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
