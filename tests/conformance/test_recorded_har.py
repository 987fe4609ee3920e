"""HAR files: what a browser saved of this API's answers."""

import base64
from pathlib import Path

import pytest
from canned_server import INFERENCE, STREAM, judged, lay, named
from octomil_conformance import cli

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")


def har_entry(url="https://x/api/v1/inference/stream", method="POST", **response):
    content = {
        "size": len(STREAM),
        "mimeType": "text/event-stream",
        "text": STREAM.decode(),
    }
    headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    return {
        "time": 812.5,
        "request": {
            "method": method,
            "url": url,
            "headers": [{"name": "Authorization", "value": "Bearer secret-token"}],
            "postData": {"mimeType": "application/json", "text": '{"model_id": "m"}'},
        },
        "response": {
            "status": 200,
            "headers": [{"name": k, "value": v} for k, v in headers.items()],
            "content": content,
            **response,
        },
    }


def har(*entries):
    return {"log": {"version": "1.2", "creator": {"name": "t"}, "entries": [*entries]}}


def failed_in(entry):
    """The requirements that an entry of a HAR breaks."""
    lay(page_har=har(entry))
    return named(judged("page.har")[1], "fail")


def test_a_har_is_judged_by_what_a_browser_has_kept(capsys):
    lay(page_har=har(har_entry()))

    status, outcomes = judged("page.har")

    assert status == 0
    assert named(outcomes, "untestable") == [
        "HTTP-21",
        "STREAM-08",
        "STREAM-17",
        "STREAM-19",
    ]
    assert "skipped" not in capsys.readouterr().out


def test_other_entries_of_a_har_are_counted_in_the_output(capsys):
    lay(
        page_har=har(
            har_entry("https://x/index.html", "GET"),
            har_entry(method="OPTIONS"),
            har_entry(status=0, _error="net::ERR_CONNECTION_REFUSED"),
            har_entry(status=-1),
            har_entry(),
        )
    )

    assert cli.main(["fixtures", "page.har"]) == 0

    out = capsys.readouterr().out
    assert "1 recorded answer\n" in out
    assert "skipped: page.har: entries of other URLs or methods: 2" in out
    assert "skipped: page.har: entries that failed before there was an answer: 2" in out


def test_an_entry_with_bytes_is_judged_by_them():
    marked = base64.b64encode(b"\xef\xbb\xbf" + STREAM).decode()
    content = {"size": 1, "text": marked, "encoding": "base64"}
    assert failed_in(har_entry(content=content)) == ["STREAM-08"]


@pytest.mark.parametrize(
    "text, failed",
    [
        ("Å 你好 🍒".encode().decode("latin-1"), []),  # as mitmproxy reads it
        ("Å 你好 🍒", []),
        ("Å", []),
        ("\x85", ["STREAM-10"]),
        ("你\x85", ["STREAM-10"]),
    ],
)
def test_text_is_utf_8_or_was_read_as_latin_1(text, failed):
    content = {"size": 1, "text": STREAM.decode().replace("The", text)}
    assert failed_in(har_entry(content=content)) == failed


@pytest.mark.parametrize("key", ["_error", "_failureText"])
def test_a_transfer_that_broke_off_in_the_browser_is_cut(key):
    assert failed_in(har_entry(**{key: "net::ERR_INCOMPLETE_CHUNKED_ENCODING"})) == [
        "HTTP-21"
    ]


def test_a_browser_may_save_only_the_head_of_a_broken_transfer():
    entry = har_entry(content={"size": -1}, _failureText="net::ERR_FAILED")
    lay(page_har=har(entry))

    _, outcomes = judged("page.har")

    assert named(outcomes, "fail") == ["HTTP-21"]
    assert named(outcomes, "pass") == ["HTTP-25", "STREAM-01", "STREAM-15", "STREAM-19"]


def test_an_empty_body_is_judged_like_any_other():
    assert failed_in(har_entry(content={"size": 0})) == ["STREAM-09"]


def test_the_request_in_a_har_says_what_was_asked():
    content = {"size": 1, "text": INFERENCE.decode()}
    headers = [{"name": "content-type", "value": "application/json"}]
    entry = har_entry("http://x/api/v1/inference", content=content, headers=headers)
    del entry["time"]
    lay(page_har=har(entry))

    assert named(judged("page.har")[1], "warn") == ["INFER-05"]


def test_no_token_of_a_har_reaches_a_report():
    lay(page_har=har(har_entry("https://x/api/v1/inference/stream?key=secret-key")))

    cli.main(["fixtures", "page.har", "--json", "r.json"])

    assert "secret" not in Path("r.json").read_text()


def test_an_entry_is_named_by_its_number(capsys):
    lay(page_har=har(har_entry("http://x/"), har_entry(headers=[])))

    assert cli.main(["fixtures", "page.har"]) == 1
    assert "(page.har#1)" in capsys.readouterr().out


CUT_OFF = har_entry(content=None, _error="cut", headers=7)
NUMBER = {"size": 9, "text": 7}
ATTACHED = {"size": 9, "_file": "601d4654.dat"}
NOT_BASE64 = {"text": "?", "encoding": "base64"}


@pytest.mark.parametrize(
    "document, said",
    [
        (b"{", "it is not JSON: Expecting property name"),
        ([], 'expected {"log": {"entries": […]}}'),
        ({"entries": []}, 'expected {"log": {"entries": […]}}'),
        (har(), "none of its entries has an answer of this API"),
        (har(har_entry("http://x/")), "this API: expected URLs with /api/v1"),
        (har(7), "none of its entries has an answer of this API"),
        (har(har_entry(status="200")), "entry 0: response.status: expected an integer"),
        (har(har_entry(content={"size": 9})), "entry 0: its body was not saved"),
        (har(har_entry(content=None)), "entry 0: its body was not saved"),
        (har(CUT_OFF, har_entry(status=None)), "entry 1: response.status: expected"),
        (har(har_entry(content=NUMBER)), "entry 0: its body was not saved"),
        (har(har_entry(content=NOT_BASE64)), "content.text: expected base64, not '?'"),
        (har(har_entry(content=ATTACHED)), "entry 0: its body is in another file: exp"),
        (har(har_entry(headers=[{"name": "A"}])), "entry 0: headers: expected objects"),
    ],
)
def test_a_wrong_har_is_exit_2_and_says_what_was_expected(document, said, capsys):
    lay(page_har=document)

    assert cli.main(["fixtures", "page.har"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("octomil-conformance: page.har: ")
    assert said in line
