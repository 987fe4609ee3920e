"""The checks as a plugin of pytest: -p octomil_conformance.plugin --pyargs octomil_conformance.checks --octomil-url URL

Each check is a pytest item of its own class, because it is not a Python test. The checks run side by side as in the command, and
pytest reports them in order. A session in which no check ran does not pass.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from octomil_conformance import checks, options
from octomil_conformance.config import CouldNotTest, UsageError, from_options
from octomil_conformance.preflight import ready
from octomil_conformance.report.console import lines
from octomil_conformance.run import EXIT_CODES, Run, Verdict
from octomil_conformance.runner import Task, tasks, verdicts
from octomil_conformance.target import Target

CHECKS = Path(checks.__file__)

SESSION = pytest.StashKey["Session"]()


class Session:
    """The state of pytest's hooks: the target, the run, and the verdicts that are still to come."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.run = Run(target.config)
        self.verdicts: Iterator[Verdict] = iter(())

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_is_serial)

    def pytest_runtestloop(self, session: pytest.Session) -> None:
        found = [item.task for item in session.items if isinstance(item, CheckItem)]
        self.verdicts = verdicts(self.target, found)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.run.end(self.target.backend)
        session.exitstatus = EXIT_CODES[self.run.conclusion()]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        terminalreporter.section("octomil-conformance")
        for line in lines(self.run):
            terminalreporter.write_line(line)


class CheckItem(pytest.Item):
    """A check for one profile, with one of its cases."""

    task: Task

    def runtest(self) -> None:
        session = self.config.stash[SESSION]
        verdict = next(session.verdicts)
        session.run.verdicts.append(verdict)
        if verdict.outcome in ("fail", "error"):
            pytest.fail(_words(verdict), pytrace=False)
        if verdict.outcome in ("expected", "untestable"):
            pytest.skip(verdict.reason)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class CheckFile(pytest.File):
    """Stands for the package of all checks."""

    def collect(self) -> Iterator[CheckItem]:
        if SESSION not in self.config.stash:
            raise pytest.UsageError("the conformance checks need --octomil-url URL")
        for task in tasks(self.config.stash[SESSION].target.config):
            name = f"{task.check.requirement.id}[{task.profile}] {task.sentence}"
            item: CheckItem = CheckItem.from_parent(self, name=name)
            item.task = task
            yield item


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(
        options.PLUGIN, "conformance with the Octomil Cloud Inference API"
    )
    options.add_to_pytest(group.addoption)


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("octomil_url") is None:
        return
    resources = ExitStack()
    config.add_cleanup(resources.close)
    try:
        given = options.for_config(config.getoption, f"{options.PLUGIN}_")
        target = resources.enter_context(ready(from_options(given, Path.cwd())))
    except UsageError as ex:
        raise pytest.UsageError(str(ex)) from ex
    except CouldNotTest as ex:
        pytest.exit(f"could not test: {ex}", 3)
    config.stash[SESSION] = Session(target)
    config.pluginmanager.register(config.stash[SESSION], "octomil-session")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CheckFile | None:
    if file_path != CHECKS:
        return None
    collector: CheckFile = CheckFile.from_parent(parent, path=file_path)
    return collector


def _is_serial(item: pytest.Item) -> bool:
    return isinstance(item, CheckItem) and item.task.check.serial


def _words(verdict: Verdict) -> str:
    got, want = verdict.evidence.got, verdict.evidence.want
    return f"{verdict.requirement.text}\ngot  {got}\nwant {want}\n{verdict.reason}"
