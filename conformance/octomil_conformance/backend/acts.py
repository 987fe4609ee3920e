"""What the scripted backend does in a scenario, in the verbs of a reply.

The sentence of a scenario, for `--scenarios`, is the docstring of its function, or in its row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from octomil_conformance.backend import spoiled, words
from octomil_conformance.backend.forms import RENAMED, USUAL, WITH_CALL, Form
from octomil_conformance.backend.reply import Reply

LONG_GAP = 0.01
"""Seconds between the tokens of conf-long: they last longer than any check."""

VERY_LATE = 5.0
"""Seconds beyond those that a check gives a server after its timeouts."""

LATE = 1.5
"""Times the pause between two tokens: three fifths of the timeout."""

PONDERING, PONDERING_GAP = 200, 0.05
"""How often conf-ponder reasons, and seconds after each time: it lasts longer than the check that hangs up on it."""

Act = Callable[[Reply], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    sentence: str
    act: Act


ACTS: dict[str, Scenario] = {}
"""The scenarios by name. scenarios.py adds those that are made from tables."""


def _act(act: Act) -> Act:
    name = act.__name__.strip("_").replace("_", "-")
    ACTS[name] = Scenario(name, str(act.__doc__), act)
    return act


def saying(
    name: str,
    sentence: str,
    tokens: Sequence[str] | None = None,
    *,
    form: Form = USUAL,
    thoughts: Sequence[str] = (),
    gap: float = 0.0,
    split: bool = False,
    **finish: Any,
) -> None:
    """Adds a good answer with these tokens, or with the echo. `finish`: further arguments of `Reply.finish`."""

    def act(reply: Reply) -> None:
        reply.dialect.form = form
        if thoughts:
            reply.think(thoughts)
        reply.say(reply.echo if tokens is None else tokens, gap, split)
        reply.finish(**finish)

    ACTS[name] = Scenario(name, sentence, act)


def failing(name: str, sentence: str, begin: Act, end: Act, form: Form = USUAL) -> None:
    """Adds an answer that begins and ends so."""

    def act(reply: Reply) -> None:
        reply.dialect.form = form
        begin(reply)
        end(reply)

    ACTS[name] = Scenario(name, sentence, act)


# How an answer that fails begins and ends


def _none(reply: Reply) -> None:
    pass


def _empty(reply: Reply) -> None:
    reply.say([""])


def two(reply: Reply) -> None:
    reply.say(reply.echo[:2])


def _thoughts(reply: Reply) -> None:
    reply.think(words.THOUGHTS)


stop_short, _cut, _garble = map(methodcaller, ("stop_short", "cut", "garble"))


# The scenarios


@_act
def echo(reply: Reply) -> None:
    """The prompt, word by word; embeddings in which similar texts are near."""
    reply.say(reply.echo)
    reply.finish()


saying("empty", "A complete answer without a token.", ())  # fmt: skip
saying("unicode", "Tokens with separators, emoji and escapes, sent in pieces that end inside a character.", words.UNICODE_TOKENS, split=True)  # fmt: skip
saying("rough", "Text that a careless program changes: white space, line ends, markup, escapes, frames.", words.ROUGH_TOKENS, split=True)  # fmt: skip
saying("huge", "520 long tokens, 67 kB, as fast as they can be read.", words.HUGE_TOKENS)  # fmt: skip
saying("halves", "Characters that are cut in two, half a surrogate pair in each token.", words.HALVES_TOKENS)  # fmt: skip
saying("lone-halves", "Halves of characters that stay alone.", words.LONE_HALVES_TOKENS)  # fmt: skip


saying("giant", "An answer of more than a mebibyte, nearly all of it in one token; vectors beside so long a text.", words.GIANT_TOKENS, change=spoiled.padded)  # fmt: skip
saying("wide", "The echo; vectors as long as those of the largest models.", vectors=spoiled.wide)  # fmt: skip


@_act
def wait(reply: Reply) -> None:
    """The echo, but a fifth of the timeout before it, and another one after its first token."""
    reply.line.pause(reply.pace.gap / 2)
    reply.say(reply.echo[:1])
    reply.line.pause(reply.pace.gap / 2)
    reply.say(reply.echo[1:])
    reply.finish()


@_act
def late(reply: Reply) -> None:
    """The echo in time, but three fifths of the timeout before it."""
    reply.line.pause(LATE * reply.pace.gap)
    echo(reply)


@_act
def late_failure(reply: Reply) -> None:
    """500, but three fifths of the timeout before it."""
    reply.line.pause(LATE * reply.pace.gap)
    reply.line.answer(500, b'{"error":"out of order"}')


@_act
def late_beginning(reply: Reply) -> None:
    """The echo; if the first text is `text 0`, a fifth of the timeout late, so that the portions of one request come back in another order."""
    if reply.echo[-1:] == [" 0"]:
        reply.line.pause(reply.pace.gap / 2)
    echo(reply)


@_act
def ponder(reply: Reply) -> None:
    """Ten seconds of reasoning, then the echo."""
    for _ in range(PONDERING):
        reply.think(words.THOUGHTS)
        reply.line.pause(PONDERING_GAP)
    echo(reply)


@_act
def varied(reply: Reply) -> None:
    """The echo in other forms of the dialect: text beside the end, comments, CR LF."""
    reply.finish_varied(reply.echo)


@_act
def muse(reply: Reply) -> None:
    """Reasoning for longer than the timeout, each piece in time, then the echo."""
    for thought in (*words.THOUGHTS, "."):
        reply.line.pause(reply.pace.gap)
        reply.think([thought])
    echo(reply)


@_act
def muse_renamed(reply: Reply) -> None:
    """As muse, but the fallback calls it `reasoning`."""
    reply.dialect.form = RENAMED
    muse(reply)


saying("thinking-renamed", "As thinking, but the fallback calls it `reasoning`.", form=RENAMED, thoughts=words.THOUGHTS)  # fmt: skip
saying("thinking", "Reasoning first, then the echo.", thoughts=words.THOUGHTS)  # fmt: skip
saying("thinking-only", "Reasoning, and an empty answer.", (), thoughts=words.THOUGHTS)  # fmt: skip
saying("after-thought", "Reasoning first, then text that begins and ends with line feeds.", words.AFTER_THOUGHT_TOKENS, thoughts=words.THOUGHTS)  # fmt: skip
saying("call-alone", "A tool call, and no text.", (), form=WITH_CALL)  # fmt: skip
saying("small", "The echo; vectors of numbers below 0.00001.", vectors=spoiled.small)  # fmt: skip
saying("long", "A thousand tokens, 10 ms before each; a single answer at once.", words.LONG_TOKENS, gap=LONG_GAP)  # fmt: skip


@_act
def gated(reply: Reply) -> None:
    """The echo, held before token 2, or as a whole, until the check opens the gate of its nonce."""
    reply.line.hold_after(1)
    echo(reply)


@_act
def drip(reply: Reply) -> None:
    """The echo, each token in time but three of them later than the timeout; a single answer drips past it."""
    reply.say(reply.echo, gap=reply.pace.gap)
    reply.finish(gap=reply.pace.gap)


@_act
def slow(reply: Reply) -> None:
    """No byte of an answer in time; much later the echo."""
    reply.line.pause(reply.pace.late)
    echo(reply)


@_act
def stall(reply: Reply) -> None:
    """Two tokens, then nothing in time; a single answer comes late as a whole."""
    reply.say(reply.echo[:2])
    reply.line.pause(reply.pace.late)
    reply.say(reply.echo[2:])
    reply.finish()


@_act
def stall_before_first(reply: Reply) -> None:
    """Status 200 in time, then nothing; of a single answer, half of it in time."""
    reply.hang()
    reply.line.pause(reply.pace.late + VERY_LATE)
    reply.cut()


@_act
def awake(reply: Reply) -> None:
    """Status 200 in time, then no token, but comments, blank lines, empty tokens or, before a single answer, white space."""
    reply.stay_awake(reply.pace.late + VERY_LATE, reply.pace.gap / 2)
    reply.cut()


@_act
def stall_awake(reply: Reply) -> None:
    """Two tokens, then comments, blank lines and empty tokens, and much later the rest; a single answer as in `awake`."""
    reply.say(reply.echo[:2])
    reply.stay_awake(reply.pace.late, reply.pace.gap / 2)
    reply.say(reply.echo[2:])
    reply.finish()


failing("truncate", "Two tokens and a clean end, without what makes an answer complete; half of a single answer.", two, stop_short)  # fmt: skip
failing("truncate-before-first", "Status 200 and a clean end, without a token; half of a single answer.", _none, stop_short)  # fmt: skip
failing("cut", "Two tokens, then the connection breaks; half of a single answer.", two, _cut)  # fmt: skip
failing("cut-before-first", "Status 200, then the connection breaks before a token.", _none, _cut)  # fmt: skip
failing("cut-in-thought", "Reasoning, then the connection breaks before a token.", _thoughts, _cut)  # fmt: skip
failing("cut-after-nothing", "An empty token, as beside the role, then the connection breaks.", _empty, _cut)  # fmt: skip
failing("truncate-after-nothing", "An empty token, as beside the role, then a clean end.", _empty, stop_short)  # fmt: skip
failing("garbage-after-nothing", "An empty token, as beside the role, then something else than the dialect.", _empty, _garble)  # fmt: skip


@_act
def drop(reply: Reply) -> None:
    """The connection is closed without a byte of an answer; a server may try that twice."""
    reply.line.break_off("cut")


@_act
def no_body(reply: Reply) -> None:
    """Status 200 and a body without a byte."""
    reply.line.answer(200, b"")


failing("garbage", "Status 200 and a web page.", _none, _garble)  # fmt: skip
failing("garbage-later", "Two tokens, then something else than the dialect.", two, _garble)  # fmt: skip
