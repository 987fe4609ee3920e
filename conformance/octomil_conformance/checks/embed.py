"""Vectors of the model (spec section 7). How clients read them is in wire/embed.py."""

import itertools
from collections.abc import Sequence
from typing import Any

from octomil_conformance.api import REFUSED, UNAVAILABLE, Api
from octomil_conformance.backend import TOKENS_IN_A_WORD, embed
from octomil_conformance.backend.spoiled import TIMES, TINY, small
from octomil_conformance.checks.answers import all_or_none
from octomil_conformance.checks.validation import without_model
from octomil_conformance.exchange import MISSING, Json, field, items
from octomil_conformance.expect import Want, expect, one_of
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.wire.embed import vectors

TEXTS = [
    "a ripe cherry",
    "the speed of light",
    "snow on the mountains",
    "bread from the oven",
]
ODD = [
    " begins with a space",
    "ends with spaces  ",
    "two  spaces within",
    "LOUD and quiet",
    "loud and quiet",
    "lines\nand\ttabs\r\n",
    "caf\u00e9",
    "cafe\u0301",
    "the same again",
    "the same again",
    "a\x00b \x01\x7f",
    "7",
    "7.0",
    "0",
    "\u2028 \U0001f352 <b> &amp; %20",
    "2026-01-03T04:05:06Z",
    "\ufeffmarked \U000e0067\u2060",
    "$& $$ {0} {{y}} ' OR 1=1 -- <script>x</script> ../../etc/passwd",
    " ".join(f"word{number}" for number in range(60)),
]
NEARLY = [["a,b"], ["a", "b"], ["a, b"], ["A,B"], ["a,b "], ["b", "a"]]
"""Texts that a careless cache takes for those of an earlier request."""
UNCOUNTED = "/api/embeddings"
"""Ollama's older path, which gives no counts."""
OWN = "no text with the vector of another text, or with none"
OF_ANOTHER = 2.5e-3
"""The least difference between the numbers of two texts."""
MANY = ODD + [f"sentence number {number}" for number in range(27)]
"""Texts that careless servers change, drop or mix up."""
LARGE_TEXT = "fruit " + "\U0001f352" * 50_000
"""200 kB in characters of four bytes, which servers that decode a body piece by piece cut."""
THOUSAND = [f"text {number}" for number in range(1100)]
HUNDREDS = THOUSAND[:300]
HOW_MANY = [("echo", 300), ("late-beginning", 300), ("echo", 1100)]
"""A server may refuse a thousand texts, but not answer in part."""
COUNTED = {"few": TEXTS, "many": MANY, "hundreds": HUNDREDS, "thousand": THOUSAND}
"""Many texts, and hundreds or more: more than careless servers send at once. `prompt_tokens` counts all of them."""
OF_ONE_MODEL = [(200, 300, 300), (200, 300, 0), (400, 0, 0), (413, 0, 0), (422, 0, 0)]
"""The status, the number of vectors, and how many of them are Ollama's."""
SHORTER: Json = {
    "dimensions": {"dimensions": 8},
    "base64": {"encoding_format": "base64"},
}
"""Fields of OpenAI's API that this API does not have."""
FORMS = ["echo", "nulls", "odd-counts", "plain-type", "created", "zipped"]
NOT_COUNTED = ["uncounted", "negative-counts", "odd-counts"]
LENGTHS = {"echo": 1, "wide": TIMES}
"""How often vectors repeat their numbers, by scenario."""
TOO_MANY = [(status, MISSING, MISSING) for status in (400, 413, 422)]
"""The status and the counts, if a server takes fewer texts."""
NO_VECTORS = (
    *("answer-null", "answer-array", "answer-missing", "answer-inside-null"),
    *("answer-empty", "answer-string", "answer-item-null"),
    *("error-frame", "error-beside-end", "error-of-other-type", "no-body"),
    *("error-before-end", "object-beside"),
    *("too-many-vectors", "uneven-vectors", "empty-vectors", "null-vector"),
    *("null-number", "nan-number", "text-number", "number-in-text", "true-number"),
)


@requirement("EMBED-10")
def a_string_gives_one_vector(api: Api) -> None:
    answer = api.ask(TEXTS[0])

    expect(answer.status, 200)
    expect(len(vectors(answer)), 1)


@requirement("EMBED-11")
def an_array_is_accepted(api: Api) -> None:
    expect(api.ask(TEXTS).status, 200)


@requirement("EMBED-12")
def vectors_are_in_the_order_of_the_inputs(api: Api) -> None:
    together = vectors(api.ask(TEXTS))
    alone = [vector for text in TEXTS for vector in vectors(api.ask(text))]
    nearest = [nearest_to(vector, alone) for vector in together]

    expect(nearest, [0, 1, 2, 3], "each next to the vector that its text gets alone")


