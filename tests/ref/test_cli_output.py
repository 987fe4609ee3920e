"""Standard output that cannot be written: the command ends with a code and at most one line."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

import pytest

from octomil_ref import cli


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.fixture
def file(tmp_path) -> Iterator[TextIO]:
    with (tmp_path / "out").open("w") as file:
        yield file


def command(*arguments: str, out: int, limit: str = "unlimited") -> tuple[int, str]:
    """The exit code and standard error of the real command. `limit`: the largest file that it may write, for `ulimit -f`."""
    line = [sys.executable, "-m", "octomil_ref", *arguments]
    ran = subprocess.run(
        ["sh", "-c", f'ulimit -f {limit} && exec "$@"', "sh", *line],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stderr


@pytest.mark.parametrize("arguments", [["config"], ["serve", "--port", "0"], ["-h"]])
def test_a_reader_that_leaves_ends_the_command_silently(unread, arguments):
    assert command(*arguments, out=unread) == (141, "")


def test_a_full_disk_is_one_line(tmp_path):
    with (tmp_path / "full").open("w") as full:
        ended = command("config", out=full.fileno(), limit="0")

    assert ended == (1, "octomil-ref: cannot print: File too large\n")


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EPIPE, 141), (errno.ENOSPC, "octomil-ref: cannot print: no room")],
)
def test_what_is_still_buffered_is_dropped(file, number, code):
    with redirect_stdout(file):
        with pytest.raises(SystemExit) as caught, cli.checked_output():
            raise OSError(number, "no room")
        print("too late", flush=True)

    assert caught.value.code == code
    assert Path(file.name).read_text() == ""


def test_another_failure_is_not_hidden(file):
    with pytest.raises(PermissionError), redirect_stdout(file), cli.checked_output():
        raise PermissionError(errno.EACCES, "no")


def test_without_a_standard_output_nothing_fails():
    with redirect_stdout(None), cli.checked_output():
        print("to nobody")
