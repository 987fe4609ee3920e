"""Elements become HTML, whose text is escaped; commands and code to paste."""

import json
import shlex
from html.parser import HTMLParser

from octomil_ref.page.markup import (
    copied,
    fillable,
    html,
    prose,
    requirement_links,
    tag,
)
from octomil_ref.page.snippets import curl, sdks

HOSTILE = "<script>alert('\"&')</script>"
ESCAPED = "&lt;script&gt;alert('\"&amp;')&lt;/script&gt;"


def inner(nodes) -> str:
    return html(tag("p", *nodes)).removeprefix("<p>").removesuffix("</p>")


def test_text_is_escaped_everywhere():
    element = tag("p", HOSTILE, "a", tag("b", HOSTILE), HOSTILE)

    assert html(element) == f"<p>{ESCAPED}a<b>{ESCAPED}</b>{ESCAPED}</p>"


def test_attributes_are_escaped():
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda name, attributes: seen.append((name, attributes))

    parser.feed(html(tag("a", href=HOSTILE, class_="c", data_path="/", for_="f")))

    attributes = [("href", HOSTILE), ("class", "c"), ("data-path", "/"), ("for", "f")]
    assert seen == [("a", attributes)]


def test_each_element_is_on_its_own_line():
    assert html(tag("p", "a"), tag("p", "b")) == "<p>a</p>\n<p>b</p>"


def test_code_in_backticks_is_code():
    assert inner(prose("`a`, `<b>`.")) == "<code>a</code>, <code>&lt;b&gt;</code>."


def test_requirements_are_links_to_their_anchors():
    assert inner(requirement_links(["A-01"])) == ' <a href="#A-01" class="id">A-01</a>'


def test_the_parts_that_the_reader_can_replace_are_marked():
    nodes = fillable('ask "m" at http://h/x', {"http://h": "origin", "m": "model"})

    assert inner(nodes) == (
        'ask "<span class="model">m</span>" at <span class="origin">http://h</span>/x'
    )


def test_commands_to_copy_have_a_hidden_button():
    block = html(copied("curl", "curl h", {"h": "origin"}))

    assert "hidden" in block.partition("<button")[2].partition(">")[0]
    assert '<code>curl <span class="origin">h</span></code>' in block


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
