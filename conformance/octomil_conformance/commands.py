"""The subcommands: the options and the work of each. What needs more than the standard library is imported when it is used."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from octomil_conformance import spec
from octomil_conformance.config import (
    PATHS,
    CouldNotTest,
    UsageError,
    for_recordings,
    from_options,
)
from octomil_conformance.options import (
    A_FOLDER,
    CLAIMS,
    FILE,
    FOLDER,
    REPORTS,
    SPEC,
    TARGET,
    URL,
    Option,
    adding,
    for_config,
)

if TYPE_CHECKING:
    from octomil_conformance.run import Run


AddOptions = Callable[[argparse.ArgumentParser], None]


@dataclass(frozen=True)
class Command:
    name: str
    sentence: str
    add_options: AddOptions
    run: Callable[[argparse.Namespace], int]
    """Returns the exit code."""
    needs_extra: bool = False
    """True if it needs the packages of the extra `conformance`."""


# run: judge a server


def _run(given: argparse.Namespace) -> int:
    from octomil_conformance.checks import cost
    from octomil_conformance.report.console import Progress, header
    from octomil_conformance.report.files import require_files, write_not_tested
    from octomil_conformance.runner import judge

    require_files(given)
    config = from_options(for_config(vars(given).get), Path.cwd())
    print("\n".join(header(config, cost(config))), flush=True)
    progress = Progress()
    try:
        run = judge(config, progress)
    except CouldNotTest as ex:
        write_not_tested(str(ex), given)
        raise
    progress.end()
    return _report(run, given)


def _report(run: "Run", given: argparse.Namespace) -> int:
    """Write every report that was asked for."""
    from octomil_conformance.report.console import lines
    from octomil_conformance.report.files import write_reports
    from octomil_conformance.run import EXIT_CODES

    print("\n".join(lines(run)), flush=True)
    write_reports(run, given)
    return EXIT_CODES[run.conclusion()]


# doctor: what a run needs


def _doctor(given: argparse.Namespace) -> int:
    from octomil_conformance.doctor import run

    asked = {"profiles": list(PATHS), "embed_model": given.embed_model or given.model}
    return run(from_options({**for_config(vars(given).get), **asked}, Path.cwd()))


# list and explain: the requirements


def _list(given: argparse.Namespace) -> int:
    version = given.spec or spec.VERSION
    shown = [
        each
        for each in spec.requirements().values()
        if each.level <= given.level
        and each.id in spec.ids_in(version)
        and {*each.profiles} & {*(given.profile or spec.PROFILES)}
    ]
    for each in shown:
        profiles = ",".join(each.profiles)
        print(
            f"{each.id:<11} {each.force:<6} @{each.level} {each.provenance:<4} {profiles:<25} {each.text}"
        )
    print(f"\n{len(shown)} requirements of spec {version}")
    return 0


def _explain(given: argparse.Namespace) -> int:
    unknown = [name for name in given.ids if name.upper() not in spec.requirements()]
    if unknown:
        raise UsageError(f"no requirement is called {', '.join(unknown)}")
    for name in given.ids:
        print("\n".join(_explained(spec.requirements()[name.upper()])))
    return 0


def _explained(requirement: spec.Requirement) -> Iterator[str]:
    each = requirement
    yield f"{each.id}  {each.force}  {each.text}"
    rows = [
        ("profiles", ", ".join(f"{name}@{each.level}" for name in each.profiles)),
        ("origin", f"{each.provenance}: {spec.ORIGINS[each.provenance]}"),
        ("breaks", each.breaks),
        ("untested", each.untestable),
        ("spec", f"{spec.PROSE}#{each.id}"),
        *_shown(each),
    ]
    for name, text in rows:
        for line in text.splitlines():
            yield f"      {name:<9} {line}"
            name = ""


def _shown(requirement: spec.Requirement) -> list[tuple[str, str]]:
    """The checks of a requirement and their requests. Empty if a package that they need is missing."""
    if requirement.untestable or missing():
        return []
    from octomil_conformance.sent import checks, requests

    return [
        *(("check", place) for place in checks(requirement)),
        *(("sends", text) for text in requests(requirement)),
    ]


# fixtures, record and export: answers in files


def _fixtures(given: argparse.Namespace) -> int:
    from octomil_conformance.recordings.judge import judge
    from octomil_conformance.recordings.reader import read
    from octomil_conformance.report.console import Progress, header

    found = read(given.paths)
    profiles = dict.fromkeys(each.profile for each in found.recordings)
    label = " ".join(map(str, given.paths))
    asked = {"strict": given.strict, "spec": given.spec}
    config = for_recordings(label, profiles, asked, Path.cwd())
    count = len(found.recordings)
    lines = [f"{count} recorded answer{'s' * (count != 1)}"]
    lines += [f"skipped: {each}" for each in found.skipped]
    print("\n".join(header(config, "\n".join(lines))), flush=True)
    progress = Progress()
    run = judge(found.recordings, config, progress)
    progress.end()
    return _report(run, given)


def _record(given: argparse.Namespace) -> int:
    from octomil_conformance.recordings import manifest, recorder
    from octomil_conformance.report.transcript import seen

    config = from_options(for_config(vars(given).get), Path.cwd())
    manifest.make_folder(given.folder)
    exchanges = recorder.specimens(config)
    files = recorder.write(exchanges, given.folder)
    for file, exchange in zip(files, exchanges, strict=True):
        print(f"{file}: {seen(exchange)}")
    print(f"\nto judge them: octomil-conformance fixtures {given.folder}")
    return 0


def _add_export(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group(required=True)
    either.add_argument("bare", nargs="?", help=A_FOLDER, **FOLDER)
    either.add_argument(
        "-o", dest="named", help=A_FOLDER, **FOLDER
    )  # as `record` has it


def _export(given: argparse.Namespace) -> int:
    from octomil_conformance.corpus.export import export
    from octomil_conformance.recordings import manifest

    folder = given.bare or given.named
    manifest.make_folder(folder)
    valid, invalid = export(folder)
    print(f"{folder}: {valid} valid answers, {invalid} invalid ones")
    return 0


# matrix: reports side by side


def _matrix(given: argparse.Namespace) -> int:
    """The exit code is 0, for good and bad reports: to compare is not to judge."""
    from octomil_conformance.report.files import writing
    from octomil_conformance.report.markdown import append
    from octomil_conformance.report.matrix import (
        in_order,
        matrix_markdown,
        matrix_page,
        read_all,
    )

    columns = read_all(given.reports)
    rows = in_order(columns, given.differences)
    text = matrix_markdown(columns, rows)
    print(text, end="")
    if given.html:
        with writing("--html", given.html):
            given.html.write_text(matrix_page(columns, rows), "utf-8")
    if given.markdown:
        with writing("--markdown", given.markdown):
            append(text, given.markdown)
    return 0


def _add_from(module: str) -> AddOptions:
    """The options of a command with a module of its own."""
    return lambda parser: import_module(module).add_options(parser)


def _run_from(module: str) -> Callable[[argparse.Namespace], int]:
    return lambda given: import_module(module).run(given)


BACKEND, SERVER = "octomil_conformance.backend.cli", "octomil_conformance.server.cli"
OF_LIST = adding(
    Option("--profile", "only requirements of this profile", {"choices": spec.PROFILES, "action": "append"}),
    Option("--level", "the requirements of a claim at this level", {"type": int, "choices": range(3), "default": 2}),
    SPEC,
)  # fmt: skip
OF_EXPLAIN = adding(Option("ids", "such as STREAM-05", {"nargs": "+", "metavar": "ID"}))
OF_FIXTURES = adding(
    Option("paths", "files .http, .sse, .json, .har, or folders of them", {"nargs": "+", "type": Path, "metavar": "PATH"}),
    *REPORTS,
)  # fmt: skip
TO_FOLDER = Option("-o", A_FOLDER, {**FOLDER, "required": True}, "folder")
OF_RECORD = adding(URL, *TARGET, *CLAIMS, TO_FOLDER)
OF_MATRIX = adding(
    Option("reports", "a report written with --json; without a NAME its URL is the name", {"nargs": "+", "metavar": "[NAME=]FILE"}),
    Option("--differences", "only the requirements on which the reports do not agree", {"action": "store_true"}),
    Option("--html", "write an HTML page too", FILE),
    Option("--markdown", "append the comparison to FILE, such as $GITHUB_STEP_SUMMARY", FILE),
)  # fmt: skip

COMMANDS = (
    Command("run", "judge the server at URL; the word run may be left out", adding(URL, *TARGET, *CLAIMS, *REPORTS), _run, True),
    Command("doctor", "ask each endpoint once, and say what a run needs", adding(URL, *TARGET), _doctor, True),
    Command("list", "print the requirements", OF_LIST, _list),
    Command("explain", "print requirements, their checks, and what the checks send", OF_EXPLAIN, _explain),
    Command("backend", "run the scripted backend on its own", _add_from(BACKEND), _run_from(BACKEND)),
    Command("fixtures", "judge recorded answers, without a server", OF_FIXTURES, _fixtures, True),
    Command("record", "record what a server answers", OF_RECORD, _record, True),
    Command("export", "write answers to test clients with", _add_export, _export),
    Command("matrix", "compare the --json reports of several servers", OF_MATRIX, _matrix, True),
    Command("serve", "run a server to test clients with", _add_from(SERVER), _run_from(SERVER)),
)  # fmt: skip


def missing() -> str:
    """The name of a package of the extra that is not installed, or nothing."""
    from importlib.util import find_spec

    return next((each for each in ("jsonschema", "jinja2") if not find_spec(each)), "")
