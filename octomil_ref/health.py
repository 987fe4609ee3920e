"""Which backends are usable right now (spec section 8)."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from octomil_ref import __version__
from octomil_ref.backends import Backend
from octomil_ref.clock import Shared, stopwatch
from octomil_ref.errors import FAULTS_OF_REQUESTS, UpstreamError
from octomil_ref.setting_values import PROVIDERS

PROBE_TIMEOUT = 2.0  # seconds for one probe, at most
GRACE = 0.5  # extra seconds before a stuck probe is abandoned: a DNS lookup has no timeout of its own
CACHE_SECONDS = 1.0  # for which a report is reused

Report = dict[str, object]


class HealthCheck:
    """Probes all backends in parallel. Simultaneous callers share one round of probes."""

    def __init__(self, backends: Sequence[Backend], backend_timeout: float) -> None:
        self._backends = backends
        self._timeout = min(PROBE_TIMEOUT, backend_timeout)
        self._pool = ThreadPoolExecutor(len(PROVIDERS), thread_name_prefix="probe")
        self._probes: dict[str, Future[Report]] = {}
        self._report = Shared(self._ask_backends, CACHE_SECONDS)

    def report(self) -> Report:
        return self._report.get()

    def _ask_backends(self) -> Report:
        for backend in self._backends:
            # A probe that is stuck is not started again.
            running = self._probes.get(backend.provider)
            if running is None or running.done():
                probe = self._pool.submit(self._probe, backend)
                self._probes[backend.provider] = probe
        wait(self._probes.values(), self._timeout + GRACE)
        states = [
            _state(provider, self._probes.get(provider)) for provider in PROVIDERS
        ]
        usable = [state["provider"] for state in states if state["status"] == "ok"]
        failing = any(state["status"] == "unavailable" for state in states)
        status = "degraded" if failing else "ok"
        return {
            "status": status if usable else "unavailable",
            "provider": usable[0] if usable else None,
            "backends": states,
            "version": __version__,
        }

    def _probe(self, backend: Backend) -> Report:
        elapsed_ms = stopwatch()
        try:
            hint = backend.probe(self._timeout)
        except UpstreamError as ex:
            # Anyone may read this, so it must not quote the upstream.
            refused = f"The {backend.provider} backend refused the probe."
            error = refused if isinstance(ex, FAULTS_OF_REQUESTS) else ex.message
            return {"status": "unavailable", "error": error}
        state: Report = {"status": "ok", "latency_ms": elapsed_ms()}
        return {**state, "hint": hint} if hint else state


def _state(provider: str, probe: Future[Report] | None) -> Report:
    if probe is None:
        return {"provider": provider, "status": "not_configured"}
    if not probe.done():
        error = f"The {provider} backend did not answer in time."
        return {"provider": provider, "status": "unavailable", "error": error}
    return {"provider": provider, **probe.result()}
