"""The health report (spec section 8)."""

import re

from octomil_conformance.exchange import Exchange, field, items
from octomil_conformance.expect import expect, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import ARRAY, is_name

ADDRESS = re.compile(r"https?://|\b\d{1,3}(\.\d{1,3}){3}\b|localhost|\w:\d{4,5}\b")

VERSION = re.compile(r'"\w*version"\s*:\s*"[^"]*"')
"""A version may have four numbers, as an address has."""


def addresses_in(report: Exchange) -> list[str]:
    return [match[0] for match in ADDRESS.finditer(VERSION.sub("", report.text))]


@requirement("HEALTH-01")
def the_status_is_known(exchange: Exchange) -> None:
    expect(exchange.field("status"), one_of("ok", "degraded", "unavailable"))


@requirement("HEALTH-02")
def the_status_line_agrees(exchange: Exchange) -> None:
    unavailable = exchange.field("status") == "unavailable"

    expect(exchange.status, 503 if unavailable else 200)


@requirement("HEALTH-03")
def backends_are_listed(exchange: Exchange) -> None:
    backends = exchange.field("backends")
    bad = [
        backend
        for backend in items(backends)
        if not is_name(field(backend, "provider"))
        or field(backend, "status") not in ("ok", "unavailable", "not_configured")
    ]

    expect(backends, ARRAY)
    expect(bad, [], "a provider and a known status in each backend")


@requirement("HEALTH-04")
def provider_is_the_first_usable(exchange: Exchange) -> None:
    usable = [
        field(backend, "provider")
        for backend in items(exchange.field("backends"))
        if field(backend, "status") == "ok"
    ]

    expect(exchange.field("provider"), next(iter(usable), None))


@requirement("HEALTH-05")
def no_address_is_shown(exchange: Exchange) -> None:
    expect(addresses_in(exchange), [], "no URL, no address, no port")
