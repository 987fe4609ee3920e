"""The scripted backend: plays Ollama and an OpenAI-compatible server for a server under test, and records their calls.

The name of the model (scenarios.py) or a tag in the prompt (words.py) says what it does, so that the server under test
needs no hook:

    with ScriptedBackend(timeout=2.0) as backend:  # LLM_BACKEND_TIMEOUT of the server under test
        nonce = new_nonce()
        ...  # ask the server for model conf-gated with the prompt tagged(nonce, "one two"), and read its first token
        backend.open(nonce)  # only now the second may leave
        assert [call.backend for call in backend.calls(nonce)] == ["ollama"]

An item of a batch has a nonce like `NONCE.3`. NONCE then stands for all of them, and `tagged` can give each a scenario of
its own. An answer echoes the last user message without its tag (`echo_tokens`), at most `num_predict` or `max_tokens`
tokens of it. A held answer is late for the server under test after its timeout, so open the gate earlier.

interface.py has the methods for checks. answer_scenarios.py, broken_scenarios.py, spoiled.py, forms.py and failures.toml say what happens in each scenario, with the
methods of reply.py; scenarios.py lists all scenarios by name. upstream.py and response.py are the HTTP server below, which answers
with any bytes that a script sends.
"""

from octomil_conformance.backend.forms import FORMS
from octomil_conformance.backend.interface import API_KEY, Backend, environment
from octomil_conformance.backend.remote import RemoteBackend
from octomil_conformance.backend.scripted import ScriptedBackend
from octomil_conformance.backend.witness import Call
from octomil_conformance.backend.words import (
    GIANT,
    LONE_HALVES,
    TEXTS,
    THOUGHTS,
    TOKENS_IN_A_WORD,
    embed,
    new_nonce,
    tagged,
)

__all__ = [
    "API_KEY",
    "FORMS",
    "GIANT",
    "LONE_HALVES",
    "TEXTS",
    "THOUGHTS",
    "TOKENS_IN_A_WORD",
    "Backend",
    "Call",
    "RemoteBackend",
    "ScriptedBackend",
    "embed",
    "environment",
    "new_nonce",
    "tagged",
]
