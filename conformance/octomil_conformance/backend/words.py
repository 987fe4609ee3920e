"""The answers of the scripted backend as functions of the request: tags, tokens, vectors. Pure.

A tag in the prompt, `[conf NONCE]` or `[conf NONCE SCENARIO]`, names the check that caused an upstream call.
"""

import hashlib
import math
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

DIMENSIONS = 64
TOKENS_IN_A_WORD = 2
"""Tokens of a prompt, as the scripted backend counts them."""
TOKENS_IN_A_TOKEN = 3
"""Tokens that count for each token of an answer. Because the number is not 1, a check notices if a server guesses its counts."""
UNSEEN_TOKENS = 5
"""Tokens that are in the fallback's total and in none of its parts, as some servers count reasoning."""
PLAIN_NUMBERS = (0.0, 1.0, 1e-12)
"""Numbers at the end of each vector. Some servers take an exact 0, or a whole number, for a mistake."""
LENGTH = 2.5
"""The length of each vector. It is not 1, so that checks notice a server that scales vectors to 1."""

UNICODE_TOKENS = (
    "caf\u00e9",
    " \u4f60\u597d",
    " \U0001f352",
    " a\u2028b",
    " c\u2029d",
    " e\u0085f",
    ' "\\\n\t',
    " \U0001f469\u200d\U0001f680",
    " e\u0301",
)
"""Tokens that break clients: separators that some take for line ends, characters of 2 to 4 bytes, a joined emoji."""

ROUGH_TOKENS = (
    *("  Well", ",\tthen", " \r\n", "\n\ndata: [DONE]", "\n\n", "data: {}\n\n", ": \n"),
    *(" <b>&amp;</b>", " </script>", " <think>x</think>", " <|end|>", " <|im_end|>"),
    *("</s>", "[/INST]", "<|eot_id|>", " `x`", " **y**"),
    *(
        r" \n \u0000 \x41 \\",
        " %20%0A+",
        " ${HOME} {0} {{y}} %s",
        " \"q\" 's' \u201cq\u201d \u2018s\u2019",
        " null",
        " $& $$ $' $1",
        " ' OR 1=1 -- UNION SELECT <script>x</script> ../../etc/passwd",
        " a@b.example https://a.example/?q=1 sk-0123456789abcdef",
    ),
    *(" \u00a0x\u00a0", " \ufeffy", " \u200bz", " \u202eabc\u202c", " \ufffd"),
    *(
        " \u0130\u1e9e",
        "caf\u00e9 e\u0301 \ufb01",
        " \x07\x1b[0m",
        " a\x00b \x01\x7f\x9f",
    ),
    *(" \U0001f3f4\U000e0067\U000e0062\U000e007f", " \u00ad\u2060\u200d\ufe0f"),
    " \ue000\U0010ffff\ufdd0",
    *(" 1.0 007 1e5", "0", " a", "a", "a", "  ", "\n", " \n"),
)
"""Text that careless programs change: white space, line ends, markup, escapes, frames, Unicode forms, repetitions."""

MARKED_TOKENS = ("\ufeffA", "\ufeff", " b")
"""A byte order mark at the beginning of an answer and of a token. It is a character like any other."""

HUGE_TOKENS = tuple(f" {number} {'x' * 124}\u00e9" for number in range(520))
"""More than 64 kB and more than 500 tokens."""

HALVES_TOKENS = ("Ripe ", "\ud83c", "\udf52", " and \ud83c", "\udf4b!")
"""Characters in two tokens, as a gateway in JavaScript may cut them: `\\ud83c` is in one escape, `\\udf52` in the next."""

LONE_HALVES_TOKENS = ("\udf52 Ripe", " \ud83c", " and", " \ud83c")
"""Halves of characters without their other half, one of them at the very end."""

ALMOST_2_MIB = "word " * 416_000
GIANT_TOKENS = (" begins", " " + ALMOST_2_MIB, " ends")

FLOOD_TOKENS = (" " + "x" * 2**16,) * 100
"""Six megabytes: more than the buffers between a server and its client hold."""

LONG_TOKENS = tuple(f" w{number}" for number in range(1000))
AFTER_THOUGHT_TOKENS = ("\n\n", "Well", ",\n\n")
"""Text after reasoning, with line feeds at both ends."""
TEXTS = {
    "unicode": "".join(UNICODE_TOKENS),
    "rough": "".join(ROUGH_TOKENS),
    "marked": "".join(MARKED_TOKENS),
    "huge": "".join(HUGE_TOKENS),
    "after-thought": "".join(AFTER_THOUGHT_TOKENS),
    "halves": "Ripe \U0001f352 and \U0001f34b!",
}
"""The text of these scenarios, by name."""
LONE_HALVES = "\ufffd Ripe \ufffd and \ufffd"
"""The text of the stream in lone-halves."""
GIANT = "".join(GIANT_TOKENS)
THOUGHTS = ("Let", " me", " think")

_TAG = re.compile(r"\[conf ([\w-]+(?:\.[\w-]+)*)(?: ([\w-]+))?\] ?", re.ASCII)


@dataclass(frozen=True)
class Tag:
    nonce: str
    scenario: str
    """Empty: the model names the scenario."""


NO_TAG = Tag("", "")


def new_nonce() -> str:
    return f"n{secrets.token_hex(5)}"


def tagged(nonce: str, text: str, scenario: str = "") -> str:
    return f"[conf {nonce} {scenario}] {text}" if scenario else f"[conf {nonce}] {text}"


def find_tag(body: str) -> Tag:
    """The first tag in a request body of any shape, or NO_TAG."""
    found = _TAG.search(body)
    return Tag(found[1], found[2] or "") if found else NO_TAG


def untagged(text: str) -> str:
    return _TAG.sub("", text)


def echo_tokens(text: str) -> list[str]:
    """`one two  three` becomes `one`, ` two`, ` three`. Only ASCII spaces split."""
    words = [word for word in untagged(text).split(" ") if word]
    return [word if index == 0 else f" {word}" for index, word in enumerate(words)]


def count_words(text: str) -> int:
    return len(untagged(text).split())


def embed(text: str) -> list[float]:
    """DIMENSIONS numbers of length LENGTH, then PLAIN_NUMBERS. Texts that share words or parts of words are near."""
    return _embedded(untagged(text))


@lru_cache(10_000)
def _embedded(text: str) -> list[float]:
    weighed = [
        [weight * number for number in _numbers(feature)]
        for feature, weight in _features(text)
    ]
    sums = [*map(sum, zip(*weighed))]
    length = math.hypot(*sums)
    return [*(round(LENGTH * value / length, 7) for value in sums), *PLAIN_NUMBERS]


def _features(text: str) -> Iterator[tuple[str, float]]:
    """What makes texts similar, with its weight."""
    for word in re.findall(r"\w+", text.lower()) or [text]:
        yield word, 1.0
        for start in range(len(word) - 2):
            yield f"#{word[start : start + 3]}", 0.5
    # Any change of a text, such as its case, changes its vector.
    yield f"={text}", 0.25


@lru_cache(10_000)
def _numbers(feature: str) -> list[float]:
    digest = hashlib.blake2b(
        feature.encode(errors="replace"), digest_size=DIMENSIONS
    ).digest()
    return [byte - 127.5 for byte in digest]
