"""The rows of a run as a picture (extra `bench`: matplotlib)."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.measure import UPSTREAM_ITSELF, Row

matplotlib.use("Agg")  # a file, no window

PANELS = (
    ("single", "requests_per_second", "single answers: requests a second"),
    ("streams", "cpu_us_per_token", "streams: CPU microseconds a token"),
)
LINES = {"gunicorn": "-", "waitress": "--", "": ":"}
"""The styles of lines by server. Other gateways have one line each."""
COLOURS = {
    "hello": "#9a9a9a",
    "prepared": "#5b8c5a",
    "naive": "#d98032",
    "octomil-ref": "#1f6fb2",
    "bare relay": "#2f2f2f",
    "LiteLLM": "#8a4fb0",
    "Portkey": "#b0484f",
    "ferrogw": "#3fa7a0",
    UPSTREAM_ITSELF: "#c9c9c9",
}
NAMES = {
    "hello": "bare Falcon (the ceiling)",
    "prepared": "requests' adapter alone",
    "naive": "20 lines of requests.post",
}


def draw(rows: Sequence[Row], file: Path) -> None:
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(12, 5))
    for axis, (scenario, name, title) in zip(axes, PANELS, strict=True):
        shown = [row for row in rows if row.scenario == scenario]
        _panel(axis, [row for row in shown if _kind(row) in COLOURS], name)
        axis.set_title(title, fontsize=11)
    labels = {line.get_label(): line for axis in axes for line in axis.get_lines()}
    figure.legend(
        labels.values(), labels, loc="lower center", ncols=4, fontsize=9, frameon=False
    )
    figure.tight_layout(rect=(0, 0.2, 1, 1))
    figure.savefig(file, dpi=110)


def _kind(row: Row) -> str:
    """The contender without its server. Those without a colour are compared in other scenarios, and not drawn."""
    return row.contender.partition(" / ")[0]


def _panel(axis: Axes, rows: Sequence[Row], name: str) -> None:
    for contender in dict.fromkeys(row.contender for row in rows):
        points = sorted(
            (row.at_once, row.figures[name])
            for row in rows
            if row.contender == contender
        )
        kind, _, server = contender.partition(" / ")
        axis.plot(
            range(len(points)),
            [value for _, value in points],
            color=COLOURS[kind],
            marker="o",
            linestyle=LINES.get(server, "-."),
            label=f"{NAMES.get(kind, kind)}, {server}" if server else kind,
        )
        axis.set_xticks(range(len(points)), [str(at_once) for at_once, _ in points])
    axis.set_yscale("log")
    axis.set_xlabel("at once")
    axis.grid(True, axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
