"""The command `octomil-conformance`: what it says and the code it ends with."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from canned_server import ANSWERS, EMBEDDINGS, HANG, STREAM, canned
from octomil_conformance import cli
from octomil_conformance.api import Api
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import Upstreams, served

ANY = ("127.0.0.1", 0)
STREAM_PATH, EMBED_PATH = "/api/v1/inference/stream", "/api/v1/embeddings"
MOCK = ["--profile", "stream@0", "--profile", "embed@0"]
UNENDED = (200, "text/event-stream", STREAM[:-1])
NO_USAGE = (200, "application/json", EMBEDDINGS.replace(b'"usage"', b'"used"'))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_conformant_mock_is_exit_0(capsys):
    with canned() as url:
        status = cli.main([url, *MOCK])

    out = capsys.readouterr().out
    assert status == 0
    assert "Conformant: " in out
    assert "not declared: infer, batch, health, auth" in out


def test_a_broken_must_is_exit_1_and_the_report_says_all_about_it(capsys):
    with canned({STREAM_PATH: UNENDED}) as url:
        status = cli.main([url, *MOCK])

    out = capsys.readouterr().out
    assert status == 1
    assert "FAIL  STREAM-05  MUST  Every event, the last one too, ends" in out
    assert "want    a blank line after the last event" in out
    assert "breaks  Browser SDK: the tail is dropped" in out
    assert "spec    cloud-inference.md#STREAM-05" in out
    assert "repro   curl -N -X POST $URL/api/v1/inference/stream" in out
    assert out.count("FAIL") == 1


def test_a_broken_should_is_a_warning_and_fails_only_when_strict():
    with canned() as url:
        assert cli.main([url, *MOCK]) == 0
        assert cli.main([url, *MOCK, "--strict"]) == 1


def test_the_base_path_may_be_given():
    with canned() as url:
        assert cli.main([f"{url}/api/v1", *MOCK]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://127.0.0.1"],
        ["http://127.0.0.1:1", "--profile", "streams"],
        ["http://127.0.0.1:1", "--profile", "stream@3"],
        ["http://127.0.0.1:1", "--profile", "auth"],
        ["http://127.0.0.1:1", "--profile", "stream@2", "--backend", "here"],
        ["http://127.0.0.1:1", "--profile", "stream@2", "--backend", "192.0.2.1:1"],
        ["http://127.0.0.1:1", "--token", "two\nlines"],
        ["http://127.0.0.1:1", "--model", ""],
        ["http://[::1"],
        ["http://127.0.0.1:99999"],
        ["http://127.0.0.1:1/a b"],
        ["http://127.0.0.1:1?query"],
        ["http://name:password@127.0.0.1:1"],
        ["doctor", "ftp://127.0.0.1"],
        ["explain", "STREAM-99"],
    ],
)
def test_wrong_usage_is_exit_2(arguments, capsys):
    assert cli.main(arguments) == 2
    assert "password" not in capsys.readouterr().err.replace("a password", "")


@pytest.mark.parametrize(
    "arguments", [[], ["--nonsense"], ["http://x", "--backend-timeout", "0"]]
)
def test_wrong_options_are_exit_2(arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)

    assert ended.value.code == 2


@pytest.mark.parametrize(
    "text",
    [
        "profiles = 7",
        "colour = 'red'",
        "= broken",
        "strict = 1",
        "profiles = [1]",
        "timeout_factor = 0",
        "timeout_factor = true",
        "backend_timeout = nan",
        "[[expected]]\ncheck = 1\nreason = 'no such'",
        "[[expected]]\ncheck = 'STREAM-05'",
        "[[expected]]\ncheck = 'STREAM-99'\nreason = 'no such'",
    ],
)
def test_a_wrong_file_is_exit_2(text):
    Path("octomil-conformance.toml").write_text(text)

    assert cli.main(["http://127.0.0.1:1"]) == 2


def test_a_server_that_is_not_there_is_exit_3(capsys):
    assert cli.main(["http://127.0.0.1:1", "--markdown", "r.md"]) == 3
    assert "could not test" in capsys.readouterr().err
    assert Path("r.md").read_text().startswith("## Could not test\n\n<code>")


def test_a_summary_that_cannot_be_written_is_exit_2_also_when_nothing_was_tested():
    assert cli.main(["http://127.0.0.1:1", "--markdown", "."]) == 2


def test_an_unknown_model_is_exit_3_and_says_what_to_do(capsys):
    error = b'{"error":"not_found","message":"no model conf-echo","status_code":404,"code":"model_not_found"}'
    with canned({STREAM_PATH: (404, "application/json", error)}) as url:
        status = cli.main([url, *MOCK])

    assert status == 3
    assert "pass --model NAME" in capsys.readouterr().err


def test_a_token_that_is_wanted_is_exit_3_and_says_so(capsys):
    with canned({STREAM_PATH: (401, "text/plain", b"who?")}) as url:
        status = cli.main([url, *MOCK])

    assert status == 3
    assert "pass --token" in capsys.readouterr().err


def test_claims_that_bring_no_check_are_exit_3():
    with canned() as url:
        assert cli.main([url, "--token", "t", "--profile", "auth@0"]) == 3


def test_a_server_that_never_calls_our_backend_is_exit_3_and_says_what_it_needs(capsys):
    with canned() as url:
        status = cli.main(
            [
                url,
                "--profile",
                "stream@2",
                "--backend",
                "127.0.0.1:0",
                "--openai-backend",
                "127.0.0.1:0",
            ]
        )

    assert status == 3
    assert "OLLAMA_BASE_URL=http://127.0.0.1:" in capsys.readouterr().err


def test_a_wrong_request_of_ours_is_exit_4(monkeypatch, capsys):
    monkeypatch.setattr(Api, "body", lambda *_, **__: {"messages": []})

    with canned() as url:
        status = cli.main([url, *MOCK])

    assert status == 4
    assert "our own InferenceRequest is invalid" in capsys.readouterr().err


def test_a_check_that_crashes_is_exit_4(monkeypatch, capsys):
    monkeypatch.setattr(Api, "specimens", lambda _: 1 / 0)

    with canned() as url:
        status = cli.main([url, *MOCK])

    assert status == 4
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_a_check_that_sees_nothing_is_exit_4(monkeypatch, capsys):
    monkeypatch.setattr(Api, "specimens", lambda _: [])

    with canned() as url:
        status = cli.main([url, *MOCK])

    assert status == 4
    assert "without having seen anything" in capsys.readouterr().out


def test_python_without_asserts_is_refused():
    with canned() as url:
        ran = _python("-O", "-m", "octomil_conformance", url, *MOCK)

    assert ran.returncode == 2
    assert "python -O" in ran.stderr


@pytest.mark.usefixtures("without_the_extra")
def test_without_the_extra_the_command_says_which_line_installs_it(capsys):
    for arguments in (["http://127.0.0.1:1"], ["matrix", "r.json"]):
        assert cli.main(arguments) == 3
        assert "pip install 'octomil-ref[conformance]'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [each.name for each in cli.COMMANDS])
def test_what_a_command_takes_is_told_by_the_standard_library_alone(name):
    script = "import sys; sys.path[:0] = sys.argv[1:2]; from octomil_conformance.cli import main; main(sys.argv[2:])"
    source = str(Path(cli.__file__).parents[1])

    ran = _python("-I", "-S", "-c", script, source, name, "--help")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"usage: octomil-conformance {name} ")


EXPECTED = """
profiles = ["stream@0", "embed@0"]

