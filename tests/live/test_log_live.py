"""The log of a stream that broke off, under both servers, and the form of every line."""

import json
import re
import signal

import pytest
from octomil_conformance.backend.response import Response
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, stream
from processes import serve
from reference import http_request, new_id, reference


def test_a_stream_that_breaks_off_is_a_warning_and_an_error(server):
    broken = stream(NDJSON, OLLAMA.token("Good"), end=Response.reset)
    server.ollama.on("/api/chat", broken)
    request_id = new_id()

    with server.stream(**{"X-Request-Id": request_id}) as events:
        events.next()
        events.next()

    attempt, request = server.lines_of(request_id)
    assert (attempt["event"], attempt["level"]) == ("stream interrupted", "WARNING")
    assert (request["ended"], request["level"]) == ("interrupted", "ERROR")
    assert request["events"] == 1


OWN_LINES = {"waitress": "Task queue depth", "gunicorn": "Booting worker"}
"""A line of each server itself. waitress writes it while its only thread is busy."""


@pytest.mark.parametrize("name", OWN_LINES)
def test_every_line_of_the_log_is_json_and_has_its_time_in_utc(name):
    with reference(serve, name, "--threads", "1", OCTOMIL_LOG_LEVEL="DEBUG") as server:
        with server.held_stream() as (events, gate), server.connect() as waiting:
            waiting.sendall(http_request("/health", method="GET"))
            server.process.wait_for_line(OWN_LINES[name])
            gate.set()
            events.rest()
        server.process.signal(signal.SIGHUP)
        server.process.terminate()
        lines = server.process.all_lines()

    logged = [line for line in lines if not line.startswith("Listening on http")]
    assert len(logged) > 1
    for line in map(json.loads, logged):
        assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", line["time"])
        assert line["level"] and line["event"]
