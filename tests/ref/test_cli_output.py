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

NO_ROOM = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


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


def test_a_reader_that_leaves_ends_the_process_silently(unread):
    command = [sys.executable, "-m", "octomil_ref", "config"]
    # What is buffered would fail again when the interpreter ends.
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}

    ended = subprocess.run(
        command, env=buffered, stdout=unread, stderr=subprocess.PIPE, check=False
    )

    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EPIPE, 141),
        *((each, "octomil-ref: cannot print: no room") for each in NO_ROOM),
    ],
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
