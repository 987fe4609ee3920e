"""How a check says what it got and what it wanted. Knows nothing of pytest, so that recordings can be judged without it."""

import ast
import linecache
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

FIRST, LAST = 200, 100
"""Characters of a long value that a report shows."""

Mask = Callable[[str], str]
"""Takes out of a text what no report may show. It comes before the cut: half a token is a token to somebody."""


class Finding(AssertionError):
    """The server did something else than what it must. Raised where a plain assert cannot say it."""

    def __init__(self, want: str, got: str) -> None:
        super().__init__(f"want {want}, got {got}")
        self.want = want
        self.got = got


class NotRecorded(Exception):
    """A check looks at what the recording does not have: neither a pass nor a failure."""


class SuiteFault(Exception):
    """The suite itself is wrong: never the server's failure."""


@dataclass(frozen=True)
class Evidence:
    got: str
    want: str
    """Empty: the requirement's own sentence says it."""


NO_EVIDENCE = Evidence("", "")


PARSING = threading.Lock()
"""Python 3.11 loses count of its recursion when two threads handle syntax trees at once."""


def evidence(ex: AssertionError, mask: Mask = str) -> Evidence:
    if isinstance(ex, Finding):
        got, want = ex.got, ex.want
    else:
        with PARSING:
            got, want = _compared(ex)
    return Evidence(shown(mask(got)), shown(mask(want)))


def _compared(ex: AssertionError) -> tuple[str, str]:
    """Of the failed assert, read from its source and the values it had. `assert got == want, "want in words"`."""
    found = _failed_assert(ex.__traceback__)
    if found is None:
        return str(ex), ""
    statement, frame = found
    values = {**frame.f_globals, **frame.f_locals}
    want = _value(statement.msg, values) if statement.msg else None
    match statement.test:
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            wanted = _wanted(op, _value(right, values))
            return _text(_value(left, values)), str(want or wanted)
        case ast.Call(args=[subject, *_]):
            got = _value(subject, values)
        case ast.UnaryOp(operand=ast.Call(args=[subject, *_])):
            got = _value(subject, values)
        case test:
            got = _value(test, values)
    return _text(got), str(want or ast.unparse(statement.test))


def shown(text: str) -> str:
    """Its beginning and its end, when there is more."""
    if len(text) <= FIRST + LAST:
        return text
    return f"{text[:FIRST]} … {text[-LAST:]} ({len(text)} characters)"


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _wanted(op: ast.cmpop, right: object) -> str:
    words = {
        ast.Eq: "",
        ast.NotEq: "other than ",
        ast.In: "one of ",
        ast.NotIn: "not in ",
        ast.Is: "",
        ast.IsNot: "other than ",
        ast.Lt: "less than ",
        ast.LtE: "at most ",
        ast.Gt: "more than ",
        ast.GtE: "at least ",
    }
    return words[type(op)] + repr(right)


def _failed_assert(
    traceback: TracebackType | None,
) -> tuple[ast.Assert, FrameType] | None:
    """The innermost assert statement of the traceback, and the frame it failed in."""
    found = None
    while traceback is not None:
        statement = _assert_at(traceback)
        if statement is not None:
            found = statement, traceback.tb_frame
        traceback = traceback.tb_next
    return found


def _assert_at(traceback: TracebackType) -> ast.Assert | None:
    source = linecache.getlines(traceback.tb_frame.f_code.co_filename)
    line = traceback.tb_lineno
    try:
        tree = ast.parse("".join(source))
    except SyntaxError:
        return None
    return next(
        (
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert)
            and node.lineno <= line <= (node.end_lineno or node.lineno)
        ),
        None,
    )


def _value(node: ast.expr, values: dict[str, Any]) -> Any:
    """Asserts are plain expressions on plain data: to evaluate one again changes nothing."""
    code = compile(ast.Expression(node), "<assert>", "eval")
    try:
        return eval(code, values)
    except Exception as ex:  # noqa: BLE001 - the verdict matters more than its words
        return f"({ast.unparse(node)}: {ex!r})"