@requirement("EMBED-13")
def a_request_without_model_is_refused(api: Api) -> None:
    expect(api.refused(**without_model(api)).status, REFUSED)


@requirement("EMBED-14")
def a_request_without_input_is_refused(api: Api) -> None:
    other = {"inputs": TEXTS, "texts": TEXTS, "input_data": "Hi"}

    expect(api.refused(without=("input",), **other).status, REFUSED)


@requirement(
    "EMBED-15", ["", [], ["a", ""], 7, ["a", 7], ["a", None], [["a"]], {"0": "a"}]
)
def input_that_is_not_text_is_refused(api: Api, value: Any) -> None:
    expect(api.refused(input=value).status, REFUSED)


@requirement("EMBED-23", FORMS, through=EACH_BACKEND)
def each_of_many_texts_has_its_own_vector(api: Api, scenario: str) -> None:
    answer = api.ask(scenario=scenario, input=MANY)
    others = with_another(vectors(answer), MANY)

    expect((answer.status, others), (200, []), OWN)


@requirement("EMBED-23", through=EACH_BACKEND)
def a_text_that_is_not_in_an_array_has_its_own_vector(api: Api) -> None:
    texts = [*ODD, LARGE_TEXT]
    answers = [api.ask(scenario="echo", input=text) for text in texts]
    found = [vector for answer in answers for vector in vectors(answer)]

    expect(with_another(found, texts), [], OWN)


@requirement("EMBED-23", through=EACH_BACKEND)
def texts_that_are_nearly_those_of_another_request(api: Api) -> None:
    found = [vectors(api.ask(scenario="echo", input=texts)) for texts in NEARLY]

    expect([*map(with_another, found, NEARLY)], [[]] * len(NEARLY), OWN)


@requirement("EMBED-23", {"empty": "", "blank": " \n"}, through=EACH_BACKEND)
def an_empty_text_does_not_move_the_others(api: Api, text: str) -> None:
    texts = [TEXTS[0], text, TEXTS[1]]
    answer = api.ask_raw(api.good(scenario="echo", input=texts))

    seen = (answer.status, len(vectors(answer)))

    expect(
        seen,
        one_of((200, 3), (400, 0), (422, 0)),
        "status 200 and 3 vectors, or 400 or 422",
    )


@requirement("EMBED-23", through=EACH_BACKEND)
def a_large_text_has_its_own_vector(api: Api) -> None:
    texts = [TEXTS[0], LARGE_TEXT, TEXTS[1]]
    found = vectors(api.ask(scenario="echo", input=texts))

    expect(with_another(found, texts), [], OWN)


@requirement("EMBED-23", serial=True, through=EACH_BACKEND)
def large_answers_are_read(api: Api) -> None:
    found = vectors(api.ask(scenario="giant", input=MANY[:16]))

    expect(with_another(found, MANY[:16]), [], OWN)


@requirement("EMBED-26", HOW_MANY, serial=True, through=EACH_BACKEND)
def each_of_hundreds_of_texts_has_its_own_vector(
    api: Api, scenario: str, count: int
) -> None:
    texts = [f"text {number}" for number in range(count)]
    answer = api.ask(scenario=scenario, input=texts)
    found = vectors(answer)

    expect((answer.status, len(found)), all_or_none(count, "vectors"))
    given = [field(item, "index") for item in items(answer.field("data"))]
    wrong = [n for n, index in enumerate(given) if index not in (MISSING, n)]

    expect(wrong, [], "the position as `index` of each vector")
    expect(with_another(found, texts[: len(found)]), [], OWN)


@requirement("EMBED-30")
def all_vectors_are_of_one_model(api: Api) -> None:
    scenario = "ollama-later-portions-fail-openai-another-model"
    answer = api.ask(scenario=scenario, input=HUNDREDS)
    found = vectors(answer)
    of_ollama = len(HUNDREDS) - len(with_another(found, HUNDREDS))

    seen = (answer.status, len(found), of_ollama)

    expect(
        seen,
        one_of(*OF_ONE_MODEL),
        "status 200 and 300 vectors, all or none of Ollama's model, or 400, 413 or 422",
    )


@requirement("EMBED-24", COUNTED, serial=True, through=EACH_BACKEND)
def usage_is_the_upstreams(api: Api, texts: list[str]) -> None:
    answer = api.ask(texts, scenario="echo")
    usage = answer.field("usage")
    counted = any(call.path != UNCOUNTED for call in api.calls())
    count = counted * TOKENS_IN_A_WORD * sum(len(text.split()) for text in texts)
    seen = (answer.status, field(usage, "prompt_tokens"), field(usage, "total_tokens"))

    expect(
        seen,
        one_of((200, count, count), *TOO_MANY),
        f"status 200 and counts of {count}, or 400, 413 or 422",
    )


