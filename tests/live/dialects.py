"""Scripts that answer as Ollama and OpenAI-compatible servers do, and the frames their streams are made of.

They are for `Upstream.on`; a test with the real servers keeps them honest.
"""

import hashlib
import threading
from collections.abc import Sequence
from typing import Any

from upstreams import Call, Received, Script, compact

# Scripts for any dialect ------------------------------------------------------------

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"


def stall(call: Call) -> None:
    """Never answers a byte, until the client gives up."""
    call.wait_for_hangup(timeout=60)


def stream(
    content_type: str,
    *frames: bytes,
    gate: threading.Event | None = None,
    end: Script = Call.end_chunks,
) -> Script:
    """One frame a chunk; `gate` holds back all but the first.

    `end=Call.close` and `end=Call.reset` cut the stream off instead.
    """

    def script(call: Call) -> None:
        call.start_chunked(content_type)
        for number, frame in enumerate(frames):
            if gate and number == 1:
                call.wait(gate)
            call.chunk(frame)
        end(call)

    return script


def vector_of(text: str, size: int = 4) -> list[float]:
    """What the scripted embedding models answer for `text`: any, but always the same."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % len(digest)] - 128) / 256 for i in range(size)]


def _inputs(request: Received) -> list[str]:
    given = request.json["input"]
    return [given] if isinstance(given, str) else given


def _count_words(texts: list[str]) -> int:
    return sum(len(text.split()) for text in texts)


# Ollama ---------------------------------------------------------------------------

RUNNER_DIED = "an error was encountered while running the model: unexpected EOF"


def ollama_frame(content: str = "", **more: Any) -> bytes:
    """A line of a chat stream that goes on; `thinking=` goes into the message."""
    message = {"role": "assistant", "content": content}
    if "thinking" in more:
        message["thinking"] = more.pop("thinking")
    return compact(_ollama_chat_answer(message) | {"done": False} | more) + b"\n"


def ollama_done(count: int = 1, **more: Any) -> bytes:
    """The last line of a chat stream of `count` tokens."""
    message = {"role": "assistant", "content": ""}
    return compact(_ollama_chat_answer(message) | _ollama_end(count) | more) + b"\n"


def ollama_error_frame(message: str = RUNNER_DIED) -> bytes:
    """How a stream of Ollama ends when its runner dies."""
    return compact({"error": message}) + b"\n"


def ollama_chat(
    tokens: Sequence[str] = ("Good", " morning"),
    *,
    gate: threading.Event | None = None,
    **end: Any,
) -> Script:
    """/api/chat, streamed unless the request says otherwise.

    `gate` holds back all but the first token; `end` replaces fields of the last line,
    like `done_reason="length"`.
    """

    def script(call: Call) -> None:
        request = call.received.json
        model = {"model": request["model"]}
        if request.get("stream", True):
            frames = [ollama_frame(token, **model) for token in tokens]
            last = ollama_done(len(tokens), **model, **end)
            stream(NDJSON, *frames, last, gate=gate)(call)
        else:
            message = {"role": "assistant", "content": "".join(tokens)}
            answer = _ollama_chat_answer(message) | _ollama_end(len(tokens))
            call.json(200, answer | model | end)

    return script


def ollama_embed(size: int = 4) -> Script:
    """/api/embed: `vector_of` each input."""

    def script(call: Call) -> None:
        texts = _inputs(call.received)
        answer = {
            "model": call.received.json["model"],
            "embeddings": [vector_of(text, size) for text in texts],
            "total_duration": 53212747,
            "load_duration": 3370666,
            "prompt_eval_count": _count_words(texts),
        }
        call.json(200, answer)

    return script


def ollama_version(call: Call) -> None:
    """/api/version."""
    call.json(200, {"version": "0.5.4"})


def ollama_error(status: int, message: str, **headers: str) -> Script:
    """An error instead of an answer."""
    return lambda call: call.json(status, {"error": message}, **headers)


def _ollama_chat_answer(message: dict[str, str]) -> dict[str, Any]:
    return {
        "model": "smollm2:135m",
        "created_at": "2026-11-22T21:28:44.190678898Z",
        "message": message,
    }


def _ollama_end(count: int) -> dict[str, Any]:
    return {
        "done_reason": "stop",
        "done": True,
        "total_duration": 68902381,
        "load_duration": 10465475,
        "prompt_eval_count": 11,
        "prompt_eval_duration": 16000000,
        "eval_count": count,
        "eval_duration": 41000000,
    }


# OpenAI and those who speak like it ---------------------------------------------------

OPENAI_END = b"data: [DONE]\n\n"


def sse(value: Any) -> bytes:
    return b"data: " + compact(value) + b"\n\n"


def openai_frame(
    delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any
) -> bytes:
    """An event of a chat stream. Without `delta` its `choices` are empty."""
    choice = {"finish_reason": finish, "index": 0, "delta": delta}
    chunk = _openai_answer("chat.completion.chunk", [] if delta is None else [choice])
    return sse(chunk | more)


def openai_chat(
    tokens: Sequence[str] = ("Good", " morning"),
    *,
    finish: str = "stop",
    gate: threading.Event | None = None,
) -> Script:
    """/chat/completions, as llama.cpp's server does it.

    `gate` holds back all but the first event, which names the role and has no token.
    """

    def script(call: Call) -> None:
        request = call.received.json
        usage = _openai_usage(32, len(tokens))
        if request.get("stream"):
            frames = _openai_frames(request, tokens, finish, usage)
            stream(SSE, *frames, OPENAI_END, gate=gate)(call)
        else:
            message = {"role": "assistant", "content": "".join(tokens)}
            choice = {"finish_reason": finish, "index": 0, "message": message}
            answer = _openai_answer("chat.completion", [choice])
            call.json(200, answer | {"model": request["model"], "usage": usage})

    return script


def openai_embeddings(size: int = 4, *, order: int = 1) -> Script:
    """/embeddings: `vector_of` each input; `order=-1` sends the last input's first."""

    def script(call: Call) -> None:
        texts = _inputs(call.received)
        count = _count_words(texts)
        data = [
            {"embedding": vector_of(text, size), "index": index, "object": "embedding"}
            for index, text in enumerate(texts)
        ]
        answer = {
            "model": call.received.json["model"],
            "object": "list",
            "usage": {"prompt_tokens": count, "total_tokens": count},
            "data": data[::order],
        }
        call.json(200, answer)

    return script


