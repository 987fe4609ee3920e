"""Bugs in the texts that one upstream embeds, and in how its vectors are read. Each function is a mutant for each dialect."""

import base64
import json
import re
import struct
from collections.abc import Iterator
from itertools import accumulate, chain, count
from math import hypot
from unicodedata import normalize

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json

Received = Iterator[bytes]
Vectors = list[list[float]]
THE_FALLBACK_ANSWERS = "FALLBACK-02..06[openai] FALLBACK-10[openai]"


@on.texts("embed@2", "EMBED-23")
def embedded_texts_are_trimmed(text: str) -> str:
    """White space around a text is removed before it is embedded."""
    return text.strip()


@on.texts("embed@2", "EMBED-23")
def texts_are_in_lower_case(text: str) -> str:
    """Texts are embedded in lower case."""
    return text.lower()


@on.texts("embed@2", "EMBED-23")
def lines_of_a_text_are_joined(text: str) -> str:
    """Line ends in a text become spaces before it is embedded."""
    return text.replace("\n", " ")


@on.texts("embed@2", "EMBED-23")
def texts_lose_their_first_mark(text: str) -> str:
    """A byte order mark at the beginning of a text is removed before it is embedded."""
    return text.removeprefix("\ufeff")


@on.texts("embed@2", "EMBED-23")
def texts_are_composed(text: str) -> str:
    """Texts are embedded in another Unicode form."""
    return normalize("NFC", text)


@on.texts("embed@2", "EMBED-23")
def long_texts_are_cut(text: str) -> str:
    """Only the first two hundred characters of a text are embedded."""
    return text[:200]


@on.texts("embed@2", "EMBED-23")
def inputs_end_at_a_nul(text: str) -> str:
    """A text that is embedded ends at a NUL."""
    return text.partition("\x00")[0]


@on.sends("embed@2", "EMBED-12[ollama] EMBED-20 EMBED-23", shows="echo")
def texts_are_joined(payload: Json) -> None:
    """Each text is embedded together with the texts before it."""
    if isinstance(payload.get("input"), list):
        payload["input"] = [*accumulate(payload["input"], "{} {}".format)]


@on.vectors("embed@2", "EMBED-12[ollama] EMBED-20 EMBED-23")
def vectors_are_all_the_same(vectors: Vectors) -> Vectors:
    """All texts get the vector of the first."""
    return [vectors[0] for _ in vectors]


@on.vectors("embed@2", "EMBED-12[ollama] EMBED-20 EMBED-23")
def the_upstreams_order_is_lost(vectors: Vectors) -> Vectors:
    """The vectors are in reverse order."""
    return vectors[::-1]


@on.vectors("embed@2", "EMBED-20")
def vectors_are_scaled(vectors: Vectors) -> Vectors:
    """The numbers are scaled."""
    return [[number * 1.001 for number in vector] for vector in vectors]


@on.vectors("embed@2", "EMBED-20")
def zeros_are_replaced(vectors: Vectors) -> Vectors:
    """A 0 in a vector is replaced by a small number."""
    return [[number or 1e-3 for number in vector] for vector in vectors]


@on.each_piece("embed@2", "EMBED-27", shows="null-number")
def no_number_is_zero(piece: bytes) -> bytes:
    """Null instead of a number, or NaN, becomes 0."""
    return re.sub(rb"(?<=\[)(null|NaN)(?=,-?\d)", b"0.0", piece)


@on.each_piece("embed@2", "EMBED-27", shows="number-in-text")
def texts_are_numbers(piece: bytes) -> bytes:
    """A string instead of a number is read as a number."""
    return re.sub(rb'(?<=\[)"0\.5"(?=,-?\d)', b"0.5", piece)


@on.vectors("embed@2", "EMBED-26", shows=None)
def portions_are_mixed(vectors: Vectors) -> Vectors:
    """More than 64 texts are sent in portions, whose vectors are then mixed up."""
    mixed = sorted(range(len(vectors)), key=lambda place: place % 64)
    return [vectors[place] for place in mixed]


@on.vectors(
    "embed@2",
    f"EMBED-20 EMBED-23 EMBED-26 EMBED-28..29[openai] {THE_FALLBACK_ANSWERS}",
)
def vectors_have_length_one(vectors: Vectors) -> Vectors:
    """Vectors are scaled to length 1."""
    return [[number / hypot(*vector) for number in vector] for vector in vectors]


