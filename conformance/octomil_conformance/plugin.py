"""The pytest side: which checks a claim brings, several of them at once, and no way to pass without having run.

Checks run ahead on a few threads and are reported in order. A serial check begins when all others are done.
"""

import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from octomil_conformance import wire
from octomil_conformance.api import Api
from octomil_conformance.config import (
    Config,
    CouldNotTest,
    UsageError,
)
from octomil_conformance.configure import from_options
from octomil_conformance.ready import ready
from octomil_conformance.report.console import Console
from octomil_conformance.requirement import requirement_of
from octomil_conformance.run import EXIT_CODES, Run, Verdict

AT_ONCE = (4, 4, 12)
"""Checks in flight by level: a real model is not to be flooded."""

API = pytest.StashKey[Api]()


class Plugin:
    """Collects, runs and reports the checks of one run."""

    def __init__(
        self,
        run: Run,
        report: Callable[[Verdict], None] = lambda verdict: None,
        only: Collection[str] = (),
    ) -> None:
        self.run = run
        self._report = report
        self._only = only
        self._ahead: dict[str, Future[Verdict]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "api" not in metafunc.fixturenames:
            return
        if "wire_check" in metafunc.fixturenames:
            pairs = [
                pytest.param(profile, check, id=f"{profile}-{check.__name__}")
                for check in wire.CHECKS
                for profile in self._profiles(check)
            ]
            metafunc.parametrize("api,wire_check", pairs, indirect=["api"])
        else:
            profiles = self._profiles(metafunc.function)
            metafunc.parametrize("api", profiles, indirect=True)

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Checks that no claim asks for are left out, not skipped: nothing that did not run looks as if it had."""
        asked = [item for item in items if _profile(item) is not None]
        config.hook.pytest_deselected(
            items=[item for item in items if item not in asked]
        )
        items[:] = sorted(asked, key=_is_serial)
        for item in items:
            item.stash[API] = Api(self.run, _profile(item) or "")

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        parallel = [item for item in session.items if not _is_serial(item)]
        self._pool = ThreadPoolExecutor(AT_ONCE[self.run.config.level], "check")
        for item in parallel:
            self._ahead[item.nodeid] = self._pool.submit(self._judge, item)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if self._pool is not None:
            is_over = exitstatus != pytest.ExitCode.INTERRUPTED
            self._pool.shutdown(wait=is_over, cancel_futures=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if API not in pyfuncitem.stash:
            return None
        ahead = self._ahead.pop(pyfuncitem.nodeid, None)
        verdict = ahead.result() if ahead else self._judge(pyfuncitem)
        self.run.verdicts.append(verdict)
        self._report(verdict)
        if verdict.outcome in ("fail", "error"):
            pytest.fail(_words(verdict), pytrace=False)
        if verdict.outcome in ("expected", "untestable"):
            pytest.skip(verdict.reason)
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.run.faults.append(f"{report.nodeid}: {report.longreprtext}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.failed:
            self.run.faults.append(f"{report.nodeid}: {report.longreprtext}")

    @pytest.fixture
    def api(self, request: pytest.FixtureRequest) -> Api:
        item: pytest.Item = request.node
        return item.stash[API]

    def _profiles(self, function: Callable[..., Any]) -> list[str]:
        requirement = requirement_of(function)
        if self._only and requirement.id not in self._only:
            return []
        return self.run.config.profiles_for(requirement)

    def _judge(self, item: pytest.Item) -> Verdict:
        assert isinstance(item, pytest.Function)
        api = item.stash[API]
        params: dict[str, Any] = {**item.callspec.params, "api": api}
        function = params.get("wire_check", item.obj)
        return self.run.judge(
            requirement_of(function), api, _sentence(item), lambda: item.obj(**params)
        )


def _words(verdict: Verdict) -> str:
    got, want = verdict.evidence.got, verdict.evidence.want
    return f"{verdict.requirement.text}\ngot  {got}\nwant {want}\n{verdict.reason}"


def _profile(item: pytest.Item) -> str | None:
    """None for a check that nothing claimed asks for: pytest then has no parameter for it."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    profile = params.get("api")
    return profile if isinstance(profile, str) else None


def _is_serial(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "obj", None), "serial", False))


def _sentence(item: pytest.Function) -> str:
    """The name as words: of the function, with the case that a parametrized check is about."""
    params: dict[str, Any] = dict(item.callspec.params)
    check = params.pop("wire_check", item.obj)
    params.pop("api", None)
    words = check.__name__.removeprefix("test_").replace("_", " ")
    cases = item.callspec.id.split("-", 1) if params else []
    return f"{words} ({cases[-1]})" if params else str(words)


# As a plugin of somebody's own pytest: -p octomil_conformance.plugin --pyargs octomil_conformance.checks --octomil-url URL


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        "octomil", "conformance with the Octomil Cloud Inference API"
    )
    group.addoption("--octomil-url", help="base URL of the server under test")
    group.addoption("--octomil-token", help="a token that it accepts")
    group.addoption(
        "--octomil-profile", action="append", help="such as stream@1; repeatable"
    )
    group.addoption("--octomil-model", help="for inference")
    group.addoption("--octomil-embed-model", help="for embeddings")
    group.addoption(
        "--octomil-backend",
        help="HOST:PORT on which the suite plays Ollama, or external",
    )
    group.addoption(
        "--octomil-openai-backend",
        help="HOST:PORT on which it plays an OpenAI-compatible server",
    )
    group.addoption(
        "--octomil-backend-timeout",
        type=float,
        help="LLM_BACKEND_TIMEOUT of the server",
    )
    group.addoption("--octomil-timeout-factor", type=float, help="more patience")
    group.addoption(
        "--octomil-strict", action="store_true", default=None, help="a warning fails"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "octomil: a conformance check")
    if config.getoption("octomil_url", None) is None:
        return
    resources = ExitStack()
    config.add_cleanup(resources.close)
    try:
        run = resources.enter_context(ready(_config(config)))
    except UsageError as ex:
        raise pytest.UsageError(str(ex)) from ex
    except CouldNotTest as ex:
        pytest.exit(f"could not test: {ex}", 3)
    config.pluginmanager.register(Plugin(run), "octomil-run")
    config.pluginmanager.register(_Summary(run), "octomil-summary")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    ours = [item for item in items if "api" in getattr(item, "fixturenames", ())]
    if ours and config.getoption("octomil_url", None) is None and not _has_run(config):
        raise pytest.UsageError("the conformance checks need --octomil-url URL")


def _has_run(config: pytest.Config) -> bool:
    plugins = config.pluginmanager.get_plugins()
    return any(isinstance(plugin, Plugin) for plugin in plugins)


class _Summary:
    """The verdict at the end of a pytest session that is not ours."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._run.seconds = time.monotonic() - self._run.started
        session.exitstatus = EXIT_CODES[self._run.conclusion()]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        terminalreporter.section("octomil-conformance")
        for line in Console(self._run).lines():
            terminalreporter.write_line(line)


def _config(config: pytest.Config) -> Config:
    names = {
        "octomil_url": "url",
        "octomil_token": "token",
        "octomil_profile": "profiles",
        "octomil_model": "model",
        "octomil_embed_model": "embed_model",
        "octomil_backend": "backend",
        "octomil_openai_backend": "openai_backend",
        "octomil_backend_timeout": "backend_timeout",
        "octomil_timeout_factor": "timeout_factor",
        "octomil_strict": "strict",
    }
    options = {name: config.getoption(option) for option, name in names.items()}
    return from_options(options, Path.cwd())
