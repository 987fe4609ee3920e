"""The JSON and JUnit reports, and how all reports are written to their files."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from canned_server import STREAM, canned
from octomil_conformance import cli, spec
from octomil_conformance.config import Expectation
from octomil_conformance.report.machine import write_json, write_junit
from runs import COOKIE, EVENTS, TOKEN, exchange, nasty_run, run_of, verdict

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

MOCK = ["--profile", "stream@0", "--profile", "embed@0"]
FILES = {
    "--junit": "r.xml",
    "--json": "r.json",
    "--html": "r.html",
    "--markdown": "r.md",
}
REPORTS = [word for option in FILES.items() for word in option]


def json_of(run):
    write_json(run, Path("r.json"))
    return json.loads(Path("r.json").read_text())


def junit_of(run):
    write_junit(run, Path("r.xml"))
    return ElementTree.parse("r.xml").getroot()


def test_the_json_report_has_each_verdict_and_each_exchange_once():
    seen = exchange()
    good = verdict("pass", "STREAM-06", exchanges=(seen,))
    bad = verdict(got="no end", want="a blank line", exchanges=(exchange(), seen))

    report = json_of(run_of(good, bad))

    assert (report["format"], report["spec"]) == (3, spec.VERSION)
    assert report["suite"] == "0.1.0"
    assert report["conclusion"] == "not conformant"
    assert report["counts"] == {"pass": 1, "fail": 1}
    assert [each["exchanges"] for each in report["verdicts"]] == [[0], [1, 0]]
    assert len(report["exchanges"]) == 2
    found = report["verdicts"][1]
    assert found["requirement"] == "STREAM-05"
    assert (found["got"], found["want"]) == ("no end", "a blank line")
    assert report["requirements"]["STREAM-05"]["force"] == "MUST"
    assert found["repro"].startswith("curl -N -X POST http://127.0.0.1:8000/api/v1/inf")
    assert report["exchanges"][0]["chunks"] == [[1.0, 0], [4.0, 1]]
    assert report["texts"] == [*map(bytes.decode, EVENTS), '{"model_id": "m"}']


def test_the_json_report_leaves_out_the_middle_of_a_long_body_and_no_token():
    body = b"x" * 4995 + TOKEN.encode() + b"y" * 900_000
    long = exchange((1.0, body), asked=body, media_type="text/plain")

    write_json(run_of(verdict(exchanges=(long,))), Path("r.json"))

    text = Path("r.json").read_text()
    assert len(text) < 20_000
    assert TOKEN[:6] not in text
    assert text.count("characters are left out") == 1


def test_the_junit_report_counts_what_failed():
    run = run_of(
        *(verdict("fail"), verdict("pass"), verdict("warn", "STREAM-15")),
        *(verdict("error", reason="a bug"), verdict("untestable", reason="no time")),
        expected=[Expectation("HTTP-13", "old")],
    )

    suite = junit_of(run)

    counts = ("tests", "failures", "errors", "skipped")
    assert [suite.get(name) for name in counts] == ["6", "2", "1", "1"]
    assert len(suite.findall("testcase")) == 6
    failure = suite.find(".//failure").text
    assert "got this\nwant that\nbreaks Standard parsers" in failure


def test_a_failure_that_breaks_no_known_client_has_no_line_about_clients():
    failure = junit_of(run_of(verdict("fail", "STREAM-09"))).find(".//failure").text

    assert "breaks" not in failure
    assert "\n\n" not in failure


def test_what_xml_cannot_hold_is_replaced():
    suite = junit_of(nasty_run())

    assert "<script>alert('\"1\"')</script>" in suite.find(".//failure").text
    assert "\ufffd\ufffd[31m\ufffd" in suite.find(".//failure").text


def test_no_report_shows_the_token_or_a_cookie(capsys):
    leaky = b'data: {"token": "%T", "done": "%T"}\n'
    answers = {"/api/v1/inference/stream": (200, "text/event-stream", leaky)}
    with canned(answers, echo={b"%T": "Authorization"}) as url:
        status = cli.main([url, "--token", TOKEN, *REPORTS, *MOCK])

    texts = [Path(name).read_text() for name in FILES.values()]
    assert status == 1
    for text in (capsys.readouterr().out, *texts):
        assert "redacted" in text
        assert TOKEN not in text
    assert COOKIE not in json.dumps(json_of(run_of(verdict())))


def test_a_token_that_is_a_word_of_the_report_spoils_no_json():
    run = run_of(verdict("pass"))
    object.__setattr__(run.config, "token", "pass")

    assert [each["outcome"] for each in json_of(run)["verdicts"]] == ["pass"]


HALF = b'{"status": "\\ud800\\u001b[31m", "provider": null, "backends": [], "version": "1"}'


def test_half_a_surrogate_pair_stops_no_report(capsys):
    answer = {"/api/v1/inference/health": (200, "application/json", HALF)}
    with canned(answer) as url:
        status = cli.main([url, "--profile", "health@0", *REPORTS])

    assert status == 1
    assert r'got     "\ud800\u001b[31m"' in capsys.readouterr().out


def test_missing_folders_are_made():
    Path("stream.sse").write_bytes(STREAM)

    reports = ["--junit", "a/b/r.xml", "--html", "a/c/r.html"]
    assert cli.main(["fixtures", "stream.sse", *reports]) == 0
    assert Path("a/b/r.xml").exists()
    assert Path("a/c/r.html").exists()


@pytest.mark.parametrize("option", FILES)
def test_a_folder_as_a_report_is_exit_2_before_the_run(option, capsys):
    status = cli.main(["http://127.0.0.1:1", option, ".", *MOCK])

    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert f"{option} .: Is a directory" in output.err


def test_a_report_that_cannot_be_written_is_exit_2_and_the_others_are_written(capsys):
    Path("taken").touch()
    Path("stream.sse").write_bytes(STREAM)

    reports = ["--json", "taken/r.json", "--junit", "r.xml"]
    assert cli.main(["fixtures", "stream.sse", *reports]) == 2
    assert "--json taken/r.json: " in capsys.readouterr().err
    assert Path("r.xml").exists()
