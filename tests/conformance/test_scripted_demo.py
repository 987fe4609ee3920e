"""`octomil-ref demo --scripted`: the whole API without a model."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from octomil_ref.cli import main


def test_the_scripted_demo_repeats_the_prompt_and_ends_when_told_to():
    command = [sys.executable, "-m", "octomil_ref", "demo", "--scripted", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        text = ""
        while "Health:" not in text:
            line = process.stdout.readline()
            assert line, f"it ended early: {text}"
            text += line
        answer = inference(text, "one two three")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert answer["output"] == "one two three"
    assert answer["provider"] == "ollama"


def test_a_model_file_and_the_script_exclude_each_other(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--scripted", "--gguf", "x"])

    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def inference(guide: str, prompt: str) -> dict[str, object]:
    url = re.search(r"Octomil API on (\S+)", guide)[1]
    token = re.search(r"Token: (\S+)", guide)[1]
    request = urllib.request.Request(
        f"{url}/inference",
        json.dumps({"model_id": "conf-echo", "input_data": prompt}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)
