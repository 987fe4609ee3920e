"""The command of the conformance suite against the reference server with real models, at level 1."""

import subprocess
import sys

import pytest
from models import LlamaCpp, Ollama
from processes import serve
from reference import TOKEN, UNHURRIED, Reference, reference

pytestmark = pytest.mark.machine


def verdict(server: Reference, model: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "octomil_conformance", server.url]
    options = ["--token", TOKEN, "--model", model, "--embed-model", model]
    # A model on a busy machine takes its time.
    return subprocess.run(
        [*command, *options, "--timeout-factor", "6"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_reference_conforms_with_ollama_behind_it(ollama: Ollama) -> None:
    with reference(
        serve, openai=False, OLLAMA_BASE_URL=ollama.url, **UNHURRIED
    ) as server:
        ended = verdict(server, ollama.model)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Conformant" in ended.stdout


def test_the_reference_conforms_with_llama_cpp_behind_it(llama_cpp: LlamaCpp) -> None:
    with reference(
        serve, ollama=False, OPENAI_API_ENDPOINT=llama_cpp.url, **UNHURRIED
    ) as server:
        ended = verdict(server, llama_cpp.model)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Conformant" in ended.stdout
