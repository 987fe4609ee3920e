"""The scenarios that are more than a refusal, each a function whose docstring explains it."""

from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.scenario import Act, Scenario
from octomil_conformance.backend.stage import Pace
from octomil_conformance.backend.words import LONG_TOKENS, THOUGHTS, UNICODE_TOKENS

LONG_GAP = 0.01
"""Seconds between the tokens of conf-long: they last longer than any check."""

ACTS: dict[str, Scenario] = {}


def _scenario(act: Act) -> Act:
    name = act.__name__.strip("_").replace("_", "-")
    ACTS[name] = Scenario(name, str(act.__doc__), act)
    return act


@_scenario
def echo(reply: Reply, pace: Pace) -> None:
    """The prompt, word by word; embeddings in which similar texts are near."""
    reply.say(reply.echo)
    reply.finish()


@_scenario
def empty(reply: Reply, pace: Pace) -> None:
    """A complete answer without a token."""
    reply.finish()


@_scenario
def unicode(reply: Reply, pace: Pace) -> None:
    """Tokens with separators, emoji and escapes, sent in pieces that end inside a character."""
    reply.say(UNICODE_TOKENS, split=True)
    reply.finish()


@_scenario
def thinking(reply: Reply, pace: Pace) -> None:
    """Reasoning first, then the echo."""
    reply.think(THOUGHTS)
    reply.say(reply.echo)
    reply.finish()


@_scenario
def long(reply: Reply, pace: Pace) -> None:
    """A thousand tokens, 10 ms before each; a single answer at once."""
    reply.say(LONG_TOKENS, gap=LONG_GAP)
    reply.finish()


@_scenario
def gated(reply: Reply, pace: Pace) -> None:
    """The echo, held before token 2, or as a whole, until the check opens the gate of its nonce."""
    reply.close_gate(1)
    reply.say(reply.echo)
    reply.finish()


@_scenario
def drip(reply: Reply, pace: Pace) -> None:
    """The echo, each token in time but three of them later than the timeout; a single answer drips past it."""
    reply.say(reply.echo, gap=pace.gap)
    reply.finish(gap=pace.gap)


@_scenario
def slow(reply: Reply, pace: Pace) -> None:
    """No byte of an answer in time; much later the echo."""
    reply.pause(pace.late)
    echo(reply, pace)


@_scenario
def stall(reply: Reply, pace: Pace) -> None:
    """Two tokens, then nothing in time; a single answer comes late as a whole."""
    reply.say(reply.echo[:2])
    reply.pause(pace.late)
    reply.say(reply.echo[2:])
    reply.finish()


@_scenario
def truncate(reply: Reply, pace: Pace) -> None:
    """Two tokens and a clean end, without what makes an answer complete; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.stop_short()


@_scenario
def truncate_before_first(reply: Reply, pace: Pace) -> None:
    """Status 200 and a clean end, without a token; half of a single answer."""
    reply.stop_short()


@_scenario
def cut(reply: Reply, pace: Pace) -> None:
    """Two tokens, then the connection breaks; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.cut()


@_scenario
def cut_before_first(reply: Reply, pace: Pace) -> None:
    """Status 200, then the connection breaks before a token."""
    reply.cut()


@_scenario
def drop(reply: Reply, pace: Pace) -> None:
    """The connection is closed without a byte of an answer; a server may try that twice."""
    reply.drop()


@_scenario
def garbage(reply: Reply, pace: Pace) -> None:
    """Status 200 and a web page."""
    reply.garble()


@_scenario
def garbage_later(reply: Reply, pace: Pace) -> None:
    """Two tokens, then something else than the dialect."""
    reply.say(reply.echo[:2])
    reply.garble()


@_scenario
def error_frame(reply: Reply, pace: Pace) -> None:
    """Two tokens, then an error frame and a clean end; a single answer is an error under status 200."""
    reply.say(reply.echo[:2])
    reply.fail("llama runner process no longer running: 2")


@_scenario
def error_frame_first(reply: Reply, pace: Pace) -> None:
    """Status 200, then an error frame before any token."""
    reply.fail("llama runner process no longer running: 2")


@_scenario
def missing_vectors(reply: Reply, pace: Pace) -> None:
    """One vector less than there are inputs; a chat is echoed."""
    reply.say(reply.echo)
    reply.finish(vectors_lost=1)
