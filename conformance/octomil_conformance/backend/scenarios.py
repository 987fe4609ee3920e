"""The scenarios: what the scripted backend does, by the name in the model or in a tag.

A model `conf-NAME` names the scenario of both providers, `conf-ollama-NAME-openai-NAME` that of each. `ok` is short for
`echo`, `missing` for `http-404`, a bare status for `http-STATUS`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from octomil_conformance.backend import spoiled
from octomil_conformance.backend.forms import FORMS, RENAMED, Form
from octomil_conformance.backend.reply import ErrorForm, Reply
from octomil_conformance.backend.spoiled import Change, same
from octomil_conformance.backend.stage import Pace
from octomil_conformance.backend.witness import Provider
from octomil_conformance.backend.words import (
    GIANT_TOKENS,
    HALVES_TOKENS,
    HUGE_TOKENS,
    LONG_TOKENS,
    ROUGH_TOKENS,
    THOUGHTS,
    UNICODE_TOKENS,
)

MODEL_PREFIX = "conf-"
ALONE: dict[Provider, str] = {
    "ollama": "ollama-{}-openai-500",
    "openai": "ollama-500-openai-{}",
}
"""How one provider plays a scenario while the other fails."""

Act = Callable[[Reply, Pace], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    sentence: str
    act: Act


SCENARIOS: dict[str, Scenario] = {}

_BOTH = re.compile(r"ollama-(?P<ollama>.+)-openai-(?P<openai>.+)")
_SHORT = {"ok": "echo", "missing": "http-404", "both-missing": "http-404"}


def scenario_named(name: str) -> Scenario | None:
    """Models may have a tag and capital letters, `Echo:8b-Q4`. They change nothing."""
    name = name.partition(":")[0].lower()
    if name.isascii() and name.isdecimal():
        name = f"http-{name}"
    return SCENARIOS.get(_SHORT.get(name, name))


def alone(name: str) -> str:
    """The scenario that only one provider plays while the other fails; the name itself if there is no such one."""
    for pattern in ALONE.values():
        before, after = pattern.split("{}")
        if name.startswith(before) and name.endswith(after):
            return name.removeprefix(before).removesuffix(after)
    return name


def scenario_of(model: str, backend: Provider) -> Scenario | None:
    """None if the model is not one of the scripted backend."""
    name = model.removesuffix(":latest")
    if not name.startswith(MODEL_PREFIX):
        return None
    name = name.removeprefix(MODEL_PREFIX)
    if each := _BOTH.fullmatch(name):
        name = each[backend]
    return scenario_named(name)


# Answers: functions, each with its sentence for `--scenarios`

LONG_GAP = 0.01
"""Seconds between the tokens of conf-long: they last longer than any check."""


TRACE = 'Traceback (most recent call last):\n  File "/srv/upstream/seed.py", line 3, in read\nValueError: seed'
CRASH = "llama runner at {host} for {key} no longer running: 2"
"""A message that a client must not see."""

VERY_LATE = 5.0
"""Seconds beyond those that a check gives a server after its timeouts."""

LATE = 1.5
"""Times the pause between two tokens: three fifths of the timeout."""

PONDERING, PONDERING_GAP = 200, 0.05
"""How often conf-ponder reasons, and seconds after each time: it lasts longer than the check that hangs up on it."""


def _act(act: Act) -> Act:
    name = act.__name__.strip("_").replace("_", "-")
    SCENARIOS[name] = Scenario(name, str(act.__doc__), act)
    return act


@_act
def echo(reply: Reply, pace: Pace) -> None:
    """The prompt, word by word; embeddings in which similar texts are near."""
    reply.say(reply.echo)
    reply.finish()


@_act
def empty(reply: Reply, pace: Pace) -> None:
    """A complete answer without a token."""
    reply.finish()


@_act
def unicode(reply: Reply, pace: Pace) -> None:
    """Tokens with separators, emoji and escapes, sent in pieces that end inside a character."""
    reply.say(UNICODE_TOKENS, split=True)
    reply.finish()


@_act
def rough(reply: Reply, pace: Pace) -> None:
    """Text that a careless program changes: white space, line ends, markup, escapes, frames."""
    reply.say(ROUGH_TOKENS, split=True)
    reply.finish()


@_act
def huge(reply: Reply, pace: Pace) -> None:
    """520 long tokens, 67 kB, as fast as they can be read."""
    reply.say(HUGE_TOKENS)
    reply.finish()


@_act
def halves(reply: Reply, pace: Pace) -> None:
    """Characters that are cut in two, half a surrogate pair in each token."""
    reply.say(HALVES_TOKENS)
    reply.finish()


@_act
def giant(reply: Reply, pace: Pace) -> None:
    """An answer of more than a mebibyte, nearly all of it in one token; vectors beside so long a text."""
    reply.say(GIANT_TOKENS)
    reply.finish(change=spoiled.padded)


@_act
def wait(reply: Reply, pace: Pace) -> None:
    """The echo, but a fifth of the timeout before it."""
    reply.pause(pace.gap / 2)
    echo(reply, pace)


@_act
def late(reply: Reply, pace: Pace) -> None:
    """The echo in time, but three fifths of the timeout before it."""
    reply.pause(LATE * pace.gap)
    echo(reply, pace)


@_act
def late_beginning(reply: Reply, pace: Pace) -> None:
    """The echo; what begins with `text 0` is a fifth of the timeout late, so that portions of one request come in another order."""
    if reply.echo[-1:] == [" 0"]:
        reply.pause(pace.gap / 2)
    echo(reply, pace)


@_act
def ponder(reply: Reply, pace: Pace) -> None:
    """Ten seconds of reasoning, then the echo."""
    for _ in range(PONDERING):
        reply.think(THOUGHTS)
        reply.pause(PONDERING_GAP)
    reply.say(reply.echo)
    reply.finish()


@_act
def varied(reply: Reply, pace: Pace) -> None:
    """The echo in other forms of the dialect: text beside the end, comments, CR LF."""
    reply.finish_varied(reply.echo)


@_act
def muse(reply: Reply, pace: Pace) -> None:
    """Reasoning for longer than the timeout, each piece in time, then the echo."""
    for thought in (*THOUGHTS, "."):
        reply.pause(pace.gap)
        reply.think([thought])
    echo(reply, pace)


@_act
def muse_renamed(reply: Reply, pace: Pace) -> None:
    """As muse, but the fallback calls it `reasoning`."""
    reply.write(RENAMED)
    muse(reply, pace)


@_act
def thinking_renamed(reply: Reply, pace: Pace) -> None:
    """As thinking, but the fallback calls it `reasoning`."""
    reply.write(RENAMED)
    thinking(reply, pace)


@_act
def thinking(reply: Reply, pace: Pace) -> None:
    """Reasoning first, then the echo."""
    reply.think(THOUGHTS)
    reply.say(reply.echo)
    reply.finish()


@_act
def long(reply: Reply, pace: Pace) -> None:
    """A thousand tokens, 10 ms before each; a single answer at once."""
    reply.say(LONG_TOKENS, gap=LONG_GAP)
    reply.finish()


@_act
def gated(reply: Reply, pace: Pace) -> None:
    """The echo, held before token 2, or as a whole, until the check opens the gate of its nonce."""
    reply.close_gate(1)
    reply.say(reply.echo)
    reply.finish()


@_act
def drip(reply: Reply, pace: Pace) -> None:
    """The echo, each token in time but three of them later than the timeout; a single answer drips past it."""
    reply.say(reply.echo, gap=pace.gap)
    reply.finish(gap=pace.gap)


@_act
def slow(reply: Reply, pace: Pace) -> None:
    """No byte of an answer in time; much later the echo."""
    reply.pause(pace.late)
    echo(reply, pace)


@_act
def stall(reply: Reply, pace: Pace) -> None:
    """Two tokens, then nothing in time; a single answer comes late as a whole."""
    reply.say(reply.echo[:2])
    reply.pause(pace.late)
    reply.say(reply.echo[2:])
    reply.finish()


@_act
def stall_before_first(reply: Reply, pace: Pace) -> None:
    """Status 200 in time, then nothing; of a single answer, half of it in time."""
    reply.hang()
    reply.pause(pace.late + VERY_LATE)
    reply.cut()


@_act
def awake(reply: Reply, pace: Pace) -> None:
    """Status 200 in time, then no token, but comments, blank lines, empty tokens or, before a single answer, white space."""
    reply.stay_awake(pace.late + VERY_LATE, pace.gap / 2)
    reply.cut()


@_act
def stall_awake(reply: Reply, pace: Pace) -> None:
    """Two tokens, then comments, blank lines and empty tokens, and much later the rest; a single answer as in `awake`."""
    reply.say(reply.echo[:2])
    reply.stay_awake(pace.late, pace.gap / 2)
    reply.say(reply.echo[2:])
    reply.finish()


@_act
def truncate(reply: Reply, pace: Pace) -> None:
    """Two tokens and a clean end, without what makes an answer complete; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.stop_short()


