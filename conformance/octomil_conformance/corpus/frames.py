"""Pieces that streams of the corpus are made of."""

from typing import Any

from octomil_conformance.corpus.entry import Entry, written

WORDS = ("A", " ripe", " cherry", ".")


def frame(value: object) -> bytes:
    return b"data: " + written(value) + b"\n\n"


def fields(token: str, **more: Any) -> dict[str, Any]:
    return {"token": token, "done": False, "provider": "ollama", **more}


def token(text: str, **more: Any) -> bytes:
    return frame(fields(text, **more))


def ending(**more: Any) -> dict[str, Any]:
    end = {"done": True, "latency_ms": 812.4, "session_id": "9b2f"}
    return {**fields(""), **end, **more}


def final(**more: Any) -> bytes:
    return frame(ending(**more))


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value[name] for name in value if name not in names}


def stream(*texts: str) -> bytes:
    return b"".join([*map(token, texts or WORDS), final()])


def valid(name: str, about: str, body: bytes, **more: Any) -> Entry:
    return Entry(name, "stream", about, body, **more)


def broken(name: str, breaks: str, about: str, body: bytes, **more: Any) -> Entry:
    """`breaks`: ids, with a space between them."""
    return Entry(name, "stream", about, body, tuple(breaks.split()), **more)
