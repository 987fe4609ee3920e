"""Installs other projects' programs, unless this machine has them in the right version.

They are kept in OCTOMIL_TEST_CACHE. Tests that run at the same time wait while one of them installs.
"""

import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from processes import found


def cache() -> Path:
    """The folder that keeps downloads from one run of the tests to the next."""
    default = Path.home() / ".cache" / "octomil-ref-tests"
    folder = Path(os.environ.get("OCTOMIL_TEST_CACHE") or default).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment(name: str, *requirements: str) -> Path:
    """A virtual environment that has these distributions, and not this project."""
    wanted = ", ".join([*requirements, f"Python {platform.python_version()}"])
    with _to_be_filled(name, wanted) as (folder, is_filled):
        if not is_filled:
            command = [sys.executable, "-m", "venv", "--clear", folder]
            subprocess.run(command, check=True)
            # Python compiles modules when they are imported. To compile all of LiteLLM takes half a minute.
            pip(folder / "bin" / "python", "install", "--no-compile", *requirements)
    return folder


def npm_packages(name: str, manifest: Mapping[str, object]) -> Path:
    """A folder in which node finds the dependencies of `manifest`, a package.json."""
    wanted = json.dumps(manifest)
    with _to_be_filled(name, wanted) as (folder, is_filled):
        if not is_filled:
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text(wanted)
            flags = ("--silent", "--no-audit", "--no-fund", "--ignore-scripts")
            command = [found("npm", "npm"), "install", *flags]
            subprocess.run(command, cwd=folder, check=True)
    return folder


def pip(python: str | Path, *arguments: str | Path) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Only one process at a time is in a block of this name."""
    with (cache() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _to_be_filled(name: str, wanted: str) -> Iterator[tuple[Path, bool]]:
    """The folder, and whether it holds what is wanted. It does after the block."""
    folder = cache() / name
    marker = folder / "installed.txt"
    with alone(name):
        is_filled = marker.exists() and marker.read_text() == wanted
        yield folder, is_filled
        if not is_filled:
            marker.write_text(wanted)
