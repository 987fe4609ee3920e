"""Runs: what counts as an answer before them, how long they may last, and what they say of upstreams."""

from dataclasses import replace

import pytest
from canned_server import canned
from octomil_conformance import cli
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.config import Config, CouldNotTest, base_url
from octomil_conformance.request_parts import MAX_TOKENS
from octomil_conformance.runner import judge
from octomil_conformance.server.backends import Upstreams
from octomil_conformance.server.faults import Fault
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import served

PATHS = ("/api/v1/inference/stream", "/api/v1/inference/health")


def test_a_health_report_is_no_answer_of_a_model(capsys):
    down = (503, "application/json", b'{"status": "unavailable"}')

    with canned(dict.fromkeys(PATHS, down)) as url:
        status = cli.main([url, "--profile", "stream@0", "--profile", "health@0"])

    assert status == 3
    assert "could not test" in capsys.readouterr().out


def test_a_run_of_fewer_checks_at_once_may_last_longer():
    usual = Config("", {"infer": 2})
    one = replace(usual, at_once=1)

    assert one.workers == 1
    assert one.run_seconds == usual.workers * usual.run_seconds


def judged_with_lists_as_options(options):
    """A run against a server that sends some options as an array, as PHP writes an empty object."""
    fault = Fault(
        sends=lambda sent: sent["options"] in options and sent.update(options=[])
    )
    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout=0.5) as backend:
        urls = backend.ollama_url, backend.openai_url
        upstreams = Upstreams(*urls, 0.5, faults={"ollama": fault})
        with serving(served(upstreams, "token")) as url:
            config = Config(base_url(url), {"infer": 2}, "token", backend_timeout=0.5)
            return judge(config, only=("INFER-09[ollama]",), backend=backend)


REFUSAL = "refuses the server's request: json: cannot unmarshal array"


def test_a_finding_says_why_an_upstream_refused_the_request():
    run = judged_with_lists_as_options([{}])

    asked = {name for verdict in run.verdicts for name in verdict.asked}
    assert any(name.startswith(f"ollama ({REFUSAL}") for name in asked)


def test_if_an_upstream_refuses_all_requests_the_run_says_why():
    with pytest.raises(CouldNotTest, match=f"our ollama {REFUSAL}"):
        judged_with_lists_as_options([{}, {"num_predict": MAX_TOKENS}])
