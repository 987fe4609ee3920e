"""`octomil-conformance list`: every requirement in a line."""

import argparse

from octomil_conformance import spec


def add_options(_: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_: argparse.Namespace) -> int:
    for each in spec.requirements().values():
        profiles = ",".join(each.profiles)
        print(
            f"{each.id:<11} {each.force:<6} @{each.level} {each.provenance:<4} {profiles:<25} {each.text}"
        )
    print(f"\n{len(spec.requirements())} requirements of spec {spec.VERSION}")
    return 0
