"""Each file in `deploy/` passes the checks of its own tools, and the image is built, run and stopped."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from containers import NAME, Podman
from models import kubernetes_validate
from processes import found, free_port
from reference import reference

from octomil_ref.errors import ERROR_BY_STATUS, BadRequest
from octomil_ref.metrics import INFLIGHT

pytestmark = pytest.mark.machine

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def podman():
    """With the image."""
    podman = Podman()
    podman.build()
    yield podman
    podman.remove_image()


def test_the_image_serves_without_root_and_without_writing(podman):
    env = {"OCTOMIL_HOST": "127.0.0.1", "OCTOMIL_PORT": str(free_port())}

    with reference(podman.serve, OCTOMIL_METRICS="1", **env) as server:
        answer = server.ask()
        metrics = server.client.get(f"{server.url}/metrics").text
        healthy = podman.run("healthcheck", "run", NAME)
        user = podman.inside("id", "-u").stdout.strip()
        written = podman.inside("touch", "/opt/octomil-ref/new")
        server.process.terminate()
        code = server.process.wait()

    assert answer.json()["output"] == "Good morning"
    assert 'octomil_requests_total{endpoint="/api/v1/inference"' in metrics
    assert healthy.returncode == 0, healthy.stdout
    assert user == "10001"
    assert "Read-only file system" in written.stderr
    assert code == 0
    assert "Shutting down: Master" in "\n".join(server.process.all_lines())


def checked(*command):
    """The output of a check, which has to succeed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_every_error_of_the_nginx_site_is_an_envelope():
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    errors = re.findall(r"return (\d+) '(.*)';", site)

    assert [int(status) for status, _ in errors] == [413, 502, 504]
    for status, text in errors:
        envelope = json.loads(text)
        assert envelope["status_code"] == int(status)
        assert envelope["error"] == ERROR_BY_STATUS[int(status)]
        assert set(envelope) == {*BadRequest("").envelope(), "request_id"}


def test_the_unit_is_valid_and_confined(tmp_path):
    """`verify` needs the program, which here is in this environment."""
    systemd_analyze = found("systemd-analyze", "systemd")
    text = (DEPLOY / "octomil-ref.service").read_text("utf-8")
    unit = tmp_path / "octomil-ref.service"
    unit.write_text(
        text.replace("/opt/octomil-ref/bin", str(Path(sys.executable).parent))
    )

    said = checked(systemd_analyze, "verify", "--man=no", unit)
    confined = ("security", "--offline=yes", "--threshold=15", "--no-pager")
    checked(systemd_analyze, *confined, unit)

    assert said == ""


def test_the_kubernetes_manifest_matches_the_published_schemas():
    validate = kubernetes_validate()

    said = checked(validate, "--strict", DEPLOY / "kubernetes.yaml")

    kinds = ["configmap", "deployment", "service", "poddisruptionbudget"]
    kinds += ["horizontalpodautoscaler"]
    assert [kind for kind in kinds if f"passed for resource {kind}/" not in said] == []


def test_compose_yaml_matches_its_schema():
    schema = ("--builtin-schema", "vendor.compose-spec")

    checked(sys.executable, "-m", "check_jsonschema", *schema, DEPLOY / "compose.yaml")


def test_prometheus_yml_is_valid():
    """Its syntax alone: the file with the token is not here."""
    promtool = found("promtool", "prometheus")

    checked(promtool, "check", "config", "--syntax-only", DEPLOY / "prometheus.yml")


def test_the_autoscaler_reads_a_metric_that_exists():
    text = (DEPLOY / "kubernetes.yaml").read_text("utf-8")

    assert re.findall(r"^ +metric:\n +name: (.*)$", text, re.MULTILINE) == [INFLIGHT]
