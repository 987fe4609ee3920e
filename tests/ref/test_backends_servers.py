"""Each behaviour of a real server, as `servers.py` and `server_fields.py` list them, is understood as its users expect."""

import json

import pytest
import responses
import server_fields
import servers
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
from servers import Case, Reply, Text

from octomil_ref.backends import Ending, Reasoning, Token
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import BatchTooLarge, UpstreamError

ALL = [
    *servers.ENDINGS,
    *servers.TEXTS,
    *servers.BYTES,
    *servers.EMBEDDINGS,
    *server_fields.OUR_FIELDS,
    *server_fields.PARAMETERS,
    *server_fields.REFUSED_FOR_GOOD,
]


def play(*replies: Reply) -> None:
    """Answers each request with the first reply to a field that it has."""

    def callback(request):
        fields = json.loads(request.body)
        reply = next(each for each in replies if not each.to or each.to in fields)
        body = reply.body if isinstance(reply.body, tuple) else (reply.body,)
        return reply.status, {}, arriving(*body)

    for path in ("chat/completions", "embeddings"):
        responses.add_callback("POST", f"{OPENAI}/{path}", callback)


def backend() -> OpenAIBackend:
    return OpenAIBackend(OPENAI, "a-key", 20, {})


def all_sent() -> list[dict]:
    return [json.loads(call.request.body) for call in responses.calls]


def text_of(asked: OpenAIBackend, case: Case) -> tuple[Text, bool]:
    """The answer, and whether there were thoughts."""
    request = asking(**case.parameters)
    if not case.streams:
        whole = asked.complete(request)
        return _text(whole.output, whole.ending), False
    stream = asked.stream(request)
    try:
        pieces = [piece for together in stream for piece in together]
    finally:
        stream.close()
    tokens = "".join(piece.text for piece in pieces if isinstance(piece, Token))
    thoughts = any(isinstance(piece, Reasoning) for piece in pieces)
    [ending] = [piece for piece in pieces if isinstance(piece, Ending)]
    assert pieces[-1] is ending
    return _text(tokens, ending), thoughts


def _text(output: str, ending: Ending) -> Text:
    return Text(output, ending.finish_reason, ending.usage, ending.ignored_parameters)


def outcome(asked: OpenAIBackend, case: Case) -> object:
    """The outcome to compare with `case.want`."""
    try:
        if case.texts:
            return asked.embed(embedding(*case.texts)).vectors
        text, thoughts = text_of(asked, case)
    except UpstreamError as ex:
        return type(ex)
    assert thoughts == case.thinks
    return text


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_it_is_understood_what_is_sent_by(case):
    play(*case.replies)

    assert outcome(backend(), case) == case.want


@pytest.mark.parametrize(
    "case",
    server_fields.OUR_FIELDS + server_fields.PARAMETERS,
    ids=lambda case: case.id,
)
def test_the_next_request_does_not_pay_again_for(case):
    play(*case.replies)
    asked = backend()
    outcome(asked, case)
    before = len(responses.calls)

    assert outcome(asked, case) == case.want
    assert len(responses.calls) == before + 1


def test_another_model_is_asked_with_all_fields():
    case = server_fields.OUR_FIELDS[0]
    play(*case.replies)
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
    play(*server_fields.PARAMETERS[0].replies)

    outcome(backend(), server_fields.PARAMETERS[0])

    assert sent()["max_completion_tokens"] == 5
    assert "max_tokens" not in sent()


def test_nothing_is_remembered_of_a_request_that_failed():
    refusal = server_fields.refusing("top_k", 400, {"error": "unknown field 'top_k'"})
    play(refusal, Reply(b'{"error": "no"}', 400))
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


@pytest.mark.parametrize("server", servers.TOO_MANY)
def test_a_batch_is_asked_for_in_parts_where_it_is_too_large_for(server):
    takes_at_most(2, *servers.TOO_MANY[server])
    texts = [str(number) for number in range(1, 6)]

    embeddings = backend().embed(embedding(*texts))

    assert embeddings.vectors == [[1], [2], [3], [4], [5]]
    assert embeddings.prompt_tokens == 5


def test_the_size_of_the_parts_is_remembered():
    takes_at_most(2, *servers.TOO_MANY["TEI"])
    asked = backend()

    for _ in range(2):
        asked.embed(embedding("1", "2", "3", "4"))

    assert [len(each["input"]) for each in all_sent()] == [4, 2, 2, 2, 2]


def test_one_text_that_is_too_large_is_a_failure():
    takes_at_most(0, *servers.TOO_MANY["nginx"])

    with pytest.raises(BatchTooLarge):
        backend().embed(embedding("1", "2", "3"))

    assert [len(each["input"]) for each in all_sent()] == [3, 2, 1]


def test_a_sum_with_an_unknown_count_is_unknown():
    def partly_counted(texts):
        usage = {"usage": {"prompt_tokens": 3}} if texts == ["a"] else {}
        return {"data": [{"embedding": [1.0]}], **usage}

    takes_at_most(1, *servers.TOO_MANY["nginx"], partly_counted)

    embeddings = backend().embed(embedding("a", "b"))

    assert embeddings.prompt_tokens == 0


def test_parts_of_two_dimensions_are_no_answer():
    def of_its_length(texts):
        return {"data": [{"embedding": [1.0] * len(texts[0])}]}

    takes_at_most(1, *servers.TOO_MANY["nginx"], of_its_length)

    with pytest.raises(UpstreamError, match="dimension"):
        backend().embed(embedding("a", "bb"))


@pytest.mark.parametrize("server, fields, usage", servers.USAGES)
def test_the_usage_is_read_from(server, fields, usage):
    body = openai_chat("A", **fields)
    chunk = {"choices": [{"delta": {}, "finish_reason": "stop"}], **fields}
    play(Reply(sse(chunk, "[DONE]"), to="stream_options"), Reply(encoded(body)))

    assert backend().complete(asking()).ending.usage == usage
    assert list(backend().stream(asking()))[-1][-1].usage == usage


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
    play(Reply(encoded({"data": [{"embedding": [1.0]}], "usage": usage})))

    assert backend().embed(embedding("a")).prompt_tokens == tokens
