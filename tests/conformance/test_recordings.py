"""`octomil-conformance fixtures`: recorded answers get the verdicts of live ones, and nothing is skipped silently."""

import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from canned_server import EMBEDDINGS, INFERENCE, STREAM, judged, lay, named
from octomil_conformance import cli

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

CANNED = Path(__file__).with_name("canned_answers")
ENVELOPE = {"error": "not_found", "message": "No such model.", "status_code": 404}


# Canned answers of the SDKs' own tests


@pytest.mark.parametrize(
    "name, failed, warned",
    [
        ("embeddings.json", [], ["EMBED-08", "EMBED-09"]),
        ("joined.sse", ["STREAM-02"], []),
        ("bare-final-event.sse", [], []),
        ("inference.json", [], ["INFER-05"]),
    ],
)
def test_canned_answers_get_their_verdicts(name, failed, warned):
    status, outcomes = judged(str(CANNED / name))

    assert named(outcomes, "fail") == failed
    assert named(outcomes, "warn") == warned
    assert status == (1 if failed else 0)


def test_the_warnings_name_what_the_documentation_adds(capsys):
    assert cli.main(["fixtures", str(CANNED / "embeddings.json")]) == 0

    out = capsys.readouterr().out
    assert "WARN  EMBED-08  SHOULD  `embeddings` is present" in out
    assert f"check   embed: embeddings repeats the vectors ({CANNED}" in out
    assert f"repro   octomil-conformance fixtures {CANNED}" in out


def test_what_a_bare_body_cannot_show_is_not_judged(capsys):
    status, outcomes = judged(str(CANNED / "bare-final-event.sse"))

    out = capsys.readouterr().out
    missing = ["HTTP-21", "STREAM-01", "STREAM-15", "STREAM-17", "STREAM-19"]
    assert named(outcomes, "untestable") == missing
    assert "not judged: STREAM-01, STREAM-15 of 1 answer: no headers were rec" in out
    assert "16 passed, 5 not tested" in out
    assert status == 0


def test_the_summary_counts_what_recordings_lack_in_lines_and_not_in_the_table():
    lay(embed_json=EMBEDDINGS)

    assert cli.main(["fixtures", "embed.json", "--markdown", "r.md"]) == 0

    summary = Path("r.md").read_text("utf-8")
    assert "not judged&#58; HTTP&#45;04 of 1 answer&#58; no headers" in summary
    assert "**WARN** | **EMBED-08**" in summary
    assert "UNTESTED" not in summary


@pytest.mark.parametrize(
    "places, outcome", [([0, 1], "untestable"), ([1, 0], "fail"), ([1, 2], "fail")]
)
def test_the_places_of_results_are_judged_without_the_request(places, outcome):
    lay(batch_json={"results": [{"index": place} for place in places]})

    assert judged("batch.json")[1]["BATCH-02"] == outcome


