"""`octomil-conformance export DIR`: write answers to test clients with."""

import argparse

from octomil_conformance.corpus.export import export
from octomil_conformance.options import add_folder
from octomil_conformance.recordings import manifest


def add_options(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group(required=True)
    add_folder(either, "bare", nargs="?")
    add_folder(either, "-o", dest="named")  # as `record` has it


def run(options: argparse.Namespace) -> int:
    folder = options.bare or options.named
    manifest.make_folder(folder)
    valid, invalid = export(folder)
    print(f"{folder}: {valid} valid answers, {invalid} invalid ones")
    return 0