@on.vectors("embed@2", "EMBED-20", shows="small")
def numbers_have_eight_places(vectors: Vectors) -> Vectors:
    """Numbers are rounded to eight decimal places."""
    return [[round(number, 8) for number in vector] for vector in vectors]


@on.vectors("embed@2", "EMBED-20", shows="wide")
def vectors_have_1024_numbers(vectors: Vectors) -> Vectors:
    """The numbers of a vector after the first 1024 are lost."""
    return [vector[:1024] for vector in vectors]


@on.base64(
    "embed@2",
    f"EMBED-20 EMBED-23 EMBED-26 EMBED-28 EMBED-29 {THE_FALLBACK_ANSWERS}",
    only="openai",
)
def base64_is_read_at_another_place(received: Received) -> Received:
    """Vectors in base64 are read from a place in memory that is not theirs."""

    def misread(found: re.Match[bytes]) -> bytes:
        data = base64.b64decode(found[1])
        numbers = struct.iter_unpack("<f", data[4:] + data[:4])
        return json.dumps([*chain.from_iterable(numbers)]).encode()

    coded = rb'(?<="embedding":)"([^"]+)"'
    yield re.sub(coded, misread, b"".join(received))


def _numbers_of(found: re.Match[bytes]) -> bytes:
    """The vector that a reader of base64 makes of base64 or of an array."""
    value = json.loads(found[2])
    numbers = [0.0] * (len(value) // 4)
    if isinstance(value, str):
        pairs = struct.iter_unpack("<f", base64.b64decode(value))
        numbers = [*chain.from_iterable(pairs)]
    return found[1] + json.dumps(numbers).encode()


@on.base64("embed@2", "EMBED-20", only="openai", shows="never-in-base64")
def arrays_are_read_as_base64(received: Received) -> Received:
    """The server asks for base64, and takes each number of an array for a byte, as a library of OpenAI does."""
    given = rb'("embedding": ?)("[^"]*"|\[[^\]]*\])'
    yield re.sub(given, _numbers_of, b"".join(received))


@on.pieces("embed@2", "EMBED-24", only="openai")
def the_total_counts(received: Received) -> Received:
    """`prompt_tokens` is the upstream's total."""
    counts = rb'"prompt_tokens":\d+,("total_tokens":(\d+))'
    yield re.sub(counts, rb'"prompt_tokens":\2,\1', b"".join(received))


@on.pieces("embed@2", "EMBED-28", only="openai", shows="shuffled")
def the_index_is_ignored(received: Received) -> Received:
    """Vectors are taken in the order in which they come, whatever their index is."""
    body = b"".join(received)
    places = count()
    yield re.sub(rb'"index":\d+', lambda _: b'"index":%d' % next(places), body)


@on.pieces("embed@2", "EMBED-28", only="openai", shows="same-index")
def an_index_may_occur_twice(received: Received) -> Received:
    """Vectors are taken in the order in which they come if an index occurs twice."""
    body = b"".join(received)
    indexes = re.findall(rb'"index":(\d+)', body)
    places = count()
    if len(indexes) > len({*indexes}):
        body = re.sub(rb'"index":\d+', lambda _: b'"index":%d' % next(places), body)
    yield body


@on.pieces("embed@2", "EMBED-29", only="openai", shows="unnumbered")
def an_index_is_needed(received: Received) -> Received:
    """Vectors without an index are a failure."""
    body = b"".join(received)
    yield body.replace(b'"object":"embedding","embedding"', b'"vector"')


@on.vectors("embed@2", "EMBED-23 EMBED-26 EMBED-28", shows=None, only="openai")
def indices_are_sorted_as_text(vectors: Vectors) -> Vectors:
    """The vectors are sorted by their index as text: 0, 1, 10, 11, 2."""
    return [vectors[n] for n in sorted(range(len(vectors)), key=str)]


@on.each_piece("embed@2", "EMBED-29", only="openai", shows="first-unnumbered")
def all_vectors_need_an_index(piece: bytes) -> bytes:
    """If only some vectors have an index, the answer is a failure."""
    first = piece.startswith(b"{") and b'"index":1' in piece
    is_partial = first and b'"index":0' not in piece
    return b"{}" if is_partial else piece
