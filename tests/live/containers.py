"""The project's image, built and run by podman. A base of Debian's packages takes the place of the public one."""

import resource
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

from installed import cache
from processes import ServerProcess, found, listening

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/octomil-ref"
BASE = "localhost/octomil-base"
NAME = "octomil-ref-under-test"
STATE = "/tmp/octomil-ref-containers"
"""Always the same folder, which the storage remembers. podman allows 50 characters."""

PACKAGES = "base-files,bash,coreutils,dash,libc-bin,python3-venv"
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

    def __init__(self) -> None:
        self._command = [
            *(found("podman", "podman"), "--root", str(cache() / "containers")),
            *("--runroot", STATE),
            *("--cgroup-manager", "cgroupfs"),  # there may be no systemd
            *("--runtime", found("runc", "runc")),  # crun refuses both cgroups at once
        ]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def build(self) -> None:
        if self.run("image", "exists", BASE).returncode:
            self._make_base()
        pip = cache() / "containers-pip"
        pip.mkdir(exist_ok=True)
        options = [*BUILD, "--volume", f"{pip}:/root/.cache/pip", "--tag", IMAGE]
        file = ROOT / "deploy" / "Containerfile"
        built = self.run("build", *options, "--file", str(file), str(ROOT))
        assert built.returncode == 0, built.stdout + built.stderr

    def _make_base(self) -> None:
        bootstrap = [found("mmdebstrap", "mmdebstrap"), *DEBIAN]
        with subprocess.Popen(
            bootstrap,
            stdout=subprocess.PIPE,
            start_new_session=True,  # at its end it sends SIGHUP to its whole group
        ) as made:
            imported = [*self._command, "import", "--quiet", "-", BASE]
            subprocess.run(imported, stdin=made.stdout, check=True)
        assert made.returncode == 0

    def remove_image(self) -> None:
        self.run("rmi", "--force", IMAGE)
        self.run("image", "prune", "--force")

    def serve(self, *options: str, **env: str) -> AbstractContextManager[ServerProcess]:
        """A container with the server, as `processes.serve` starts one without."""
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # podman would ask for a million of both, which an unprivileged machine refuses.
        limits = ("--ulimit", f"nofile={most_files}", "--ulimit", "nproc=4096")
        variables = [f"--env={name}={value}" for name, value in env.items()]
        command = ["run", "--rm", "--name", NAME, *RUN, *limits, *variables]
        return listening([*self._command, *command, *options, IMAGE], {}, "at: ")

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.run("exec", NAME, *command)
