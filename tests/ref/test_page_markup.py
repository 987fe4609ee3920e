"""Elements become HTML, and their text is escaped."""

from html.parser import HTMLParser

from octomil_ref.page.markup import (
    copied,
    fillable,
    html,
    prose,
    requirement_links,
    tag,
)

HOSTILE = "<script>alert('\"&')</script>"
ESCAPED = "&lt;script&gt;alert('\"&amp;')&lt;/script&gt;"


def inner(nodes) -> str:
    return html(tag("p", *nodes)).removeprefix("<p>").removesuffix("</p>")


def test_text_is_escaped_everywhere():
    element = tag("p", HOSTILE, tag("b", HOSTILE), HOSTILE)

    assert html(element) == f"<p>{ESCAPED}<b>{ESCAPED}</b>{ESCAPED}</p>"


def test_attributes_are_escaped():
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda name, attributes: seen.append((name, attributes))

    parser.feed(html(tag("a", href=HOSTILE, class_="c", data_path="/", for_="f")))

    attributes = [("href", HOSTILE), ("class", "c"), ("data-path", "/"), ("for", "f")]
    assert seen == [("a", attributes)]


def test_adjacent_texts_are_joined():
    assert html(tag("p", "a", "b", tag("i", "c"), "d", "e")) == "<p>ab<i>c</i>de</p>"


def test_each_element_is_on_its_own_line():
    assert html(tag("p", "a"), tag("p", "b")) == "<p>a</p>\n<p>b</p>"


def test_code_in_backticks_is_code():
    assert (
        inner(prose("`a` and `<b>`.")) == "<code>a</code> and <code>&lt;b&gt;</code>."
    )


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
