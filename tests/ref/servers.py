"""Catalogue of what OpenAI-compatible servers really send as answers: bytes, and the values to read from them.

The bytes are those that users of these servers report publicly, or that the servers' documentation shows, shortened.
"""

import json
from dataclasses import dataclass, field

from builders import openai_chat, openai_chunk, sse

from octomil_ref.backends import Usage
from octomil_ref.errors import (
    Broken,
    Busy,
    ContextTooLong,
    RateLimited,
    RequestRefused,
    UpstreamError,
)


@dataclass(frozen=True)
class Reply:
    """The server's answer to a request with the field `to`, or to any request if `to` is empty."""

    body: bytes | tuple[bytes, ...]
    """Pieces arrive one by one."""
    status: int = 200
    to: str = ""


@dataclass(frozen=True)
class Text:
    """An answer."""

    output: str
    finish_reason: str | None = "stop"
    usage: Usage | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    server: str
    does: str
    replies: tuple[Reply, ...]
    want: Text | list[list[float]] | type[UpstreamError]
    streams: bool = True
    parameters: dict[str, object] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    """The texts to embed."""
    thinks: bool = False
    """True if there are thoughts before the answer."""

    @property
    def id(self) -> str:
        return f"{self.server}: {self.does}"


def streamed(server: str, does: str, *body: bytes, want: object, **rest: object):
    return Case(server, does, (Reply(body),), want, **rest)


def whole(server: str, does: str, body: object, want: object, **rest: object):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Case(server, does, (Reply(data),), want, streams=False, **rest)


def embedded(server: str, does: str, body: object, want: object, texts=("a", "b")):
    return Case(server, does, (Reply(json.dumps(body).encode()),), want, texts=texts)


def chunk(**choice: object) -> dict[str, object]:
    return {"choices": [{"index": 0, **choice}]}


def message(**fields: object) -> dict[str, object]:
    """A whole answer with such a message."""
    choice = {"index": 0, "message": {"role": "assistant", **fields}}
    return {"choices": [choice | {"finish_reason": "stop"}]}


def halves(body: bytes) -> tuple[bytes, bytes]:
    """In two pieces, because one must fit into a read."""
    middle = len(body) // 2
    return body[:middle], body[middle:]


LONG = "A cherry. " * 7_000
A, B = openai_chunk(content="A"), openai_chunk(content="B")
STOP, DONE = openai_chunk("stop"), "[DONE]"
ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
COUNTS = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

ENDINGS = [
    streamed("LocalAI", "sends an empty finish_reason in every chunk", sse(openai_chunk("", content="")), sse(openai_chunk("", content="A"), STOP, DONE), want=Text("A")),
    streamed("Ollama /v1 until 0.1.38", "sends an empty finish_reason until the end", sse(openai_chunk("", content="A"), openai_chunk("stop", content="B"), DONE), want=Text("AB")),
    streamed("KoboldCpp until 1.86", "sends the text null for no reason", sse(openai_chunk("null", content="A")), sse(openai_chunk("stop", content="B")), want=Text("AB")),
    streamed("KoboldCpp until 1.86", "sends the text null for no reason, and is cut off", sse(openai_chunk("null", content="A")), want=Broken),
    streamed("LiteLLM before Gemini", "sends stop in every chunk", *(sse(openai_chunk("stop", content=each)) for each in "ABC"), sse(DONE), want=Text("ABC")),
    streamed("LiteLLM before Gemini", "sends stop in every chunk, and is cut off", *(sse(openai_chunk("stop", content=each)) for each in "AB"), want=Broken),
    streamed(
        "LiteLLM before Gemini",
        "sends stop and usage in every chunk",
        sse(openai_chunk("stop", content="A"), {"choices": [], "usage": COUNTS}),
        sse(openai_chunk("length", content="B"), DONE),
        want=Text("A", "stop", Usage(3, 4)),
    ),
    streamed(
        "Azure",
        "sends results of its filter after the end",
        sse({"choices": [], "prompt_filter_results": []}, A, STOP),
        sse(chunk(finish_reason=None, content_filter_offsets={"end": 1}), DONE),
        want=Text("A"),
    ),
    streamed("vLLM", "aborts", sse(A, openai_chunk("abort"), DONE), want=Broken),
    streamed("SGLang", "aborts at once", sse(openai_chunk("abort"), DONE), want=Broken),
    streamed("OpenRouter", "has an error in the choice", sse(A, chunk(delta={}, finish_reason="error", error={"code": 502}), DONE), want=Broken),
    streamed("OpenRouter", "has an error in the choice of a chunk that goes on", sse(A, chunk(delta={}, finish_reason=None, error={"code": 429}), DONE), want=RateLimited),
    *(
        streamed(server, "fails", sse(A, openai_chunk(reason), DONE), want=Broken)
        for server, reason in [
            ("DeepSeek", "insufficient_system_resource"),
            ("Z.ai", "network_error"),
            ("Cohere", "ERROR_TOXIC"),
            ("Mistral", "error"),
        ]
    ),
    whole("Mistral", "fails", {"choices": [{"message": {"content": "Half"}, "finish_reason": "error"}]}, Broken),
    whole("OpenRouter", "has an error in the choice", {"choices": [{"message": {"content": ""}, "error": {"code": 429}}]}, RateLimited),
    streamed("Moonshot", "puts the usage into the choice", sse(A, chunk(delta={}, finish_reason="stop", usage=COUNTS), DONE), want=Text("A", usage=Usage(3, 4))),
    streamed("Groq", "has a place of its own for the usage", sse(A, STOP | {"x_groq": {"id": "r", "usage": COUNTS}}, DONE), want=Text("A", usage=Usage(3, 4))),
    *(
        streamed(server, "ends", sse(A, openai_chunk(reason), DONE), want=want)
        for server, reason, want in [
            ("TGI", "eos_token", Text("A")),
            ("Together", "eos", Text("A")),
            ("xAI", "end_turn", Text("A")),
            ("Mistral", "model_length", Text("A", "length")),
            ("Gemini", "MAX_TOKENS", Text("A", "length")),
            ("Gemini", "SAFETY", Text("A", "content_filter")),
            ("Gemini", "RECITATION", Text("A", None)),
        ]
    ),
]  # fmt: skip