[[expected]]
check = "EMBED-06"
reason = "usage comes with the next release"
link = "https://example.org/7"
"""


def test_an_expected_failure_makes_the_verdict_partial(capsys):
    Path("octomil-conformance.toml").write_text(EXPECTED)

    with canned({EMBED_PATH: NO_USAGE}) as url:
        status = cli.main([url])

    out = capsys.readouterr().out
    assert status == 0
    assert "usage comes with the next release https://example.org/7" in out
    assert "Partial: " in out


def test_a_stale_expectation_is_exit_1(capsys):
    Path("octomil-conformance.toml").write_text(EXPECTED)

    with canned() as url:
        status = cli.main([url])

    assert status == 1
    assert "STALE  EMBED-06" in capsys.readouterr().out


def test_a_server_that_hangs_costs_its_checks_a_deadline_and_no_more(capsys):
    began = time.monotonic()
    with canned({EMBED_PATH: HANG}) as url:
        status = cli.main([url, *MOCK, "--timeout-factor", "0.03"])

    assert status == 1
    assert time.monotonic() - began < 8
    assert "FAIL  EMBED-01" in capsys.readouterr().out


TOKEN = "secret-token-of-somebody"
REPORTS = ["--junit", "r.xml", "--json", "r.json", "--html", "r.html", "--markdown", "r.md"]  # fmt: skip


def test_no_report_shows_the_token(capsys):
    leaky = {
        STREAM_PATH: (
            200,
            "text/event-stream",
            b'data: {"token": "%T", "done": "%T"}\n',
        )
    }
    with canned({**ANSWERS, **leaky}, echo={b"%T": "Authorization"}) as url:
        status = cli.main([url, "--token", TOKEN, *REPORTS, *MOCK])

    written = [Path(name).read_text() for name in REPORTS[1::2]]
    assert status == 1
    for text in (capsys.readouterr().out, *written):
        assert "redacted" in text
        assert TOKEN not in text


def test_the_json_report_has_everything():
    with canned({STREAM_PATH: UNENDED}) as url:
        cli.main([url, "--json", "r.json", *MOCK])

    report = json.loads(Path("r.json").read_text())
    failed = [each for each in report["verdicts"] if each["outcome"] == "fail"]
    assert (report["format"], report["spec"], report["conclusion"]) == (
        2,
        "1.0",
        "not conformant",
    )
    assert [each["requirement"] for each in failed] == ["STREAM-05"]
    seen = [report["exchanges"][place] for place in failed[0]["exchanges"]]
    assert seen[0]["chunks"][0]["at"] >= 0
    assert all(each["exchanges"] for each in report["verdicts"])


def test_reports_go_into_folders_that_are_not_there_yet():
    with canned() as url:
        assert cli.main([url, "--junit", "a/b/r.xml", "--html", "a/c/r.html", *MOCK]) == 0  # fmt: skip

    assert Path("a/b/r.xml").exists()
    assert Path("a/c/r.html").exists()


@pytest.mark.parametrize("option", ["--json", "--junit", "--html", "--markdown"])
def test_a_report_that_cannot_be_written_is_exit_2_and_named(option, capsys):
    status = cli.main(["http://127.0.0.1:1", option, ".", *MOCK])

    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    assert f"{option} .: Is a directory" in said.err


def test_a_report_that_cannot_be_written_keeps_no_other_from_being(capsys):
    Path("taken").touch()

    with canned() as url:
        status = cli.main([url, "--json", "taken/r.json", "--junit", "r.xml", *MOCK])

    assert status == 2
    assert "--json taken/r.json: " in capsys.readouterr().err
    assert Path("r.xml").exists()


def test_a_token_that_is_a_word_of_the_report_spoils_no_json():
    with canned() as url:
        cli.main([url, "--token", "pass", "--json", "r.json", *MOCK])

    report = json.loads(Path("r.json").read_text())
    assert {each["outcome"] for each in report["verdicts"]} == {"pass", "warn"}


HALF = b'{"status": "\\ud800\\u001b[31m", "provider": null, "backends": [], "version": "1"}'


def test_what_cannot_be_written_as_it_is_stops_no_report(capsys):
    path = "/api/v1/inference/health"
    with canned({path: (200, "application/json", HALF)}) as url:
        status = cli.main([url, "--profile", "health@0", *REPORTS])

    assert status == 1
    assert "got     U+D800U+001B[31m" in capsys.readouterr().out
    assert "got \ufffd\ufffd[31m" in Path("r.xml").read_text("utf-8")


def test_the_junit_report_counts_what_failed():
    with canned({STREAM_PATH: UNENDED}) as url:
        cli.main([url, "--junit", "r.xml", *MOCK])

    suite = ElementTree.parse("r.xml").getroot()
    assert suite.get("failures") == "1"
    assert len(suite.findall("testcase")) == int(suite.get("tests"))


def test_doctor_says_what_can_be_claimed(capsys):
    with canned() as url:
        status = cli.main(["doctor", url])

    out = capsys.readouterr().out
    assert status == 0
    assert out.count("good: this profile can be claimed") == 3
    assert "no such endpoint, or no such model" in out


def test_doctor_finds_nobody_there(capsys):
    assert cli.main(["doctor", "http://127.0.0.1:1"]) == 3
    assert "is the server running" in capsys.readouterr().out


def test_list_prints_every_requirement(capsys):
    assert cli.main(["list"]) == 0
    assert "STREAM-05   MUST   @0 sdk  stream" in capsys.readouterr().out


def test_explain_tells_all_about_one(capsys):
    assert cli.main(["explain", "stream-05"]) == 0

    out = capsys.readouterr().out
    assert "every_event_ends_with_a_blank_line" in out
    assert "cloud-inference.md#STREAM-05" in out


def test_the_cost_that_is_told_is_an_upper_bound(capsys):
    claims = [f"--profile={name}@1" for name in ("infer", "stream", "batch", "embed")]
    with ScriptedBackend(ANY, ANY, timeout=2) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url)
        with serving(served(upstreams)) as url:
            status = cli.main([url, *claims])
        asked = len(backend.calls(""))

    told = re.search(
        r"at most (\d+) requests that the model answers", capsys.readouterr().out
    )
    batched = 2
    assert status == 0
    assert 30 < asked <= int(told[1]) * batched


HOSTILE = {
    "pytest.ini": "[pytest]\naddopts = --nonsense\npython_functions = nothing_*\n",
    "conftest.py": "raise SystemExit('the conftest of somebody else')",
    "jsonschema.py": "raise SystemExit('not the real one')",
    "pytest.py": "raise SystemExit('not the real one')",
    "conformance/__init__.py": "raise SystemExit('not ours')",
    "tests/conformance/__init__.py": "raise SystemExit('not ours')",
    "tests/conformance/test_theirs.py": "def test_theirs(): assert False",
    ".netrc": "machine 127.0.0.1 login somebody password else",
}


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "octomil_conformance"],
        [str(Path(sys.executable).parent / "octomil-conformance")],
    ],
    ids=["module", "script"],
)
def test_nothing_of_a_hostile_folder_matters(command, tmp_path):
    for name, text in HOSTILE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    with canned() as url:
        ran = _python(
            *command,
            url,
            *MOCK,
            HOME=str(tmp_path),
            PYTEST_ADDOPTS="--nope",
            PYTEST_PLUGINS="nope",
            http_proxy="http://127.0.0.1:1",
        )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Conformant: " in ran.stdout
    assert not (tmp_path / ".pytest_cache").exists()


def test_it_runs_as_a_plugin_of_somebodys_pytest():
    with canned({EMBED_PATH: NO_USAGE}) as url:
        good = _pytest("--octomil-url", url, "--octomil-profile", "stream@0")
        bad = _pytest("--octomil-url", url, "--octomil-profile", "embed@0")

    assert good.returncode == 0, good.stdout
    assert "Conformant: " in good.stdout
    assert bad.returncode == 1
    assert "FAIL  EMBED-06" in bad.stdout


def test_as_a_plugin_it_cannot_pass_without_having_run():
    assert _pytest().returncode not in (0, 1)
    assert _pytest("--octomil-url", "http://127.0.0.1:1").returncode == 3
    assert _pytest("--octomil-url", "ftp://x").returncode not in (0, 1)


def test_half_a_token_is_a_token(capsys):
    body = b"x" * 190 + b"%T" + b"y" * 200
    with canned({STREAM_PATH: (400, "text/plain", body)}, {b"%T": "Authorization"}) as url:  # fmt: skip
        status = cli.main([url, "--token", TOKEN, "--profile", "stream@0"])

    assert status == 3
    assert "secret" not in capsys.readouterr().err


def test_the_json_report_has_each_exchange_once():
    with canned() as url:
        cli.main([url, "--json", "r.json", *MOCK])

    report = json.loads(Path("r.json").read_text())
    meant = {place for each in report["verdicts"] for place in each["exchanges"]}
    assert len(report["exchanges"]) == 2
    assert meant == {0, 1}


ANY_PORTS = ["--backend", "127.0.0.1:0", "--openai-backend", "127.0.0.1:0"]
PRINTING = [
    ["list"],
    ["fixtures", "stream.sse"],
    ["serve", "--port", "0"],
    ["backend", *ANY_PORTS],
    ["--help"],
    ["serve", "--help"],
]


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_leaves_is_no_fault_of_the_suite(command):
    Path("stream.sse").write_bytes(STREAM)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as nobody:
        ran = _printing(nobody, *command)

    assert (ran.returncode, ran.stderr) == (141, b"")


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_full_disk_is_no_fault_of_the_suite(command):
    Path("stream.sse").write_bytes(STREAM)
    with open("full", "w") as full:
        ran = _printing(full, *command, limit="0")

    told = b"octomil-conformance: cannot write: File too large\n"
    assert (ran.returncode, ran.stderr) == (3, told)


def _printing(file, *command, limit="unlimited"):
    """`limit`: how large a file may become."""
    command = [sys.executable, "-m", "octomil_conformance", *command]
    limited = ["sh", "-c", f'ulimit -f {limit} && exec "$@"', "sh", *command]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    return subprocess.run(
        limited, env=environment, stdout=file, stderr=subprocess.PIPE, check=False
    )


def test_a_console_that_cannot_show_a_character_changes_no_verdict():
    Path("stream.sse").write_bytes(STREAM)
    Path("\xe9.txt").touch()

    ran = _python("-m", "octomil_conformance", "fixtures", ".", PYTHONIOENCODING="ascii")  # fmt: skip

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "left alone: \\xe9.txt" in ran.stdout


def test_where_nothing_can_be_printed_the_exit_code_tells_the_verdict():
    Path("stream.sse").write_bytes(STREAM[:-1])
    command = [sys.executable, "-m", "octomil_conformance", "fixtures", "."]

    ran = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, check=False
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")


SOON = 60.0
"""Seconds that nothing takes, however busy the machine; a check's own deadline is further away."""
PATIENT = ["--timeout-factor", "100", "--profile", "stream@1"]


