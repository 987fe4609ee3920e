"""The command of the conformance suite against the reference server with real models, at level 1."""

import subprocess
import sys

import pytest
from processes import serve
from reference import TOKEN, UNHURRIED, reference

pytestmark = pytest.mark.machine


CLAIMS = {
    "ollama": ("infer@0", "stream@1", "batch@0", "embed@1"),
    "llama_cpp": ("infer@1", "stream@0", "batch@0", "embed@0"),
}
"""The profiles whose answers come from the model, each at length with one of the two. `test_reference.py` has all profiles at all levels."""


@pytest.mark.parametrize("name", CLAIMS)
def test_the_reference_conforms_with_a_real_model_behind_it(name, request):
    model = request.getfixturevalue(name)
    urls = {"OLLAMA_BASE_URL": "", "OPENAI_API_ENDPOINT": ""}
    urls["OLLAMA_BASE_URL" if name == "ollama" else "OPENAI_API_ENDPOINT"] = model.url

    with reference(serve, **urls, **UNHURRIED) as server:
        options = ["--model", model.model, "--embed-model", model.model]
        options += [f"--profile={claim}" for claim in CLAIMS[name]]
        # A model on a busy machine takes its time.
        options += ["--token", TOKEN, "--timeout-factor", "6"]
        command = [sys.executable, "-m", "octomil_conformance", server.url, *options]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=600, check=False
        )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Conformant" in ended.stdout
