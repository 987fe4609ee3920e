"""The reference server, as it is deployed, passes everything at level 2 under both of its servers."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from octomil_conformance import spec
from octomil_conformance.backend import ScriptedBackend, environment
from octomil_conformance.config import Config, base_url
from octomil_conformance.report.console import lines
from octomil_conformance.runner import judge
from processes import serve

ANY = ("127.0.0.1", 0)
TIMEOUT = 4.0
"""Seconds. A busy machine is slow, and a run is mostly waiting: it takes little from other tests."""
TOKEN = "token-of-the-reference"
COOLDOWNS = {"gunicorn": 0, "waitress": 1}


@pytest.fixture(scope="module")
def runs():
    """Both servers are judged at once, because most of a run is waiting for timeouts. Threads would wait for each other too."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = pool.map(run_of, COOLDOWNS, COOLDOWNS.values())
        return dict(zip(COOLDOWNS, found, strict=True))


@pytest.mark.parametrize("server", COOLDOWNS)
def test_the_reference_passes_everything(runs, server):
    conclusion, outcomes, judged, report = runs[server]

    assert conclusion == "conformant", report
    assert outcomes == {"pass"}, report
    every = spec.requirements()
    assert judged == {name for name in every if not every[name].untestable}


def run_of(server, cooldown):
    settings = {"OCTOMIL_API_KEYS": TOKEN, "OCTOMIL_BACKEND_COOLDOWN": str(cooldown)}
    with (
        ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as backend,
        serve(server, **environment(backend) | settings) as process,
    ):
        claims = dict.fromkeys(spec.PROFILES, 2)
        config = Config(base_url(process.url), claims, TOKEN, backend_timeout=TIMEOUT)
        run = judge(config, backend=backend)
    judged = {verdict.requirement.id for verdict in run.verdicts}
    return run.conclusion(), {*run.counts()}, judged, "\n".join(lines(run))