def test_ctrl_c_ends_a_run_at_once_and_is_no_verdict():
    seen, asked, let_go = [], threading.Event(), threading.Event()

    def held(request):
        seen.append(request)
        if len(seen) > 1:
            asked.set()
            let_go.wait(2 * SOON)
        return good(request)

    with ScriptedBackend(ANY, ANY, timeout=2) as backend:
        good = served(Upstreams(backend.ollama_url, backend.openai_url))
        with serving(held) as url:
            command = ["-m", "octomil_conformance", url, *PATIENT]
            with subprocess.Popen([sys.executable, *command], stderr=subprocess.PIPE, text=True) as run:  # fmt: skip
                assert asked.wait(SOON)
                run.send_signal(signal.SIGINT)
                _, said = run.communicate(timeout=SOON)
            let_go.set()

    assert (run.returncode, said) == (130, "\noctomil-conformance: interrupted\n")


@pytest.mark.machine
@pytest.mark.parametrize(
    "faults, failed", [("0", []), ("1", ["STREAM-05", "EMBED-06"])]
)
def test_a_mock_in_another_language_gets_the_right_verdicts(faults, failed):
    script = Path(__file__).with_name("sdk_mock.js")
    mock = subprocess.Popen(
        ["node", script],
        env={**os.environ, "MOCK_FAULTS": faults},
        stdout=subprocess.PIPE,
        text=True,
    )
    with mock:
        url = f"http://127.0.0.1:{mock.stdout.readline().strip()}"
        status = cli.main([url, "--json", "r.json", *MOCK])
        mock.terminate()

    verdicts = json.loads(Path("r.json").read_text())["verdicts"]
    assert status == (1 if failed else 0)
    assert [
        each["requirement"] for each in verdicts if each["outcome"] == "fail"
    ] == failed


def _python(*arguments, **variables):
    command = [sys.executable, *arguments]
    if arguments[0].endswith("octomil-conformance"):
        command = [*arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _pytest(*arguments):
    plugin = [
        "-p",
        "octomil_conformance.plugin",
        "--pyargs",
        "octomil_conformance.checks",
    ]
    return _python("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *arguments)
