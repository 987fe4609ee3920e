"""`octomil-conformance doctor URL`: what stands between here and a run."""

import argparse

from octomil_conformance.options import add_target


def add_options(parser: argparse.ArgumentParser) -> None:
    add_target(parser)


def run(options: argparse.Namespace) -> int:
    from octomil_conformance.doctor import examine

    return examine(options.url, options.token, options.model, options.embed_model)
