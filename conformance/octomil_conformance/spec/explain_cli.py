"""`octomil-conformance explain ID`: one requirement, and which checks there are where the packages are that they need."""

import argparse

from octomil_conformance import spec
from octomil_conformance.config import UsageError
from octomil_conformance.guard import missing


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="such as STREAM-05")


def run(options: argparse.Namespace) -> int:
    each = spec.requirements().get(options.id.upper())
    if each is None:
        raise UsageError(f"no requirement is called {options.id}")
    print(f"{each.id}  {each.force}  {each.text}")
    rows = [
        ("profiles", ", ".join(f"{name}@{each.level}" for name in each.profiles)),
        ("origin", f"{each.provenance}: {spec.ORIGINS[each.provenance]}"),
        ("breaks", each.breaks),
        ("untested", each.untestable),
        ("spec", f"{spec.PROSE}#{each.id}"),
        *(("check", place) for place in _checks(each)),
    ]
    for name, text in rows:
        if text:
            print(f"      {name:<9} {text}")
    return 0


def _checks(requirement: spec.Requirement) -> list[str]:
    if missing() or requirement.untestable:
        return []
    from octomil_conformance.catalogue import checks_of

    return checks_of(requirement.id)
