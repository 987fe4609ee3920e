"""The OpenAI-compatible dialect: `/chat/completions`, `/embeddings`, `/models`. Server-sent events when streaming.

Many servers speak it, each a little differently. For each deviation a comment names a server that has it.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from octomil_ref import json_codec
from octomil_ref.backends import (
    Completion,
    Embeddings,
    Ending,
    Piece,
    PieceStream,
    Usage,
    reading,
)
from octomil_ref.backends.adapting import Adapter, Asked
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.reading import StreamedAnswer
from octomil_ref.backends.refusals import error_in_answer, has_error, json_or_text
from octomil_ref.errors import Broken, UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest

PROVIDER = "openai"


class OpenAIBackend:
    provider = PROVIDER

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout: float,
        aliases: Mapping[str, str],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        authorization = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        headers = {**authorization, **headers}
        self._upstream = Upstream(self.provider, base_url, headers, timeout)
        self._adapter = Adapter(self._upstream)
        self._aliases = aliases

    def complete(self, request: CompletionRequest) -> Completion:
        response, ignored = self._ask(request, streams=False)
        with reading.whole_body(response) as body:
            output, ending = _read_whole(body, ignored)
            return Completion(output, self.provider, ending)

    def stream(self, request: CompletionRequest) -> PieceStream:
        response, ignored = self._ask(request, streams=True)
        return StreamedAnswer(response, _Lines(ignored), self._upstream.timeout)

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        model, deadline = self._name(request.model_id), self._adapter.deadline()

        def embed(texts: Sequence[str]) -> Embeddings:
            payload = {"model": model, "input": texts}
            floats = {"encoding_format": "float"}
            response, _ = self._adapter.ask("/embeddings", payload, floats, deadline)
            with reading.whole_answer(response) as body:
                items, usage = _listed(body)
                vectors = reading.vectors(reading.in_order(items), len(texts))
                prompt, _, total = _counts(usage)
                # The provider Voyage gives only the total.
                return Embeddings(vectors, self.provider, prompt or total or 0)

        return self._adapter.in_parts(model, request.input, embed)

    def models(self, timeout: float) -> list[str]:
        with reading.whole_answer(self._upstream.get("/models", timeout)) as body:
            return reading.names(_listed(body)[0], "id")

    def probe(self, timeout: float) -> str | None:
        return reading.probe(self._upstream.get("/models", timeout))

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _ask(self, request: CompletionRequest, streams: bool) -> Asked:
        given = request.parameters.items()
        payload = {
            **{name: value for name, value in given if value is not None},
            "model": self._name(request.model_id),
            "messages": [message.to_json() for message in request.messages],
        }
        usage = {"stream_options": {"include_usage": True}}
        return self._adapter.ask_either("/chat/completions", payload, usage, streams)


def _listed(body: Any) -> tuple[Any, object]:
    """The items of a list, and its usage.

    The array may have no object around it: models of the provider Together, embeddings of llama.cpp if the base URL has no `/v1`.
    """
    return (body, None) if isinstance(body, list) else (body["data"], body.get("usage"))


# Where an answer ends

REASONS = {
    word: reason
    for reason, words in {
        "stop": "eos eos_token stop_sequence end_turn complete finish_matched_str finish_matched_token",
        "length": "max_tokens model_length model_context_window_exceeded finish_length",
        "content_filter": "safety recitation blocklist prohibited_content spii sensitive",
        "tool_calls": "function_call tool_call",
    }.items()
    for word in (reason, *words.split())
}
"""Reasons of success, in lower case. TGI: eos_token. Together: eos. xAI: end_turn. Mistral: model_length. Z.ai:
model_context_window_exceeded, sensitive. Gemini: MAX_TOKENS, and five of its filters. LiteLLM in front of OCI: COMPLETE, TOOL_CALL. SGLang 0.2:
FINISH_LENGTH and the like. Others complete an answer too, without a reason."""

FAILED = re.compile(
    r"abort|cancel|capacity|crash|error|exhaust|fail|insufficient|interrupt|network|out_of|time_?out|unavailable",
    re.IGNORECASE,
)
"""Matches a reason that means that generation failed. vLLM and SGLang: abort. OpenRouter, Mistral, Cohere, KoboldCpp: error. DeepSeek:
insufficient_system_resource. Z.ai: network_error."""


NOT_YET = ("null", "None")
"""What KoboldCpp and SGLang called a null."""


def _reason_of(choice: Mapping[str, Any]) -> object:
    """Why generation ended; falsy if it goes on. Raises UpstreamError if it failed."""
    # Gemini 1.5 sent null as one and the reason as the other.
    reason = choice.get("finish_reason") or choice.get("finishReason")
    if error := choice.get("error"):  # OpenRouter
        raise error_in_answer(PROVIDER, {"error": error})
    # OpenRouter calls a network_error of the provider behind it a stop.
    for each in (reason, reason and choice.get("native_finish_reason")):
        if isinstance(each, str) and FAILED.search(each):
            raise Broken(f"The {PROVIDER} backend failed while it generated.")
    return None if reason in NOT_YET else reason


def _finish_reason(reason: object) -> str | None:
    """One of FINISH_REASONS, or None."""
    if not isinstance(reason, str):
        return None
    # Gemini: content_filter: SPII. SGLang 0.2: FINISH_LENGTH: 9.
    return REASONS.get(reason.lower().partition(":")[0])


# Where text is


def _content(message: Mapping[str, Any]) -> tuple[object, object]:
    """The thoughts and the text of a message, or of one increment of it."""
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    content = message.get("content")
    if type(content) is str or content is None:
        return thoughts, content or message.get("refusal")  # OpenAI
    return _unusual_content(content, thoughts)


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message of a whole answer. Some gateways send it as a delta, or as the text of a completion.

    Gemini sends none if the model used up its tokens while it was thinking.
    """
    message = choice.get("message") or choice.get("delta")
    return message or {"content": choice.get("text")}


