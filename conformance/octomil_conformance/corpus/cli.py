"""`octomil-conformance export DIR`: write answers to test clients with."""

import argparse

from octomil_conformance.corpus.export import export
from octomil_conformance.options import add_folder
from octomil_conformance.recordings import manifest


def add_options(parser: argparse.ArgumentParser) -> None:
    add_folder(parser, "folder")


def run(options: argparse.Namespace) -> int:
    manifest.make_folder(options.folder)
    valid, invalid = export(options.folder)
    print(f"{options.folder}: {valid} valid answers, {invalid} invalid ones")
    return 0
