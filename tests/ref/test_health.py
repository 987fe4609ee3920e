"""Which backends can be asked: probed side by side, each for a bounded time, by one caller for all."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import pytest
from builders import Clock

from octomil_ref import __version__, health
from octomil_ref.errors import Busy, RequestRefused
from octomil_ref.health import HealthCheck

WAIT = 20
"""Seconds after which a test is given up, never a part of what it shows."""


@dataclass
class Probed:
    """A backend of which only the probe matters: `outcome` raises, or does nothing."""

    provider: str
    outcome: object = lambda: None
    probes: int = 0

    def probe(self, timeout: float) -> None:
        self.probes += 1
        self.timeout = timeout
        self.outcome()


def down():
    raise Busy("The upstream is overloaded.")


def report(*backends: Probed, timeout: float = 30.0) -> dict:
    return HealthCheck(backends, timeout).report()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("octomil_ref.clock.time", clock)
    return clock


STATES = [
    pytest.param([None, None], "ok", "ollama", id="ok when both are up"),
    pytest.param([None, down], "ok", "ollama", id="ok when the second is down"),
    pytest.param([down, None], "degraded", "openai", id="degraded, the first is down"),
    pytest.param([down, down], "unavailable", None, id="unavailable, both are down"),
]


@pytest.mark.parametrize("outcomes, status, provider", STATES)
def test_the_server_is(outcomes, status, provider):
    ollama, openai = (outcome or (lambda: None) for outcome in outcomes)

    told = report(Probed("ollama", ollama), Probed("openai", openai))

    assert (told["status"], told["provider"]) == (status, provider)
    assert told["version"] == __version__


def test_the_only_backend_makes_it_ok_whichever_it_is():
    told = report(Probed("openai"))

    assert (told["status"], told["provider"]) == ("ok", "openai")


def test_without_a_backend_it_is_unavailable():
    told = report()

    assert (told["status"], told["provider"]) == ("unavailable", None)
    assert told["backends"] == [
        {"provider": "ollama", "status": "not_configured"},
        {"provider": "openai", "status": "not_configured"},
    ]


def test_a_backend_that_is_up_tells_its_latency():
    told = report(Probed("ollama"))

    state = told["backends"][0]
    assert (state["provider"], state["status"]) == ("ollama", "ok")
    assert state["latency_ms"] >= 0


def test_a_backend_that_is_down_tells_why():
    told = report(Probed("ollama", down))

    assert told["backends"][0] == {
        "provider": "ollama",
        "status": "unavailable",
        "error": "The upstream is overloaded.",
    }


@pytest.mark.parametrize(
    "backend_timeout, timeout",
    [
        pytest.param(30, 2, id="two seconds"),
        pytest.param(1.5, 1.5, id="the backends' timeout where that is smaller"),
    ],
)
def test_a_probe_gets(backend_timeout, timeout):
    backend = Probed("ollama")

    report(backend, timeout=backend_timeout)

    assert backend.timeout == timeout


def test_backends_are_probed_side_by_side():
    both_probed = threading.Barrier(2)

    def probe():
        both_probed.wait(WAIT)

    told = report(Probed("ollama", probe), Probed("openai", probe))

    assert [state["status"] for state in told["backends"]] == ["ok", "ok"]


def test_a_probe_that_does_not_keep_its_time_is_given_up(monkeypatch):
    monkeypatch.setattr(health, "GRACE", 0)
    gate = threading.Event()
    check = HealthCheck([Probed("ollama", gate.wait), Probed("openai")], 0.05)

    told = check.report()
    gate.set()

    assert told["backends"][0] == {
        "provider": "ollama",
        "status": "unavailable",
        "error": "The ollama backend did not answer in time.",
    }


@pytest.mark.parametrize(
    "seconds, probes",
    [
        pytest.param(0.9, 1, id="given again for a second"),
        pytest.param(1.0, 2, id="then made anew"),
    ],
)
def test_a_report_is(seconds, probes, clock):
    backend = Probed("ollama")
    check = HealthCheck([backend], 30)
    check.report()
    clock.advance(seconds)

    check.report()

    assert backend.probes == probes


def test_callers_at_the_same_time_share_one_round_of_probes(clock):
    arrived, gate = threading.Semaphore(0), threading.Event()

    class Announced:
        """The check's lock; each caller that comes to it is announced."""

        def __init__(self, lock):
            self._lock = lock

        def __enter__(self):
            arrived.release()
            return self._lock.__enter__()

        def __exit__(self, *failure):
            return self._lock.__exit__(*failure)

    backend = Probed("ollama", lambda: gate.wait(WAIT))
    check = HealthCheck([backend], 30)
    check._lock = Announced(check._lock)

    with ThreadPoolExecutor(2) as callers:
        reports = [callers.submit(check.report) for _ in range(2)]
        assert arrived.acquire(timeout=WAIT) and arrived.acquire(timeout=WAIT)
        gate.set()

    assert backend.probes == 1
    assert reports[0].result() == reports[1].result()


def test_a_backend_that_hangs_is_asked_only_once_and_hides_no_other(monkeypatch, clock):
    def time_is_over(probes, timeout):
        """The other has answered by then, however busy the machine."""
        _, other = probes
        wait([other], WAIT)

    monkeypatch.setattr(health, "wait", time_is_over)
    go_on = threading.Event()
    hanging = Probed("ollama", lambda: go_on.wait(WAIT))
    check = HealthCheck([hanging, Probed("openai")], 30)

    told = []
    for _ in range(10):
        told.append(check.report()["status"])
        clock.advance(2)
    go_on.set()

    assert told == ["degraded"] * 10
    assert hanging.probes == 1


def test_nobody_is_shown_the_upstreams_own_words():
    def refuse():
        raise RequestRefused("no route to 10.1.2.3 with key sk-1")

    told = report(Probed("ollama", refuse))

    assert told["backends"][0]["error"] == "The ollama backend refused the probe."
