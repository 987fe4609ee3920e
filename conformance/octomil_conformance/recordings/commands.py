"""The commands `fixtures`, `record` and `export`."""

import argparse
from pathlib import Path


def fixtures(options: argparse.Namespace) -> int:
    """`octomil-conformance fixtures PATH…`"""
    from octomil_conformance.cli import tell
    from octomil_conformance.config import for_recordings
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


def record(options: argparse.Namespace) -> int:
    """`octomil-conformance record URL -o DIR`"""
    from octomil_conformance.cli import config_options
    from octomil_conformance.config import from_options
    from octomil_conformance.recordings import manifest, recorder
    from octomil_conformance.report.transcript import seen

    config = from_options(config_options(options), Path.cwd())
    manifest.make_folder(options.folder)
    exchanges = recorder.specimens(config)
    files = recorder.write(exchanges, options.folder)
    for file, exchange in zip(files, exchanges, strict=True):
        print(f"{file}: {seen(exchange)}")
    print(f"\nto judge them: octomil-conformance fixtures {options.folder}")
    return 0


def export(options: argparse.Namespace) -> int:
    """`octomil-conformance export DIR`"""
    from octomil_conformance.corpus.export import export as write
    from octomil_conformance.recordings import manifest

    manifest.make_folder(options.folder)
    valid, invalid = write(options.folder)
    print(f"{options.folder}: {valid} valid answers, {invalid} invalid ones")
    return 0
