"""The command as a process: what does not disturb it, output that cannot be written, Ctrl-C, and a mock in another language."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from canned_server import STREAM, canned
from octomil_conformance import cli
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.commands import COMMANDS
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import Upstreams, served

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

MOCK = ["--profile", "stream@0", "--profile", "embed@0"]
NO_SERVER = "http://127.0.0.1:1"
COMMAND = [sys.executable, "-m", "octomil_conformance"]


def run(*command, **options):
    options = {"capture_output": True, "text": True, "timeout": 60} | options
    return subprocess.run(command, check=False, **options)


HELP_OF_ALL = """
import contextlib, sys
sys.path[:0] = sys.argv[1:2]
from octomil_conformance.cli import main
for name in sys.argv[2:]:
    with contextlib.suppress(SystemExit):
        main([name, "--help"])
sys.exit(main(["export", "corpus"]))
"""


def test_help_and_the_corpus_need_nothing_but_the_standard_library():
    source = str(Path(cli.__file__).parents[1])
    names = [each.name for each in COMMANDS]

    ran = run(sys.executable, "-I", "-S", "-c", HELP_OF_ALL, source, *names)

    assert (ran.returncode, ran.stderr) == (0, "")
    for each in COMMANDS:
        assert f"usage: octomil-conformance {each.name} " in ran.stdout
    assert Path("corpus/manifest.json").exists()


HOSTILE = {
    "jsonschema.py": "raise SystemExit('not the real one')",
    "conformance/__init__.py": "raise SystemExit('not ours')",
    ".netrc": "machine 127.0.0.1 login somebody password else",
}


@pytest.mark.parametrize(
    "command",
    [COMMAND, [str(Path(sys.executable).parent / "octomil-conformance")]],
    ids=["module", "script"],
)
def test_nothing_in_a_hostile_folder_matters(command, tmp_path):
    for name, text in HOSTILE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    hostile = {**os.environ, "HOME": str(tmp_path), "http_proxy": NO_SERVER}

    with canned() as url:
        ran = run(*command, url, *MOCK, env=hostile)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "Conformant: " in ran.stdout


PRINTING = [["list"], ["serve", "--port", "0"]]


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_leaves_ends_the_command_quietly(command):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        ran = printing(pipe, *command)

    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_full_disk_ends_the_command_with_one_line(command):
    with open("full", "w") as full:
        ran = printing(full, *command, limit="0")

    message = "octomil-conformance: cannot write: File too large\n"
    assert (ran.returncode, ran.stderr) == (3, message)


def printing(file, *command, limit="unlimited"):
    """`limit` is how large a file may become."""
    limited = ["sh", "-c", f'ulimit -f {limit} && exec "$@"', "sh", *COMMAND, *command]
    options = {"env": {**os.environ, "PYTHONUNBUFFERED": ""}, "capture_output": False}
    return run(*limited, stdout=file, stderr=subprocess.PIPE, **options)


def test_a_console_that_cannot_show_a_character_changes_no_verdict(monkeypatch):
    Path("stream.sse").write_bytes(STREAM)
    Path("\xe9.txt").touch()
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    ran = run(*COMMAND, "fixtures", ".")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "skipped: \\xe9.txt" in ran.stdout


def test_without_stdout_the_exit_code_is_the_verdict():
    Path("stream.sse").write_bytes(STREAM[:-1])

    ran = run(
        "sh",
        "-c",
        '"$@" >&-',
        "sh",
        sys.executable,
        "-O",
        *COMMAND[1:],
        "fixtures",
        ".",
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "")


SOON = 60.0
"""More seconds than anything here takes on a busy machine. The deadline of a check is later."""
PATIENT = ["--timeout-factor", "100", "--profile", "stream@1"]


@pytest.fixture
def ctrl_c():
    """In the background of a shell SIGINT is ignored, also by the processes that this one starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_run_at_once_and_is_no_verdict():
    seen, asked, let_go = [], threading.Event(), threading.Event()

    def held(request):
        seen.append(request)
        if len(seen) > 1:
            asked.set()
            let_go.wait(2 * SOON)
        return good(request)

    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout=2) as backend:
        good = served(Upstreams(backend.ollama_url, backend.openai_url))
        with serving(held) as url:
            command = [*COMMAND, url, *PATIENT]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
                try:
                    assert asked.wait(SOON)
                    run.send_signal(signal.SIGINT)
                    _, error = run.communicate(timeout=SOON)
                finally:
                    run.kill()
                    let_go.set()

    assert (run.returncode, error) == (130, "\noctomil-conformance: interrupted\n")


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
    found = [each["requirement"] for each in verdicts if each["outcome"] == "fail"]
    assert status == (1 if failed else 0)
    assert found == failed
