"""The metrics for Prometheus: made from records and attempts, over HTTP, and of several processes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import responses
from builders import (
    ASK,
    OLLAMA,
    OPENAI,
    app_client,
    asking,
    new_record,
    ollama_streams,
    openai_chat,
    stranger,
)
from prometheus_client.parser import text_string_to_metric_families

from octomil_ref.errors import Broken, ClientLeft, ModelNotFound, NotReached, Overloaded
from octomil_ref.fallback import InflightLimit
from octomil_ref.metrics import Metrics, SharedFolder
from octomil_ref.records import AccessRecord, Attempt
from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import Settings

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json"


def values(text: str) -> dict[tuple[str, ...], float]:
    """The values by name and by the labels' values, which are in the order of their names."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def shown(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return values(metrics.exposition()[0].decode())


def counts(found: dict[tuple[str, ...], float], name: str) -> dict[tuple, float]:
    """The values of one metric by labels, without those that are 0."""
    return {key[1:]: value for key, value in found.items() if key[0] == name and value}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(Settings(max_inflight=3))


def ended(metrics: Metrics, **fields: object) -> None:
    """A request with these fields has ended."""
    record: AccessRecord = new_record()
    vars(record).update(fields)
    metrics.count_request(record)


def attempted(metrics: Metrics, *endings: object) -> None:
    for ending in endings:
        metrics.count_attempt(Attempt("id-1", "ollama", asking()).ended(ending))


def test_durations_are_in_seconds(metrics, clock):
    record = new_record()
    clock.advance(2)
    record.endpoint, record.first_token_ms, record.provider = "/a", 250.0, "openai"
    metrics.count_request(record)

    found = shown(metrics)

    assert found["octomil_request_duration_seconds_sum", "/a"] == 2
    assert found["octomil_request_duration_seconds_bucket", "/a", "1.0"] == 0
    assert found["octomil_request_duration_seconds_bucket", "/a", "2.5"] == 1
    assert found["octomil_time_to_first_token_seconds_sum", "openai"] == 0.25
    assert found["octomil_time_to_first_token_seconds_bucket", "600.0", "openai"] == 1


def test_clients_that_left_count_by_endpoint(metrics):
    ended(metrics, endpoint="/a", ended="client_left")
    ended(metrics, endpoint="/b", ended="complete")

    assert counts(shown(metrics), "octomil_clients_left_total") == {("/a",): 1}


def test_attempts_count_by_outcome(metrics):
    attempted(metrics, None, None, ModelNotFound("no"))
    left = Attempt("id-1", "ollama", asking()).ended(ClientLeft())
    metrics.count_attempt(left)

    assert counts(shown(metrics), "octomil_attempts_total") == {
        ("answered", "ollama"): 2,
        ("client_left", "ollama"): 1,
        ("ModelNotFound", "ollama"): 1,
    }


@pytest.mark.parametrize(
    ("seconds", "cooldowns"),
    [(5, {("ollama",): 1}), (0, {})],
    ids=["a cooldown", "no cooldown"],
)
def test_cooldowns_count(seconds, cooldowns):
    metrics = Metrics(Settings(backend_cooldown=seconds))

    attempted(metrics, NotReached("no"), Broken("no"))

    assert counts(shown(metrics), "octomil_cooldowns_total") == cooldowns


def test_an_interrupted_stream_is_no_further_attempt(metrics):
    attempt = Attempt("id-1", "ollama", asking())
    metrics.count_attempt(attempt.ended())
    metrics.count_attempt(attempt.ended(NotReached("gone"), interrupted=True))

    found = shown(metrics)

    assert counts(found, "octomil_attempts_total") == {("answered", "ollama"): 1}
    assert counts(found, "octomil_stream_interruptions_total") == {("ollama",): 1}
    assert counts(found, "octomil_cooldowns_total") == {}


