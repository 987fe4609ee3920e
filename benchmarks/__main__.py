"""`python -m benchmarks`: compares the reference server with others in one run. The ratios hold on any machine.

Each round measures every contender once, in an order of its own. Servers run on the first core, load and upstream on the
others, and every answer is checked. `--quick` is one short round, and `--quick --only lone --against relay` measures one figure.
"""

import argparse
import os
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import measure, report, targets
from benchmarks.contenders import Contender, on_falcon, reference, relay
from benchmarks.gateways import GATEWAYS
from benchmarks.measure import Row, Server, serving
from benchmarks.processes import OUR_CORES
from benchmarks.targets import OPENAI_SURFACE, SERVERS

SCENARIOS = (
    "single",
    "streams",
    "lone",
    "many",
    "openai",
    "embeddings",
    "batch",
    "start",
)
QUICK_SCENARIOS = ("single", "streams", "lone", "embeddings", "batch", "start")
"""What `--quick` measures without `--only`. The other scenarios need a longer round."""

AGAINST = ("relay", "relayed", "hello", "prepared", "naive")
"""The servers of our own that are measured beside the reference."""

AT_ONCE = (1, 8, 32, 64)
PACED = ((8, 100), (64, 100))
SHORT_TURNS = 5
MANY = (1000, 10)
MANY_WORKERS = (1000, 20)

Turn = Callable[[], Iterator[Row]]
"""One contender's part of a round."""


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    _allow_many_connections()
    os.sched_setaffinity(0, OUR_CORES)
    if options.quick:
        options.rounds, options.seconds, options.paced_seconds = 1, 0.5, 1.5
    options.answers_at_once = [32] if options.quick else options.at_once
    options.streams_at_once = [64] if options.quick else options.at_once
    options.only = options.only or (QUICK_SCENARIOS if options.quick else SCENARIOS)
    rows: list[Row] = []
    started = time.monotonic()
    with measure.scripted_upstream() as upstream:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            turns = _turns(upstream, options)
            random.shuffle(turns)
            for turn in turns:
                for row in turn():
                    print(report.table([row]).strip(), flush=True)
                    rows.append(row)
            minutes = (time.monotonic() - started) / (number + 1) / 60
            left = options.rounds - number - 1
            print(f"{minutes:.1f} minutes a round, {left} left", flush=True)
    _show(report.with_added(report.medians(rows)), options)


def _show(rows: list[Row], options: argparse.Namespace) -> None:
    ratios = targets.ratios(rows)
    print(f"\nMedians of {options.rounds} rounds", report.table(rows), sep="\n")
    print("\nRatios and targets", *(each.line() for each in ratios), sep="\n")
    if options.json:
        report.write_json(options.json, rows, ratios)
    if options.plot:
        from benchmarks.plot import draw

        draw(rows, options.plot)


def _turns(upstream: Server, options: argparse.Namespace) -> list[Turn]:
    beside = [GATEWAYS[name]() for name in options.gateways]
    for name in options.against:
        if name == "relay":
            beside.append(relay())
        else:
            beside += [on_falcon(name, server) for server in SERVERS]
    return [
        partial(_upstream, upstream, options),
        *(partial(_beside, contender, options) for contender in beside),
        *(partial(_ours, server, options) for server in SERVERS),
    ]


def _upstream(upstream: Server, options: argparse.Namespace) -> Iterator[Row]:
    """Measures the upstream alone, whose time is subtracted from that of the servers."""
    yield from _load(upstream, options)
    if "many" in options.only:
        for at_once, rate in (MANY, MANY_WORKERS):
            yield measure.paced(upstream, at_once, rate, options.paced_seconds)
    if "embeddings" in options.only:
        for fast in (True, False):
            yield measure.encoding_once(fast, options.seconds)


def _beside(contender: Contender, options: argparse.Namespace) -> Iterator[Row]:
    with serving(contender) as server:
        yield from _load(server, options)


def _load(server: Server, options: argparse.Namespace) -> Iterator[Row]:
    """Measures all contenders in the scenarios that they support."""
    contender = server.contender
    if contender.answers and "single" in options.only:
        for at_once in options.answers_at_once:
            yield measure.single(server, at_once, options.seconds)
    if contender.streams and "streams" in options.only:
        for at_once in options.streams_at_once:
            yield measure.streams(server, at_once, options.seconds)
    if contender.streams and "lone" in options.only:
        for at_once, rate in PACED:
            yield measure.paced(server, at_once, rate, options.paced_seconds)


def _ours(server_name: str, options: argparse.Namespace) -> Iterator[Row]:
    contender = reference(server_name)
    with serving(contender) as server:
        yield from _load(server, options)
        if "openai" in options.only:
            yield from _both_surfaces(server, options)
        if "embeddings" in options.only:
            yield measure.embeddings(server, options.seconds)
        if "batch" in options.only:
            yield measure.batch(server, 3)
    if "embeddings" in options.only:
        with serving(reference(server_name, fast=False)) as server:
            yield measure.embeddings(server, options.seconds)
    if "many" in options.only:
        yield from _many(server_name, options)
    if "start" in options.only:
        yield measure.start(contender, 1 if options.quick else 3)


def _both_surfaces(server: Server, options: argparse.Namespace) -> Iterator[Row]:
    """Measures one process with our API and with OpenAI's in short turns, so that other load on the machine affects both."""
    contender = replace(server.contender, name=OPENAI_SURFACE, openai=True)
    surfaces = (server, replace(server, contender=contender))
    for _ in range(SHORT_TURNS):
        for surface in surfaces:
            yield measure.single(surface, 8, options.seconds / SHORT_TURNS)
            yield measure.streams(surface, 8, options.seconds / SHORT_TURNS)
            yield measure.paced(surface, 8, 100, options.paced_seconds / SHORT_TURNS)


def _many(server_name: str, options: argparse.Namespace) -> Iterator[Row]:
    with serving(reference(server_name, threads=1004)) as server:
        yield measure.paced(server, *MANY, options.paced_seconds)
    if server_name == "gunicorn":
        with serving(reference(server_name, threads=1004, workers=2)) as server:
            yield measure.paced(server, *MANY_WORKERS, options.paced_seconds)


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))


def _names(known: Sequence[str], text: str) -> list[str]:
    given = text.split(",")
    if unknown := set(given) - set(known):
        raise argparse.ArgumentTypeError(
            f"expected some of {','.join(known)}, got {', '.join(sorted(unknown))}"
        )
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure")
    parser.add_argument(
        "--only",
        type=partial(_names, SCENARIOS),
        help=",".join(SCENARIOS),
    )
    parser.add_argument(
        "--against",
        type=partial(_names, AGAINST),
        default=list(AGAINST),
        help=f"measure beside ours only some of {','.join(AGAINST)}",
    )
    parser.add_argument(
        "--at-once",
        type=lambda text: [int(each) for each in text.split(",")],
        default=list(AT_ONCE),
        help="connections, such as 1,8,32,64",
    )
    parser.add_argument(
        "--gateways",
        type=partial(_names, list(GATEWAYS)),
        default=[],
        help=f"install and measure others: {','.join(GATEWAYS)}",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plot", type=Path, help="draw them into this PNG")
    parser.set_defaults(paced_seconds=5.0)
    return parser


if __name__ == "__main__":
    main()
