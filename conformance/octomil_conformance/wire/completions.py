"""What an answer says about how it ended; in a single answer and in the final event of a stream alike."""

from typing import Any

from octomil_conformance.exchange import MISSING, field, is_integer, is_number

FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter")


def is_latency(value: object) -> bool:
    return is_number(value) and 0 <= value < float("inf")  # type: ignore[operator]


def is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def usage_adds_up(usage: Any) -> bool:
    """It is not given, or `prompt_tokens` and `completion_tokens` are integers, and `total_tokens` their sum."""
    if usage in (MISSING, None):
        return True
    counts = [field(usage, "prompt_tokens"), field(usage, "completion_tokens")]
    total = field(usage, "total_tokens")
    return all(map(is_integer, [*counts, total])) and sum(counts) == total
