"""The benchmark command runs, checks every answer, and writes its figures. A short soak finds nothing wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.machine  # cores, /proc


def python(*options):
    command = [sys.executable, "-m", *options]
    return subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=900
    )


def test_a_round_measures_every_contender_and_says_what_is_reached(tmp_path):
    file = tmp_path / "figures.json"
    short = ["--seconds", "0.05", "--at-once", "1", "--json", str(file)]

    only = ["--rounds", "1", "--only", "single,streams,batch"]
    run = python("benchmarks", *only, *short)

    assert run.returncode == 0, run.stderr
    assert "gunicorn: batch of 64, of the ideal time" in run.stdout
    found = json.loads(file.read_text())
    rows = {(row["scenario"], row["contender"]): row for row in found["rows"]}
    for server in ("gunicorn", "waitress"):
        for contender in ("hello", "prepared", "naive", "octomil-ref"):
            assert ("single", f"{contender} / {server}") in rows
        assert ("streams", f"octomil-ref / {server}") in rows
        assert ("batch", f"octomil-ref / {server}") in rows
    # So short a load may take less CPU time than Linux counts.
    assert all(row[name] for row in rows.values() for name in row if "cpu" not in name)
    ours = rows["single", "octomil-ref / gunicorn"]
    direct = rows["single", "the upstream itself"]
    added = ours["p50_ms"] - direct["p50_ms"]
    assert ours["added_p50_ms"] == pytest.approx(added, abs=1e-3)
    assert ours["memory_mb"] > 1
    assert sum(row.get("cpu_us_per_request", 0) for row in rows.values()) > 0
    assert {"python", "processor", "cores", "packages", "date"} <= set(found)


def test_a_scenario_that_is_not_known_is_named():
    run = python("benchmarks", "--only", "single,everything")

    assert run.returncode == 2
    assert "expected some of single,streams," in run.stderr
    assert "got everything" in run.stderr


def test_a_short_soak_finds_nothing_wrong_with_either_server():
    run = python("benchmarks.soak", "--requests", "500")

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("wrong answers 0, leaks 0") == 2
