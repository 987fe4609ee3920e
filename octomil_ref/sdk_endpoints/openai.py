"""OpenAI's endpoints: what every OpenAI client calls, and what Octomil's SDKs call for hosted chat.

They use the validation, fallback, limits and log of the five endpoints. Errors below `/v1` have OpenAI's shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from falcon import Request, Response

from octomil_ref import json_codec
from octomil_ref.backends import Backend
from octomil_ref.clock import Shared
from octomil_ref.errors import ModelNotFound, UpstreamError
from octomil_ref.fallback import error_to_report
from octomil_ref.resources import Gateway, send_events
from octomil_ref.sdk_endpoints import openai_bodies as bodies


@dataclass(frozen=True)
class ChatCompletions:
    """POST /v1/chat/completions: one prompt; its answer whole or token by token."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        chat = bodies.parse_chat(self.gateway.body(req))
        request, record = chat.completion, req.context.record
        if chat.stream:
            events = bodies.ChatEvents(request.model_id, chat.include_usage)
            send_events(resp, self.gateway.stream(request, record, lambda _: events))
        else:
            completion = self.gateway.complete(request, record)
            body = bodies.chat_completion(completion, request.model_id)
            resp.data = json_codec.encode(body)


@dataclass(frozen=True)
class EmbeddingVectors:
    """POST /v1/embeddings: texts in, vectors out, as numbers or as base64."""

    gateway: Gateway

    def on_post(self, req: Request, resp: Response) -> None:
        most = self.gateway.settings.embeddings_max_inputs
        request, as_base64 = bodies.parse_vectors(self.gateway.body(req), most)
        found = self.gateway.embed(request, req.context.record)
        body = bodies.embeddings(found, request.model_id, as_base64)
        resp.data = json_codec.encode(body)


LIST_TIMEOUT = 2.0  # seconds for one backend to list its models, at most
LIST_CACHED = 5.0  # seconds for which a list is reused

Models = Mapping[str, str]  # model id to the provider that is asked for it first


@dataclass
class ModelList:
    """The union of all backends' models. Simultaneous callers share one round of requests."""

    backends: Sequence[Backend]
    backend_timeout: float
    aliases: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        self._found = Shared(self._ask, LIST_CACHED)

    def all(self) -> Models:
        """Raises an UpstreamError if no backend can be asked. A backend that fails adds no models."""
        found = self._found.get()
        if isinstance(found, UpstreamError):
            raise found.with_traceback(None)  # it would grow with each caller
        return found

    def provider(self, model_id: str) -> str:
        """The provider of one model. Raises ModelNotFound."""
        found = self.all().get(model_id)
        if found is None:
            raise ModelNotFound(f"No backend has the model {model_id!r}.")
        return found

    def _ask(self) -> Models | UpstreamError:
        models: dict[str, str] = {}
        failures: list[UpstreamError] = []
        timeout = min(LIST_TIMEOUT, self.backend_timeout)
        for backend in self.backends:
            try:
                names = backend.models(timeout)
            except UpstreamError as ex:
                failures.append(ex)
                continue
            for name in [*names, *self._known_as(backend.provider, names)]:
                models.setdefault(name, backend.provider)
        if len(failures) < len(self.backends):
            return models
        return error_to_report(failures)

    def _known_as(self, provider: str, names: Sequence[str]) -> list[str]:
        """The aliases whose model is there. Ollama lists the model `name` as `name:latest`."""
        there = {*names, *(name.removesuffix(":latest") for name in names)}
        aliases = self.aliases[provider]
        return [alias for alias, name in aliases.items() if name in there]


@dataclass(frozen=True)
class ModelIndex:
    """GET /v1/models and GET /v1/models/{model_id}."""

    models: ModelList

    def on_get(self, req: Request, resp: Response, model_id: str | None = None) -> None:
        if model_id is None:
            models = [bodies.model(*item) for item in self.models.all().items()]
            resp.data = json_codec.encode({"object": "list", "data": models})
        else:
            found = bodies.model(model_id, self.models.provider(model_id))
            resp.data = json_codec.encode(found)