def test_a_failure_that_is_no_json_is_called_so(capsys):
    lay(stream_http=b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n<p>Oops</p>")

    assert named(judged("stream.http")[1], "fail") == ["HTTP-25"]
    assert 'got     ["the body is not JSON"]' in capsys.readouterr().out


HEAD = b"HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nContent-Length: 999\r\n"
CUT_STREAM = HEAD + b"Content-Type: text/event-stream\r\n\r\n"
CUT_JSON = HEAD + b"Content-Type: application/json\r\n\r\n"
TWO_IN_ONE = b'HTTP/1.1 200 OK\n\n{"output": 1}{}'
JOINED = CANNED.joinpath("joined.sse").read_bytes()
BOM = b"\xef\xbb\xbf"
UNREAD = "STREAM-05, STREAM-09, STREAM-16"


@pytest.mark.parametrize(
    "name, content, failed, following",
    [
        ("stream.sse", JOINED, ["STREAM-02"], UNREAD),
        ("stream.sse", BOM + JOINED, ["STREAM-02", "STREAM-08"], UNREAD),
        ("stream.http", CUT_STREAM + STREAM[:70], ["HTTP-21"], f"STREAM-02, {UNREAD}"),
        ("stream.http", CUT_STREAM + STREAM, ["HTTP-21"], ""),
        ("infer.http", CUT_JSON + b'{"output"', ["HTTP-21"], "HTTP-03, INFER-01"),
        ("infer.http", TWO_IN_ONE, ["HTTP-03"], "INFER-01, INFER-02, INFER-03"),
        ("stream.sse", b"data: 1\n", ["STREAM-02", "STREAM-05", "STREAM-09"], ""),
    ],
)
def test_one_fault_of_the_framing_is_one_failure_and_says_what_follows(
    name, content, failed, following, capsys
):
    Path(name).write_bytes(content)

    status, outcomes = judged(name)

    assert (status, named(outcomes, "fail")) == (1, failed)
    out = capsys.readouterr().out
    assert f"reason  what follows from it: {following}" in out or not following
    assert (f"it follows from {failed[0]}" in out) == bool(following)


def test_without_the_request_the_model_is_not_judged():
    lay(infer_json={"output": "A", "latency_ms": 1, "provider": "p", "model_id": "m"})

    _, outcomes = judged("infer.json")

    assert outcomes["INFER-05"] == "untestable"


def test_the_status_of_a_bare_health_report_is_not_judged():
    lay(health_json={"status": "unavailable", "provider": None, "backends": []})

    status, outcomes = judged("health.json")

    assert (status, outcomes["HEALTH-02"]) == (0, "untestable")
    assert outcomes["HEALTH-01"] == "pass"


# Verdicts, reports and expected failures


def test_recordings_can_be_judged_by_an_older_version_of_the_spec(capsys):
    cli.main(["fixtures", str(CANNED / "inference.json"), "--spec", "1.0"])

    assert "spec 1.0\n" in capsys.readouterr().out


def test_each_file_gets_its_own_verdicts(capsys):
    lay(stream__good_sse=STREAM, stream__bad_sse=STREAM[:-1])
    lay(stream__worse_sse=b"data: 1\n")

    assert cli.main(["fixtures", "stream", "--junit", "r.xml"]) == 1

    out = capsys.readouterr().out
    assert out.count("FAIL  STREAM-05") == 1
    assert "(stream/bad.sse)" in out
    check = "stream: every event ends with a blank line"
    assert f'also    {check} (stream/worse.sse): got ["data: 1\\n"]\n' in out
    suite = ElementTree.parse("r.xml").getroot()
    assert len(suite.findall("testcase")) == int(suite.get("tests"))
    assert int(suite.get("skipped")) == 15


EXPECTED = """
[[expected]]
check = "STREAM-05"
reason = "mended with the next release"
"""


@pytest.mark.parametrize(
    "check", ["HTTP-13", "EMBED-06", "STREAM-01", "HTTP-21[embed]"]
)
def test_an_expectation_that_no_recording_can_meet_is_not_stale(check):
    claims = 'profiles = ["stream@1"]\nmodel = "m"\n'
    text = claims + EXPECTED.replace("STREAM-05", check)
    Path("octomil-conformance.toml").write_text(text)
    lay(good_sse=STREAM)

    assert cli.main(["fixtures", "good.sse"]) == 0


# Failures that were recorded on purpose


def test_a_recorded_failure_is_judged_as_a_failure():
    lay(
        embed_http=b"HTTP/1.1 404 Not Found\nContent-Type: application/json\n\n"
        + json.dumps(ENVELOPE).encode()
    )

    status, outcomes = judged("embed.http")

    assert outcomes == {"HTTP-03": "pass", "HTTP-04": "pass", "HTTP-25": "pass"}
    assert status == 0


def test_a_bare_envelope_has_the_status_that_it_names():
    lay(stream__refused_json=ENVELOPE, embed__nothing_json={**ENVELOPE, "message": ""})

    status, outcomes = judged("stream", "embed")

    assert status == 1
    assert outcomes["HTTP-25"] == "fail"
    assert "STREAM-01" not in outcomes


def test_a_manifest_may_say_that_a_failure_should_have_been_an_answer():
    entry = {"file": "x.json", "endpoint": "embed", "kind": "answer", "status": 404}
    lay(x_json=ENVELOPE, manifest_json={"recordings": [entry]})

    status, outcomes = judged(".")

    assert (status, outcomes["EMBED-01"]) == (1, "fail")


# Wrong usage


EXCHANGE = {"request": {"method": "POST"}, "response": {"status": 200}}
EXCHANGES = "with request and response: expected a body alone"
RECORDED = [{"httpRequest": {}, "httpResponse": {}}]
HTTP = "expected .http (a response, as curl -i prints it), .sse"
INTERACTIONS = {"version": 1, "interactions": [EXCHANGE]}


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("stream_sse", b"", "it is empty"),
        ("stream_sse", b'{"token": "A"}\n', "it has no event: expected lines that"),
        ("infer_json", b"", "it is empty"),
        ("infer_json", b"<html>", "it is not JSON"),
        ("infer_http", b"{}", "begins with '{}': expected a status line"),
        ("stream_json", b"{}", "a stream cannot be a .json: expected .sse"),
        ("answer_json", b"{}", "which endpoint is it of? expected infer, stream"),
        ("stream_txt", STREAM, HTTP),
        ("infer_json", b'{"output": "A che', "it is not JSON: Unterminated string"),
        ("infer_json", b"[" * 100_000, "it is not JSON: nested too deeply"),
        ("infer_json", INFERENCE.decode().encode("utf-16"), "it is UTF-16, as PowerS"),
        ("stream_sse", STREAM.decode().encode("utf-16"), "it is UTF-16, as PowerShell"),
        # Files of other tools
        ("stream_json", {"log": {"version": "1.2", "entries": []}}, "it is a HAR: exp"),
        ("embed_json", INTERACTIONS, "with request and response: exp"),
        ("stream_json", {"mappings": [EXCHANGE]}, EXCHANGES),
        ("embed_json", {**EXCHANGE, "id": "1"}, EXCHANGES),
        ("embed_json", RECORDED, "with httpRequest and httpResponse"),
        ("embed_json", [{"scope": "x", "status": 200, "body": {}}], "body and status:"),
        ("embed_json", {"statusCode": 200, "body": "{}"}, "with body and statusCode: "),
        ("stream_json", {"headers": {}, "body": "{}"}, "with body and headers: expect"),
    ],
)
def test_a_file_that_cannot_be_judged_is_exit_2_and_named(name, content, said, capsys):
    lay(**{name: content})
    file = name.replace("_", ".")

    assert cli.main(["fixtures", file]) == 2
    error = capsys.readouterr().err
    assert f"octomil-conformance: {file}: " in error and said in error


