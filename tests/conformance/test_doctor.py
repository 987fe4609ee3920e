"""`octomil-conformance doctor`: what a server can claim, and what prevents a run."""

import json

import pytest
from canned_server import ANSWERS, STREAM, canned
from octomil_conformance import cli

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

STREAM_PATH, EMBED_PATH = "/api/v1/inference/stream", "/api/v1/embeddings"
HEALTH_PATH, BATCH_PATH = "/api/v1/inference/health", "/api/v1/inference/batch"
NO_SERVER = "http://127.0.0.1:1"


def test_doctor_says_what_can_be_claimed(capsys):
    with canned() as url:
        status = cli.main(["doctor", url])

    out = capsys.readouterr().out
    assert status == 0
    assert out.count("good: this profile can be claimed") == 3
    assert "no such endpoint, or no such model" in out


JSON = "application/json"
ALL_DOWN = dict.fromkeys(ANSWERS, (502, JSON, b"{}"))
ENVELOPE = {"error": "bad_gateway", "message": "It is down.", "status_code": 502}
FAILED = {"results": [{"index": 0, "error": ENVELOPE}], "succeeded": 0, "failed": 1}
FAILED_BATCH = (200, JSON, json.dumps(FAILED).encode())
NOT_DONE = (200, "text/event-stream", STREAM.replace(b'"done":true', b'"done":false'))


def report(status):
    answer = {"status": status, "provider": None, "backends": []}
    return (200, JSON, json.dumps(answer).encode())


@pytest.mark.parametrize(
    "changes, said",
    [
        (ALL_DOWN | {HEALTH_PATH: report("ok")}, "the server cannot reach a model"),
        ({HEALTH_PATH: report("degraded")}, "it says degraded: an upstream is down"),
        ({HEALTH_PATH: report("unavailable")}, "unavailable: every upstream is down"),
        ({STREAM_PATH: NOT_DONE}, "it answers, but no event has done: true"),
        ({EMBED_PATH: (200, JSON, b"{}")}, "it answers, but $: 'data' is a required"),
        ({EMBED_PATH: (401, JSON, b"{}")}, "pass --token"),
        ({BATCH_PATH: FAILED_BATCH}, "it answers, but inputs of the batch fail"),
    ],
)
def test_doctor_is_not_exit_0_if_something_is_wrong(changes, said, capsys):
    with canned(changes) as url:
        status = cli.main(["doctor", url])

    out = capsys.readouterr().out
    assert status == 3
    assert said in out
    good = {*ANSWERS} - {*changes}
    good |= {path for path in changes if changes[path] == report("ok")}
    assert out.count("can be claimed") == len(good)


def test_doctor_says_that_nothing_answers(capsys):
    assert cli.main(["doctor", NO_SERVER]) == 3
    assert "is the server running" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["/inference", "/api/v1/inference/stream"])
def test_the_url_of_an_endpoint_is_not_that_of_a_server(path, capsys):
    assert cli.main(["doctor", NO_SERVER + path]) == 2
    said = f"of an endpoint; expected the server's: {NO_SERVER}\n"
    assert said in capsys.readouterr().err
