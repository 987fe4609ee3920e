"""Catalogue of what OpenAI-compatible servers and Ollama really send: bytes, and the values to read from them.

The bytes are those that users of these servers report publicly, or that the servers' documentation shows, shortened.
"""

import json
from dataclasses import dataclass, field

from builders import openai_chat, openai_chunk, sse

from octomil_ref.backends import Usage
from octomil_ref.errors import (
    BatchTooLarge,
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    NoSuchPath,
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


A, B = openai_chunk(content="A"), openai_chunk(content="B")
STOP, DONE = openai_chunk("stop"), "[DONE]"
ZEROS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
COUNTS = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}

ENDINGS = [
    streamed(
        "LocalAI",
        "sends an empty finish_reason in every chunk",
        sse(openai_chunk("", content="")),
        sse(openai_chunk("", content="A"), STOP, DONE),
        want=Text("A"),
    ),
    streamed(
        "Ollama /v1 until 0.1.38",
        "sends an empty finish_reason until the end",
        sse(openai_chunk("", content="A"), openai_chunk("stop", content="B"), DONE),
        want=Text("AB"),
    ),
    streamed(
        "LiteLLM before Gemini",
        "sends stop in every chunk",
        *(sse(openai_chunk("stop", content=each)) for each in "ABC"),
        sse(DONE),
        want=Text("ABC"),
    ),
    streamed(
        "LiteLLM before Gemini",
        "sends stop in every chunk, and is cut off",
        *(sse(openai_chunk("stop", content=each)) for each in "AB"),
        want=Broken,
    ),
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
    streamed(
        "OpenRouter",
        "has an error in the choice",
        sse(A, chunk(delta={}, finish_reason="error", error={"code": 502}), DONE),
        want=Broken,
    ),
    streamed(
        "OpenRouter",
        "has an error in the choice of a chunk that goes on",
        sse(A, chunk(delta={}, finish_reason=None, error={"code": 429}), DONE),
        want=RateLimited,
    ),
    *(
        streamed(server, "fails", sse(A, openai_chunk(reason), DONE), want=Broken)
        for server, reason in [
            ("DeepSeek", "insufficient_system_resource"),
            ("Z.ai", "network_error"),
            ("Cohere", "ERROR_TOXIC"),
            ("Mistral", "error"),
        ]
    ),
    whole(
        "Mistral",
        "fails",
        {"choices": [{"message": {"content": "Half"}, "finish_reason": "error"}]},
        Broken,
    ),
    whole(
        "OpenRouter",
        "has an error in the choice",
        {"choices": [{"message": {"content": ""}, "error": {"code": 429}}]},
        RateLimited,
    ),
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
]

TEXTS = [
    whole(
        "Mistral",
        "sends thoughts and text as parts",
        message(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                {"type": "text", "text": "42"},
            ]
        ),
        Text("42"),
    ),
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
    whole(
        "Mistral",
        "sends references between texts",
        message(
            content=[
                {"type": "text", "text": "4"},
                {"type": "reference", "reference_ids": [1]},
                {"type": "text", "text": "2"},
            ]
        ),
        Text("42"),
    ),
    whole(
        "LangServe", "sends text among parts", message(content=["4", "2"]), Text("42")
    ),
    streamed(
        "Cloudflare",
        "sends numbers for tokens that are numbers",
        sse(openai_chunk(content=6), openai_chunk(content=0), STOP, DONE),
        want=Text("60"),
    ),
    whole(
        "Gemini",
        "leaves out the message after it thought",
        {"choices": [{"index": 0, "finish_reason": "length"}]},
        Text("", "length"),
    ),
    whole("vLLM", "has null for content", message(content=None), Text("")),
    whole(
        "OpenAI",
        "refuses in words",
        message(content=None, refusal="I cannot."),
        Text("I cannot."),
    ),
    streamed(
        "OpenAI",
        "streams a refusal in words",
        sse(openai_chunk(refusal="I "), openai_chunk(refusal="cannot."), STOP, DONE),
        want=Text("I cannot."),
    ),
    streamed(
        "Azure",
        "has a delta that is null in its last chunk",
        sse(A, chunk(delta=None, finish_reason="stop"), DONE),
        want=Text("A"),
    ),
    streamed(
        "DeepSeek",
        "streams thoughts beside the text",
        sse(openai_chunk(reasoning_content="Hm.", content=None), A, STOP, DONE),
        want=Text("A"),
        thinks=True,
    ),
]

