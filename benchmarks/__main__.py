"""`python -m benchmarks`: the reference beside a bare Falcon and a naive proxy, in turn, round by round, in one run.

Servers run on the first core, load and upstream on the others, and every answer is looked at. `--quick` takes a minute, the
whole some ten.
"""

import argparse
import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import measure, report, targets
from benchmarks.contenders import Contender, on_falcon, reference
from benchmarks.litellm import REQUEST, litellm
from benchmarks.measure import Row, serving
from benchmarks.processes import OUR_CORES

SCENARIOS = ("single", "streams", "paced", "many", "embeddings", "batch", "start")
SERVERS = ("gunicorn", "waitress")
AT_ONCE = (1, 8, 32, 64)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    _allow_many_connections()
    os.sched_setaffinity(0, OUR_CORES)
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.at_once = 1, 0.5, [32, 64]
    rows: list[Row] = []
    with measure.scripted_upstream():
        rows += _upstream(arguments)
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            for row in _round(arguments):
                print(report.table([row]).strip(), flush=True)
                rows.append(row)
    _show(report.with_added(report.medians(rows)), arguments)


def _show(rows: list[Row], arguments: argparse.Namespace) -> None:
    ratios = targets.ratios(rows)
    print(f"\nMedians of {arguments.rounds} rounds", report.table(rows), sep="\n")
    print("\nRatios and targets", *(each.line() for each in ratios), sep="\n")
    if arguments.json:
        report.write_json(arguments.json, rows, ratios)
    if arguments.plot:
        from benchmarks.plot import draw

        draw(rows, arguments.plot)


def _upstream(arguments: argparse.Namespace) -> Iterator[Row]:
    """How quick the upstream is, so that nobody takes its limit for a server's."""
    pid = os.getpid()
    for at_once in arguments.at_once:
        yield measure.single(
            measure.UPSTREAM_ITSELF, pid, measure.DIRECT, at_once, arguments.seconds
        )
        yield measure.streams(
            measure.UPSTREAM_ITSELF,
            pid,
            measure.DIRECT_STREAM,
            at_once,
            arguments.seconds,
        )


def _round(arguments: argparse.Namespace) -> Iterator[Row]:
    for server in SERVERS:
        yield from _plain(on_falcon("hello", server), arguments)
        yield from _plain(on_falcon("prepared", server), arguments)
        yield from _plain(on_falcon("naive", server), arguments)
        yield from _plain(reference(server), arguments)
        yield from _ours(server, arguments)
    if "many" in arguments.only:
        yield from _many(arguments)
    if arguments.litellm and "single" in arguments.only:
        contender = litellm()
        with serving(contender) as pid:
            for at_once in arguments.at_once:
                yield measure.single(
                    contender.label, pid, REQUEST, at_once, arguments.seconds
                )


def _plain(contender: Contender, arguments: argparse.Namespace) -> Iterator[Row]:
    """What all contenders do; two of them stream nothing."""
    name, label = contender.name, contender.label
    request = measure.HELLO if name == "hello" else measure.WHOLE
    with serving(contender) as pid:
        for at_once in arguments.at_once:
            if "single" in arguments.only:
                yield measure.single(label, pid, request, at_once, arguments.seconds)
            if "streams" in arguments.only and name in ("naive", "octomil-ref"):
                stream = measure.stream_of(name)
                yield measure.streams(label, pid, stream, at_once, arguments.seconds)


def _ours(server: str, arguments: argparse.Namespace) -> Iterator[Row]:
    """What only the reference does."""
    contender = reference(server)
    with serving(contender) as pid:
        if "paced" in arguments.only:
            yield measure.paced_streams(contender.label, pid, 8, 100)
            yield measure.paced_streams(contender.label, pid, 64, 100)
        if "embeddings" in arguments.only:
            yield measure.embeddings(contender.label, pid, arguments.seconds)
        if "batch" in arguments.only:
            yield measure.batch(contender.label, 3)
    if "embeddings" in arguments.only:
        with serving(reference(server, fast=False)) as pid:
            label = f"octomil-ref, no orjson / {server}"
            yield measure.embeddings(label, pid, arguments.seconds)
    if "start" in arguments.only:
        yield measure.start(server, 3)


def _many(arguments: argparse.Namespace) -> Iterator[Row]:
    for server in SERVERS:
        contender = reference(server, threads=516)
        with serving(contender) as pid:
            yield measure.paced_streams(contender.label, pid, 500, 20)
    contender = reference("gunicorn", threads=1004, workers=2)
    with serving(contender, on_all_cores=True) as pid:
        row = measure.paced_streams("", pid, 1000, 20)
        yield replace(row, contender="octomil-ref, 2 workers / gunicorn")


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
        type=lambda text: _names(SCENARIOS, text),
        default=list(SCENARIOS),
        help=",".join(SCENARIOS),
    )
    parser.add_argument(
        "--at-once",
        type=lambda text: [int(each) for each in text.split(",")],
        default=list(AT_ONCE),
        help="connections, such as 1,8,32,64",
    )
    parser.add_argument(
        "--litellm", action="store_true", help="install and measure LiteLLM's proxy"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plot", type=Path, help="draw them into this PNG")
    return parser


if __name__ == "__main__":
    main()
