"""The forms in which servers of a dialect, and gateways in front of them, send the same good answer. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Change = Callable[[Any], Any]
"""Takes JSON, and returns what is sent instead."""


def same(value: Any) -> Any:
    return value


THOUGHT = "Hm."
NULLS = {
    "choices": ("error", "usage"),
    "data": ("error",),
    "message": ("error", "done_reason"),
    "embeddings": ("error",),
}
"""Fields that are null unless they have a value, by a field that is beside them."""
NULLS_OF_TEXT = ("thinking", "reasoning_content", "reasoning", "refusal", "tool_calls")


@dataclass(frozen=True)
class Form:
    about: str = ""
    change: Change = same
    """Changes the JSON of each frame, and of a whole answer."""
    vectors: Change = same
    """Changes the list of vectors."""
    counts: Literal["at the end", "always", "early", "half", "never"] = "at the end"
    """Where the counts are. `always`: every chunk of the fallback counts the tokens so far. `early`: all chunks but the last do. `half`: the
    tokens of the prompt are not counted."""
    has_mark: bool = True
    """False: the fallback sends no `[DONE]`."""
    spread: bool = False
    """True if the JSON of an event of the fallback is on several lines."""
    repeats: bool = False
    """True if the end of a stream of the fallback has the whole text as its message, and no delta."""
    last_line_ends: bool = True
    """False: no line feed follows the last line of a stream."""
    stays_open: bool = False
    """True if a stream stays open after its last byte, longer than any timeout, unless its client leaves."""
    on_lines: bool = False
    """True if the JSON of a whole answer is on several lines."""
    content_type: str = ""
    """Empty for the usual content type."""
    status: int = 200
    in_base64: bool = True
    """False: the fallback sends vectors as arrays even if base64 is asked for."""
    events: Sequence[bytes] = (b"data: %b\n\n",)
    """The fallback's events around their data, in turn."""


USUAL = Form()


def _choice_in(json: Any) -> Any:
    """What has the message: the first choice of the fallback, Ollama's whole answer."""
    return (json.get("choices") or [json])[0]


def _message_in(json: Any) -> Any:
    """The message, or the part of one, in a frame or in a whole answer; None if there is none."""
    choice = _choice_in(json)
    return choice.get("delta") or choice.get("message")


def _is_end(json: Any) -> bool:
    choice = _choice_in(json)
    return bool(choice.get("finish_reason") or choice.get("done"))


def _nulls(json: Any) -> Any:
    beside = [name for field, names in NULLS.items() if field in json for name in names]
    if message := _message_in(json):
        message |= {name: None for name in NULLS_OF_TEXT if name not in message}
    return dict.fromkeys(beside) | json


def _beside_thoughts(json: Any) -> Any:
    message = _message_in(json)
    if message and message.get("content"):
        message["reasoning_content" if "choices" in json else "thinking"] = THOUGHT
    return json


def _renamed(json: Any) -> Any:
    message = _message_in(json) or {}
    if "reasoning_content" in message:
        message["reasoning"] = message.pop("reasoning_content")
    return json


def _reason(instead: Mapping[str, str]) -> Change:
    """Before the end, this replaces null as the reason."""

    def change(json: Any) -> Any:
        for choice in json.get("choices", ()):
            if not choice.get("finish_reason"):
                del choice["finish_reason"]
                choice |= instead
        return json

    return change


def _end(instead: Mapping[str, None]) -> Change:
    """The last chunk has these fields instead of an empty text."""

    def change(json: Any) -> Any:
        place = _choice_in(json)
        empty = [name for name in ("delta", "message") if name in place]
        if _is_end(json) and empty and not (place[empty[0]] or {}).get("content"):
            del place[empty[0]]
            place |= {name: None for name in empty if name in instead}
        return json

    return change


COUNTS = (
    *("prompt_tokens", "completion_tokens", "total_tokens"),
    *("prompt_eval_count", "eval_count"),
)


def _counted(instead: Callable[[int], object]) -> Change:
    """The numbers of tokens are changed in this way."""

    def change(json: Any) -> Any:
        for place in (json, json.get("usage") or {}):
            place |= {name: instead(place[name]) for name in COUNTS if name in place}
        return json

    return change


