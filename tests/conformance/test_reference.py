"""The reference server, as it is deployed, passes everything at level 2 under both of its servers."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from octomil_conformance import spec
from octomil_conformance.backend import ScriptedBackend, environment
from octomil_conformance.config import Config, base_url
from octomil_conformance.report.console import lines
from octomil_conformance.runner import judge
from processes import serve

ANY = ("127.0.0.1", 0)
TIMEOUT = 2.0
TOKEN = "token-of-the-reference"
COOLDOWNS = {"gunicorn": 0, "waitress": 1}


@pytest.fixture(scope="module")
def runs():
    """Both servers are judged at once, because most of a run is waiting for timeouts."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(run_of, COOLDOWNS, COOLDOWNS.values())
        return dict(zip(COOLDOWNS, found, strict=True))


@pytest.mark.parametrize("server", COOLDOWNS)
def test_the_reference_passes_everything(runs, server):
    run = runs[server]

    assert run.conclusion() == "conformant", "\n".join(lines(run))
    assert run.counts().keys() == {"pass"}, "\n".join(lines(run))
    assert judged(run) == {
        name for name, each in spec.requirements().items() if not each.untestable
    }


def run_of(server, cooldown):
    with (
        ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as backend,
        serve(server, **variables(backend, cooldown)) as process,
    ):
        claims = dict.fromkeys(spec.PROFILES, 2)
        config = Config(base_url(process.url), claims, TOKEN, backend_timeout=TIMEOUT)
        return judge(config, backend=backend)


def variables(backend, cooldown):
    return {
        **environment(backend),
        "OCTOMIL_API_KEYS": TOKEN,
        "OCTOMIL_BACKEND_COOLDOWN": str(cooldown),
    }


def judged(run):
    return {verdict.requirement.id for verdict in run.verdicts}
