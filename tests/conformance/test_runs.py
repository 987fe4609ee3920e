"""Before a run: what counts as an answer, and how long a run may last."""

from dataclasses import replace

from canned_server import canned
from octomil_conformance import cli
from octomil_conformance.config import Config

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
