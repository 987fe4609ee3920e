"""Compares ratios of figures of one run with their targets. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.measure import EMBEDDINGS, ENCODED_ONCE, Row

SERVERS = ("gunicorn", "waitress")

OPENAI_SURFACE = "octomil-ref by OpenAI's API"


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
    """The rows of a run, and look-ups in them."""

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
        [Ratio(what, value, f"<= {wanted:g}", value <= wanted)]
        if value is not None
        else []
    )


def _share(value: float | None, of: float | None) -> float | None:
    return value / of if value and of else None


def ratios(rows: Iterable[Row]) -> list[Ratio]:
    """The ratios for which there are figures."""
    figures = Figures(rows)
    found: list[Ratio] = []
    for server, floor in zip(SERVERS, (0.33, 0.25), strict=True):
        found += _streams(figures, server)
        found += _single(figures, server, floor)
        found += _surfaces(figures, server)
        found += _many(figures, f"octomil-ref / {server}", 1000, 10)
        found += _embeddings(figures, server)
        found += _rest(figures, server)
    return found + _many(figures, "octomil-ref, 2 workers / gunicorn", 1000, 20)


def _streams(figures: Figures, server: str) -> list[Ratio]:
    def cost(scenario: str, who: str) -> float | None:
        return figures.get(scenario, who, 64, "cpu_us_per_token")

    name, naive = f"octomil-ref / {server}", f"naive / {server}"
    relay = cost("paced at 100/s", "bare relay")
    lone, burst = cost("paced at 100/s", name), cost("streams", name)
    first = figures.get("streams", name, 64, "added_first_token_p50_ms")
    first_of_8 = figures.get("paced at 100/s", name, 8, "added_first_token_p50_ms")
    return [
        *_at_most(
            f"{server}: a lone token, of the bare relay's", _share(lone, relay), 1.5
        ),
        *_at_most(
            f"{server}: a token of a burst, of the relay's lone one",
            _share(burst, relay),
            0.25,
        ),
        *_at_least(
            f"{server}: a lone token, times cheaper than requests.post",
            _share(cost("paced at 100/s", naive), lone),
            1,
        ),
        *_at_least(
            f"{server}: a token of a burst, times cheaper than requests.post",
            _share(cost("streams", naive), burst),
            1,
        ),
        *_at_most(f"{server}: ms added to the first token, 64 bursts, p50", first, 50),
        *_at_most(
            f"{server}: ms added to the first token, 8 paced streams, p50",
            first_of_8,
            2,
        ),
    ]


def _single(figures: Figures, server: str, floor: float) -> list[Ratio]:
    def speed(who: str) -> float | None:
        return figures.get("single", who, 32, "requests_per_second")

    ours = speed(f"octomil-ref / {server}")
    beside = [
        ("of a bare Falcon", f"hello / {server}", floor),
        ("of requests' adapter alone", f"prepared / {server}", 0.8),
        ("times requests.post", f"naive / {server}", 2.2),
        ("times Portkey", "Portkey / node", 2.5),
        ("times LiteLLM", "LiteLLM / uvicorn", 20),
    ]
    return [
        ratio
        for what, who, wanted in beside
        for ratio in _at_least(
            f"{server}: single, {what}", _share(ours, speed(who)), wanted
        )
    ]


def _surfaces(figures: Figures, server: str) -> list[Ratio]:
    """The cost of OpenAI's API compared with ours."""
    compared = [
        ("single", "cpu_us_per_request"),
        ("single", "p50_ms"),
        ("streams", "cpu_us_per_token"),
        ("paced at 100/s", "cpu_us_per_token"),
        ("paced at 100/s", "first_token_p50_ms"),
    ]
    found: list[Ratio] = []
    for scenario, figure in compared:
        ours, theirs = (
            figures.get(scenario, f"{name} / {server}", 8, figure)
            for name in ("octomil-ref", OPENAI_SURFACE)
        )
        what = f"{server}: OpenAI's API, {scenario}, {figure}, of ours"
        found += _at_most(what, _share(theirs, ours), 1.1)
    return found


def _many(figures: Figures, name: str, at_once: int, rate: int) -> list[Ratio]:
    def of(figure: str) -> float | None:
        return figures.get(f"paced at {rate}/s", name, at_once, figure)

    added = _share(of("added_p99_ms"), 1000 / rate)
    return [
        *_at_most(
            f"{name}: {at_once} streams of {rate}/s, p99 added, of the interval",
            added,
            0.25,
        ),
        *_at_most(f"{name}: {at_once} streams, MB a worker", of("memory_mb"), 150),
    ]


def _embeddings(figures: Figures, server: str) -> list[Ratio]:
    def share(codec: str) -> float | None:
        return _share(
            figures.get(
                EMBEDDINGS, f"octomil-ref{codec} / {server}", 1, "cpu_ms_per_answer"
            ),
            figures.get(EMBEDDINGS, f"{ENCODED_ONCE}{codec}", 1, "cpu_ms_per_answer"),
        )

    what = f"{server}: an embeddings answer, of encoding it once"
    return [
        *_at_most(what, share(""), 3),
        *_at_most(f"{what}, no orjson", share(", no orjson"), 3),
    ]


def _rest(figures: Figures, server: str) -> list[Ratio]:
    name = f"octomil-ref / {server}"
    start = figures.get("start", name, 1, "seconds")
    of_ideal = figures.get("batch", name, 1, "of_ideal")
    return [
        *_at_most(f"{server}: seconds from start to first answer", start, 1),
        *_at_most(f"{server}: batch of 64, of the ideal time", of_ideal, 1.3),
    ]
