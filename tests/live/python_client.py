"""A Python client in an environment of its own. One process runs the code of all tests, because importing a client takes seconds."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from octomil_conformance.backend.upstream import MAX_WAIT

RUNNER = """
import ast, asyncio, inspect, json, signal, sys

def say(value):
    print("SAID", json.dumps(value), flush=True)

def execute(code):
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    made = eval(compile(code, "<test>", "exec", flags), globals())
    if inspect.iscoroutine(made):
        asyncio.run(made)

for line in sys.stdin:
    asked = json.loads(line)
    signal.alarm(300)  # a client that hangs ends this process
    globals().update(asked["names"])
    execute(asked["code"])
    print("DONE", flush=True)
"""
"""Runs the code that it reads, which may use `await`, and `say` what it sees."""


@dataclass(frozen=True)
class PythonClient:
    process: "subprocess.Popen[str]"

    def run(self, code: str, **names: object) -> Iterator[Any]:
        """Runs code with these variables, and yields what it says, as soon as it says it."""
        self.process.stdin.write(json.dumps({"code": code, "names": names}) + "\n")
        self.process.stdin.flush()
        heard = []
        for line in self.process.stdout:
            if line == "DONE\n":
                return
            if line.startswith("SAID "):
                yield json.loads(line.removeprefix("SAID "))
            heard.append(line)
        raise RuntimeError("the client's process ended: " + "".join(heard))


@contextmanager
def python_client(python: Path, prelude: str, **env: str) -> Iterator[PythonClient]:
    """`prelude` is code that imports the client. The process has no environment but `env`, and an empty home."""
    with (
        tempfile.TemporaryDirectory() as home,
        subprocess.Popen(
            [python, "-c", RUNNER],
            env={"HOME": home, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        client = PythonClient(process)
        assert [*client.run(prelude)] == []
        yield client
        process.stdin.close()


def printed_when_pasted(python: Path, lines: list[str], home: Path) -> str:
    """The output of the lines for the Python SDK that a command prints, the last thing that is indented."""
    code = "\n".join(lines).partition("environment of its own):\n")[2]
    indented = [line for line in code.splitlines() if line.startswith("  ")]
    return subprocess.run(
        [python, "-c", dedent("\n".join(indented))],
        env={"HOME": str(home), "OCTOMIL_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=MAX_WAIT,
        check=True,
    ).stdout
