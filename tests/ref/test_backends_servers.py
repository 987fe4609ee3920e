"""Each behaviour of a real server, as `servers/` lists them, is understood as its users expect."""

import json

import pytest
import responses
from builders import (
    OPENAI,
    arriving,
    asking,
    embedding,
    encoded,
    openai_chat,
    sent,
    sse,
)
from catalogue import Answer, Error, stanzas

from octomil_ref.backends import Ending, Reasoning, Token, Usage
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import BatchTooLarge, UpstreamError

REFUSING = stanzas(Answer, "fields.yaml")
ALL = [
    *stanzas(Answer, "endings.yaml", "texts.yaml", "bytes.yaml", "embeddings.yaml"),
    *REFUSING,
]
CHAT = f"{OPENAI}/chat/completions"
TOO_MANY = [
    each for each in stanzas(Error, "errors.yaml") if each.means == "BatchTooLarge"
]


def every(cases):
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.id)


def play(case: Answer) -> None:
    """Refuses requests with a field, or a value of it, that the server does not support, and answers all others."""

    def callback(request):
        fields = json.loads(request.body)
        for refusal in case.refuses:
            name = refusal["field"]
            if name in fields and fields[name] == refusal.get("value", fields[name]):
                return refusal["status"], {}, encoded(refusal["body"])
        return case.status, {}, arriving(*case.pieces)

    for url in (CHAT, f"{OPENAI}/embeddings"):
        responses.add_callback("POST", url, callback)


def backend() -> OpenAIBackend:
    return OpenAIBackend(OPENAI, "a-key", 20, {})


def all_sent() -> list[dict]:
    return [json.loads(call.request.body) for call in responses.calls]


def text_of(asked: OpenAIBackend, case: Answer) -> tuple[str, Ending]:
    request = asking(**case.parameters)
    if case.whole is not None:
        answer = asked.complete(request)
        return answer.output, answer.ending
    stream = asked.stream(request)
    try:
        *pieces, ending = [piece for together in stream for piece in together]
    finally:
        stream.close()
    assert any(isinstance(piece, Reasoning) for piece in pieces) == case.thinks
    tokens = [piece for piece in pieces if not isinstance(piece, Reasoning)]
    return "".join(token.text for token in tokens), ending


def outcome(asked: OpenAIBackend, case: Answer) -> object:
    """What the backend reads, to compare with `case.expected`."""
    try:
        if case.embedded is not None:
            return asked.embed(embedding(*case.texts)).vectors
        return text_of(asked, case)
    except UpstreamError as ex:
        return type(ex).__name__


@every(ALL)
def test_an_answer_is_read_from(case):
    play(case)

    assert outcome(backend(), case) == case.expected


def test_a_long_whole_answer_instead_of_a_stream_is_read():
    """Other whole answers of the catalogue fit into one read."""
    text = "A cherry. " * 7_000
    body = encoded(openai_chat(text))
    middle = len(body) // 2
    responses.post(CHAT, body=arriving(body[:middle], body[middle:]))

    pieces = [piece for together in backend().stream(asking()) for piece in together]
    assert pieces == [Token(text), Ending("stop", None)]


@every([case for case in REFUSING if case.refuses])
def test_the_next_request_is_accepted_at_once_by(case):
    play(case)
    asked = backend()
    outcome(asked, case)
    before = len(responses.calls)

    assert outcome(asked, case) == case.expected
    assert len(responses.calls) == before + 1


def test_another_model_is_asked_with_all_fields():
    case = REFUSING[0]
    play(case)
    asked = OpenAIBackend(OPENAI, "a-key", 20, {"m": "first"})
    outcome(asked, case)
    asked._aliases = {"m": "second"}

    outcome(asked, case)

    assert [(each["model"], "stream_options" in each) for each in all_sent()] == [
        ("first", True),
        ("first", False),
        ("second", True),
        ("second", False),
    ]


def test_max_tokens_goes_by_its_other_name_with_its_value():
    [case] = [each for each in REFUSING if "max_tokens" in each.parameters]
    play(case)

    outcome(backend(), case)

    assert sent()["max_completion_tokens"] == 5
    assert "max_tokens" not in sent()


def test_nothing_is_remembered_of_a_request_that_failed():
    unknown = {"field": "top_k", "status": 400, "body": "unknown field 'top_k'"}
    play(Answer("a gateway", "refuses", "no", refuses=[unknown], status=400, text=""))
    asked = backend()
    for _ in range(2):
        with pytest.raises(UpstreamError):
            asked.complete(asking(top_k=5))

    assert ["top_k" in each for each in all_sent()] == [True, False, True, False]