CHERRY = "🍒".encode("utf-16-be")
FIRST_HALF, SECOND_HALF = (
    b'data: {"choices":[{"delta":{"content":"%s\\u%s"}}]}\n\n'
    % (before, half.hex().encode())
    for before, half in [(b"A", CHERRY[:2]), (b"", CHERRY[2:])]
)

BYTES = [
    streamed(
        "a proxy",
        "sends an empty data line to keep the connection awake",
        b"data:\n\n" + sse(A) + b"data: \n\n" + sse(STOP, DONE),
        want=Text("A"),
    ),
    streamed("One API", "sends null", sse("null", A, STOP, DONE), want=Text("A")),
    streamed(
        "IIS",
        "begins with a byte order mark",
        b"\xef\xbb\xbf" + sse(A, STOP, DONE),
        want=Text("A"),
    ),
    whole(
        "IIS",
        "begins a whole answer with a byte order mark",
        b"\xef\xbb\xbf" + json.dumps(openai_chat("A")).encode(),
        Text("A"),
    ),
    streamed(
        "a gateway in JavaScript",
        "cuts a character in two",
        FIRST_HALF,
        SECOND_HALF + sse(STOP, DONE),
        want=Text("A🍒"),
    ),
    streamed(
        "a gateway in JavaScript",
        "sends half a character and no more",
        FIRST_HALF + sse(STOP, DONE),
        want=Text("A\ufffd"),
    ),
    streamed(
        "a gateway in JavaScript",
        "sends half a character and then another one",
        FIRST_HALF + sse(B, STOP, DONE),
        want=Text("A\ufffdB"),
    ),
    streamed(
        "OpenRouter",
        "sends comments, `retry:` and CR LF",
        (b"retry: 3000\n\n: OPENROUTER PROCESSING\n\n" + sse(A, STOP, DONE)).replace(
            b"\n", b"\r\n"
        ),
        want=Text("A"),
    ),
    streamed(
        "Kimi Code",
        "leaves out the space",
        sse(A, STOP, DONE).replace(b"data: ", b"data:"),
        want=Text("A"),
    ),
    streamed(
        "Cloudflare's gateway",
        "indents its lines",
        b"  " + sse(A) + sse(STOP, DONE),
        want=Text("A"),
    ),
    whole(
        "a gateway that streams by itself",
        "sends [DONE] after a whole answer",
        json.dumps(openai_chat("pong")).encode() + b"\ndata: [DONE]\n\n",
        Text("pong"),
    ),
    whole(
        "a gateway that streams by itself",
        "sends events although none were asked for",
        sse(A, B, STOP, {"choices": [], "usage": COUNTS}, DONE),
        Text("AB", usage=Usage(3, 4)),
    ),
    whole(
        "a gateway that streams by itself",
        "sends half of the events",
        sse(A, B),
        Broken,
    ),
    streamed(
        "a gateway that cannot stream",
        "sends a whole answer",
        json.dumps(openai_chat("pong"), indent=1).encode(),
        want=Text("pong"),
    ),
    streamed(
        "a gateway that cannot stream",
        "sends half of a whole answer",
        json.dumps(openai_chat("pong")).encode()[:-9],
        want=Broken,
    ),
    streamed(
        "llama.cpp until 2025",
        "has a field of its own for errors",
        b'error: {"code":400,"message":"the request exceeds the available context size.","type":"invalid_request_error"}\n\n'
        + sse(DONE),
        want=ContextTooLong,
    ),
    streamed(
        "Anthropic",
        "names an event error",
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        want=Busy,
    ),
    streamed(
        "DashScope",
        "names an event error and has the error itself for data",
        b'event:error\ndata:{"code":"Throttling.RateQuota","message":"slow down"}\n\n',
        want=RateLimited,
    ),
    streamed(
        "vLLM until 0.9",
        "has the error itself for a chunk",
        sse({"object": "error", "message": "out of range", "code": 400}, DONE),
        want=RequestRefused,
    ),
    streamed(
        "SGLang",
        "has an error for its only chunk",
        sse(
            {
                "error": {
                    "object": "error",
                    "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
                    "code": 400,
                }
            },
            DONE,
        ),
        want=ContextTooLong,
    ),
    streamed(
        "LiteLLM",
        "has a status as text",
        sse(
            {
                "error": {
                    "message": "litellm.RateLimitError: slow down",
                    "type": "None",
                    "param": "None",
                    "code": "429",
                }
            },
            DONE,
        ),
        want=RateLimited,
    ),
    streamed(
        "Gemini",
        "sends an error without events, over several lines",
        b'[{\n  "error": {\n    "code": 429,\n    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n]\n',
        want=RateLimited,
    ),
    streamed(
        "a proxy", "sends a web page", b"<html>\n<p>Hi</p>\n</html>\n", want=Broken
    ),
]


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
    embedded(
        "Gemini",
        "leaves out an index of 0",
        {"data": [entry(0.5, 0.25), entry(1.0, 2.0, index=1)]},
        VECTORS,
    ),
    embedded(
        "Infinity",
        "leaves out every index",
        {"data": [entry(0.5, 0.25), entry(1.0, 2.0)]},
        VECTORS,
    ),
    embedded(
        "OpenAI",
        "answers in another order",
        {"data": [entry(1.0, 2.0, index=1), entry(0.5, 0.25, index=0)]},
        VECTORS,
    ),
    embedded("Voyage", "sends base64", {"data": BASE64}, VECTORS),
    embedded(
        "Voyage",
        "sends base64 that is cut off",
        {"data": [{"embedding": "AAAAPwA="}]},
        Broken,
        texts=("a",),
    ),
    embedded(
        "LM Studio",
        "says nothing of an index, and lacks a vector",
        {"data": [entry(0.5, 0.25)]},
        Broken,
    ),
]

