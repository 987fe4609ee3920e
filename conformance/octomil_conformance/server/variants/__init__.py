"""Conformant servers. Each uses a freedom of the spec, and passes every check.

Level 2 itself asks for answers that are empty, one token or a thousand tokens long.
"""

from functools import cache

from octomil_conformance.server.subjects import Subject, subjects_in

ALL = "infer@2 stream@2 batch@2 embed@2 health@2 auth@1"
ANSWERS = "infer@2 batch@2 embed@2 health@2"
STREAMS = "stream@2"


@cache
def all_variants() -> dict[str, Subject]:
    found = subjects_in(__path__, __name__)
    return {name: each for name, each in found.items() if not each.violates}