def _ends_for(reason: str) -> Change:
    """A form in which the end has this reason."""

    def change(json: Any) -> Any:
        for place in json.get("choices", [json]):
            for name in ("finish_reason", "done_reason"):
                if place.get(name):
                    place[name] = reason
        return json

    return change


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": "{}"},
}


def _calls(json: Any) -> Any:
    """The end has a tool call."""
    if _is_end(json):
        place = _choice_in(json)
        name = "delta" if "delta" in place else "message"
        place[name] = (place.get(name) or {}) | {"tool_calls": [CALL]}
    return json


EVENTS = (
    b"event: message\nid: 1\ndata: %b\n\n",
    b"id: 2\nretry: 3000\nevent: message\ndata: %b\n\n",
    b": a comment\nid:3\nid: 3\n: another\ndata: %b\nid: 3\n: one more\n\n",
    b"\n\n:\n\n:\n: a comment\n\ndata: %b\nretry: 3000\nevent: message\n\n",
)
"""Events with fields and comments, in any order, that a reader has to skip."""
WITH_CALL = Form("A tool call at the end", _calls)
RENAMED = Form(change=_renamed)
"""The fallback's reasoning as vLLM and OpenRouter call it."""

COUNTED_EARLY = Form(counts="early")

FORMS: Mapping[str, Form] = {
    "nulls": Form("Fields that are null instead of absent", _nulls),
    "beside-thoughts": Form("Reasoning in the same chunk as text", _beside_thoughts),
    "no-reason": Form("Chunks without `finish_reason`", _reason({})),
    "blank-reason": Form(
        "Chunks with an empty `finish_reason`", _reason({"finish_reason": ""})
    ),
    "null-word": Form(
        "Chunks whose `finish_reason` is the text `null`",
        _reason({"finish_reason": "null"}),
    ),
    "bare-end": Form("A last chunk without a delta or message", _end({})),
    "null-end": Form(
        "A last chunk whose delta or message is null",
        _end({"delta": None, "message": None}),
    ),
    "totals": Form("Counts of tokens in each chunk of the fallback", counts="always"),
    "no-mark": Form("No `[DONE]` at the end", has_mark=False),
    "half-counted": Form("Only the tokens of the answer are counted", counts="half"),
    "uncounted": Form("No token counts", counts="never"),
    "negative-counts": Form("Token counts below 0", _counted(lambda count: -35)),
    "float-counts": Form(
        "Token counts with a decimal point, such as 12.0", _counted(float)
    ),
    "odd-counts": Form(
        "Token counts that are fractions", _counted(lambda count: count + 0.5)
    ),
    "no-mark-uncounted": Form(
        "Nothing after the reason: no token counts and no `[DONE]`",
        counts="never",
        has_mark=False,
    ),
    "spread": Form("Events of the fallback on several `data:` lines", spread=True),
    "repeated": Form(
        "A last chunk of the fallback with the whole text as its message, and without a delta",
        repeats=True,
    ),
    "fields": Form(
        "Names, numbers and comments around the fallback's data", events=EVENTS
    ),
    "no-last-line-feed": Form(
        "No `[DONE]`, and no line feed after the last line",
        has_mark=False,
        counts="always",
        last_line_ends=False,
    ),
    "last-mark-without-line-feed": Form(
        "No line feed after the last line", last_line_ends=False
    ),
    "lingers": Form("A response that stays open after the answer", stays_open=True),
    "no-mark-lingers": Form(
        "No token counts, no `[DONE]`, and a response that stays open after the answer",
        counts="never",
        has_mark=False,
        stays_open=True,
    ),
    "call": WITH_CALL,
    "plain-type": Form(
        "Content-Type text/plain with the charset of a proxy, and a whole answer on several lines",
        on_lines=True,
        content_type="text/plain; charset=iso-8859-1",
    ),
    "created": Form("Status 201, as frameworks answer a POST", status=201),
    "length-reason": Form(
        "An end at the limit of tokens, in another API's word",
        _ends_for("max_output_tokens"),
    ),
    "filter-reason": Form(
        "An end by a filter, in another API's word", _ends_for("SAFETY")
    ),
    "other-reason": Form(
        "An end for a reason that no API names", _ends_for("natural_end")
    ),
}
