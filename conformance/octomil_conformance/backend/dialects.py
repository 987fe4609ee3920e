"""Which dialect a path belongs to: who reads the request, and who writes the answer. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from octomil_conformance.backend import ollama, openai
from octomil_conformance.backend.ask import Ask

Dialect = ollama.OllamaDialect | openai.OpenAIDialect
"""How one kind of upstream writes its answer to one request. Both have the same methods."""


def dialect_of(path: str, ask: Ask) -> Dialect:
    if path.startswith("/api/"):
        return ollama.OllamaDialect(ask)
    return openai.OpenAIDialect(ask)


def reader_of(path: str) -> Callable[[Mapping[str, Any]], Ask] | None:
    """Reads the body of a chat or of embeddings; None for other paths."""
    if path == "/api/chat":
        return ollama.read_chat
    if path == "/api/embed":
        return ollama.read_embed
    if path == "/api/embeddings":
        return ollama.read_old_embed
    if path.startswith("/api/"):
        return None
    if path.endswith("/chat/completions"):
        return openai.read_chat
    return openai.read_embed if path.endswith("/embeddings") else None
