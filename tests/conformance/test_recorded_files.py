"""Files of one answer: whose it is, how it is coded, and what a manifest adds."""

import gzip
import json
import re
from pathlib import Path

import pytest
from canned_server import EMBEDDINGS, STREAM, judged, lay, named
from octomil_conformance import cli
from octomil_conformance.recordings import files, http_file, manifest
from octomil_conformance.recordings.files import endpoint_in, endpoint_of

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


@pytest.mark.parametrize(
    "names, endpoint",
    [
        (["embed"], "embed"),
        (["embeddings-two"], "embed"),
        (["embedding_ok"], "embed"),
        (["inferenceStream2"], "stream"),
        (["inference"], "infer"),
        (["INFER"], "infer"),
        (["inference-health"], "health"),
        (["embed-batch"], "embed"),
        (["batch-embeddings"], "embed"),
        (["ok", "batch"], "batch"),
        (["stream", "embed"], "stream"),
        (["answer", "fixtures"], None),
        (["upstream", "streams"], None),
        ([], None),
    ],
)
def test_the_nearest_name_tells_the_endpoint(names, endpoint):
    assert endpoint_in(names) == endpoint


@pytest.mark.parametrize(
    "method, url, endpoint",
    [
        ("POST", "https://x/api/v1/inference/stream?a=b", "stream"),
        ("POST", "http://x/proxy/api/v1/inference/", "infer"),
        ("GET", "http://x/api/v1/inference/health", "health"),
        ("OPTIONS", "http://x/api/v1/inference", None),
        ("POST", "http://x/api/v2/inference", None),
        ("GET", "http://x/api/v1/embeddings", None),
        ("POST", "http://[/api/v1/inference", None),
    ],
)
def test_a_url_and_a_method_determine_the_endpoint(method, url, endpoint):
    assert endpoint_of(method, url) == endpoint


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TUNNEL = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"
MOVED = b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n\r\n"
PACKED = gzip.compress(b"data", mtime=0)
GZIP = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED)
GZIP_CHUNK = b"Content-Encoding: gzip\r\n\r\n%x\r\n%b\r\n" % (len(PACKED), PACKED)
END = b"0\r\n\r\n"


@pytest.mark.parametrize(
    "data, body, end",
    [
        (HEAD + b"\r\ndata", b"data", "closed"),
        (HEAD + b"\r\n", b"", "closed"),
        (HEAD + b"Content-Length: 4\r\n\r\ndata", b"data", "complete"),
        (HEAD + b"Content-Length: 4\r\n\r\ndata\n", b"data", "complete"),
        (HEAD + b"Content-Length: 4\r\n\r\ndata\r\n", b"data", "complete"),
        (HEAD + b"Content-Length: 9\r\n\r\ndata", b"data", "cut"),
        (HEAD.replace(b"\r", b"") + b"\ndata\r\n", b"data\r\n", "closed"),
        (b"HTTP/1.1 200\r\n\r\ndata", b"data", "closed"),
        (b"\xef\xbb\xbfHTTP/1.1 200\r\n\r\ndata", b"data", "closed"),
        (b"HTTP/2 200 \r\nx: y\r\n\r\ndata", b"data", "unrecorded"),
        (b"HTTP/2 200 \r\ncontent-length: 4\r\n\r\ndata", b"data", "complete"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"\r\ndata", b"data", "closed"),
        (TUNNEL + HEAD + b"\r\ndata", b"data", "closed"),
        (HEAD + b"Content-Encoding: br\r\n\r\n\xc3\xa9\xc3", b"\xc3\xa9\xc3", "closed"),
        (CHUNKED + b"4\r\ndata\r\n" + END, b"data", "complete"),
        (
            CHUNKED + b"2;a=b\r\nda\r\n02\r\nta\r\n0\r\nA: b\r\n\r\n",
            b"data",
            "complete",
        ),
        (CHUNKED + END, b"", "complete"),
        (CHUNKED + END + b"\n", b"", "complete"),
        (CHUNKED + b"4\r\ndata\r\n", b"data", "cut"),
        (CHUNKED + b"4\r\ndata\r\n0\r\n", b"data", "cut"),
        (CHUNKED + b"4\r\nda", b"da", "cut"),
        (CHUNKED + b"4\r\ndata!\r\n0\r\n\r\n", b"data", "cut"),
        (CHUNKED + b"data: 1\n\n", b"data: 1\n\n", "unrecorded"),
        (CHUNKED + b'{"a": 1}', b'{"a": 1}', "unrecorded"),
        (GZIP + PACKED, b"data", "complete"),
        (GZIP + b"data", b"data", "unrecorded"),
        (CHUNKED[:-2] + GZIP_CHUNK + END, b"data", "complete"),
    ],
)
def test_an_answer_is_read_with_or_without_its_codings(data, body, end):
    answer = http_file.read(data)

    assert (answer.status, answer.body, answer.end) == (200, body, end)


