"""The scripted backend: plays Ollama and an OpenAI-compatible server behind a server under test, and bears witness.

What it does rides in the model's name (scenarios.py) or in a tag in the prompt (words.py), so that the server under test
needs no hook. Read interface.py for what a check can ask of it, then scenarios.py, acts.py and reply.py for what it plays.
"""

from octomil_conformance.backend.interface import API_KEY, Backend, environment
from octomil_conformance.backend.remote import RemoteBackend
from octomil_conformance.backend.scripted import ScriptedBackend
from octomil_conformance.backend.witness import Call
from octomil_conformance.backend.words import (
    LONG_TOKENS,
    THOUGHTS,
    UNICODE_TOKENS,
    echo_tokens,
    embed,
    new_nonce,
    tagged,
)

__all__ = [
    "API_KEY",
    "LONG_TOKENS",
    "THOUGHTS",
    "UNICODE_TOKENS",
    "Backend",
    "Call",
    "RemoteBackend",
    "ScriptedBackend",
    "echo_tokens",
    "embed",
    "environment",
    "new_nonce",
    "tagged",
]