@_act
def truncate_before_first(reply: Reply, pace: Pace) -> None:
    """Status 200 and a clean end, without a token; half of a single answer."""
    reply.stop_short()


@_act
def cut(reply: Reply, pace: Pace) -> None:
    """Two tokens, then the connection breaks; half of a single answer."""
    reply.say(reply.echo[:2])
    reply.cut()


@_act
def cut_before_first(reply: Reply, pace: Pace) -> None:
    """Status 200, then the connection breaks before a token."""
    reply.cut()


@_act
def cut_in_thought(reply: Reply, pace: Pace) -> None:
    """Reasoning, then the connection breaks before a token."""
    reply.think(THOUGHTS)
    reply.cut()


@_act
def drop(reply: Reply, pace: Pace) -> None:
    """The connection is closed without a byte of an answer; a server may try that twice."""
    reply.drop()


@_act
def garbage(reply: Reply, pace: Pace) -> None:
    """Status 200 and a web page."""
    reply.garble()


@_act
def garbage_later(reply: Reply, pace: Pace) -> None:
    """Two tokens, then something else than the dialect."""
    reply.say(reply.echo[:2])
    reply.garble()


# Good answers in other forms, whole, and cut after two tokens: see forms.py


def _formed(name: str, sentence: str, form: Form) -> None:
    def act(reply: Reply, pace: Pace) -> None:
        reply.write(form)
        echo(reply, pace)

    def act_cut(reply: Reply, pace: Pace) -> None:
        reply.write(form)
        truncate(reply, pace)

    SCENARIOS[name] = Scenario(name, f"{sentence}; the echo.", act)
    cut_name = f"{name}-truncate"
    SCENARIOS[cut_name] = Scenario(cut_name, f"{sentence}; two tokens and a clean end.", act_cut)  # fmt: skip