@pytest.mark.parametrize(
    "data, wanted",
    [
        (b"POST /api/v1/inference HTTP/1.1\r\n\r\n", "expected a status line"),
        (b"data: 1\n\n", "expected a status line"),
        (b"HTTP/1.1 000 OK\r\n\r\n", "expected a status line"),
        (HEAD, "expected a blank line between the headers and the body"),
        (HEAD + b"no colon\r\n\r\n", "expected `Name: value`, not 'no colon'"),
        (HEAD + b"Content-Length: four\r\n\r\ndata", "h: expected a number"),
        (HEAD + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000), "h: expected a number"),
        (
            HEAD + b"Content-Length: 4\r\n\r\ndata\n\n",
            "2 bytes more than Content-Length: 4 says: expected one body",
        ),
        (CHUNKED + END + b"x", "1 bytes after the terminating chunk"),
        (GZIP + PACKED[:2] + b"x" * 22, "gzip is broken"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "expected a status line"),
        (HEAD + b"Content-Encoding: br\r\n\r\n\x0b\x8a\x80", "its br is still there"),
        (MOVED + HEAD + b"\r\n", "bytes more than Content-Length: 0 says"),
    ],
)
def test_what_is_no_answer_is_malformed(data, wanted):
    with pytest.raises(http_file.Malformed, match=wanted):
        http_file.read(data)


@pytest.mark.parametrize(
    "data, reason",
    [
        (
            HEAD + b"Content-Length: 999\r\n\r\n" + STREAM,
            "879 bytes less than Content-L",
        ),
        (CHUNKED + b"78\r\n" + STREAM, "it has no terminating chunk"),
    ],
)
def test_the_report_says_why_a_transfer_counts_as_cut(data, reason, capsys):
    lay(stream_http=data)

    assert named(judged("stream.http")[1], "fail") == ["HTTP-21"]
    assert f"120 bytes, end: cut ({reason}" in capsys.readouterr().out


def test_a_manifest_adds_what_a_bare_body_does_not_have():
    entry = {
        "file": "a/moon.sse",
        "endpoint": "stream",
        "status": 200,
        "headers": {"content-type": "text/event-stream", "cache-control": "no-store"},
        "request": {"body": {"model_id": "m", "input_data": "Hi"}},
        "end": "complete",
        "chunks": [[0.1, 10], [0.2, len(STREAM) - 10]],
        "seconds": 0.2,
    }
    lay(f__a__moon_sse=STREAM, f__manifest_json={"format": 1, "recordings": [entry]})

    whole = judged("f")

    assert whole == judged("f/a/moon.sse")
    assert whole[0] == 0
    assert {*whole[1].values()} == {"pass"}


def test_a_transfer_that_lingers_is_seen_by_its_times():
    entry = {
        "file": "moon.sse",
        "endpoint": "stream",
        "chunks": [[0.1, len(STREAM)]],
        "seconds": 2.2,
    }
    lay(moon_sse=STREAM, manifest_json={"recordings": [entry]})

    assert named(judged(".")[1], "fail") == ["STREAM-17"]


