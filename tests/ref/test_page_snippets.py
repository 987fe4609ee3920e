"""Commands and code to paste, as a shell and Python read them."""

import json
import shlex

from octomil_ref.page.snippets import curl, sdks


def test_a_curl_command_without_a_body_is_a_get():
    assert curl("http://h/x", flags="-s") == "curl -s http://h/x"


def test_a_body_is_quoted_for_the_shell():
    body = {"input_data": "it's $HOME"}

    words = shlex.split(curl("http://h/x", '"Authorization: Bearer t"', body, "-N"))

    assert json.loads(words[-1]) == body
    assert words[:4] == ["curl", "-N", "http://h/x", "-H"]
    assert "Content-Type: application/json" in words


def test_a_curl_command_may_have_several_lines():
    lines = curl("http://h/x", '"A: b"', {}, "-s", " \\\n  ").splitlines()

    assert [line.split()[0] for line in lines] == ["curl", "-H", "-H", "-d"]
    assert all(line.endswith(" \\") for line in lines[:-1])


def test_the_code_of_every_sdk_has_the_base_url():
    for name, base, lines in sdks("http://h:1", "m"):
        assert base.startswith("http://h:1"), name
        assert f'"{base}' in lines, name