def test_requests_in_flight_are_those_that_have_a_slot(metrics):
    limit = InflightLimit(1, metrics.in_flight)

    with limit.slot(), pytest.raises(Overloaded), limit.slot():
        pass
    with limit.slot():
        during = shown(metrics)

    assert during["octomil_inflight_requests",] == 1
    assert shown(metrics)["octomil_inflight_requests",] == 0
    assert during["octomil_inflight_limit",] == 3


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 404),
        ({"metrics": True}, 401),
        ({"metrics": True, "metrics_public": True}, 200),
    ],
    ids=["not set", "set", "public"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_metrics_need_their_setting_and_a_token_unless_they_are_public(
    method, given, status
):
    answer = stranger(**given).simulate_request(method, "/metrics")

    assert answer.status_code == status


def test_everything_that_happens_to_a_request_is_counted():
    responses.post(f"{OLLAMA}/api/chat", status=500)
    responses.post(f"{OPENAI}/chat/completions", json=openai_chat())
    client = app_client(metrics=True)
    client.simulate_post("/api/v1/inference", json=ASK)
    client.simulate_get("/of/a/stranger")

    answer = client.simulate_get("/metrics")

    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    found = values(answer.text)
    assert counts(found, "octomil_requests_total") == {
        ("/api/v1/inference", "openai", "200"): 1,
        ("none", "none", "404"): 1,
    }
    assert counts(found, "octomil_attempts_total") == {
        ("Broken", "ollama"): 1,
        ("answered", "openai"): 1,
    }
    assert found["octomil_fallbacks_total", "openai"] == 1
    assert found["octomil_fallbacks_total", "ollama"] == 0


def test_a_stream_is_counted_at_its_end():
    ollama_streams("Cherry", prompt_eval_count=3, eval_count=4)
    client = app_client(metrics=True)
    for _ in range(2):
        client.simulate_post("/api/v1/inference/stream", json=ASK)

    found = values(client.simulate_get("/metrics").text)

    assert found["octomil_time_to_first_token_seconds_count", "ollama"] == 2
    assert counts(found, "octomil_tokens_total") == {
        ("prompt", "ollama"): 6,
        ("completion", "ollama"): 8,
    }
    assert found["octomil_inflight_requests",] == 0


PROCESSES = """
import os

from octomil_ref.metrics import Metrics
from octomil_ref.records import AccessRecord
from octomil_ref.settings import load

if os.fork():
    os.wait()
metrics = Metrics(load())
metrics.count_request(AccessRecord("id-1", "POST", "/a", status=200))
"""


def test_an_empty_variable_is_no_folder(tmp_path):
    variables = {"PROMETHEUS_MULTIPROC_DIR": ""}
    command = [sys.executable, "-c", PROCESSES]
    subprocess.run(command, env=variables, cwd=tmp_path, check=True)

    assert list(tmp_path.iterdir()) == []


def test_a_process_shows_the_sum_of_all_that_share_its_folder(tmp_path):
    folder = str(tmp_path / "metrics")
    variables = {"PROMETHEUS_MULTIPROC_DIR": folder, "OCTOMIL_MAX_INFLIGHT": "5"}
    subprocess.run([sys.executable, "-c", PROCESSES], env=variables, check=True)

    found = shown(Metrics(Settings(metrics_folder=folder)))

    assert found["octomil_requests_total", "none", "none", "200"] == 2
    assert found["octomil_inflight_limit",] == 10


def test_a_folder_for_metrics_is_empty_at_the_start_and_stays_if_it_was_given(tmp_path):
    left_over = tmp_path / "counter_7.db"
    left_over.touch()

    SharedFolder(str(tmp_path), None).remove()

    assert tmp_path.exists()
    assert not left_over.exists()


@pytest.mark.parametrize("folder", ["/dev/null/metrics", "/proc/self/task"])
def test_a_folder_that_cannot_be_made_or_written_is_a_wrong_setting(folder):
    said = "PROMETHEUS_MULTIPROC_DIR: expected a folder that can be written"

    with pytest.raises(SettingsError, match=f"^{said}, got '{folder}': "):
        SharedFolder(folder, None)


def test_every_metric_of_the_dashboard_exists(metrics):
    ended(metrics, first_token_ms=1.0, prompt_tokens=1, ended="client_left")
    attempted(metrics, None)
    known = {name for name, *_ in shown(metrics)}
    queries = [
        target["expr"]
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel.get("targets", [])
    ]

    used = {name for query in queries for name in re.findall(r"octomil_\w+", query)}

    assert len(queries) >= 10
    assert used - known == set()
