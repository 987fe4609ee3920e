"""Ollama's native API: `/api/chat`, `/api/embed`, `/api/embeddings`, `/api/tags`, `/api/ps`, `/api/version`. NDJSON when streaming."""

from collections.abc import Mapping, Sequence
from typing import Any

from octomil_ref.backends import (
    FINISH_REASONS,
    Completion,
    Embeddings,
    Ending,
    Piece,
    PieceStream,
    Usage,
    reading,
)
from octomil_ref.backends.adapting import Adapter, Asked, Memory
from octomil_ref.backends.http import Upstream
from octomil_ref.backends.reading import StreamedAnswer
from octomil_ref.backends.refusals import error_in_answer, has_error
from octomil_ref.clock import Deadline
from octomil_ref.errors import Broken, NoSuchPath, RequestRefused, UpstreamError
from octomil_ref.payloads import CompletionRequest, EmbeddingsRequest, Parameters

TOP_LEVEL = ("think", "format", "keep_alive", "logprobs", "top_logprobs")
"""Parameters that Ollama expects beside `options`. All others belong inside."""

IN_MEMORY = 5.0  # seconds for which a model counts as in memory after it answered or `/api/ps` listed it
PS_TIMEOUT = 2.0  # seconds for `/api/ps`


class OllamaBackend:
    provider = "ollama"

    def __init__(
        self,
        base_url: str,
        timeout: float,
        aliases: Mapping[str, str],
        api_key: str = "",
        load_timeout: float | None = None,
    ) -> None:
        """`load_timeout` replaces `timeout` for a model that must be loaded first. None: the two are equal."""
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._upstream = Upstream(self.provider, base_url, headers, timeout)
        self._adapter = Adapter(self._upstream)
        self._aliases = aliases
        self._load_timeout = load_timeout or timeout
        self._loads_longer = self._load_timeout != timeout
        self._in_memory: Memory[Deadline | None] = Memory()
        """Models that have answered this process and have been in memory at every check since, with the time of the next check."""

    def complete(self, request: CompletionRequest) -> Completion:
        response, ignored = self._ask(request, stream=False)
        with reading.whole_body(response) as body:
            output, ending = _read_whole(body, ignored)
            return Completion(output, self.provider, ending)

    def stream(self, request: CompletionRequest) -> PieceStream:
        response, ignored = self._ask(request, stream=True)
        return StreamedAnswer(response, _Lines(ignored), self._upstream.timeout)

    def embed(self, request: EmbeddingsRequest) -> Embeddings:
        model = self._name(request.model_id)
        deadline = self._deadline(model)

        def embed(texts: Sequence[str]) -> Embeddings:
            payload = {"model": model, "input": texts}
            try:
                response, _ = self._adapter.ask("/api/embed", payload, {}, deadline)
            except NoSuchPath:
                return self._embed_singly(model, texts, deadline)
            self._note_answer(model)
            with reading.whole_answer(response) as body:
                vectors = reading.vectors(body["embeddings"], len(texts))
                tokens = reading.count(body.get("prompt_eval_count"))
                return Embeddings(vectors, self.provider, tokens or 0)

        return self._adapter.in_parts(model, request.input, embed)

    def _embed_singly(
        self, model: str, texts: Sequence[str], deadline: Deadline
    ) -> Embeddings:
        """Asks for one vector at a time. Until mid-2024 Ollama had only the path for that."""
        found = []
        for text in texts:
            payload = {"model": model, "prompt": text}
            response, _ = self._adapter.ask("/api/embeddings", payload, {}, deadline)
            with reading.whole_answer(response) as body:
                found.append(body["embedding"])
        with reading.readable(response):
            return Embeddings(reading.vectors(found, len(texts)), self.provider, 0)

    def models(self, timeout: float) -> list[str]:
        with reading.whole_answer(self._upstream.get("/api/tags", timeout)) as tags:
            return reading.names(tags["models"], "name")

    def probe(self, timeout: float) -> str | None:
        return reading.probe(self._upstream.get("/api/version", timeout))

    def _name(self, model_id: str) -> str:
        return self._aliases.get(model_id, model_id)

    def _ask(self, request: CompletionRequest, stream: bool) -> Asked:
        # Without this a thinking model thinks first, and its content is empty until it has finished.
        ours = {"think": False} if "think" not in request.parameters else {}
        model = self._name(request.model_id)
        payload = {
            "model": model,
            "messages": [message.to_json() for message in request.messages],
            "stream": stream,
            **_placed(request.parameters),
        }
        deadline = self._deadline(model)
        found = self._adapter.ask("/api/chat", payload, ours, deadline)
        self._note_answer(model)
        return found

    def _deadline(self, model: str) -> Deadline:
        if self._loads_longer and not self._is_in_memory(model):
            return Deadline(self._load_timeout)
        return self._adapter.deadline()

    def _is_in_memory(self, model: str) -> bool:
        """False until the model has answered this process: `/api/ps` also lists a model that is still being loaded."""
        next_look = self._in_memory.get(model)
        if next_look and next_look.remaining() <= 0:
            next_look = Deadline(IN_MEMORY) if self._is_listed(model) else None
            self._in_memory.put(model, next_look)
        return next_look is not None

    def _note_answer(self, model: str) -> None:
        if self._loads_longer:
            self._in_memory.put(model, Deadline(IN_MEMORY))

    def _is_listed(self, model: str) -> bool:
        """True if Ollama lists the model as in memory, or does not answer."""
        timeout = min(PS_TIMEOUT, self._upstream.timeout)
        try:
            response = self._upstream.get("/api/ps", timeout)
            with reading.whole_answer(response) as body:
                names = set(reading.names(body["models"], "name"))
        except UpstreamError:
            return True
        return not names.isdisjoint((model, f"{model}:latest"))


