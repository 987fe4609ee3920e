"""Level 0 on live answers: every check of `wire/` on every good answer of its profile."""

from octomil_conformance import wire
from octomil_conformance.api import Api


def test_wire(api: Api, wire_check: wire.Check) -> None:
    for exchange in api.specimens():
        wire_check(exchange)
