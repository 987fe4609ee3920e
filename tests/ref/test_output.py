"""What a command prints gets to somebody, or the command ends: nobody meets a traceback."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

import pytest

from octomil_ref.output import heard


@pytest.fixture
def nobody() -> Iterator[int]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.fixture
def file(tmp_path) -> Iterator[TextIO]:
    with (tmp_path / "out").open("w") as file:
        yield file


def octomil_ref(*arguments: str, out: int, limit: str = "unlimited") -> tuple[int, str]:
    """How the command ends and what it says about it. `limit`: the bytes that a file of its may have, as sh says it."""
    command = [sys.executable, "-m", "octomil_ref", *arguments]
    limited = ["sh", "-c", f'ulimit -f {limit} && exec "$@"', "sh", *command]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    ran = subprocess.run(
        limited,
        env=environment,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stderr


def test_what_was_printed_is_written_before_anything_else_happens(file):
    with redirect_stdout(file), heard():
        print("first")

    assert Path(file.name).read_text() == "first\n"


@pytest.mark.parametrize("arguments", [["config"], ["serve", "--port", "0"], ["-h"]])
def test_a_reader_that_leaves_ends_the_command_quietly(nobody, arguments):
    assert octomil_ref(*arguments, out=nobody) == (141, "")


def test_a_full_disk_is_one_line(tmp_path):
    with (tmp_path / "full").open("w") as full:
        ended = octomil_ref("config", out=full.fileno(), limit="0")

    assert ended == (1, "octomil-ref: cannot print: File too large\n")


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EPIPE, 141), (errno.ENOSPC, "octomil-ref: cannot print: no room")],
)
def test_the_exit_code_tells_a_reader_that_left_from_a_full_disk(file, number, code):
    with pytest.raises(SystemExit) as caught, redirect_stdout(file), heard():
        raise OSError(number, "no room")

    assert caught.value.code == code


def test_what_is_still_unwritten_is_forgotten(file):
    with redirect_stdout(file):
        with pytest.raises(SystemExit), heard():
            raise BrokenPipeError(errno.EPIPE, "gone")
        print("too late", flush=True)

    assert Path(file.name).read_text() == ""


def test_another_failure_stays_what_it_is():
    with pytest.raises(PermissionError), heard():
        raise PermissionError(errno.EACCES, "no")


def test_where_nothing_can_be_printed_nothing_fails():
    with redirect_stdout(None), heard():
        print("to nobody")
