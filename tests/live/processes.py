"""Servers as child processes: started with a bare environment, heard, signalled, ended.

Every process gets a group of its own. Its output is read by a thread until the last
holder of the pipe is gone, so the end of the output is the end of the whole group.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Self

URL = r"(?P<url>http://127\.0\.0\.1:\d+)"
INHERITED = ("PATH", "HOME")


class ServerProcess:
    """A child process for a `with` block, which ends it by SIGTERM at the latest.

    It inherits PATH and HOME and nothing else; `env` adds to them or replaces them.
    Leaving the block fails when the process, or a child of it, has to be killed.
    """

    MAX_WAIT = 30.0
    """Seconds between SIGTERM and SIGKILL at the end of the block. Fewer than a server's grace, so a server that waits for its whole grace fails."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] = {}) -> None:
        self.argv = list(argv)
        self.url = ""
        """The URL of the server. `listening` sets it from the output."""
        self.lines: list[str] = []
        """The lines of stdout and stderr so far, without line ends."""
        self._env = {"PYTHONUNBUFFERED": "1"}
        self._env |= {name: os.environ[name] for name in INHERITED} | dict(env)
        self._heard = threading.Condition()
        self._silent = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self.argv,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        complaint = self._end()
        if error is not None:
            error.add_note(f"Meanwhile ran {self.tail()}")
        elif complaint:
            raise RuntimeError(f"{complaint}: {self.tail()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def tail(self) -> str:
        """The command and its last lines, for messages."""
        return "\n    ".join([" ".join(self.argv), *self.lines[-30:]])

    def wait_for_line(
        self, pattern: str | re.Pattern[str], timeout: float = 60
    ) -> re.Match[str]:
        """The first match in a line, past or future. Fails when the process ends without."""
        wanted = re.compile(pattern)
        with self._heard:
            self._heard.wait_for(lambda: self._silent or self._find(wanted), timeout)
            found = self._find(wanted)
        if found is None:
            raise TimeoutError(f"no line {wanted.pattern!r} from {self.tail()}")
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def wait(self, timeout: float = MAX_WAIT) -> int:
        """The exit code, once the process is over; negative for a signal. It may have children that are not."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still running: {self.tail()}") from None

    def all_lines(self) -> list[str]:
        """All lines, once the process and its children have ended."""
        self._listener.join(self.MAX_WAIT)
        assert self._silent
        return self.lines

    def _listen(self) -> None:
        for line in self._process.stdout:
            with self._heard:
                self.lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._silent = True
            self._heard.notify_all()

    def _find(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        return next(filter(None, map(wanted.search, self.lines)), None)

    def _end(self) -> str:
        """Ends the whole group; a complaint when SIGTERM is not enough."""
        self.terminate()
        self._listener.join(self.MAX_WAIT)
        complaint = ""
        if not self._silent:
            complaint = "had to be killed"
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._listener.join(30)
        self.wait()
        if not self._silent:
            return "left a process behind that is out of reach"
        self._process.stdout.close()
        return complaint


@contextmanager
def listening(
    argv: Sequence[str], env: Mapping[str, str], saying: str = ""
) -> Iterator[ServerProcess]:
    """A server that is ready when it prints its URL, after the words `saying`."""
    with ServerProcess(argv, env) as process:
        process.url = process.wait_for_line(saying + URL)["url"]
        yield process


def serve_command(server: str = "waitress", *options: str) -> list[str]:
    """`octomil-ref serve` on a free port."""
    command = [sys.executable, "-m", "octomil_ref", "serve", "--server", server]
    return [*command, "--port", "0", *options]


def gunicorn_command(*options: str) -> list[str]:
    """gunicorn with the settings of the project, on a free port."""
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0"]
    command += ["-c", "python:octomil_ref.gunicorn_settings", *options]
    return [*command, "octomil_ref.app:create_app()"]


def waitress_serve_command(*options: str) -> list[str]:
    """waitress-serve with the options that the README recommends, on a free port."""
    command = [str(Path(sys.executable).with_name("waitress-serve"))]
    command += ["--listen", "127.0.0.1:0", "--threads", "32", "--asyncore-use-poll"]
    command += ["--channel-request-lookahead", "1", "--no-log-socket-errors", *options]
    return [*command, "--call", "octomil_ref.app:create_app"]


def serve(
    server: str = "waitress", *options: str, **env: str
) -> AbstractContextManager[ServerProcess]:
    return listening(serve_command(server, *options), env)


def gunicorn(*options: str, **env: str) -> AbstractContextManager[ServerProcess]:
    return listening(gunicorn_command(*options), env, "Listening at: ")


def waitress_serve(*options: str, **env: str) -> AbstractContextManager[ServerProcess]:
    return listening(waitress_serve_command(*options), env, "Serving on ")


def found(program: str, package: str) -> str:
    """The path of a program from a Debian package."""
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"no {program}: apt-get install {package}")
    return path


def free_port() -> int:
    """A free port, for a program that does not say which one it was given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
