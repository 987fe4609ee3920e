"""One session of pytest over the checks, shut off from the folder, the plugins and the environment that it is started in."""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from octomil_conformance.backend import Backend
from octomil_conformance.config import Config
from octomil_conformance.plugin import Plugin
from octomil_conformance.ready import ready
from octomil_conformance.run import Run, Verdict


def judge(
    config: Config,
    report: Callable[[Verdict], None] = lambda verdict: None,
    only: Collection[str] = (),
    backend: Backend | None = None,
) -> Run:
    """The whole run. `only`: just the checks of these requirements. `backend`: one that is up. Raises UsageError, CouldNotTest or KeyboardInterrupt."""
    with ready(config, backend) as run:
        _shut_off_environment()
        status = pytest.main(pytest_arguments(), plugins=[Plugin(run, report, only)])
        if status == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if status not in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            run.faults.append(f"pytest ended with {status!r}")
        run.seconds = time.monotonic() - run.started
        return run


def pytest_arguments() -> list[str]:
    here = Path(__file__).parent
    return [
        *("-c", str(here / "pytest.ini"), "--rootdir", str(here)),
        *("-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:logging"),
        *("--noconftest", "--assert=plain", "--import-mode=importlib", "--capture=no"),
        *("--pyargs", "octomil_conformance.checks"),
    ]


def _shut_off_environment() -> None:
    for variable in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(variable, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
