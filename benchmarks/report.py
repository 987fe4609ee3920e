"""The rows of a run as a table for people and as JSON for machines; the median of several rounds."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import UPSTREAM_ITSELF, Row
from benchmarks.targets import Ratio

PACKAGES = ("falcon", "requests", "urllib3", "gunicorn", "waitress", "orjson")


def medians(rows: Iterable[Row]) -> list[Row]:
    """Joins rows that differ only in their figures to one row with the medians."""
    rounds: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        rounds.setdefault((row.scenario, row.contender, row.at_once), []).append(row)
    return [Row(*key, _median(same)) for key, same in rounds.items()]


def _median(rows: Sequence[Row]) -> dict[str, float]:
    return {
        name: statistics.median(row.figures[name] for row in rows)
        for name in rows[0].figures
    }


ADDED = ("p50_ms", "p99_ms", "first_token_p50_ms")


def with_added(rows: Sequence[Row]) -> list[Row]:
    """Adds to each row how much longer it takes than the direct call with as many at once."""
    direct = {
        (row.scenario, row.at_once): row.figures
        for row in rows
        if row.contender == UPSTREAM_ITSELF
    }
    return [
        replace(row, figures=row.figures | _added(row.figures, beside))
        if row.contender != UPSTREAM_ITSELF
        and (beside := direct.get((row.scenario, row.at_once)))
        else row
        for row in rows
    ]


def _added(figures: dict[str, float], direct: dict[str, float]) -> dict[str, float]:
    return {
        f"added_{name}": figures[name] - direct[name]
        for name in ADDED
        if name in figures
    }


def table(rows: Iterable[Row]) -> str:
    lines, scenario = [], ""
    for row in sorted(rows, key=lambda row: (row.scenario, row.at_once)):
        if row.scenario != scenario:
            scenario = row.scenario
            lines += ["", scenario]
        figures = "  ".join(
            f"{name} {value:.4g}" for name, value in row.figures.items()
        )
        lines.append(f"  {row.contender:<36} {row.at_once:>5}  {figures}")
    return "\n".join(lines)


def machine() -> dict[str, object]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def write_json(file: Path, rows: Iterable[Row], ratios: Iterable[Ratio]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        **machine(),
        "rows": [
            {
                "scenario": row.scenario,
                "contender": row.contender,
                "at_once": row.at_once,
                **{name: round(value, 4) for name, value in row.figures.items()},
            }
            for row in rows
        ],
        "ratios": [
            {
                "what": each.what,
                "value": round(each.value, 3),
                "wanted": each.wanted,
                "reached": each.reached,
            }
            for each in ratios
        ],
    }
    file.write_text(json.dumps(content, indent=1) + "\n")
