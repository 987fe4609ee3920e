"""One fault in the framing of an answer makes many checks fail. It counts as one failure, which lists the others.

To find the others, the fault is repaired and the answer is judged again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from octomil_conformance import sse
from octomil_conformance.exchange import MISSING, Chunk, Exchange, Fields, read_json
from octomil_conformance.run import Verdict

Judge = Callable[[Exchange], list[Verdict]]
"""The verdicts on an exchange in place of the recorded one."""

FINAL = b'data: {"token": "", "done": true, "provider": "p", "latency_ms": 1, "session_id": "s"}\n\n'
OF_THE_HEAD = ("HTTP-04", "HTTP-21")
"""Requirements that can be judged without the JSON of the body."""


def traced(
    exchange: Exchange, verdicts: Sequence[Verdict], judge: Judge
) -> list[Verdict]:
    """The verdicts, in which failures that follow from a fault of the framing are `untestable`."""
    found = list(verdicts)
    if not 200 <= exchange.status < 300:
        return found
    for root, mended in MENDED.items():
        if any(_is(each, root) for each in found):
            following = _following(found, root, mended(exchange), judge)
            found = [_explained(each, root, following) for each in found]
    return found


def _is(verdict: Verdict, root: str) -> bool:
    return verdict.requirement.id == root and verdict.outcome in ("fail", "expected")


def _explained(verdict: Verdict, root: str, following: list[Verdict]) -> Verdict:
    if verdict in following:
        reason = f"it follows from {root}"
        return replace(verdict, outcome="untestable", reason=reason, findings=())
    if following and _is(verdict, root):
        names = dict.fromkeys(each.requirement.id for each in following)
        return replace(verdict, reason=f"what follows from it: {', '.join(names)}")
    return verdict


def _following(
    found: list[Verdict], root: str, mended: Exchange | None, judge: Judge
) -> list[Verdict]:
    """The failures that disappear when the answer is repaired; if it cannot be, those of checks that need its JSON."""
    wrong = [each for each in found if each.outcome in ("fail", "warn")]
    others = [each for each in wrong if each.requirement.id != root]
    if mended is None:
        return [each for each in others if each.requirement.id not in OF_THE_HEAD]
    left = {each.requirement.id for each in judge(mended) if each.outcome != "pass"}
    return [each for each in others if each.requirement.id not in left]


# Repairs: the answer without the fault, or None


def _completed(exchange: Exchange) -> Exchange | None:
    """The exchange as if its transfer had not broken off. None if its JSON is incomplete."""
    if exchange.request.profile != "stream":
        is_json = exchange.fields is not MISSING
        return replace(exchange, end="complete") if is_json else None
    frames = [each for each in exchange.frames if each.terminated]
    whole = exchange.body[: frames[-1].stop if frames else 0]
    body = whole if exchange.finals else whole + FINAL
    return _with_body(replace(exchange, end="complete"), body)


def _parted(exchange: Exchange) -> Exchange:
    """The exchange with a blank line after each event."""
    body = sse.BOM if exchange.body.startswith(sse.BOM) else b""
    for frame in exchange.frames:
        for line in frame.lines:
            end = line.end or b"\n"
            is_event = line.is_data and isinstance(read_json(line.value), Fields)
            body += line.text + end * (2 if is_event else 1)
        body += b"\n" if frame.terminated else b""
    return _with_body(exchange, body)


def _with_body(exchange: Exchange, body: bytes) -> Exchange:
    at = exchange.chunks[-1].at if exchange.chunks else 0.0
    return replace(exchange, chunks=(Chunk(at, body),))


MENDED: dict[str, Callable[[Exchange], Exchange | None]] = {
    "HTTP-21": _completed,
    "STREAM-02": _parted,
    "HTTP-03": lambda exchange: exchange if exchange.fields is not MISSING else None,
}
"""Requirements about the framing."""