TEXTS = [
    whole("Mistral", "sends thoughts and text as parts", message(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "42"}]), Text("42")),
    streamed(
        "Mistral",
        "streams thoughts and text as parts",
        sse(
            openai_chunk(content=[{"type": "thinking", "thinking": []}]),
            openai_chunk(content=[{"type": "text", "text": "4"}]),
            openai_chunk("stop", content="2"),
            DONE,
        ),
        want=Text("42"),
        thinks=True,
    ),
    whole("Mistral", "sends references between texts", message(content=[{"type": "text", "text": "4"}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "2"}]), Text("42")),
    whole("LangServe", "sends text among parts", message(content=["4", "2"]), Text("42")),
    streamed("Cloudflare", "sends numbers for tokens that are numbers", sse(openai_chunk(content=6), openai_chunk(content=0), STOP, DONE), want=Text("60")),
    whole("Gemini", "leaves out the message after it thought", {"choices": [{"index": 0, "finish_reason": "length"}]}, Text("", "length")),
    whole("vLLM", "has null for content", message(content=None), Text("")),
    whole("OpenAI", "refuses in words", message(content=None, refusal="I cannot."), Text("I cannot.")),
    streamed("OpenAI", "streams a refusal in words", sse(openai_chunk(refusal="I "), openai_chunk(refusal="cannot."), STOP, DONE), want=Text("I cannot.")),
    streamed("Azure", "has a delta that is null in its last chunk", sse(A, chunk(delta=None, finish_reason="stop"), DONE), want=Text("A")),
    streamed("a gateway for completions", "has a text instead of a delta", sse(chunk(text="A"), chunk(text="B", finish_reason="stop"), DONE), want=Text("AB")),
    whole("a gateway for completions", "has a text instead of a message", {"choices": [{"text": "A", "finish_reason": "stop"}]}, Text("A")),
    whole("a gateway that joins a stream", "leaves the text in a delta", chunk(delta={"content": "A"}, finish_reason="stop"), Text("A")),
    streamed("RAGFlow", "repeats the whole text in its last chunk", sse(A, B, chunk(message={"role": "assistant", "content": "AB"}, finish_reason="stop"), DONE), want=Text("AB")),
    streamed("a gateway that cannot stream", "sends the role in a delta, and a message", sse(openai_chunk(role="assistant"), chunk(message={"content": "AB"}, finish_reason="stop"), DONE), want=Text("AB")),
    streamed("OpenRouter", "names thoughts differently", sse(openai_chunk(reasoning="Hm.", content=""), A, STOP, DONE), want=Text("A"), thinks=True),
    streamed("OpenRouter", "has thoughts and text in one chunk", sse(openai_chunk(reasoning="Hm.", content="A"), STOP, DONE), want=Text("A"), thinks=True),
    streamed("DeepSeek", "streams thoughts beside the text", sse(openai_chunk(reasoning_content="Hm.", content=None), A, STOP, DONE), want=Text("A"), thinks=True),
]  # fmt: skip