def openai_models(call: Call) -> None:
    """/models."""
    model = {"id": "smollm2-135m", "object": "model", "created": 1795382926}
    data = [model | {"owned_by": "llamacpp"}]
    call.json(200, {"object": "list", "data": data})


def openai_error(
    status: int,
    message: str,
    kind: str = "server_error",
    code: int | str | None = None,
    **headers: str,
) -> Script:
    """An error instead of an answer; `code` is the status (llama.cpp) unless given."""
    code = status if code is None else code
    error = {"code": code, "message": message, "type": kind}
    return lambda call: call.json(status, {"error": error}, **headers)


def llama_cpp_error_frame(message: str = "Compute error.") -> bytes:
    """llama.cpp: the error, and the stream ends."""
    return sse({"error": {"code": 500, "message": message, "type": "server_error"}})


def vllm_error_frame(message: str = "EngineCore encountered an issue.") -> bytes:
    """vLLM: the error, and even then the mark of a good end."""
    error = {"message": message, "type": "InternalServerError", "param": None}
    return sse({"error": error | {"code": 500}}) + OPENAI_END


def openrouter_error_frame(message: str = "Provider disconnected") -> bytes:
    """OpenRouter: a chunk that has both an error and choices."""
    error = {"code": "server_error", "message": message}
    return openai_frame({"content": ""}, "error", provider="OpenAI", error=error)


def _openai_frames(
    request: dict[str, Any], tokens: Sequence[str], finish: str, usage: dict[str, Any]
) -> list[bytes]:
    model = {"model": request["model"]}
    frames = [openai_frame({"role": "assistant", "content": None}, **model)]
    frames += [openai_frame({"content": token}, **model) for token in tokens]
    frames += [openai_frame({}, finish, **model)]
    if (request.get("stream_options") or {}).get("include_usage"):
        frames += [openai_frame(None, usage=usage, **model)]
    return frames


def _openai_answer(kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "choices": choices,
        "created": 1795382926,
        "model": "smollm2-135m",
        "system_fingerprint": "b0-unknown",
        "object": kind,
        "id": "chatcmpl-TIwsa39lmBMpblVaiHlaKRf4kw3wiBO1",
    }


def _openai_usage(prompt: int, completion: int) -> dict[str, Any]:
    return {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
