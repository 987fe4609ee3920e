"""Metrics of running servers: the sum of all workers, and what a real Prometheus makes of them."""

import json
import re
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from processes import ServerProcess, found, free_port
from reference import ASK, MAX_WAIT, TOKEN, client_of

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana-dashboard.json"

REQUESTS = 8

WORKERS = {"waitress": "1", "gunicorn": "2"}


@pytest.fixture(scope="module")
def servers(shared):
    return [
        shared(kind, OCTOMIL_METRICS="1", OCTOMIL_WORKERS=workers)
        for kind, workers in WORKERS.items()
    ]


def answered(server):
    """The answers of `/inference` so far, as the process says that takes a new connection."""
    with client_of(server.url) as client:
        text = client.get(f"{server.url}/metrics").text
    series = (
        r'^octomil_requests_total\{endpoint="/api/v1/inference",.*status="200"\} (.*)$'
    )
    return sum(map(float, re.findall(series, text, re.MULTILINE)))


def ask_on_new_connections(server):
    for _ in range(REQUESTS):
        with client_of(server.url) as client:
            assert client.post("/inference", json=ASK).status_code == 200


def test_every_process_shows_the_requests_of_all(servers):
    for server in servers:
        before = answered(server)

        ask_on_new_connections(server)

        assert {answered(server) for _ in range(REQUESTS)} == {before + REQUESTS}


@contextmanager
def prometheus(targets, folder):
    """A client of a Prometheus that scrapes the servers."""
    job = {
        "job_name": "octomil",
        "scrape_interval": "250ms",
        "scrape_timeout": "250ms",
        "authorization": {"credentials": TOKEN},
        "static_configs": [{"targets": targets}],
    }
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [job]}))  # YAML too
    address = f"127.0.0.1:{free_port()}"
    command = [
        found("prometheus", "prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder}",
        f"--web.listen-address={address}",
    ]
    with ServerProcess(command) as process:
        process.wait_for_line("Server is ready to receive web requests")
        with httpx.Client(base_url=f"http://{address}/api/v1", trust_env=False) as api:
            yield api


def wait_for_value(api, query, value):
    for _ in range(int(MAX_WAIT / 0.05)):
        result = api.get("/query", params={"query": query}).json()["data"]["result"]
        if [sample["value"][1] for sample in result] == [value]:
            return
        threading.Event().wait(0.05)
    raise TimeoutError(f"{query} is {result}, not {value}")


@pytest.mark.machine
def test_a_real_prometheus_reads_the_counts(servers, tmp_path):
    for server in servers:
        ask_on_new_connections(server)
    counts = {f"127.0.0.1:{server.port}": answered(server) for server in servers}

    with prometheus([*counts], tmp_path) as api:
        for target, count in counts.items():
            of = f'{{instance="{target}", endpoint="/api/v1/inference"}}'
            wait_for_value(api, f"sum(octomil_requests_total{of})", f"{count:g}")
            seconds = f"octomil_request_duration_seconds_count{of}"
            wait_for_value(api, seconds, f"{count:g}")
        for query in queries_of_the_dashboard():
            answer = api.get("/query", params={"query": query}).json()
            assert answer["status"] == "success", f"{query}: {answer}"


def queries_of_the_dashboard():
    """With values for its variables."""
    dashboard = json.loads(DASHBOARD.read_text())
    targets = [t for panel in dashboard["panels"] for t in panel["targets"]]
    queries = [target["expr"] for target in targets]
    return [q.replace("$__rate_interval", "1m").replace("$job", ".*") for q in queries]