for _name, (_sentence, _form) in FORMS.items():
    _formed(_name, _sentence, _form)


def _error(name: str, sentence: str, tokens: int, form: ErrorForm = "alone") -> None:
    def act(reply: Reply, pace: Pace) -> None:
        reply.say(reply.echo[:tokens])
        reply.fail(CRASH, form)

    SCENARIOS[name] = Scenario(name, f"Status 200, {sentence}.", act)


_error("error-frame", "two tokens, an error frame and a clean end; a single answer is an error", 2)  # fmt: skip
_error("error-frame-first", "an error frame before any token", 0)
_error("error-before-end", "two tokens, an error frame, then the end of a good answer; a single answer with an error", 2, "before the end")  # fmt: skip
_error("error-first-before-end", "an error frame, then the end of a good answer", 0, "before the end")  # fmt: skip
_error("error-beside-end", "two tokens, then an error in the frame that ends the answer", 2, "beside the end")  # fmt: skip
_error("error-of-other-type", "two tokens, an error that is text instead of an object or the other way round, then the end", 2, "other type")  # fmt: skip
_error("error-odd", "two tokens, an error beside text (Ollama) or without the name `error` (OpenAI), then the end", 2, "odd")  # fmt: skip


# Status 200, and JSON that is not an answer, or not as usual: see spoiled.py


