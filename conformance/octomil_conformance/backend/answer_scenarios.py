"""Scenarios in which an answer comes, early or late, written with the methods of Reply.

The name of a scenario is that of its function. The docstring is the sentence that `--scenarios` and `serve --list` print.
"""

from collections.abc import Callable
from dataclasses import dataclass

from octomil_conformance.backend import spoiled, words
from octomil_conformance.backend.forms import COUNTED_EARLY, RENAMED, WITH_CALL, Form
from octomil_conformance.backend.reply import Reply

LONG_GAP = 0.01
"""Seconds between the tokens of conf-long. All tokens together take longer than any check."""

VERY_LATE = 5.0
"""Seconds: longer than a check still waits for a server after its timeouts."""

LATE = 1.5
"""How many times the pause between two tokens: three fifths of the timeout in all."""

PONDERING, PONDERING_GAP = 200, 0.05
"""How often conf-ponder reasons, and seconds after each time: it lasts longer than the check that hangs up on it."""

FAILURE = b'{"error":"out of order"}'

Play = Callable[[Reply], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    sentence: str
    play: Play


WRITTEN: list[Scenario] = []
"""The scenarios that are functions. All others are rows of tables."""


def scenario(play: Play) -> Play:
    name = play.__name__.replace("_", "-")
    WRITTEN.append(Scenario(name, str(play.__doc__), play))
    return play


# Good answers


@scenario
def echo(reply: Reply) -> None:
    """The prompt, word by word; embeddings in which similar texts are near."""
    reply.say(reply.echo)
    reply.finish()


@scenario
def zipped(reply: Reply) -> None:
    """The echo, compressed if the server accepts gzip."""
    reply.gated.response.compress()
    echo(reply)


@scenario
def empty(reply: Reply) -> None:
    """A complete answer without a token."""
    reply.finish()


@scenario
def unicode(reply: Reply) -> None:
    """Tokens with separators, emoji and escapes, sent in pieces that end inside a character."""
    reply.say(words.UNICODE_TOKENS, split=True)
    reply.finish()


@scenario
def rough(reply: Reply) -> None:
    """Text that a careless program changes: white space, line ends, markup, escapes, frames."""
    reply.say(words.ROUGH_TOKENS, split=True)
    reply.finish()


@scenario
def marked(reply: Reply) -> None:
    """Byte order marks at the beginning of the answer and of a token."""
    reply.say(words.MARKED_TOKENS)
    reply.finish()


@scenario
def huge(reply: Reply) -> None:
    """520 long tokens, 67 kB, as fast as they can be read."""
    reply.say(words.HUGE_TOKENS)
    reply.finish()


@scenario
def halves(reply: Reply) -> None:
    """Characters that are cut in two, half a surrogate pair in each token."""
    reply.say(words.HALVES_TOKENS)
    reply.finish()


@scenario
def lone_halves(reply: Reply) -> None:
    """Half characters without their other half."""
    reply.say(words.LONE_HALVES_TOKENS)
    reply.finish()


@scenario
def giant(reply: Reply) -> None:
    """An answer of almost 2 MiB, nearly all of it in one token; for embeddings, a field of that size beside the vectors."""
    reply.dialect.form = Form(change=spoiled.padded)
    reply.say(words.GIANT_TOKENS)
    reply.finish()


@scenario
def flood(reply: Reply) -> None:
    """Six megabytes in tokens of 64 kB, as fast as they can be read."""
    reply.say(words.FLOOD_TOKENS)
    reply.finish()


@scenario
def long(reply: Reply) -> None:
    """A thousand tokens, 10 ms before each; a single answer at once."""
    reply.say(words.LONG_TOKENS, LONG_GAP)
    reply.finish()


@scenario
def wide(reply: Reply) -> None:
    """The echo; vectors as long as those of the largest models."""
    reply.dialect.form = Form(vectors=spoiled.wide)
    echo(reply)


@scenario
def small(reply: Reply) -> None:
    """The echo; vectors of numbers below 0.00001."""
    reply.dialect.form = Form(vectors=spoiled.small)
    echo(reply)


@scenario
def varied(reply: Reply) -> None:
    """The echo in other forms of the dialect: text beside the end, comments, CR LF."""
    reply.finish_varied(reply.echo)


@scenario
def call_alone(reply: Reply) -> None:
    """A tool call, and no text."""
    reply.dialect.form = WITH_CALL
    reply.finish()


# Reasoning


@scenario
def thinking(reply: Reply) -> None:
    """Reasoning first, then the echo."""
    reply.think(words.THOUGHTS)
    echo(reply)


@scenario
def thinking_renamed(reply: Reply) -> None:
    """Like `thinking`, but the fallback has the reasoning in `reasoning`."""
    reply.dialect.form = RENAMED
    thinking(reply)


@scenario
def thinking_only(reply: Reply) -> None:
    """Reasoning, and an empty answer."""
    reply.think(words.THOUGHTS)
    reply.finish()


@scenario
def after_thought(reply: Reply) -> None:
    """Reasoning first, then text that begins and ends with line feeds."""
    reply.think(words.THOUGHTS)
    reply.say(words.AFTER_THOUGHT_TOKENS)
    reply.finish()


@scenario
def ponder(reply: Reply) -> None:
    """Ten seconds of reasoning, then the echo."""
    for _ in range(PONDERING):
        reply.think(words.THOUGHTS)
        reply.gated.pause(PONDERING_GAP)
    echo(reply)


@scenario
def muse(reply: Reply) -> None:
    """Reasoning for longer than the timeout, each piece in time, then the echo."""
    for thought in (*words.THOUGHTS, "."):
        reply.gated.pause(reply.pace.gap)
        reply.think([thought])
    echo(reply)


@scenario
def muse_renamed(reply: Reply) -> None:
    """Like `muse`, but the fallback has the reasoning in `reasoning`."""
    reply.dialect.form = RENAMED
    muse(reply)


# Pauses


@scenario
def wait(reply: Reply) -> None:
    """The echo, after a fifth of the timeout, and with a pause as long after its first token."""
    reply.gated.pause(reply.pace.gap / 2)
    reply.say(reply.echo[:1])
    reply.gated.pause(reply.pace.gap / 2)
    reply.say(reply.echo[1:])
    reply.finish()


@scenario
def late(reply: Reply) -> None:
    """The echo, after three fifths of the timeout."""
    reply.gated.pause(LATE * reply.pace.gap)
    echo(reply)


@scenario
def late_failure(reply: Reply) -> None:
    """500, after three fifths of the timeout."""
    reply.gated.pause(LATE * reply.pace.gap)
    reply.gated.answer(500, FAILURE)


@scenario
def late_beginning(reply: Reply) -> None:
    """The echo; if the first text is `text 0`, after a fifth of the timeout, so that portions come back in another order."""
    if is_first_portion(reply):
        reply.gated.pause(reply.pace.gap / 2)
    echo(reply)


@scenario
def gated(reply: Reply) -> None:
    """The echo. A stream waits before token 2, and a whole answer before it begins, until the check opens the gate of its nonce."""
    reply.gated.hold_after(1)
    echo(reply)


@scenario
def gated_halves(reply: Reply) -> None:
    """Like `halves`. A stream waits after the first half of a character, and a whole answer before it begins, for the gate of its nonce."""
    reply.gated.hold_after(2)
    halves(reply)


@scenario
def gated_end(reply: Reply) -> None:
    """The echo, with counts beside the tokens of the fallback. It waits before its end until the check opens the gate of its nonce."""
    reply.dialect.form = COUNTED_EARLY
    reply.gated.hold_after(len(reply.echo))
    echo(reply)


@scenario
def drip(reply: Reply) -> None:
    """The echo, each token in time, but three of them take longer than the timeout; a single answer arrives in pieces, too slowly."""
    reply.say(reply.echo, gap=reply.pace.gap)
    reply.finish(gap=reply.pace.gap)


@scenario
def stale(reply: Reply) -> None:
    """The echo on a new connection. A connection that had a request before is closed without a byte."""
    if reply.gated.response.request.nth > 1:
        reply.gated.break_off("cut")
    else:
        echo(reply)


@scenario
def slow(reply: Reply) -> None:
    """No byte until long after the timeout, then the echo."""
    reply.gated.pause(reply.pace.late)
    echo(reply)


@scenario
def stall(reply: Reply) -> None:
    """Two tokens, then nothing until long after the timeout; a single answer comes too late as a whole."""
    reply.say(reply.echo[:2])
    reply.gated.pause(reply.pace.late)
    reply.say(reply.echo[2:])
    reply.finish()


@scenario
def stall_before_first(reply: Reply) -> None:
    """Status 200 in time, then nothing; half of a single answer in time, then nothing."""
    reply.hang()
    reply.gated.pause(reply.pace.late + VERY_LATE)
    reply.cut()


@scenario
def awake(reply: Reply) -> None:
    """Status 200 in time, then no token, but comments, blank lines, empty tokens or, before a single answer, white space."""
    reply.stay_awake(reply.pace.late + VERY_LATE, reply.pace.gap / 2)
    reply.cut()


@scenario
def stall_awake(reply: Reply) -> None:
    """Two tokens, then comments, blank lines and empty tokens, and much later the rest; a single answer as in `awake`."""
    reply.say(reply.echo[:2])
    reply.stay_awake(reply.pace.late, reply.pace.gap / 2)
    reply.say(reply.echo[2:])
    reply.finish()


def is_first_portion(reply: Reply) -> bool:
    """True if the first text is `text 0`, of many texts that a server may embed in portions."""
    return reply.echo[-1:] == [" 0"]
