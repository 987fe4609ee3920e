"""`octomil-conformance matrix`: reports side by side. A file that is not such a report is named."""

import json
from pathlib import Path

import pytest
from octomil_conformance import cli, spec
from octomil_conformance.report.machine import write_json
from runs import Page, run_of, verdict

A = run_of(
    verdict("fail"),
    verdict("pass", "HTTP-05"),
    verdict("warn", "HTTP-05", "infer"),
    claims={"stream": 1, "infer": 1},
    url="http://a.example/api/v1",
)
B = run_of(verdict("pass"), claims={"stream": 0}, url="http://b.example/api/v1")
C = run_of(verdict("pass", "EMBED-01", "embed"), claims={"embed": 0}, url="fixtures")


@pytest.fixture(autouse=True)
def reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, run in {"a": A, "b": B, "c": C}.items():
        write_json(run, tmp_path / f"{name}.json")


def rows(text):
    """The cells of every line of a table, by the first word of its first cell."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if "|" in line]
    return {first.split()[0].strip("*"): others for first, *others in lines}


def test_each_requirement_is_a_row_and_each_server_a_column(capsys):
    status = cli.main(["matrix", "a.json", "b.json", "C=c.json"])

    out = capsys.readouterr().out
    found = rows(out)
    assert status == 0
    every = len(spec.requirements())
    assert f"no report has a verdict on them: {every - 3} of {every} requ" in out
    assert found["STREAM-05"] == ["FAIL", "PASS", "not declared"]
    assert found["EMBED-01"] == ["not declared", "not declared", "PASS"]
    assert [*found][-3:] == ["STREAM-05", "HTTP-05", "EMBED-01"], "differences first"


def test_profiles_that_differ_are_named_and_an_unclaimed_level_is_no_failure(capsys):
    cli.main(["matrix", "a.json", "b.json"])

    mine, theirs = rows(capsys.readouterr().out)["HTTP-05"]
    assert mine == "WARN infer<br>PASS stream"
    assert theirs == "level not claimed"


def test_columns_have_the_name_and_the_claims_of_a_server(capsys):
    cli.main(["matrix", "mine=a.json", "c.json"])

    out = capsys.readouterr().out
    names = ["mine<br>stream@1 infer@1", "fixtures<br>embed@0"]
    assert rows(out)["requirement"] == names
    assert rows(out)["mine"][:4] == [
        "Not conformant",
        "stream&#64;1 infer&#64;1",
        "1",
        "1",
    ]
    assert "%" not in out


def test_the_same_is_written_to_files(capsys):
    cli.main(["matrix", "a.json", "--markdown", "m.md", "--html", "m.html"])

    assert Path("m.md").read_text("utf-8") == capsys.readouterr().out


def page_rows():
    """The `data-rows` of each requirement's row."""
    rows = Page(Path("m.html").read_text("utf-8")).all("tr")
    return {each["id"]: each["data-rows"] for each in rows if "id" in each}


def test_only_the_differences_are_shown_on_request(capsys):
    files = ["a.json", "b.json", "C=c.json"]
    cli.main(["matrix", "--differences", *files, "--html", "m.html"])

    out = capsys.readouterr().out
    assert [*rows(out)][-1] == "STREAM-05"
    assert "HTTP-05" not in rows(out)
    assert "Left out, as their verdicts are alike: 2." in out
    assert page_rows() == {"STREAM-05": "differ"}


def test_the_page_knows_which_rows_differ():
    cli.main(["matrix", "a.json", "b.json", "c.json", "--html", "m.html"])

    assert page_rows() == {
        "HTTP-05": "alike",
        "STREAM-05": "differ",
        "EMBED-01": "alike",
    }


def test_a_name_is_only_text(capsys):
    name = "<img title>|`*x*`"

    cli.main(["matrix", f"{name}=a.json", "--html", "m.html"])

    out = capsys.readouterr().out
    assert Page(Path("m.html").read_text("utf-8")).all("img") == []
    assert "<img" not in out
    assert {line.count("|") for line in out.splitlines() if "-05" in line} == {3}


def test_a_file_whose_name_has_an_equals_sign_is_found(tmp_path, capsys):
    (tmp_path / "a=b.json").write_bytes((tmp_path / "b.json").read_bytes())

    assert cli.main(["matrix", "a=b.json"]) == 0
    assert "b&#46;example" in capsys.readouterr().out


def changed(**fields):
    """A report with other values; None takes a field away."""
    with open("a.json", encoding="utf-8") as file:
        report = json.load(file) | fields
    return json.dumps({name: each for name, each in report.items() if each is not None})


VERDICT = {"requirement": "HTTP-01", "profile": "stream", "outcome": "pass"}
BAD = {
    "not JSON": lambda: "{",
    "deep": lambda: "[" * 100_000,
    "not a report": lambda: '{"some": "thing"}',
    "a list": lambda: "[]",
    "format 1": lambda: changed(format=1),
    "spec 0.9": lambda: changed(spec="0.9"),
    "no verdicts": lambda: changed(verdicts=None),
    "verdicts of another kind": lambda: changed(verdicts=7),
    "a verdict without a requirement": lambda: changed(verdicts=[{}]),
    "an unknown requirement": lambda: changed(
        verdicts=[VERDICT | {"requirement": "X"}]
    ),
    "an unknown outcome": lambda: changed(verdicts=[VERDICT | {"outcome": "good"}]),
    "an unknown conclusion": lambda: changed(conclusion="fine"),
    "claims of another kind": lambda: changed(claims=["stream"]),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_file_that_is_not_a_report_is_named(fault, tmp_path, capsys):
    (tmp_path / "bad.json").write_text(BAD[fault]())

    status = cli.main(["matrix", "a.json", "bad.json"])

    said = capsys.readouterr()
    assert status == 2
    assert "bad.json: " in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    "second, said",
    [("nowhere.json", "nowhere.json: No such file"), ("a.json", "NAME=FILE")],
    ids=["a file that is missing", "the name of another"],
)
def test_a_report_cannot_be_compared_with(second, said, capsys):
    assert cli.main(["matrix", "a.json", second]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_a_file_that_cannot_be_written_is_named(option, capsys):
    assert cli.main(["matrix", "a.json", option, "."]) == 2
    assert f"{option} .: Is a directory" in capsys.readouterr().err
