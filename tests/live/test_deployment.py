"""Each file in `deploy/` passes the checks of its own tools, and podman builds, runs and stops the image.

A base of Debian's packages takes the place of the public one.
"""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from installed import cache, environment
from processes import found, free_port, listening
from reference import reference

from octomil_ref.errors import ERROR_BY_STATUS, BadRequest
from octomil_ref.metrics import INFLIGHT

pytestmark = pytest.mark.machine

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


# The image

IMAGE = "localhost/octomil-ref"
BASE = "localhost/octomil-python"
NAME = "octomil-ref-under-test"
STATE = "/tmp/octomil-ref-containers"
"""Always the same folder, which the storage remembers. podman allows 50 characters."""

PACKAGES = "base-files,bash,coreutils,dash,libc-bin,python3-pip"
DEBIAN = ("--quiet", "--variant=extract", f"--include={PACKAGES}", "trixie", "-")
"""Packages that are unpacked and not configured, which takes a quarter of the time and is enough."""

BUILD = (
    *("--format", "docker"),  # the other format has no health check
    *("--isolation", "chroot"),  # works inside a container too
    *("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro"),  # pip trusts what we trust
    *("--build-arg", f"BASE={BASE}"),
    "--layers=false",
)

RUN = (
    *("--network", "host"),
    "--read-only",
    *("--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
)
"""The last three as in `deploy/compose.yaml` and `deploy/kubernetes.yaml`."""


class Podman:
    """podman with its own storage, in the cache of the tests."""

    def __init__(self):
        self._command = [
            *(found("podman", "podman"), "--root", str(cache() / "containers")),
            *("--runroot", STATE),
            *("--cgroup-manager", "cgroupfs"),  # there may be no systemd
            *("--runtime", found("runc", "runc")),  # crun refuses both cgroups at once
        ]

    def run(self, *arguments):
        command = [*self._command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def build(self):
        if self.run("image", "exists", BASE).returncode:
            self._make_base()
        pip = cache() / "containers-pip"
        pip.mkdir(exist_ok=True)
        options = [*BUILD, "--volume", f"{pip}:/root/.cache/pip", "--tag", IMAGE]
        file = DEPLOY / "Containerfile"
        built = self.run("build", *options, "--file", str(file), str(ROOT))
        assert built.returncode == 0, built.stdout + built.stderr

    def _make_base(self):
        bootstrap = [found("mmdebstrap", "mmdebstrap"), *DEBIAN]
        with subprocess.Popen(
            bootstrap,
            stdout=subprocess.PIPE,
            start_new_session=True,  # at its end it sends SIGHUP to its whole group
        ) as made:
            imported = [*self._command, "import", "--quiet", "-", BASE]
            subprocess.run(imported, stdin=made.stdout, check=True)
        assert made.returncode == 0

    def remove_image(self):
        self.run("rmi", "--force", IMAGE)
        self.run("image", "prune", "--force")

    def serve(self, *options, **env):
        """A container with the server, as `processes.serve` starts one without."""
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # podman would ask for a million of both, which an unprivileged machine refuses.
        limits = ("--ulimit", f"nofile={most_files}", "--ulimit", "nproc=4096")
        variables = [f"--env={name}={value}" for name, value in env.items()]
        command = ["run", "--rm", "--name", NAME, *RUN, *limits, *variables]
        return listening([*self._command, *command, *options, IMAGE], {}, "at: ")

    def inside(self, *command):
        return self.run("exec", NAME, *command)


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
    here = str(Path(sys.executable).parent)
    unit.write_text(text.replace("/opt/octomil-ref/bin", here))

    said = checked(systemd_analyze, "verify", "--man=no", unit)
    confined = ("security", "--offline=yes", "--threshold=15", "--no-pager")
    checked(systemd_analyze, *confined, unit)

    assert said == ""


def test_the_kubernetes_manifest_matches_the_published_schemas():
    """The program has them."""
    folder = environment("kubernetes-validate", "kubernetes-validate==1.37.0")
    validate = folder / "bin" / "kubernetes-validate"

    said = checked(validate, "--strict", DEPLOY / "kubernetes.yaml")

    kinds = ["configmap", "deployment", "service", "poddisruptionbudget"]
    kinds += ["horizontalpodautoscaler"]
    assert [kind for kind in kinds if f"passed for resource {kind}/" not in said] == []


def test_compose_yaml_and_prometheus_yml_are_valid():
    """Only the syntax of prometheus.yml: the file with the token is not here."""
    schema = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    syntax = ("check", "config", "--syntax-only")

    checked(sys.executable, *schema, DEPLOY / "compose.yaml")
    checked(found("promtool", "prometheus"), *syntax, DEPLOY / "prometheus.yml")


def test_the_autoscaler_reads_a_metric_that_exists():
    text = (DEPLOY / "kubernetes.yaml").read_text("utf-8")

    assert re.findall(r"^ +metric:\n +name: (.*)$", text, re.MULTILINE) == [INFLIGHT]
