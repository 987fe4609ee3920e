"""`octomil-conformance record`: what a server answered, judged again without it, gets the verdicts that it got live."""

import json
import re
from pathlib import Path

import pytest
from canned_server import ANSWERS, EMBEDDINGS, HANG, STREAM, canned
from jobs import TIMEOUT
from kill_matrix import TOKEN as MATRIX_TOKEN
from kill_matrix import server
from octomil_conformance import cli
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.recordings.reader import read
from octomil_conformance.target import ODD

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

STREAM_PATH, EMBED_PATH = "/api/v1/inference/stream", "/api/v1/embeddings"
CLAIMS = ["--profile", "infer@0", "--profile", "stream@0", "--profile", "embed@0"]
TOKEN = "secret-token-of-somebody"


def verdicts(*arguments):
    """The outcome of the first check of each requirement in each profile, and its evidence. A later one may look at a whole run."""
    cli.main([*arguments, "--json", "report.json"])
    report = json.loads(Path("report.json").read_text())
    return {
        (each["requirement"], each["profile"]): (each["outcome"], each["got"])
        for each in reversed(report["verdicts"])
    }


BAD_ANSWERS = {
    "good": {},
    "no-blank-line": {STREAM_PATH: (200, "text/event-stream", STREAM[:-1])},
    "no-usage": {
        EMBED_PATH: (200, "application/json", EMBEDDINGS.replace(b"usage", b"used"))
    },
    "no-label": {EMBED_PATH: (200, "text/plain", EMBEDDINGS)},
    "failure": {EMBED_PATH: (500, "application/json", b'{"error": "internal_error"}')},
    "page": {EMBED_PATH: (502, "text/html", b"<html>Bad Gateway</html>")},
    "no-json": {STREAM_PATH: (404, "text/plain", b"")},
    "latin-1": {EMBED_PATH: (200, "application/json", b'{"data": "\xe9"}')},
    "silence": {EMBED_PATH: HANG},
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_recording_gets_the_verdicts_of_the_live_run(name):
    factor = ["--timeout-factor", "0.03"] if name == "silence" else []
    with canned(BAD_ANSWERS[name]) as url:
        live = verdicts(url, *CLAIMS, *factor)
        status = cli.main(["record", url, "-o", "pinned", *CLAIMS, *factor])

    assert status == 0
    assert len(live) > 30
    assert without_words(verdicts("fixtures", "pinned")) == without_words(live)


def without_words(found):
    """How long a server was waited for differs from run to run."""
    return {
        key: (outcome, re.sub(r"within [\d.]+ s", "in time", got))
        for key, (outcome, got) in found.items()
    }


def record(name, backend, *claims, more=()):
    """Records the answers of that server in the folder `pinned`."""
    options = ["-o", "pinned", "--token", MATRIX_TOKEN, *more]
    options += [f"--profile={claim}" for claim in claims]
    with server(name, backend) as url:
        assert cli.main(["record", url, *options]) == 0


@pytest.fixture(scope="module")
def backend():
    any_port = ("127.0.0.1", 0)
    with ScriptedBackend(ollama=any_port, openai=any_port, timeout=TIMEOUT) as backend:
        yield backend


def test_a_cut_stream_is_cut_when_it_is_read_again(backend):
    record("end_of_stream_is_missing", backend, "stream@0")

    [recording] = read([Path("pinned")]).recordings
    assert recording.exchange.end == "cut"
    assert len(recording.exchange.finals) == 1


def test_arrival_times_are_recorded(backend):
    record("conformant", backend, "stream@0")

    [entry] = json.loads(Path("pinned/manifest.json").read_text())["recordings"]
    [recording] = read([Path("pinned")]).recordings
    times = [at for at, _ in entry["chunks"]]
    assert times == sorted(times)
    assert times[0] > 0
    assert [chunk.at for chunk in recording.exchange.chunks] == times
    assert recording.exchange.seconds == entry["seconds"] >= times[-1]
    assert recording.lacks == set()


def test_the_odd_answers_of_level_2_are_recorded_too(backend):
    where = backend.ollama_url.removeprefix("http://")
    record("conformant", backend, "infer@2", more=["--backend", f"external:{where}"])

    outputs = [
        each.exchange.fields["output"] for each in read([Path("pinned")]).recordings
    ]
    assert len(outputs) > 1 + len(ODD["infer"])  # the fallback answers some of them too
    assert "" in outputs
    assert cli.main(["fixtures", "pinned", "--strict"]) == 0


def test_it_prints_what_was_recorded_and_a_file_is_read_by_itself(capsys):
    with canned() as url:
        cli.main(["record", url, "-o", "pinned", *CLAIMS])

    out = capsys.readouterr().out
    assert "pinned/stream-1.http: 200, 1 piece, the last at +" in out
    assert "to judge them: octomil-conformance fixtures pinned" in out
    data = Path("pinned/stream-1.http").read_bytes()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n" + STREAM)
    Path("stream.http").write_bytes(data)
    assert cli.main(["fixtures", "stream.http"]) == 0


@pytest.mark.parametrize("piece", [b"%T", b"x%Ty%T"])
def test_no_file_shows_the_token(piece):
    leaky = b'data: {"token": "%s", "done": false}\n\n' % piece
    answers = {**ANSWERS, STREAM_PATH: (200, "text/event-stream", leaky)}
    with canned(answers, echo={b"%T": "Authorization"}) as url:
        cli.main(["record", url, "-o", "pinned", "--token", TOKEN, *CLAIMS])

    written = b"".join(file.read_bytes() for file in Path("pinned").iterdir())
    assert b"[redacted]" in written
    assert TOKEN.encode() not in written
    assert cli.main(["fixtures", "pinned"]) == 1


def test_a_folder_with_something_in_it_is_exit_2_and_nothing_is_asked(capsys):
    Path("pinned").mkdir()
    Path("pinned/mine.http").write_text("mine")

    assert cli.main(["record", "http://127.0.0.1:1", "-o", "pinned"]) == 2
    assert "pinned: expected a new folder, or an empty one" in capsys.readouterr().err
    assert [file.name for file in Path("pinned").iterdir()] == ["mine.http"]


def test_an_unreachable_server_is_exit_3():
    assert cli.main(["record", "http://127.0.0.1:1", "-o", "pinned"]) == 3
    assert [*Path("pinned").iterdir()] == []