FINE = Reply(sse(openai_chunk(content="fine"), STOP, DONE))
TWO_VECTORS = Reply(json.dumps({"data": [entry(*each) for each in VECTORS]}).encode())


def refusing(field: str, status: int, body: object) -> Reply:
    return Reply(json.dumps(body).encode(), status, field)


OUR_FIELDS = [
    Case(
        "Mistral",
        "forbids stream_options",
        (refusing("stream_options", 400, {"error": {"message": "Extra inputs are not permitted, field: 'stream_options'"}}), FINE),
        Text("fine"),
    ),
    Case(
        "Mistral",
        "forbids stream_options in a list of details",
        (refusing("stream_options", 422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {}}]}}), FINE),
        Text("fine"),
    ),
    Case(
        "Azure",
        "does not recognize stream_options",
        (refusing("stream_options", 400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}), FINE),
        Text("fine"),
    ),
    Case(
        "Voyage",
        "takes base64 alone for encoding_format",
        (refusing("encoding_format", 400, {"detail": "Value 'float' supplied for argument 'encoding_format' is not valid -- accepted values are 'base64'"}), TWO_VECTORS),
        VECTORS,
        texts=("a", "b"),
    ),
    Case(
        "LiteLLM before Bedrock",
        "does not support encoding_format",
        (refusing("encoding_format", 400, {"error": {"message": "litellm.UnsupportedParamsError: bedrock does not support parameters: {'encoding_format': 'float'}, for model=amazon.titan-embed-text-v2:0. To drop these, set `litellm.drop_params=True`", "code": "400"}}), TWO_VECTORS),
        VECTORS,
        texts=("a", "b"),
    ),
]  # fmt: skip


