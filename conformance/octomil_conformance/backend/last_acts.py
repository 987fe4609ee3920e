"""Ends of an answer that streamed and whole ones have in common."""

from collections.abc import Mapping

from octomil_conformance.backend.ask import Json, compact
from octomil_conformance.backend.line import Line

GARBAGE = b"<html><body>It works!</body></html>\n"


def refuse(line: Line, status: int, body: Json, headers: Mapping[str, str]) -> None:
    data = compact(body)
    line.ending("answered")
    line.head(status, {"Content-Type": "application/json", **headers}, len(data))
    line.write(data)


def drop(line: Line) -> None:
    line.ending("cut")
    line.break_off()