def _unusual_content(content: object, thoughts: object) -> tuple[object, object]:
    if isinstance(content, list):  # Mistral, while it thinks
        parts = [{"text": part} if isinstance(part, str) else part for part in content]
        parts = [part for part in parts if isinstance(part, dict)]
        thinks = any(part.get("type") in ("thinking", "reasoning") for part in parts)
        parts = [part for part in parts if part.get("type", "text") in _TEXT_PARTS]
        texts = [
            reading.text(part.get("text") or part.get("refusal")) for part in parts
        ]
        return thoughts or thinks, "".join(texts)
    if type(content) in (int, float):  # Cloudflare: 6 for the token "6"
        return thoughts, json_codec.encode(content).decode()
    return thoughts, content


_TEXT_PARTS = ("text", "output_text", "refusal")  # parts of other kinds have no text


# Whole answers


def _read_whole(body: bytes, ignored: tuple[str, ...]) -> tuple[str, Ending]:
    try:
        answer = reading.json_object(body)
    except (ValueError, TypeError):
        # Events, or JSON followed by `data: [DONE]`.
        cut_off = Broken(f"The {PROVIDER} backend sent no whole answer.")
        return reading.text_of_stream(body, _Lines(ignored), cut_off)
    if has_error(answer) or not answer.get("choices"):
        raise error_in_answer(PROVIDER, answer)
    choice = answer["choices"][0]
    reason = _reason_of(choice)
    _, content = _content(_message(choice))
    usage = _usage(answer) or _usage(choice)  # Moonshot
    return reading.text(content), Ending(_finish_reason(reason), usage, ignored)


# Streams

BOM = b"\xef\xbb\xbf"
REPEATED = re.compile(rb"(data:\s*)+")

KEEP_ALIVE = re.compile(
    rb"(ping|pong|keep[ _-]?alive|heart[ _-]?beat|null|:.*)?", re.IGNORECASE
)


def _keeps_awake(data: bytes) -> bool:
    """True for data that only keeps a connection awake. Proxies send nothing, One API null, Manifest the comments of OpenRouter."""
    return bool(KEEP_ALIVE.fullmatch(data.strip(b'"[]')))


MAX_STRAY = 16 * 1024 * 1024
"""The most bytes of JSON outside of events, or on several lines of one event, that are read."""


