"""What the figures should reach, and whether they do: ratios of figures of one run. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measure import Row


@dataclass(frozen=True)
class Ratio:
    what: str
    value: float
    wanted: str
    reached: bool

    def line(self) -> str:
        mark = "reached" if self.reached else "MISSED"
        return f"{self.what:<66} {self.value:>9.2f}   {self.wanted:<10} {mark}"


class Figures:
    """Rows, asked for by what they are."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {(row.scenario, row.contender, row.at_once): row for row in rows}

    def get(self, scenario: str, who: str, at_once: int, figure: str) -> float | None:
        row = self._rows.get((scenario, who, at_once))
        return row.figures.get(figure) if row else None


def _at_least(what: str, value: float | None, wanted: float) -> list[Ratio]:
    return (
        [Ratio(what, value, f">= {wanted:g}", value >= wanted)]
        if value is not None
        else []
    )


def _at_most(what: str, value: float | None, wanted: float) -> list[Ratio]:
    return (
        [Ratio(what, value, f"< {wanted:g}", value < wanted)]
        if value is not None
        else []
    )


def _share(value: float | None, of: float | None) -> float | None:
    return value / of if value and of else None


def ratios(rows: Iterable[Row]) -> list[Ratio]:
    """Those for which there are figures."""
    figures = Figures(rows)
    found: list[Ratio] = []
    for server, floor in (("gunicorn", 0.31), ("waitress", 0.23)):
        found += _single(figures, server, floor)
        found += _streams(figures, server)
    for name in ("octomil-ref / gunicorn", "octomil-ref / waitress"):
        found += _many(figures, name, 500)
        start = figures.get("start", name, 1, "seconds")
        found += _at_most(f"{name}: seconds from start to first answer", start, 1)
        share = figures.get("batch", name, 1, "of_ideal")
        found += _at_most(f"{name}: batch of 64, of the ideal time", share, 1.3)
    found += _many(figures, "octomil-ref, 2 workers / gunicorn", 1000)
    for name in ("octomil-ref / gunicorn", "octomil-ref / waitress"):
        cost = figures.get("embeddings 32 x 768", name, 1, "cpu_ms_per_answer")
        found += _at_most(f"{name}: CPU ms of an embeddings answer", cost, 6)
    return found


def _single(figures: Figures, server: str, floor: float) -> list[Ratio]:
    def speed(name: str) -> float | None:
        who = f"{name} / {server}"
        return figures.get("single", who, 32, "requests_per_second")

    ours = speed("octomil-ref")
    litellm = figures.get("single", "LiteLLM / uvicorn", 32, "requests_per_second")
    return [
        *_at_least(
            f"{server}: single, of a bare Falcon", _share(ours, speed("hello")), floor
        ),
        *_at_least(
            f"{server}: single, of requests' adapter alone",
            _share(ours, speed("prepared")),
            0.8,
        ),
        *_at_least(
            f"{server}: single, times requests.post", _share(ours, speed("naive")), 1.8
        ),
        *_at_least(f"{server}: single, times LiteLLM", _share(ours, litellm), 15),
    ]


def _streams(figures: Figures, server: str) -> list[Ratio]:
    name = f"octomil-ref / {server}"
    cost = figures.get("streams", name, 64, "cpu_us_per_token")
    naive = figures.get("streams", f"naive / {server}", 64, "cpu_us_per_token")
    first = figures.get("paced at 100/s", name, 8, "first_token_added_p50_ms")
    cheaper = _share(naive, cost)
    return [
        *_at_most(f"{name}: CPU us a token, 64 streams", cost, 15),
        *_at_least(f"{name}: the same, times cheaper than requests.post", cheaper, 1),
        *_at_most(f"{name}: ms added to the first token, 8 streams, p50", first, 2),
    ]


def _many(figures: Figures, name: str, at_once: int) -> list[Ratio]:
    def of(figure: str) -> float | None:
        return figures.get("paced at 20/s", name, at_once, figure)

    return [
        *_at_most(
            f"{name}: {at_once} streams, ms added a token, p99", of("added_p99_ms"), 25
        ),
        *_at_most(f"{name}: {at_once} streams, MB a worker", of("memory_mb"), 150),
    ]
