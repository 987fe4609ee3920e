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
Work = Callable[[argparse.Namespace], int]
"""Does what a command says, and returns the exit code."""


@dataclass(frozen=True)
class Command:
    name: str
    sentence: str
    add_options: AddOptions
    run: Work
    needs_extra: bool
    """True if it needs the packages of the extra `conformance`."""


COMMANDS: list[Command] = []


def _command(
    *options: Option, add_options: AddOptions | None = None, needs_extra: bool = False
) -> Callable[[Work], Work]:
    """Makes a command of a function. The sentence is its docstring. `add_options` replaces `options`."""

    def decorate(run: Work) -> Work:
        name, add = run.__name__.strip("_"), add_options or adding(*options)
        COMMANDS.append(Command(name, str(run.__doc__), add, run, needs_extra))
        return run

    return decorate


def _options_of(module: str) -> AddOptions:
    """The options of a command with a module of its own."""
    return lambda parser: import_module(module).add_options(parser)


# run: judge a server


@_command(URL, *TARGET, *CLAIMS, *REPORTS, needs_extra=True)
def _run(given: argparse.Namespace) -> int:
    """Judge the server at URL; the word run may be left out."""
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


@_command(URL, *TARGET, needs_extra=True)
def _doctor(given: argparse.Namespace) -> int:
    """Ask each endpoint once, and say what a run needs."""
    from octomil_conformance.doctor import run

    asked = {"profiles": list(PATHS), "embed_model": given.embed_model or given.model}
    return run(from_options({**for_config(vars(given).get), **asked}, Path.cwd()))


# list and explain: the requirements


LEVEL = {"type": int, "choices": range(3), "default": 2}
OF_PROFILE = {"choices": spec.PROFILES, "action": "append"}


@_command(
    Option("--profile", "only requirements of this profile", OF_PROFILE),
    Option("--level", "only requirements up to this level (default 2)", LEVEL),
    SPEC,
)
def _list(given: argparse.Namespace) -> int:
    """Print the requirements."""
    version = given.spec or spec.VERSION
    shown = [
        each
        for each in spec.requirements().values()
        if each.level <= given.level
        and each.id in spec.ids_in(version)
        and {*each.profiles} & {*(given.profile or spec.PROFILES)}
    ]
    for each in shown:
        facts = f"{each.force:<6} @{each.level} {each.provenance:<4}"
        print(f"{each.id:<11} {facts} {','.join(each.profiles):<25} {each.text}")
    print(f"\n{len(shown)} requirements of spec {version}")
    return 0


@_command(Option("ids", "such as STREAM-05", {"nargs": "+", "metavar": "ID"}))
def _explain(given: argparse.Namespace) -> int:
    """Print requirements, their checks, and what the checks send."""
    unknown = [name for name in given.ids if name.upper() not in spec.requirements()]
    if unknown:
        raise UsageError(f"no requirement is called {', '.join(unknown)}")
    for name in given.ids:
        print("\n".join(_explained(spec.requirements()[name.upper()])))
    return 0


def _explained(each: spec.Requirement) -> Iterator[str]:
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


# backend: what the server under test calls


@_command(add_options=_options_of("octomil_conformance.backend.cli"))
def _backend(given: argparse.Namespace) -> int:
    """Run the scripted backend on its own."""
    from octomil_conformance.backend.cli import run

    return run(given)


# fixtures, record and export: answers in files


PATHS_GIVEN = {"nargs": "+", "type": Path, "metavar": "PATH"}


@_command(
    Option("paths", "files .http, .sse, .json, .har, or folders of them", PATHS_GIVEN),
    *REPORTS,
    needs_extra=True,
)
def _fixtures(given: argparse.Namespace) -> int:
    """Judge recorded answers, without a server."""
    from octomil_conformance.recordings.judge import judge
    from octomil_conformance.recordings.reader import read
    from octomil_conformance.report.console import Progress, header
    from octomil_conformance.report.words import plural

    found = read(given.paths)
    profiles = dict.fromkeys(each.profile for each in found.recordings)
    label = " ".join(map(str, given.paths))
    asked = {"strict": given.strict, "spec": given.spec}
    config = for_recordings(label, profiles, asked, Path.cwd())
    lines = [plural(len(found.recordings), "recorded answer")]
    lines += [f"skipped: {each}" for each in found.skipped]
    print("\n".join(header(config, "\n".join(lines))), flush=True)
    progress = Progress()
    run = judge(found.recordings, config, progress)
    progress.end()
    return _report(run, given)


TO_FOLDER = Option("-o", A_FOLDER, {**FOLDER, "required": True, "dest": "folder"})


@_command(URL, *TARGET, *CLAIMS, TO_FOLDER, needs_extra=True)
def _record(given: argparse.Namespace) -> int:
    """Record the responses of a server."""
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


@_command(add_options=_add_export)
def _export(given: argparse.Namespace) -> int:
    """Write answers for tests of clients."""
    from octomil_conformance.corpus.export import export
    from octomil_conformance.recordings import manifest

    folder = given.bare or given.named
    manifest.make_folder(folder)
    valid, invalid = export(folder)
    print(f"{folder}: {valid} valid answers, {invalid} invalid ones")
    return 0


# matrix: reports side by side


@_command(
    Option(
        "reports",
        "a report written with --json; its NAME is by default the URL of its server",
        {"nargs": "+", "metavar": "[NAME=]FILE"},
    ),
    Option(
        "--differences",
        "only the requirements on which the reports do not agree",
        {"action": "store_true"},
    ),
    Option("--html", "write an HTML page too", FILE),
    Option(
        "--markdown",
        "append the comparison to FILE, such as $GITHUB_STEP_SUMMARY",
        FILE,
    ),
    needs_extra=True,
)
def _matrix(given: argparse.Namespace) -> int:
    """Compare the --json reports of several servers."""
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
    return 0  # for good and bad reports: to compare is not to judge


# serve: test clients


@_command(add_options=_options_of("octomil_conformance.server.cli"))
def _serve(given: argparse.Namespace) -> int:
    """Run a server for tests of clients."""
    from octomil_conformance.server.cli import run

    return run(given)


def missing() -> str:
    """The name of a package of the extra that is not installed, or nothing."""
    from importlib.util import find_spec

    return next((each for each in ("jsonschema", "jinja2") if not find_spec(each)), "")
