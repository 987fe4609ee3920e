"""Each behaviour of a real server, as `servers/` lists them, is understood as its users expect: answers, errors, and answers to probes."""

import json

import pytest
import responses
from builders import (
    OLLAMA,
    OPENAI,
    arriving,
    asking,
    embedding,
    encoded,
    openai_chat,
    sent,
    sse,
)
from catalogue import Answer, Error, Probe, stanzas

from octomil_ref.backends import Ending, Reasoning, Token, Usage
from octomil_ref.backends.ollama import OllamaBackend
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


# Errors and probes


def failure(asked: OpenAIBackend | OllamaBackend) -> UpstreamError:
    """The failure of a whole answer."""
    with pytest.raises(UpstreamError) as caught:
        asked.complete(asking())
    return caught.value


@every(stanzas(Error, "errors.yaml"))
def test_an_error_means_what_it_says_by(case):
    responses.post(CHAT, status=case.status, body=encoded(case.body))

    whole = failure(backend())
    with pytest.raises(UpstreamError) as streamed:
        list(backend().stream(asking()))

    assert type(whole).__name__ == type(streamed.value).__name__ == case.means
    assert "<h" not in whole.message
    if case.reason:
        assert whole.message == f"The openai backend refused the request: {case.reason}"


@every(stanzas(Error, "ollama_errors.yaml"))
def test_ollamas_error_means_what_it_says_if_it(case):
    url = f"{OLLAMA}/api/chat"
    responses.post(url, status=case.status, body=encoded(case.body))

    assert type(failure(OllamaBackend(OLLAMA, 20, {}))).__name__ == case.means


MASKED = [
    "bad key sk-...abcd",
    "bad key na***ys",
    "bad header Bearer abcdef",
    "bad key AIzaSyA1234567890",
    "bad key gsk_abcdef123",
    "bad address http://10.0.0.1:8080/v1",
    "bad address tcp://upstream/",
    "bad address 10.0.0.1:8080",
    "bad address [fd00::12]:8080",
    "bad address llm.example.org:8080",
    "bad address localhost:8080",
    "connect ECONNREFUSED ::1:11434",
    "bad pool host='upstream'",
    "bad profile arn:aws:bedrock:us-east-1:123456789012:inference-profile/m",
    "bad file /root/models/m.gguf",
    "bad file C:\\models\\m.gguf",
    "seed is no number at /srv/upstream/seed.py:3",
    'Traceback (most recent call last):\n  File "/srv/seed.py", line 3\nValueError: bad key sk-abcdef123',
]


@pytest.mark.parametrize("message", MASKED)
def test_the_client_does_not_see_keys_addresses_and_paths(message):
    body = {"error": {"message": message.replace("key", "thing")}}
    responses.post(CHAT, status=400, json=body)

    shown = failure(backend()).message

    assert shown.endswith("(not shown)")
    assert message.split()[-1] not in shown


BACKENDS = {
    f"{OPENAI}/models": OpenAIBackend(OPENAI, "a-key", 20, {}),
    f"{OLLAMA}/api/version": OllamaBackend(OLLAMA, 20, {}),
}


@pytest.mark.parametrize("url", BACKENDS)
@pytest.mark.parametrize("probe", stanzas(Probe, "probes.yaml"), ids=str)
def test_a_probe_finds_what_it_says(probe, url):
    responses.get(url, status=probe.status, body=encoded(probe.body))

    try:
        found = "a hint" if "base URL" in (BACKENDS[url].probe(1) or "") else ""
    except UpstreamError as ex:
        found = type(ex).__name__

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == pytest.approx((1, 1), abs=0.5)
    assert found == probe.finds