def _spoiled(name: str, sentence: str, change: Change) -> None:
    def act(reply: Reply, pace: Pace) -> None:
        reply.spoil(change)

    SCENARIOS[name] = Scenario(name, f"Status 200, {sentence}.", act)


def _embedded(
    name: str, sentence: str, change: Change = same, vectors: Change = same
) -> None:
    def act(reply: Reply, pace: Pace) -> None:
        reply.say(reply.echo)
        reply.finish(change=change, vectors=vectors)

    SCENARIOS[name] = Scenario(name, f"{sentence}; a chat is echoed.", act)


for _name, (_sentence, _change) in spoiled.ANSWERS.items():
    _spoiled(_name, _sentence, _change)
for _name, (_sentence, _change) in spoiled.DATA.items():
    _embedded(_name, _sentence, change=_change)
for _name, (_sentence, _change) in spoiled.VECTORS.items():
    _embedded(_name, _sentence, vectors=_change)


# Refusals, in the words of real servers. Servers decide by some of them: `context`, `does not support`, `option "`


def _refusal(
    name: str,
    status: int,
    sentence: str,
    message: str,
    kind: str = "api_error",
    **headers: str,
) -> None:
    def act(reply: Reply, pace: Pace) -> None:
        reply.refuse(status, message, kind, **headers)

    SCENARIOS[name] = Scenario(name, f"{status}: {sentence}.", act)


_refusal("http-400", 400, "a fault in the request", "invalid value for seed")
_refusal("http-400-trace", 400, "a fault in the request, with a traceback", TRACE)
_refusal("http-402", 402, "the account is empty", "insufficient balance")
_refusal("http-403", 403, "the key may not do this", "forbidden for {key}")
_refusal("http-404", 404, "it lacks the model", "model not found")
_refusal("http-408", 408, "it gave up waiting", "request timeout")
_refusal("http-413", 413, "the request is too large", "request too large")
_refusal("http-422", 422, "a fault in the request", "unprocessable seed")
_refusal("http-429", 429, "too many, Retry-After 7", "slow down", retry_after="7")
_refusal("http-429-silent", 429, "too many, without Retry-After", "slow down")
_refusal("http-429-date", 429, "too many, Retry-After as a date", "slow down", retry_after="Fri, 02 Jan 2026 03:04:05 GMT")  # fmt: skip
_refusal("http-429-quota", 429, "the account is empty", "You exceeded your current quota", "insufficient_quota")  # fmt: skip
_refusal("http-500-memory", 500, "no room for the model", "model requires more system memory (8.0 GiB) than is available (2.0 GiB)")  # fmt: skip
_refusal(
    "http-500", 500, "a fault of its own", "dial tcp {host}: unexpected server error"
)
_refusal("http-502", 502, "its own upstream failed", "bad gateway: {host}")
_refusal("http-503", 503, "overloaded or starting", "server busy: {host}")
_refusal("http-504", 504, "its own upstream was late", "gateway timeout: {host}")
_refusal(
    "auth", 401, "it refuses the key of the server", "Incorrect API key provided: {key}"
)
_refusal(
    "context-too-long",
    400,
    "the prompt is longer than the context of the model",
    "the request exceeds the available context size, maximum context length is 8 tokens",
    "exceed_context_size_error",
)
_refusal(
    "no-support",
    400,
    "the model cannot do this",
    '"conf-no-support" does not support chat',
)
_refusal(
    "bad-option",
    500,
    "an option of the wrong type, in Ollama's words",
    'option "seed" must be of type integer',
)
