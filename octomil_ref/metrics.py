"""Metrics for Prometheus, made of the same records as the log. prometheus-client is imported only if OCTOMIL_METRICS is set.

Labels have few values, and clients choose none of them. The workers of gunicorn keep their metrics in one folder, so that each
of them can show the sum: prometheus-client calls this its multiprocess mode.
"""

import shutil
import tempfile
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from octomil_ref.errors import ClientLeft
from octomil_ref.logs import write_access_line, write_attempt
from octomil_ref.records import AccessRecord, Attempt
from octomil_ref.setting_values import PROVIDERS, SettingsError
from octomil_ref.settings import Settings, publish

TOKENS = "octomil_tokens_total"

COUNTERS = {
    "octomil_requests_total": (
        "Requests whose response has ended.",
        ["endpoint", "status", "provider"],
    ),
    "octomil_clients_left_total": ("Requests whose client left.", ["endpoint"]),
    TOKENS: ("Tokens as the models count them.", ["provider", "kind"]),
    "octomil_fallbacks_total": ("Requests answered by a later backend.", ["provider"]),
    "octomil_attempts_total": (
        "Requests to backends. The outcome is `answered`, `client_left` or the kind of failure.",
        ["provider", "outcome"],
    ),
    "octomil_cooldowns_total": ("Failures that start a cooldown.", ["provider"]),
    "octomil_stream_interruptions_total": ("Streams that broke off.", ["provider"]),
}
"""The description and the labels of each."""

DURATION = "octomil_request_duration_seconds"
FIRST_TOKEN = "octomil_time_to_first_token_seconds"

HISTOGRAMS = {
    DURATION: (
        "Time from a request to the end of its response.",
        ["endpoint"],
        (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600),
    ),
    FIRST_TOKEN: (
        "Time from a request to the first token of its stream.",
        ["provider"],
        (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600),
    ),
}
"""Description, labels and bounds of the buckets: from an error to a long answer, and from a warm model to one that has to load."""

INFLIGHT = "octomil_inflight_requests"
INFLIGHT_LIMIT = "octomil_inflight_limit"

GAUGES = {
    INFLIGHT: "Requests that wait for a model.",
    INFLIGHT_LIMIT: "Requests that may wait for a model. 0: no limit.",
}
"""The description of each. Workers that have ended do not count."""

NONE = "none"
"""The provider of a request that no backend answered, and the endpoint where there is nothing at the path."""


class Metrics:
    """The metrics of one application."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.metrics_folder
        # If the variable is set when prometheus_client is imported, several processes share the folder. An empty value means the current folder.
        publish(PROMETHEUS_MULTIPROC_DIR=self._folder)
        import prometheus_client as client

        client.disable_created_metrics()  # type: ignore[no-untyped-call]
        if self._folder:
            _make(self._folder)
        self._cools_down = settings.backend_cooldown > 0
        self._registry = client.CollectorRegistry()
        to = self._registry
        self._counters = {
            name: client.Counter(name, text, labels, registry=to)
            for name, (text, labels) in COUNTERS.items()
        }
        self._histograms = {
            name: client.Histogram(name, text, labels, buckets=buckets, registry=to)
            for name, (text, labels, buckets) in HISTOGRAMS.items()
        }
        self._gauges = {
            name: client.Gauge(name, text, registry=to, multiprocess_mode="livesum")
            for name, text in GAUGES.items()
        }
        self._gauges[INFLIGHT_LIMIT].set(settings.inflight_limit() or 0)
        for name, (_, labels) in COUNTERS.items():
            if labels == ["provider"]:  # so that a rate exists before the first event
                for provider in PROVIDERS:
                    self._add(name, 0, provider)

    def exposition(self) -> tuple[bytes, str]:
        """The metrics in Prometheus's text format, and its content type."""
        import prometheus_client as client
        from prometheus_client import multiprocess

        registry = self._registry
        if self._folder:  # sums the metrics of all processes
            registry = client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return client.generate_latest(registry), client.CONTENT_TYPE_LATEST

    def count_request(self, record: AccessRecord) -> None:
        endpoint, provider = record.endpoint or NONE, record.provider or NONE
        self._add("octomil_requests_total", 1, endpoint, str(record.status), provider)
        self._observe(DURATION, record.elapsed_ms(), endpoint)
        if record.first_token_ms is not None:
            self._observe(FIRST_TOKEN, record.first_token_ms, provider)
        self._add(TOKENS, record.prompt_tokens, provider, "prompt")
        self._add(TOKENS, record.completion_tokens, provider, "completion")
        if record.fallback:
            self._add("octomil_fallbacks_total", 1, provider)
        if record.ended == "client_left":
            self._add("octomil_clients_left_total", 1, endpoint)

    def count_attempt(self, attempt: Attempt) -> None:
        provider, failure = attempt.provider, attempt.failure
        if attempt.interrupted:  # counted as an attempt when it began to answer
            self._add("octomil_stream_interruptions_total", 1, provider)
            return
        outcome = type(failure).__name__ if failure else "answered"
        if isinstance(failure, ClientLeft):
            outcome = "client_left"
        elif failure and failure.cools_down and self._cools_down:
            self._add("octomil_cooldowns_total", 1, provider)
        self._add("octomil_attempts_total", 1, provider, outcome)

    def in_flight(self) -> AbstractContextManager[object]:
        """Counts a request while it is entered."""
        gauge = self._gauges[INFLIGHT]
        tracker: AbstractContextManager[object] = gauge.track_inprogress()
        return tracker

    def _add(self, name: str, amount: int | None, *labels: str) -> None:
        if amount is not None:
            self._counters[name].labels(*labels).inc(amount)

    def _observe(self, name: str, milliseconds: float, label: str) -> None:
        self._histograms[name].labels(label).observe(milliseconds / 1000)


@dataclass(frozen=True)
class Observers:
    """Passes each request and each attempt to the log, and to the metrics if they are on."""

    metrics: Metrics | None

    def on_end(self, record: AccessRecord) -> None:
        if self.metrics:
            self.metrics.count_request(record)
        write_access_line(record)

    def on_attempt(self, attempt: Attempt) -> None:
        if self.metrics:
            self.metrics.count_attempt(attempt)
        write_attempt(attempt)

    def in_flight(self) -> AbstractContextManager[object]:
        """A context that is entered while a request waits for a model."""
        return self.metrics.in_flight() if self.metrics else nullcontext()


def _make(folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as ex:
        raise SettingsError(
            f"PROMETHEUS_MULTIPROC_DIR: expected a folder that can be written, got {folder!r}: {ex.strerror}"
        ) from ex


class SharedFolder:
    """The folder in which the workers of gunicorn keep their metrics. The master makes and cleans it."""

    def __init__(self, given: str, parent: str | None) -> None:
        """If `given` is empty, makes a temporary folder in `parent`. Raises SettingsError if the folder cannot be written."""
        self._is_temporary = not given
        self.path = given or tempfile.mkdtemp(prefix="octomil-metrics-", dir=parent)
        _make(self.path)
        for left_over in Path(self.path).glob("*.db"):
            left_over.unlink()

    def forget(self, pid: int) -> None:
        """Removes the gauges of a worker that has ended."""
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid, self.path)  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
