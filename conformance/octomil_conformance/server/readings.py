"""What upstreams say of an answer in either dialect, Ollama's own or OpenAI's: its vectors, and how it ended. Pure."""

from typing import Any

from octomil_conformance.server.layers import Json

Vectors = tuple[list[list[float]], int]
"""With the number of tokens."""

REASONS = ("stop", "length", "tool_calls", "content_filter")


def vectors_of(body: Any, is_ollama: bool) -> Vectors:
    if is_ollama:
        return body["embeddings"], body.get("prompt_eval_count", 0)
    items = sorted(body["data"], key=lambda item: item["index"])
    count = (body.get("usage") or {}).get("prompt_tokens", 0)
    return [item["embedding"] for item in items], count


def ending_of(body: Any, is_ollama: bool) -> Json:
    """The fields of an answer that are known. `body`: a whole one, or a line of a stream."""
    if is_ollama:  # which leaves out counts that are 0
        counts = body.get("prompt_eval_count", 0), body.get("eval_count", 0)
        return _reason(body.get("done_reason")) | _usage(*counts)
    choices, usage = body.get("choices") or [{}], body.get("usage")
    reason = _reason(choices[0].get("finish_reason"))
    if not usage:
        return reason
    return reason | _usage(usage["prompt_tokens"], usage["completion_tokens"])


def _reason(word: object) -> Json:
    return {"finish_reason": word} if word in REASONS else {}


def _usage(prompt: int, completion: int) -> Json:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"usage": counts | {"total_tokens": prompt + completion}}