def _read_whole(body: bytes, ignored: tuple[str, ...]) -> tuple[str, Ending]:
    try:
        answer = reading.json_object(body)
    except ValueError:  # lines
        cut_off = Broken("The ollama backend sent no whole answer.")
        return reading.text_of_stream(body, _Lines(ignored), cut_off)
    if has_error(answer):
        raise error_in_answer(OllamaBackend.provider, answer)
    if not answer["done"]:
        raise ValueError("the answer is not complete")
    return reading.text(answer["message"].get("content")), _ending(answer, ignored)


class _Lines:
    """Reads the lines of one streamed chat."""

    def __init__(self, ignored: tuple[str, ...]) -> None:
        self._ignored = ignored
        self._text = reading.SplitText()
        self._is_chat = False
        """True once a message has come. A line of `/api/generate` has a `response` instead, and its text would be lost."""

    def read(self, line: bytes) -> list[Piece]:
        if not line.strip():
            return []
        chunk = reading.json_object(line)
        if has_error(chunk):
            raise error_in_answer(OllamaBackend.provider, chunk)
        if not chunk.keys() & {"message", "done"}:
            # Ollama 0.11: {"error parsing tool call": …}
            raise ValueError("neither text nor an end")
        message = chunk.get("message") or {}
        self._is_chat = self._is_chat or "message" in chunk
        words = self._text.add(message.get("content"))
        if chunk.get("done"):
            words += self._text.rest()
        pieces = reading.pieces(message.get("thinking"), words)
        if chunk.get("done"):
            if not self._is_chat:
                raise ValueError("no message")
            pieces.append(_ending(chunk, self._ignored))
        return pieces

    def is_complete(self) -> bool:
        return False  # the line that completes an answer has its counts

    def end(self, failure: UpstreamError) -> list[Piece]:
        # Only a line with `done: true` completes an answer.
        raise failure


def _ending(body: Mapping[str, Any], ignored: tuple[str, ...]) -> Ending:
    """Ollama omits counts that are 0, and has reasons of its own, such as `load`."""
    prompt = reading.count(body.get("prompt_eval_count"))
    completion = reading.count(body.get("eval_count"))
    counted = prompt is not None or completion is not None
    usage = Usage(prompt or 0, completion or 0) if counted else None
    reason = body.get("done_reason")
    return Ending(reason if reason in FINISH_REASONS else None, usage, ignored)


def _placed(parameters: Parameters) -> dict[str, Any]:
    """The parameters where Ollama expects them, under its names."""
    names = {"max_tokens": "num_predict"}
    # Only `think` can be None. Then it is not sent, and Ollama's default applies.
    beside = {n: parameters[n] for n in TOP_LEVEL if parameters.get(n) is not None}
    form = _format(parameters.get("response_format"))
    if form is not None:
        beside.setdefault("format", form)
    options = {
        names.get(name, name): value
        for name, value in parameters.items()
        if name not in (*TOP_LEVEL, "response_format")
    }
    return {**beside, "options": options} if options else beside


def _format(response_format: object) -> object:
    """OpenAI's `response_format` as Ollama's `format`; None for plain text."""
    match response_format:
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return schema
        case None | {"type": "text"}:
            return None
        case _:
            raise RequestRefused("Ollama does not know this 'response_format'.")
