"""The commands that the demo prints work when pasted."""

import json
import shlex
import textwrap
from itertools import pairwise

import pytest

from octomil_ref.demo.guide import guide
from octomil_ref.payloads import parse_batch, parse_completion, parse_embeddings

URL = "http://127.0.0.1:8000"
TOKEN = "octomil_t0ken"
GUIDE = guide(URL, TOKEN, "smollm2-135m", page=True)

READERS = {
    "/api/v1/inference": parse_completion,
    "/api/v1/inference/stream": parse_completion,
    "/api/v1/inference/batch": lambda body: parse_batch(body, 256),
    "/api/v1/embeddings": lambda body: parse_embeddings(body, 512),
}


def command(path: str) -> list[str]:
    """The words of the only curl command for `path`, as a shell splits them."""
    commands = [
        shlex.split(line)
        for line in GUIDE.splitlines()
        if line.strip().startswith("curl ")
    ]
    [found] = [words for words in commands if URL + path in words]
    return found


@pytest.mark.parametrize("path", READERS)
def test_the_body_of_a_curl_command_is_valid(path):
    words = command(path)

    body = json.loads(words[words.index("-d") + 1])
    assert READERS[path](body).model_id == "smollm2-135m"


@pytest.mark.parametrize("path", READERS)
def test_a_curl_command_sends_the_token_and_the_content_type(path):
    words = command(path)

    headers = [after for word, after in pairwise(words) if word == "-H"]
    assert headers == [
        f"Authorization: Bearer {TOKEN}",
        "Content-Type: application/json",
    ]


def test_the_curl_command_of_a_stream_does_not_buffer():
    assert "-sN" in command("/api/v1/inference/stream")


def test_the_curl_command_of_health_sends_no_token():
    words = command("/api/v1/inference/health")

    assert "-H" not in words


def test_special_characters_of_the_shell_are_quoted_in_the_token():
    text = guide(URL, "it's $HOME", "m", page=True)

    assert "Authorization: Bearer it's $HOME" in shlex.split(text.split("curl ")[1])


def test_the_code_for_the_sdk_is_python_with_url_token_and_model():
    lines = textwrap.dedent(GUIDE.split("of its own):\n")[1])

    compile(lines, "guide", "exec")
    assert f'"{URL}/api/v1"' in lines
    assert f'api_key="{TOKEN}"' in lines
    assert 'stream_predict("smollm2-135m"' in lines
    assert lines.index("OCTOMIL_API_BASE") < lines.index("from octomil import")


def test_the_guide_shows_the_address_of_the_api_and_how_to_stop_it():
    assert f"Octomil API on {URL}/api/v1   (press Ctrl-C to stop)" in GUIDE
    assert f"Token: {TOKEN}" in GUIDE


@pytest.mark.parametrize("token", [TOKEN, "it's $HOME"])
def test_the_guide_sets_the_variables_of_the_readme(token):
    [line] = [
        line
        for line in guide(URL, token, "m", page=True).splitlines()
        if line.startswith("  export ")
    ]

    assert shlex.split(line) == ["export", f"URL={URL}", f"TOKEN={token}"]


def test_the_guide_names_the_page_if_there_is_one():
    line = f"to try: {URL}/?model=smollm2-135m\n"

    assert line in GUIDE
    assert "/?model" not in guide(URL, TOKEN, "smollm2-135m", page=False)