@pytest.mark.parametrize(
    "content",
    [
        [],
        [[0.1, 0.2]],
        {"request": "r1", "status": "ok"},
        {"data": [], "results": [{"status": 200, "body": {}}]},
        {"response": "A cherry.", "done": True},
        {**EXCHANGE, "usage": {}},
        {"results": [EXCHANGE]},
    ],
)
def test_a_body_of_the_wrong_shape_is_judged(content):
    lay(infer_json=content)

    status, outcomes = judged("infer.json")

    assert (status, outcomes["INFER-02"]) == (1, "fail")


def test_every_wrong_file_is_named_at_once(capsys):
    Path("empty").mkdir()
    os.mkfifo("embed.json")
    lay(infer_json=b"", answer_json=b"{}", good_sse=STREAM)

    assert cli.main(["fixtures", ".", "nowhere", "embed.json"]) == 2

    said = capsys.readouterr().err
    assert "infer.json: it is empty" in said
    assert "answer.json: which endpoint" in said
    assert "nowhere: No such file or directory" in said
    assert "embed.json: expected a regular file" in said
    assert "good.sse" not in said


def test_a_folder_without_recordings_is_exit_2(capsys):
    lay(f__README_md=b"Nothing yet.")

    assert cli.main(["fixtures", "f"]) == 2
    said = capsys.readouterr().err
    assert "no recordings found, skipped files: 1: expected .http" in said


def test_other_files_of_a_folder_are_named(capsys):
    lay(f__README_md=b"Canned answers.", f__stream_sse=STREAM)

    assert cli.main(["fixtures", "f"]) == 0
    assert "skipped: f/README.md: none of .http" in capsys.readouterr().out