class _Lines:
    """Reads the lines of one streamed chat, which is complete once it has a finish_reason: `[DONE]` alone proves nothing."""

    def __init__(self, ignored: tuple[str, ...]) -> None:
        self._ignored = ignored
        self._reason: object = None
        self._went_on = False
        """True if more text came after a reason. LiteLLM in front of Gemini sends a reason in every chunk, so only `[DONE]` is the end."""
        self._usage: Usage | None = None
        self._text = reading.SplitText()
        self._has_deltas = False  # text has come in a delta
        self._name = b""  # the name of the current event
        self._stray = bytearray()
        """JSON outside of events: an error of a gateway, or a whole answer although a stream was asked for."""
        self._said: UpstreamError | None = None
        """The error that the last object without choices may be: Baidu's has `error_code` and `error_msg`, DeepInfra's `error_type` and
        `error_message`."""
        self._event = bytearray()
        """The beginning of a chunk whose JSON goes on in the next `data:` line, as any event may."""

    def read(self, line: bytes) -> list[Piece]:
        if not line.startswith(b"data:"):
            return self._read_other(line)
        if self._stray:
            return self._stray_answer() + self.read(line)
        data = line[5:].strip()
        if self._event or data[:1] != b"{":
            return self._read_mark(data)
        try:
            chunk = reading.json_object(data)
        except ValueError:
            self._event += data
            return []
        return self._chunk(chunk)

    def is_complete(self) -> bool:
        return bool(self._reason) and not self._went_on

    def end(self, failure: UpstreamError) -> list[Piece]:
        pieces = self._stray_answer()
        if not self.is_complete():
            raise self._said or failure
        return pieces + self._ending()

    def _read_mark(self, data: bytes) -> list[Piece]:
        """Data that is not an object, such as `[DONE]`, or is only a part of an object."""
        if self._event and len(self._event) <= MAX_STRAY:
            self._event += b"\n" + data
            return []
        if data == b"[DONE]":
            if self._reason:
                return self._ending()
            # Nothing follows, although some servers keep the connection open.
            return self.end(Broken(f"The {PROVIDER} backend cut its answer off."))
        if data.startswith(b"data:"):  # servers that pass events to sse-starlette
            return self.read(REPEATED.sub(b"data:", data, count=1))
        if _keeps_awake(data) or (self._name and _keeps_awake(self._name)):
            return []
        if not self.is_complete():
            raise ValueError("neither a chunk nor a mark")
        return self._ending()

    def _read_other(self, line: bytes) -> list[Piece]:
        """A line that does not begin with `data:`: mostly the blank one after each event."""
        if line in (b"", b"\r"):
            self._name = b""
            if not self._event:
                return []
            data, self._event = self._event, bytearray()
            return self._chunk(reading.json_object(bytes(data)))
        line = line.removeprefix(BOM).strip()
        if line.startswith(b"data:"):
            return self.read(line)
        name, _, value = line.partition(b":")
        if name == b"event":
            self._name = value.strip()
        elif name == b"error":  # llama.cpp until 2025
            raise error_in_answer(PROVIDER, {"error": json_or_text(value)})
        elif not self._stray and line.startswith(b'{"') and line.endswith(b"}"):
            return self._chunk(reading.json_object(line))  # Opik: no `data:`
        elif self._stray or line.startswith((b"{", b"[")):
            self._stray += line + b"\n"
            if len(self._stray) > MAX_STRAY:
                raise ValueError("too much outside of events")
        return []

    def _stray_answer(self) -> list[Piece]:
        stray, self._stray = self._stray, bytearray()
        if not stray:
            return []
        answer = json_or_text(bytes(stray))
        if isinstance(answer, str) and self.is_complete():
            return []  # a `[DONE]` without `data:`
        if isinstance(answer, list):  # Gemini
            raise error_in_answer(PROVIDER, answer)
        # An ending follows anyway, and there must be only one.
        return [each for each in self._chunk(answer) if not isinstance(each, Ending)]

    def _chunk(self, chunk: dict[str, Any]) -> list[Piece]:
        groq = chunk.get("x_groq") or {}
        for body in (chunk, groq):
            if has_error(body):
                raise error_in_answer(PROVIDER, body)
        if chunk.get("usage"):
            self._usage = _usage(chunk) or self._usage
        choices = chunk.get("choices")
        if not choices:
            if self._name == b"error":
                raise error_in_answer(PROVIDER, chunk)
            if choices is None:
                self._said = error_in_answer(PROVIDER, chunk)
            # The usage comes in a chunk of its own, after the last choice.
            return self._ending() if self.is_complete() and self._usage else []
        choice = choices[0] or {}
        if "delta" in choice:
            thoughts, content = _content(choice["delta"] or {})
            if content:
                self._has_deltas = True
        else:
            # Some servers repeat the whole answer after the deltas.
            thoughts, content = _content({} if self._has_deltas else _message(choice))
        pieces = reading.pieces(thoughts, self._text.add(content))
        if pieces and self._reason:
            self._went_on = True
        if reason := _reason_of(choice):
            self._reason = reason
            # Moonshot and Groq
            self._usage = self._usage or _usage(choice) or _usage(groq)
        return pieces

    def _ending(self) -> list[Piece]:
        rest = reading.pieces(None, self._text.rest())
        reason = _finish_reason(self._reason)
        return [*rest, Ending(reason, self._usage, self._ignored)]


# Usage and embeddings


def _usage(body: Mapping[str, Any]) -> Usage | None:
    """None if the upstream did not count."""
    prompt, completion, total = _counts(body.get("usage"))
    if completion is None and prompt is not None and total is not None:
        completion = max(0, total - prompt)  # Gemini omits a count of 0
    if prompt is None or completion is None:
        return None
    # LocalAI: zeros until the end
    return Usage(prompt, completion) if prompt or completion else None


def _counts(usage: object) -> tuple[int | None, int | None, int | None]:
    """The tokens of the prompt, of the completion and of both. Cloudflare, Anthropic: `input_tokens`, `output_tokens`."""
    if not isinstance(usage, dict):
        return None, None, None

    def counted(*names: str) -> int | None:
        found = (reading.count(usage.get(name)) for name in names)
        return next((each for each in found if each is not None), None)

    prompt = counted("prompt_tokens", "input_tokens")
    completion = counted("completion_tokens", "output_tokens")
    return prompt, completion, counted("total_tokens")