@requirement("EMBED-24", NOT_COUNTED, through=EACH_BACKEND)
def usage_is_zero_if_the_upstream_gives_none(api: Api, scenario: str) -> None:
    usage = api.ask(TEXTS, scenario=scenario).field("usage")

    expect((field(usage, "prompt_tokens"), field(usage, "total_tokens")), (0, 0))


@requirement("EMBED-20", [*LENGTHS], through=EACH_BACKEND)
def the_numbers_are_the_models(api: Api, scenario: str) -> None:
    found = vectors(api.ask(TEXTS, scenario=scenario))
    wanted = [embed(text) * LENGTHS[scenario] for text in TEXTS]

    expect([len(vector) for vector in found], [len(vector) for vector in wanted])
    expect(difference(found, wanted), closer_than(1e-6))


@requirement("EMBED-20", through=EACH_BACKEND)
def small_numbers_keep_their_digits(api: Api) -> None:
    found = vectors(api.ask(TEXTS, scenario="small"))

    wanted = small([*map(embed, TEXTS)])

    expect(difference(found, wanted), closer_than(1e-5 * TINY))


@requirement("EMBED-20", through=EACH_BACKEND)
def arrays_instead_of_base64_are_read(api: Api) -> None:
    found = vectors(api.ask(TEXTS, scenario="never-in-base64"))

    expect(difference(found, [*map(embed, TEXTS)]), closer_than(1e-6))


@requirement("EMBED-20", SHORTER, through=EACH_BACKEND)
def unknown_fields_do_not_change_the_numbers(api: Api, given: Json) -> None:
    found = vectors(api.ask(TEXTS, scenario="echo", **given))
    wanted = [embed(text) for text in TEXTS]

    expect([len(vector) for vector in found], [len(vector) for vector in wanted])
    expect(difference(found, wanted), closer_than(1e-6))


@requirement("EMBED-21", through=EACH_BACKEND)
def missing_vectors_are_a_failure(api: Api) -> None:
    expect(api.ask(TEXTS, scenario="missing-vectors").status, UNAVAILABLE)


@requirement("EMBED-27", NO_VECTORS, through=EACH_BACKEND)
def malformed_vectors_are_a_failure(api: Api, scenario: str) -> None:
    expect(api.ask(TEXTS, scenario=scenario).status, UNAVAILABLE)


@requirement("EMBED-28", through=("openai",))
def vectors_belong_to_texts_by_their_index(api: Api) -> None:
    found = vectors(api.ask(scenario="shuffled", input=MANY))

    expect(with_another(found, MANY), [], OWN)


@requirement("EMBED-28", through=("openai",))
def an_index_that_occurs_twice_is_a_failure(api: Api) -> None:
    expect(api.ask(scenario="same-index", input=TEXTS).status, UNAVAILABLE)


@requirement("EMBED-29", ["unnumbered", "first-unnumbered"], through=("openai",))
def vectors_without_an_index_are_in_order(api: Api, scenario: str) -> None:
    found = vectors(api.ask(scenario=scenario, input=TEXTS))

    expect(with_another(found, TEXTS), [], OWN)


@requirement("EMBED-22")
def a_model_that_no_upstream_has_is_not_found(api: Api) -> None:
    expect(api.ask(TEXTS, scenario="missing").status, 404)


@requirement("EMBED-25")
def a_missing_model_has_its_code(api: Api) -> None:
    answer = api.ask(TEXTS, "missing", model_id="conf-missing:caf\u00e9 \u4f60")

    expect(answer.field("code"), "model_not_found")


def nearest_to(vector: Any, others: Sequence[Any]) -> int:
    """The index of the nearest vector."""
    return max(
        range(len(others)), key=lambda n: similarity(vector, others[n]), default=-1
    )


def similarity(one: Any, two: Any) -> float:
    """The cosine of the angle between two vectors; -1 if there is none."""
    pairs = [*zip(_numbers(one), _numbers(two))]
    product = sum(a * b for a, b in pairs)
    lengths = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return product / lengths**0.5 if lengths else -1.0


def with_another(found: Sequence[Any], texts: Sequence[str]) -> list[str | None]:
    """The texts that have the vector of another text, or none. None for a vector too many."""
    each = itertools.zip_longest(texts, found, map(embed, texts))
    return [
        text and text[:40]
        for text, *pair in each
        if difference(pair[:1], pair[1:]) > OF_ANOTHER
    ]


def difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest difference between two numbers in the same place."""
    numbers = [[*map(_numbers, each)] for each in (found, wanted)]
    return max(
        (abs(a - b) for one, two in zip(*numbers) for a, b in zip(one, two)),
        default=float("inf"),
    )


def closer_than(limit: float) -> Want:
    words = f"a difference of less than {limit:g} from the model's numbers"
    return Want(words, lambda got: got < limit)


def _numbers(vector: Any) -> list[float]:
    return [float(value) for value in items(vector) if type(value) in (int, float)]
