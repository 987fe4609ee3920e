"""Lines to paste: a shell and Python read them as they are meant."""

import json
import shlex

from octomil_ref.page.snippets import curl, sdks


def test_a_curl_line_without_a_body_is_a_plain_get():
    assert curl("http://h/x", flags="-s") == "curl -s http://h/x"


def test_a_body_keeps_its_quotes_through_the_shell():
    body = {"input_data": "it's $HOME"}

    words = shlex.split(curl("http://h/x", '"Authorization: Bearer t"', body, "-N"))

    assert json.loads(words[-1]) == body
    assert words[:4] == ["curl", "-N", "http://h/x", "-H"]
    assert "Content-Type: application/json" in words


def test_a_long_line_may_be_told_over_several():
    lines = curl("http://h/x", '"A: b"', {}, "-s", " \\\n  ").splitlines()

    assert [line.split()[0] for line in lines] == ["curl", "-H", "-H", "-d"]
    assert all(line.endswith(" \\") for line in lines[:-1])


def test_every_sdk_is_told_where_the_server_is():
    for name, base, lines in sdks("http://h:1", "m"):
        assert base.startswith("http://h:1"), name
        assert f'"{base}' in lines, name
