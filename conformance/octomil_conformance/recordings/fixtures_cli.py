"""`octomil-conformance fixtures PATH…`: judge recorded answers."""

import argparse
from pathlib import Path

from octomil_conformance.configure import for_recordings
from octomil_conformance.options import add_reports
from octomil_conformance.run_cli import tell


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="files .http, .sse, .json, .har, or folders of them",
    )
    add_reports(parser)


def run(options: argparse.Namespace) -> int:
    from octomil_conformance.recordings.judge import judge
    from octomil_conformance.recordings.reader import read
    from octomil_conformance.report.console import Progress, header

    found = read(options.paths)
    profiles = dict.fromkeys(each.profile for each in found.recordings)
    label = " ".join(map(str, options.paths))
    config = for_recordings(label, profiles, options.strict, Path.cwd())
    count = len(found.recordings)
    lines = [f"{count} recorded answer{'s' * (count != 1)}"]
    lines += [f"left alone: {each}" for each in found.left_alone]
    print("\n".join(header(config, "\n".join(lines))), flush=True)
    progress = Progress()
    run = judge(found.recordings, config, progress)
    progress.end()
    return tell(run, options)