CHERRY = "🍒".encode("utf-16-be")
FIRST_HALF, SECOND_HALF = (
    b'data: {"choices":[{"delta":{"content":"%s\\u%s"}}]}\n\n'
    % (before, half.hex().encode())
    for before, half in [(b"A", CHERRY[:2]), (b"", CHERRY[2:])]
)

BYTES = [
    streamed("a proxy", "sends an empty data line to keep the connection awake", b"data:\n\n" + sse(A) + b"data: \n\n" + sse(STOP, DONE), want=Text("A")),
    streamed("One API", "sends null", sse("null", A, STOP, DONE), want=Text("A")),
    *(
        streamed("a gateway", f"keeps the connection awake with {awake!r}", sse(A) + awake + sse(STOP, DONE), want=Text("A"))
        for awake in [
            *(b"data: %b\n\n" % data for data in (b"ping", b"[PING]", b"Keep-Alive", b"heartbeat", b": OPENROUTER PROCESSING", b'""', b"[]", b'{"type":"ping"}')),
            *(b"event: %b\ndata: 2026-01-01\n\n" % name for name in (b"ping", b"keepalive")),
        ]
    ),
    streamed("a gateway", "sends text in an event after a ping", sse(A) + b"event: ping\n\n" + sse("text", STOP, DONE), want=Broken),
    Case("a gateway in NestJS", "answers with 201", (Reply(sse(A, STOP, DONE), 201),), Text("A")),
    streamed("IIS", "begins with a byte order mark", b"\xef\xbb\xbf" + sse(A, STOP, DONE), want=Text("A")),
    whole("IIS", "begins a whole answer with a byte order mark", b"\xef\xbb\xbf" + json.dumps(openai_chat("A")).encode(), Text("A")),
    streamed("a gateway in JavaScript", "cuts a character in two", FIRST_HALF, SECOND_HALF + sse(STOP, DONE), want=Text("A🍒")),
    streamed("a gateway in JavaScript", "sends half a character and no more", FIRST_HALF + sse(STOP, DONE), want=Text("A\ufffd")),
    streamed("a gateway in JavaScript", "sends half a character and then another one", FIRST_HALF + sse(B, STOP, DONE), want=Text("A\ufffdB")),
    streamed("OpenRouter", "sends comments, `retry:` and CR LF", (b"retry: 3000\n\n: OPENROUTER PROCESSING\n\n" + sse(A, STOP, DONE)).replace(b"\n", b"\r\n"), want=Text("A")),
    streamed("a gateway that indents", "sends a chunk on several lines", b"".join(b"data: %b\n" % line for line in json.dumps(A, indent=1).encode().split(b"\n")) + b"\r\n" + sse(STOP, DONE), want=Text("A")),
    streamed("Kimi Code", "leaves out the space", sse(A, STOP, DONE).replace(b"data: ", b"data:"), want=Text("A")),
    streamed("Cloudflare's gateway", "indents its lines", b"  " + sse(A) + sse(STOP, DONE), want=Text("A")),
    whole("a gateway that streams by itself", "sends [DONE] after a whole answer", json.dumps(openai_chat("pong")).encode() + b"\ndata: [DONE]\n\n", Text("pong")),
    whole("a gateway that streams by itself", "sends events although none were asked for", sse(A, B, STOP, {"choices": [], "usage": COUNTS}, DONE), Text("AB", usage=Usage(3, 4))),
    whole("a gateway that streams by itself", "sends half of the events", sse(A, B), Broken),
    streamed("a gateway that cannot stream", "sends a whole answer", json.dumps(openai_chat("pong"), indent=1).encode(), want=Text("pong")),
    streamed("a gateway that cannot stream", "sends a long whole answer", *halves(json.dumps(openai_chat(LONG), indent=1).encode()), want=Text(LONG)),
    streamed("a gateway that cannot stream", "sends half of a whole answer", json.dumps(openai_chat("pong")).encode()[:-9], want=Broken),
    streamed(
        "llama.cpp until 2025",
        "has a field of its own for errors",
        b'error: {"code":400,"message":"the request exceeds the available context size.","type":"invalid_request_error"}\n\n'
        + sse(DONE),
        want=ContextTooLong,
    ),
    streamed("Anthropic", "names an event error", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n', want=Busy),
    streamed("DashScope", "names an event error and has the error itself for data", b'event:error\ndata:{"code":"Throttling.RateQuota","message":"slow down"}\n\n', want=RateLimited),
    streamed("MiniMax", "has a code of its own for errors", sse({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}), want=RateLimited),
    streamed("MiniMax", "has the code of success", sse(A | {"base_resp": {"status_code": 0, "status_msg": ""}}, STOP, DONE), want=Text("A")),
    streamed("vLLM until 0.9", "has the error itself for a chunk", sse({"object": "error", "message": "out of range", "code": 400}, DONE), want=RequestRefused),
    streamed("SGLang", "has an error for its only chunk", sse({"error": {"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).", "code": 400}}, DONE), want=ContextTooLong),
    streamed("LiteLLM", "has a status as text", sse({"error": {"message": "litellm.RateLimitError: slow down", "type": "None", "param": "None", "code": "429"}}, DONE), want=RateLimited),
    streamed("Gemini", "sends an error without events, over several lines", b'[{\n  "error": {\n    "code": 429,\n    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n]\n', want=RateLimited),
    *(
        streamed("a gateway", f"ends with {end!r}", sse(A, STOP) + end, want=Text("A"))
        for end in (b"data: [done]\n\n", b"[DONE]\n\n", b"data: <html>\n\n")
    ),
    whole("a gateway", "has an error of its own shape", {"code": 429, "msg": "slow down"}, RateLimited),
    streamed("a proxy", "sends a web page", b"<html>\n<p>Hi</p>\n</html>\n", want=Broken),
]  # fmt: skip


def entry(*numbers: float, **index: int) -> dict[str, object]:
    return {"object": "embedding", **index, "embedding": list(numbers)}


VECTORS = [[0.5, 0.25], [1.0, 2.0]]
BASE64 = [
    {"index": 0, "embedding": "AAAAPwAAgD4="},
    {"index": 1, "embedding": "AACAPwAAAEA="},
]
TOO_MANY = {
    "TEI": (413, {"error": "batch size 3 > maximum allowed batch size 2", "error_type": "Validation"}),
    "Gemini": (400, [{"error": {"code": 400, "message": "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch", "status": "INVALID_ARGUMENT"}}]),
    "DashScope": (400, {"error": {"message": "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should not be larger than 10.: input.contents"}}),
    "Mistral": (400, {"object": "error", "message": "Too many inputs in request, split into more batches.", "type": "invalid_request_error", "code": "3210"}),
    "Azure": (400, {"error": {"message": "Too many inputs. The max number of inputs is 1."}}),
    "Cohere": (400, {"message": "invalid request: total number of texts must be at most 96 - received 200"}),
    "OpenAI": (400, {"error": {"message": "Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 3000 instead."}}),
    "NIM": (422, {"detail": [{"type": "too_long", "loc": ["body", "input"], "msg": "List should have at most 259 items after validation, not 512"}]}),
    "nginx": (413, "<html><h1>413 Request Entity Too Large</h1></html>"),
}  # fmt: skip
"""Server, and its message for too many inputs at once."""

EMBEDDINGS = [
    embedded("Gemini", "leaves out an index of 0", {"data": [entry(0.5, 0.25), entry(1.0, 2.0, index=1)]}, VECTORS),
    embedded("Infinity", "leaves out every index", {"data": [entry(0.5, 0.25), entry(1.0, 2.0)]}, VECTORS),
    embedded("OpenAI", "answers in another order", {"data": [entry(1.0, 2.0, index=1), entry(0.5, 0.25, index=0)]}, VECTORS),
    embedded("llama-cpp-python", "puts each vector into an array", {"data": [{"embedding": [each]} for each in VECTORS]}, VECTORS),
    embedded("Voyage", "sends base64", {"data": BASE64}, VECTORS),
    embedded("Voyage", "sends base64 that is cut off", {"data": [{"embedding": "AAAAPwA="}]}, Broken, texts=("a",)),
    embedded("LM Studio", "says nothing of an index, and lacks a vector", {"data": [entry(0.5, 0.25)]}, Broken),
]  # fmt: skip

USAGES: list[tuple[str, dict[str, object], Usage | None]] = [
    ("OpenAI", {"usage": COUNTS}, Usage(3, 4)),
    ("Cloudflare", {"usage": {"input_tokens": 3, "output_tokens": 4}}, Usage(3, 4)),
    ("Gemini", {"usage": {"prompt_tokens": 3, "total_tokens": 7}}, Usage(3, 4)),
    ("LocalAI", {"usage": ZEROS}, None),
    ("TGI", {"usage": {}}, None),
    ("a gateway", {"usage": {"prompt_tokens": 3}}, None),
    ("a gateway that miscounts", {"usage": {"prompt_tokens": 9, "total_tokens": 7}}, Usage(9, 0)),
    ("vLLM", {"usage": None}, None),
    ("OpenAI's o3", {"usage": {"prompt_tokens": 3, "completion_tokens": -35}}, None),
    ("a gateway in Lua", {"usage": {"prompt_tokens": 3.0, "completion_tokens": 4.0}}, Usage(3, 4)),
    ("a gateway", {"usage": [3, 4]}, None),
]  # fmt: skip
"""Server, the fields that it adds to an answer, and the usage to read from them."""