def without(server: str, does: str, *refusals: Reply, want: Text, **parameters: object):
    return Case(server, does, (*refusals, FINE), want, parameters=parameters)


PARAMETERS = [
    without(
        "OpenAI",
        "wants max_completion_tokens",
        refusing("max_tokens", 400, {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter"}}),
        want=Text("fine"),
        max_tokens=5,
    ),
    without(
        "OpenAI",
        "does not recognize top_k",
        refusing("top_k", 400, {"error": {"message": "Unrecognized request argument supplied: top_k", "type": "invalid_request_error", "param": None, "code": None}}),
        want=Text("fine", ignored=("top_k",)),
        top_k=5,
    ),
    without(
        "OpenAI",
        "does not recognize several",
        refusing("top_k", 400, {"error": {"message": "Unrecognized request arguments supplied: keep_alive, top_k"}}),
        want=Text("fine", ignored=("keep_alive", "top_k")),
        keep_alive="5m",
        seed=7,
        top_k=5,
    ),
    without(
        "Gemini",
        "finds no field of this name, one after the other",
        refusing("seed", 400, [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"seed\": Cannot find field.", "status": "INVALID_ARGUMENT"}}]),
        refusing("top_k", 400, [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"top_k\": Cannot find field.", "status": "INVALID_ARGUMENT"}}]),
        want=Text("fine", ignored=("top_k", "seed")),
        top_k=5,
        seed=7,
    ),
    without(
        "Groq",
        "asks whether another was meant",
        refusing("store", 400, {"error": {"message": "property 'store' is unsupported, did you mean 'stop'?", "type": "invalid_request_error"}}),
        refusing("no such field", 400, {}),
        want=Text("fine", ignored=("store",)),
        store=True,
        stop=["."],
    ),
    without(
        "xAI",
        "spells it differently",
        refusing("presence_penalty", 400, {"code": "Client specified an invalid argument", "error": "Argument not supported on this model: presencePenalty"}),
        want=Text("fine", ignored=("presence_penalty",)),
        presence_penalty=1,
    ),
    without(
        "DeepSeek",
        "does not support it",
        refusing("presence_penalty", 400, {"error": {"message": "deepseek-reasoner does not support the parameter `presence_penalty`", "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}}),
        want=Text("fine", ignored=("presence_penalty",)),
        presence_penalty=1,
    ),
    without(
        "TGI",
        "lists those that it knows",
        refusing("top_z", 422, {"error": "Failed to deserialize the JSON body into the target type: unknown field `top_z`, expected one of `model`, `seed`, `stop`"}),
        want=Text("fine", ignored=("top_z",)),
        top_z=5,
        seed=7,
    ),
    without(
        "LiteLLM",
        "answers 500 from Python",
        refusing("think", 500, {"error": {"message": "litellm.APIError: AsyncCompletions.create() got an unexpected keyword argument 'think'", "type": None, "param": None, "code": "500"}}),
        want=Text("fine", ignored=("think",)),
        think=True,
    ),
    without(
        "Fireworks",
        "names it in `param` alone",
        refusing("seed", 400, {"error": {"message": "Unsupported parameter", "param": "seed"}}),
        want=Text("fine", ignored=("seed",)),
        seed=7,
    ),
]  # fmt: skip

REFUSED_FOR_GOOD = [
    without("OpenAI", "refuses a value", refusing("", 400, {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.", "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value"}}), want=RequestRefused, temperature=0),
    without("Moonshot", "refuses a value", refusing("", 400, {"error": {"message": "invalid temperature: only 1 is allowed for this model", "type": "invalid_request_error"}}), want=RequestRefused, temperature=0.5),
    without("Mistral", "refuses it again and again", refusing("", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]}), want=RequestRefused, top_k=5),
    without("vLLM", "speaks of the prompt", refusing("", 400, {"error": {"message": "unknown role in messages", "code": 400}}), want=RequestRefused, seed=7),
]  # fmt: skip
"""Refusals that no change of the request can avoid."""


ERRORS: list[tuple[str, int, object, type[UpstreamError]]] = [
    # The model is missing
    ("DeepSeek", 400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}}, ModelNotFound),
    ("LiteLLM", 400, {"error": {"message": "/chat/completions: Invalid model name passed in model=foo. Call `/v1/models` to view available models for your key.", "type": "invalid_request_error", "param": "model", "code": "400"}}, ModelNotFound),
    ("OpenRouter", 400, {"error": {"message": "foo is not a valid model ID", "code": 400}, "user_id": "user_1"}, ModelNotFound),
    ("OpenRouter", 404, {"error": {"message": "No endpoints found for foo/bar.", "code": 404}}, ModelNotFound),
    ("LM Studio", 400, {"error": {"message": "Invalid model identifier \"foo\". Please specify a valid downloaded model (e.g., bar).", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}, ModelNotFound),
    ("LM Studio", 400, {"error": "No models loaded. Please load a model in the developer page or use the 'lms load' command."}, ModelNotFound),
    ("vLLM", 404, {"error": {"message": "The model `foo-chat` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}, ModelNotFound),
    ("OpenAI", 403, {"error": {"message": "Project `proj_x` does not have access to model `gpt-4`", "code": "model_not_found"}}, ModelNotFound),
    ("Gemini", 404, [{"error": {"code": 404, "message": "models/foo is not found for API version v1main, or is not supported for generateContent.", "status": "NOT_FOUND"}}], ModelNotFound),
    ("Azure", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, ModelNotFound),
    ("NIM", 404, {"status": 404, "title": "Not Found", "detail": "Function '23d4': Not found for account 'Qawm'"}, ModelNotFound),
    ("Cloudflare", 400, {"success": False, "errors": [{"code": 5007, "message": "AiError: No such model @cf/foo or task"}], "result": None}, ModelNotFound),
    ("Bedrock", 400, {"message": "The provided model identifier is invalid."}, ModelNotFound),
    ("Hugging Face", 400, {"error": {"message": "The requested model 'foo-chat' is not supported by any provider you have enabled.", "code": "model_not_supported"}}, ModelNotFound),
    ("Moonshot", 404, {"error": {"message": "Not found the model foo or Permission denied", "type": "resource_not_found_error"}}, ModelNotFound),
    ("Hugging Face", 410, {"error": "The requested model is deprecated"}, ModelNotFound),
    # The path is wrong
    ("FastAPI", 404, {"detail": "Not Found"}, NoSuchPath),
    ("FastAPI", 405, {"detail": "Method Not Allowed"}, NoSuchPath),
    ("Ollama", 404, "404 page not found", NoSuchPath),
    ("llama.cpp", 404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, NoSuchPath),
    ("OpenAI", 404, {"error": {"message": "Invalid URL (POST /v1/v1/chat/completions)", "type": "invalid_request_error"}}, NoSuchPath),
    ("Groq", 404, {"error": {"message": "Unknown request URL: POST /chat/completions. Please check the URL for typos.", "code": "unknown_url"}}, NoSuchPath),
    ("Azure", 404, {"error": {"code": "404", "message": "Resource not found"}}, NoSuchPath),
    ("Cloudflare", 404, {"result": None, "success": False, "errors": [{"code": 7003, "message": "Could not route to /client/v4/accounts/x/ai/v1/chat/completions, perhaps your object identifier is invalid?"}], "messages": []}, NoSuchPath),
    ("Kong", 404, {"message": "no Route matched with those values"}, NoSuchPath),
    ("TGI", 404, "", NoSuchPath),
    ("OpenRouter", 404, "<!DOCTYPE html><html><title>Model not found</title></html>", NoSuchPath),
    ("LM Studio", 200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, NoSuchPath),
    ("nginx", 301, "<html>", NoSuchPath),
    # Our key
    ("Gemini", 400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}], KeyRefused),
    ("xAI", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai."}, KeyRefused),
    ("LiteLLM", 400, {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}}, KeyRefused),
    ("LiteLLM", 200, {"error": {"message": "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...1234", "type": "auth_error", "code": "401"}}, KeyRefused),
    ("DeepSeek", 402, {"error": {"message": "Insufficient Balance"}}, KeyRefused),
    ("SiliconFlow", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient"}, KeyRefused),
    # The client's fault
    ("OpenRouter", 403, {"error": {"code": 403, "message": "openai/gpt-4 requires moderation on OpenAI. Your input was flagged for \"violence\".", "metadata": {"reasons": ["violence"], "flagged_input": "…"}}}, RequestRefused),
    ("Azure", 400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "code": "content_filter"}}, RequestRefused),
    ("DeepSeek", 400, {"error": {"message": "Content Exists Risk", "code": "invalid_request_error"}}, RequestRefused),
    # Too many requests
    ("Groq", 413, {"error": {"message": "Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}, RateLimited),
    ("Gemini", 403, [{"error": {"code": 403, "message": "Quota exceeded for quota metric", "status": "PERMISSION_DENIED"}}], RateLimited),
    ("Anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Busy),
    ("Groq", 498, {"error": {"message": "Flex tier capacity exceeded"}}, Busy),
    ("Ollama", 500, {"error": "llm server loading model"}, Busy),
    # Too long
    ("llama.cpp", 500, {"error": {"code": 500, "message": "input (992 tokens) is too large to process. increase the physical batch size (current batch size: 512)", "type": "server_error"}}, ContextTooLong),
    ("llama.cpp", 400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error"}}, ContextTooLong),
    ("OpenAI", 400, {"error": {"message": "no", "code": "context_length_exceeded"}}, ContextTooLong),
    ("vLLM", 400, {"object": "error", "message": "max_tokens must be at least 1, got -186.", "type": "BadRequestError", "param": None, "code": 400}, ContextTooLong),
    ("TGI", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 8740 `inputs` tokens and 500 `max_new_tokens`", "error_type": "validation"}, ContextTooLong),
    ("TEI", 413, {"error": "`inputs` must have less than 512 tokens. Given: 600", "error_type": "Validation"}, ContextTooLong),
    ("Gemini", 400, [{"error": {"code": 400, "message": "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}], ContextTooLong),
    ("xAI", 400, {"error": "This model's maximum prompt length is 131072 but the request contains 200000 tokens."}, ContextTooLong),
    ("OpenRouter", 400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "{\"type\":\"error\",\"error\":{\"message\":\"prompt is too long: 210000 tokens > 200000 maximum\"}}", "provider_name": "Anthropic"}}}, ContextTooLong),
    ("nginx", 413, "<html><h1>413 Request Entity Too Large</h1></html>", BatchTooLarge),
    # Not what the model can do
    ("Ollama", 400, {"error": "\"all-minilm\" does not support chat"}, ModalityRefused),
    ("OpenAI", 404, {"error": {"message": "This is not a chat model and thus not supported in the v1/chat/completions endpoint.", "type": "invalid_request_error"}}, ModalityRefused),
    ("OpenRouter", 404, {"error": {"message": "No endpoints found that support image input", "code": 404}}, ModalityRefused),
    ("OpenRouter", 400, {"error": {"message": "nvidia/embed is an embedding model and cannot be used with the chat/completions endpoint. Use the /embeddings endpoint instead."}}, ModalityRefused),
    ("llama.cpp", 501, {"error": {"code": 501, "message": "This server does not support embeddings. Start it with `--embeddings`", "type": "not_supported_error"}}, ModalityRefused),
    ("llama.cpp", 500, {"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"}}, ModalityRefused),
    ("Ollama", 400, {"error": "\"llama-vision\" does not support thinking"}, RequestRefused),
    # The upstream's own
    ("TGI", 424, {"error": "Request failed during generation: Server error: index 1 is out of bounds", "error_type": "generation"}, Broken),
    ("Ollama", 499, {"error": "context canceled"}, Broken),
    ("NIM", 400, {"status": 400, "title": "Bad Request", "detail": "Function id '87ea': DEGRADED function cannot be invoked"}, Broken),
    ("OpenRouter", 200, {"error": {"message": "Internal Server Error", "code": 500}}, Broken),
    ("Pollinations", 200, {"error": {"message": "something"}}, Broken),
    ("a gateway", 200, {"error": {"message": "bad role", "type": "invalid_request_error", "code": None}}, RequestRefused),
]  # fmt: skip
"""Server, status, body, meaning."""

REASONS: list[tuple[str, object, str]] = [
    ("OpenAI", {"error": {"message": "why"}}, "why"),
    ("Ollama", {"error": "why"}, "why"),
    ("vLLM", {"object": "error", "message": "why", "code": 400}, "why"),
    ("Gemini", [{"error": {"code": 400, "message": "why"}}], "why"),
    ("Cloudflare", {"success": False, "errors": [{"message": "why"}, {"message": "because"}]}, "why; because"),
    ("FastAPI", {"detail": "why"}, "why"),
    ("FastAPI", {"detail": [{"type": "x", "loc": ["body", "top_z"], "msg": "why", "input": "the prompt"}]}, "top_z: why"),
    ("Mistral", {"object": "error", "message": {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "why"}]}}, "messages.0.role: why"),
    ("NestJS", {"message": ["why", "because"], "error": "Bad Request", "statusCode": 400}, "why; because"),
    ("NIM", {"status": 400, "title": "Bad Request", "detail": "why"}, "why"),
    ("OpenRouter", {"error": {"message": "Provider returned error", "metadata": {"raw": "{\"error\":{\"message\":\"why\"}}"}}}, "why"),
    ("a proxy", "why\nand more", "why"),
]  # fmt: skip
"""Server, body of a 400, the reason in it."""

OLLAMA_ERRORS: list[tuple[str, int, object, type[UpstreamError]]] = [
    ("an id of Cloudflare's", 400, {"error": "invalid model name"}, ModelNotFound),
    ("an id of Fireworks'", 400, {"error": "model is required"}, ModelNotFound),
    ("an unknown model", 404, {"error": "model \"foo\" not found, try pulling it first"}, ModelNotFound),
    ("a connection that was closed behind it", 499, {"error": "context canceled"}, Broken),
    ("a wrong type", 500, {"error": "option \"seed\" must be of type integer"}, RequestRefused),
    ("a full queue", 503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, Busy),
    ("a base URL that ends with /v1", 404, "404 page not found", NoSuchPath),
    ("ollama.com without a key", 401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect"}, KeyRefused),
]  # fmt: skip

PROBES: list[tuple[str, int, object, bool]] = [
    ("OpenAI", 200, {"data": []}, False),
    ("Together", 200, [{"id": "m", "object": "model"}], False),
    ("Azure", 404, {"error": {"code": "404", "message": "Resource not found"}}, True),
    ("Perplexity", 404, "", True),
    ("Cloudflare", 405, {"errors": [{"message": "Method not allowed"}]}, True),
    ("a gateway", 400, {"error": "a header is missing"}, False),
    ("a busy gateway", 429, {}, False),
    ("LM Studio", 200, {"error": "Unexpected endpoint or method. (GET /models)"}, True),
    ("a web server", 200, "<!doctype html>", True),
]  # fmt: skip
"""Server, status and body of `/models`, whether there is a hint. All can be asked."""

FAILING_PROBES: list[tuple[str, int, object, type[UpstreamError]]] = [
    ("OpenAI", 401, {"error": {"message": "Incorrect API key provided"}}, KeyRefused),
    ("Cloudflare", 403, {"errors": [{"code": 10000, "message": "Authentication error"}]}, KeyRefused),
    ("Gemini", 400, [{"error": {"message": "API key not valid."}}], KeyRefused),
    ("llama.cpp", 503, {"error": {"message": "Loading model"}}, Busy),
    ("nginx", 502, "<html>", Broken),
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
]  # fmt: skip
"""Server, the fields that it adds to an answer, and the usage to read from them."""
