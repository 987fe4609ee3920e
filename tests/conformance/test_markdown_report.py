"""The Markdown summary for a CI job, read by a Markdown parser: what a server said is only text."""

from itertools import pairwise

from markdown_it import MarkdownIt
from octomil_conformance.report import markdown as report
from octomil_conformance.report.markdown import append_markdown, markdown
from runs import TOKEN, nasty_run, run_of, verdict

PARSER = MarkdownIt("commonmark").enable("table")


def read(text):
    """(kinds of tokens, texts of the cells, HTML tags) of a document."""
    blocks = PARSER.parse(text)
    inline = [child for each in blocks for child in each.children or ()]
    cells = [
        "".join(child.content for child in each.children if child.type == "text")
        for before, each in pairwise(blocks)
        if before.type == "td_open"
    ]
    tags = {each.content for each in inline if each.type == "html_inline"}
    return {each.type for each in (*blocks, *inline)}, cells, tags


def test_a_finding_is_a_row_with_got_want_and_what_it_breaks():
    found = verdict(got="no end", want="a blank line")
    alike = verdict(check="the same in another case")

    text = markdown(run_of(found, alike, verdict("pass", "STREAM-06")))

    _, cells, _ = read(text)
    assert text.startswith("## Not conformant\n")
    assert "1 passed, 2 failed, in 1.5 s." in text
    assert cells[:3] == ["stream@0", "1", "2"]
    assert cells[-6] == "FAIL"
    assert cells[-5].startswith("STREAM-05 MUST Every event")
    assert cells[-3:-1] == ["no end", "a blank line"]
    assert cells[-1].startswith("Standard parsers of event streams: they drop")
    assert "the same in another case" in cells[-4]


def test_a_run_without_findings_has_no_table_of_them():
    assert "What was found" not in markdown(run_of(verdict("pass")))


def test_what_a_server_says_is_only_text():
    kinds, cells, tags = read(markdown(nasty_run()))

    assert tags == {"<code>", "</code>", "<br>"}
    assert not kinds & {"image", "link_open", "em_open", "html_block", "fence"}
    assert len(cells) % 6 == (6 * 2) % 6
    nasty = [each for each in cells if "<script>alert('\"1\"')</script>" in each]
    assert len(nasty) == 4
    assert all("*a* _b_ [c](https://d.example)" in each for each in nasty)
    assert all("U+2028U+202EU+0000U+001B[31mU+D800" in each for each in nasty)


def test_it_has_no_part_of_the_token():
    cut = "x" * (report.CELL - 10) + TOKEN

    text = markdown(run_of(verdict(got=cut), *nasty_run().verdicts))

    assert "token&#45;of" not in text
    assert TOKEN[:6] not in text
    assert "redacted" in text


def test_it_is_appended_to_the_file(tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n\n")

    append_markdown(run_of(verdict("pass")), summary)

    assert summary.read_text().startswith("before\n\n## Conformant\n")


def test_rows_beyond_the_limit_are_counted(monkeypatch):
    monkeypatch.setattr(report, "MAX_BYTES", 100)

    text = report.table(["a"], [["x" * 40], ["y" * 40], ["z" * 40]])

    assert text.endswith("\n\n… 1 more rows: see the other reports.")
    assert "y" * 40 in text
    assert "z" not in text
