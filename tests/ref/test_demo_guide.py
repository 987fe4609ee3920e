"""What the demo prints: variables and code that survive a shell and Python. The live tests paste all of it."""

import shlex
import textwrap

import pytest

from octomil_ref.demo.guide import guide

URL = "http://127.0.0.1:8000"
TOKEN = "octomil_t0ken"
GUIDE = guide(URL, TOKEN, "smollm2-135m", page=True)


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