def numbered(texts: list[str]) -> dict:
    """Vectors that show which text they belong to."""
    data = [{"embedding": [float(text)]} for text in texts]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"data": data, "usage": usage}


def takes_at_most(most: int, status: int, body: object, answer=numbered) -> None:
    """An upstream that refuses to embed more texts at once."""

    def callback(request):
        texts = json.loads(request.body)["input"]
        refuses = len(texts) > most
        return (
            status if refuses else 200,
            {},
            encoded(body if refuses else answer(texts)),
        )

    responses.add_callback("POST", f"{OPENAI}/embeddings", callback)


@every(TOO_MANY)
def test_a_batch_is_split_if_it_is_too_large_for(case):
    takes_at_most(2, case.status, case.body)
    texts = [str(number) for number in range(1, 6)]

    embeddings = backend().embed(embedding(*texts))

    assert embeddings.vectors == [[1], [2], [3], [4], [5]]
    assert embeddings.prompt_tokens == 5


def test_the_size_of_the_parts_is_remembered():
    takes_at_most(2, 413, "")
    asked = backend()

    for _ in range(2):
        asked.embed(embedding("1", "2", "3", "4"))

    assert [len(each["input"]) for each in all_sent()] == [4, 2, 2, 2, 2]


def test_one_text_that_is_too_large_is_a_failure():
    takes_at_most(0, 413, "")

    with pytest.raises(BatchTooLarge):
        backend().embed(embedding("1", "2", "3"))

    assert [len(each["input"]) for each in all_sent()] == [3, 2, 1]


def test_a_sum_with_an_unknown_count_is_unknown():
    def partly_counted(texts):
        usage = {"usage": {"prompt_tokens": 3}} if texts == ["a"] else {}
        return {"data": [{"embedding": [1.0]}], **usage}

    takes_at_most(1, 413, "", partly_counted)

    embeddings = backend().embed(embedding("a", "b"))

    assert embeddings.prompt_tokens == 0


def test_parts_of_two_dimensions_are_no_answer():
    def of_its_length(texts):
        return {"data": [{"embedding": [1.0] * len(texts[0])}]}

    takes_at_most(1, 413, "", of_its_length)

    with pytest.raises(UpstreamError, match="dimension"):
        backend().embed(embedding("a", "bb"))


USAGES = [
    ("OpenAI", {"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
    ("Cloudflare", {"input_tokens": 3, "output_tokens": 4}, Usage(3, 4)),
    ("Gemini", {"prompt_tokens": 3, "total_tokens": 7}, Usage(3, 4)),
    ("LocalAI", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
    ("TGI", {}, None),
    ("a gateway", {"prompt_tokens": 3}, None),
    ("a gateway that miscounts", {"prompt_tokens": 9, "total_tokens": 7}, Usage(9, 0)),
    ("vLLM", None, None),
    ("OpenAI's o3", {"prompt_tokens": 3, "completion_tokens": -35}, None),
    ("Lua", {"prompt_tokens": 3.0, "completion_tokens": 4.0}, Usage(3, 4)),
    ("a gateway with an array", [3, 4], None),
]


@pytest.mark.parametrize("server, usage, counted", USAGES, ids=[u[0] for u in USAGES])
def test_the_usage_is_read_from(server, usage, counted):
    chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": usage}
    responses.post(CHAT, json=openai_chat("A", usage=usage))
    responses.post(CHAT, body=arriving(sse(chunk, "[DONE]")))

    whole = backend().complete(asking())
    assert (whole.provider, whole.ending.usage) == ("openai", counted)
    assert list(backend().stream(asking()))[-1][-1].usage == counted


@pytest.mark.parametrize(
    "usage, tokens",
    [
        ({"total_tokens": 5}, 5),
        ({"prompt_tokens": 4, "total_tokens": 5}, 4),
        (None, 0),
        (7, 0),
    ],
    ids=["Voyage", "OpenAI", "TEI", "a number"],
)
def test_the_tokens_of_embeddings_are_read_from(usage, tokens):
    body = {"data": [{"embedding": [1.0]}], "usage": usage}
    responses.post(f"{OPENAI}/embeddings", json=body)

    assert backend().embed(embedding("a")).prompt_tokens == tokens
