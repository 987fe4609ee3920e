"""Scenarios in which an answer breaks off or is malformed, written like those in answer_scenarios.py."""

from octomil_conformance.backend import words
from octomil_conformance.backend.answer_scenarios import (
    FAILURE,
    VERY_LATE,
    echo,
    is_first_portion,
    scenario,
)
from octomil_conformance.backend.gated import JSON
from octomil_conformance.backend.reply import Reply


@scenario
def truncate(reply: Reply) -> None:
    """Two tokens and a clean end, without what makes an answer complete; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.stop_short()


@scenario
def truncate_at_mark(reply: Reply) -> None:
    """Like `truncate`, but the fallback's stream ends with `[DONE]`."""
    reply.say(reply.echo[:2])
    reply.stop_short(has_mark=True)


@scenario
def truncate_before_first(reply: Reply) -> None:
    """Status 200 and a clean end, without a token; half of a single answer."""
    reply.stop_short()


@scenario
def truncate_after_nothing(reply: Reply) -> None:
    """An empty token, like the one beside the role, then a clean end."""
    reply.say([""])
    reply.stop_short()


@scenario
def cut(reply: Reply) -> None:
    """Two tokens, then the connection breaks; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.cut()


@scenario
def cut_before_first(reply: Reply) -> None:
    """Status 200, then the connection breaks before a token."""
    reply.cut()


@scenario
def cut_in_thought(reply: Reply) -> None:
    """Reasoning, then the connection breaks before a token."""
    reply.think(words.THOUGHTS)
    reply.cut()


REASONING_STEPS = 8
"""Steps of a fifth of a second in which a model reasons: longer than a second."""


def reason_long(reply: Reply) -> None:
    for _ in range(REASONING_STEPS):
        reply.think(words.THOUGHTS)
        reply.gated.pause(0.2)


@scenario
def cut_after_long_thought(reply: Reply) -> None:
    """Reasoning for more than a second, then the connection breaks before a token."""
    reason_long(reply)
    reply.cut()


@scenario
def stall_after_long_thought(reply: Reply) -> None:
    """Reasoning for more than a second, then nothing until long after the timeout."""
    reason_long(reply)
    reply.gated.pause(reply.pace.late)
    echo(reply)


@scenario
def cut_after_nothing(reply: Reply) -> None:
    """An empty token, like the one beside the role, then the connection breaks."""
    reply.say([""])
    reply.cut()


@scenario
def garbage(reply: Reply) -> None:
    """Status 200 and a web page."""
    reply.garble()


@scenario
def garbage_later(reply: Reply) -> None:
    """Two tokens, then bytes that are not of the dialect."""
    reply.say(reply.echo[:2])
    reply.garble()


@scenario
def flood_cut(reply: Reply) -> None:
    """Like `flood`, then the connection breaks."""
    reply.say(words.FLOOD_TOKENS)
    reply.cut()


@scenario
def failure_stall(reply: Reply) -> None:
    """500 and the beginning of its message in time, then nothing."""
    reply.gated.response.head(500, content_type=JSON, content_length=str(len(FAILURE)))
    reply.gated.response.send(FAILURE[:5])
    reply.gated.pause(reply.pace.late + VERY_LATE)
    reply.gated.break_off("cut")


@scenario
def garbage_between(reply: Reply) -> None:
    """Two tokens, a line that is not of the dialect, then the rest; a single answer is the echo."""
    reply.say(reply.echo[:2])
    reply.interrupt()
    reply.say(reply.echo[2:])
    reply.finish()


@scenario
def garbage_after_nothing(reply: Reply) -> None:
    """An empty token, like the one beside the role, then bytes that are not of the dialect."""
    reply.say([""])
    reply.garble()


@scenario
def drop(reply: Reply) -> None:
    """The connection is closed without a byte of an answer; a server may try that twice."""
    reply.gated.break_off("cut")


@scenario
def no_body(reply: Reply) -> None:
    """Status 200 and a body without a byte."""
    reply.gated.answer(200, b"")


@scenario
def later_portions_fail(reply: Reply) -> None:
    """The echo if the first text is `text 0`, otherwise 500, so that all portions of a request except the first fail."""
    if is_first_portion(reply):
        echo(reply)
    else:
        reply.gated.answer(500, FAILURE)