def test_the_manifest_of_the_readme_is_one():
    readme = Path(__file__).parents[2] / "conformance" / "README.md"
    blocks = re.findall(
        r"^```json\n(.*?)^```$", readme.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    [example] = [block for block in blocks if '"recordings"' in block]
    body = STREAM.replace(b"abc-123", b"abc-1")
    lay(moon_sse=body, manifest_json=example.encode())

    status, outcomes = judged(".")

    assert (status, {*outcomes.values()}) == (0, {"pass"})


def test_a_stream_that_is_meant_to_break_off_is_no_bad_answer():
    entry = {"file": "cut.sse", "endpoint": "stream", "kind": "failure"}
    lay(cut_sse=STREAM[:54], manifest_json={"recordings": [entry]})

    assert judged(".") == (0, {"HTTP-25": "pass"})


def test_a_run_in_which_nothing_can_be_judged_is_exit_3():
    entry = {"file": "cut.http", "endpoint": "stream", "kind": "failure"}
    data = CHUNKED + b"99\r\n" + STREAM[:54]
    lay(cut_http=data, manifest_json={"recordings": [entry]})

    assert judged(".") == (3, {"HTTP-25": "untestable"})


def test_a_manifest_may_be_toml():
    text = b"""
    [[recordings]]
    file = "two.json"
    endpoint = "embed"
    request = {body = {model_id = "m", input = ["a", "b", "c"]}}
    """
    lay(f__two_json=EMBEDDINGS, f__manifest_toml=text)

    assert named(judged("f")[1], "fail") == ["EMBED-02"]


GOOD = {"file": "x.sse", "endpoint": "stream"}


def with_field(**field):
    return {"recordings": [{**GOOD, **field}]}


@pytest.mark.parametrize(
    "document, said",
    [
        (b"[", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        ([], 'expected {"format": 1, "recordings": […]}'),
        ({"recordings": {}}, 'expected {"format": 1, "recordings": […]}'),
        ({"format": 2, "recordings": [GOOD]}, "format: expected 1, not 2"),
        ({"recordings": ["x.sse"]}, "recordings[0]: expected an object"),
        ({"recordings": [{"file": "x.sse"}]}, "recordings[0].endpoint is missing"),
        ({"recordings": [{"endpoint": "stream"}]}, "recordings[0].file is missing"),
        ({"recordings": [GOOD, GOOD]}, "x.sse is listed 2 times"),
        (with_field(endpont=1), "recordings[0]: unknown key 'endpont'; known: file"),
        (with_field(endpoint="chat"), "recordings[0].endpoint: expected one of infer"),
        (with_field(file="../x.sse"), "recordings[0].file: expected a path below"),
        (with_field(file="/x.sse"), "recordings[0].file: expected a path below"),
        (with_field(file="a\\x.sse"), "below the manifest's folder, with / in it"),
        (with_field(file=""), "recordings[0].file: expected a path below"),
        (with_field(file="y.sse"), "there is no file y.sse"),
        (with_field(status="200"), "recordings[0].status: expected an integer from"),
        (with_field(headers={"A": 1}), "recordings[0].headers: expected an object of"),
        (with_field(headers=[["A"]]), "recordings[0].headers: expected an object of"),
        (with_field(kind="other"), "recordings[0].kind: expected answer or failure"),
        (with_field(request="Hi"), "recordings[0].request: expected an object"),
        (with_field(end="well"), "recordings[0].end: expected one of complete"),
        (with_field(chunks=[[0.1, 0]]), "recordings[0].chunks: expected pairs"),
        (with_field(seconds=-1), "recordings[0].seconds: expected a number"),
        (with_field(seconds=float("inf")), "recordings[0].seconds: expected a number"),
        (with_field(problem=1), "recordings[0].problem: expected a string"),
        (with_field(expected=1), "recordings[0].expected: expected an object"),
    ],
)
def test_a_wrong_manifest_is_exit_2_and_its_field_is_named(document, said, capsys):
    lay(f__x_sse=STREAM, f__manifest_json=document)

    assert cli.main(["fixtures", "f"]) == 2

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("octomil-conformance: f/manifest.json: ")
    assert said in line


@pytest.mark.parametrize(
    "more, said",
    [
        ({"chunks": [[0.1, 3]]}, "chunks: expected sizes of 120 bytes in all, not 3"),
        ({"file": "x.http", "status": 200}, "status and headers belong in the file"),
    ],
)
def test_a_manifest_that_contradicts_the_file_is_exit_2(more, said, capsys):
    lay(x_sse=STREAM, x_http=HEAD + b"\r\n" + STREAM)
    lay(manifest_json=with_field(**more))

    assert cli.main(["fixtures", {**GOOD, **more}["file"]]) == 2
    assert said in capsys.readouterr().err


def test_a_manifest_of_an_editor_that_marks_the_order_of_bytes_is_read():
    listed = json.dumps(with_field(end="cut")).encode()
    lay(x_sse=STREAM, manifest_json=b"\xef\xbb\xbf" + listed)

    assert named(judged(".")[1], "fail") == ["HTTP-21"]


def test_two_manifests_about_one_file_are_exit_2(capsys):
    text = b'recordings = [{file = "x.sse", endpoint = "stream"}]'
    lay(x_sse=STREAM, manifest_json={"recordings": [GOOD]}, manifest_toml=text)

    assert cli.main(["fixtures", "x.sse"]) == 2
    assert "x.sse: expected one manifest beside it" in capsys.readouterr().err


def test_file_names_may_be_upper_case():
    lay(f__STREAM_SSE=STREAM, f__Embed_Json=EMBEDDINGS)

    status, outcomes = judged("f")

    assert status == 0
    assert {"STREAM-05", "EMBED-01"} <= outcomes.keys()


TOO_MANY = files.MAX_BYTES + 1


@pytest.mark.parametrize("name", ["stream.sse", "stream.http", "page.har"])
def test_a_file_that_is_too_large_is_exit_2_before_memory_is_short(name, capsys):
    with Path(name).open("wb") as file:
        file.truncate(TOO_MANY)

    assert cli.main(["fixtures", name]) == 2
    said = capsys.readouterr().err
    assert f"{name}: has {TOO_MANY} bytes: expected at most 67108864 (64 MiB)\n" in said


def test_an_answer_that_is_too_large_unpacked_is_exit_2_before_memory_is_short(capsys):
    head = HEAD + b"Content-Encoding: gzip\r\n\r\n"
    Path("stream.http").write_bytes(head + gzip.compress(bytes(TOO_MANY), 1))

    assert cli.main(["fixtures", "stream.http"]) == 2
    said = capsys.readouterr().err
    assert "stream.http: unpacked it is too large: expected at most 67108864" in said


def test_a_manifest_of_something_else_is_left_alone_above_the_recordings():
    lay(manifest_json={"name": "A web app", "icons": []}, f__stream_sse=STREAM)

    assert cli.main(["fixtures", "f"]) == 0
    assert not manifest.is_ours(Path("manifest.json"))
