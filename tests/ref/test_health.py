"""Health: parallel probes, their timeouts, and callers that share one round of probes."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from unittest.mock import MagicMock

import pytest
from builders import WAIT

from octomil_ref import __version__, health
from octomil_ref.errors import Busy, RequestRefused
from octomil_ref.health import HealthCheck


@dataclass
class Probed:
    """A backend with nothing but a probe, which calls `outcome`."""

    provider: str
    outcome: Callable[[], object] = lambda: None
    probes: int = 0

    def probe(self, timeout: float) -> None:
        self.probes += 1
        self.timeout = timeout
        self.outcome()


def down():
    raise Busy("The upstream is overloaded.")


def report(*backends: Probed, timeout: float = 30.0) -> dict:
    return HealthCheck(backends, timeout).report()


def up():
    pass


@pytest.mark.parametrize(
    "outcomes, status, provider",
    [
        ([up, up], "ok", "ollama"),
        ([up], "ok", "ollama"),
        ([up, down], "degraded", "ollama"),
        ([down, up], "degraded", "openai"),
        ([down, down], "unavailable", None),
        ([], "unavailable", None),
    ],
)
def test_the_status_is_that_of_all_backends(outcomes, status, provider):
    found = report(*map(Probed, ("ollama", "openai"), outcomes))

    assert (found["status"], found["provider"]) == (status, provider)
    assert found["version"] == __version__


def test_a_backend_has_a_latency_or_an_error_or_is_not_configured():
    first, second = report(Probed("ollama"), Probed("openai", down))["backends"]

    assert first.pop("latency_ms") >= 0
    assert first == {"provider": "ollama", "status": "ok"}
    assert second == {
        "provider": "openai",
        "status": "unavailable",
        "error": "The upstream is overloaded.",
    }
    assert report()["backends"] == [
        {"provider": "ollama", "status": "not_configured"},
        {"provider": "openai", "status": "not_configured"},
    ]


@pytest.mark.parametrize("backend_timeout, timeout", [(30, 2), (1.5, 1.5)])
def test_a_probe_takes_at_most_two_seconds_or_the_timeout_of_a_backend(
    backend_timeout, timeout
):
    backend = Probed("ollama")

    report(backend, timeout=backend_timeout)

    assert backend.timeout == timeout


def test_backends_are_probed_in_parallel():
    both_probed = threading.Barrier(2)

    def probe():
        both_probed.wait(WAIT)

    found = report(Probed("ollama", probe), Probed("openai", probe))

    assert [state["status"] for state in found["backends"]] == ["ok", "ok"]


def test_a_report_is_reused_for_a_second(clock):
    backend = Probed("ollama")
    check = HealthCheck([backend], 30)
    probes = []

    for _ in range(3):
        check.report()
        probes.append(backend.probes)
        clock.advance(0.5)

    assert probes == [1, 1, 2]


def test_callers_at_the_same_time_share_one_round_of_probes(clock):
    arrived, gate = threading.Semaphore(0), threading.Event()
    backend = Probed("ollama", lambda: gate.wait(WAIT))
    check = HealthCheck([backend], 30)
    shared = check._report
    lock, shared._lock = shared._lock, MagicMock()  # the mock announces each caller
    shared._lock.__enter__.side_effect = lambda: arrived.release() or lock.__enter__()
    shared._lock.__exit__.side_effect = lock.__exit__

    with ThreadPoolExecutor(2) as callers:
        reports = [callers.submit(check.report) for _ in range(2)]
        assert arrived.acquire(timeout=WAIT) and arrived.acquire(timeout=WAIT)
        gate.set()

    assert backend.probes == 1
    assert reports[0].result() == reports[1].result()


def test_a_stuck_probe_is_not_repeated_and_does_not_hide_the_other_backend(
    monkeypatch, clock
):
    def time_is_over(probes, timeout):
        """Returns once the other probe has ended."""
        _, other = probes
        wait([other], WAIT)

    monkeypatch.setattr(health, "wait", time_is_over)
    go_on = threading.Event()
    hanging = Probed("ollama", lambda: go_on.wait(WAIT))
    check = HealthCheck([hanging, Probed("openai")], 30)

    reports = []
    for _ in range(10):
        reports.append(check.report())
        clock.advance(2)
    go_on.set()

    assert [report["status"] for report in reports] == ["degraded"] * 10
    assert reports[0]["backends"][0] == {
        "provider": "ollama",
        "status": "unavailable",
        "error": "The ollama backend did not answer in time.",
    }
    assert hanging.probes == 1


def test_health_does_not_quote_the_upstream():
    def refuse():
        raise RequestRefused("no route to 10.1.2.3 with key sk-1")

    found = report(Probed("ollama", refuse))

    assert found["backends"][0]["error"] == "The ollama backend refused the probe."
