"""OpenAI's endpoints: what every OpenAI client calls, and what Octomil's SDKs call for hosted chat.

They use the validation, fallback, limits and log of the five endpoints. Errors below `/v1` have OpenAI's shape.
"""

from dataclasses import dataclass

import falcon

from octomil_ref import json_codec
from octomil_ref.body import read_json
from octomil_ref.resources import Gateway, send_events
from octomil_ref.sdk_endpoints import openai_responses as write
from octomil_ref.sdk_endpoints.models import ModelList
from octomil_ref.sdk_endpoints.openai_requests import parse_chat, parse_vectors
from octomil_ref.settings import Settings


@dataclass(frozen=True)
class ChatCompletions:
    """POST /v1/chat/completions: one prompt; its answer whole or token by token."""

    gateway: Gateway
    settings: Settings

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        chat = parse_chat(read_json(req, self.settings.max_body_bytes))
        request, record = chat.completion, req.context.record
        if chat.stream:
            events = write.ChatEvents(request.model_id, chat.include_usage)
            send_events(resp, self.gateway.stream(request, record, lambda _: events))
        else:
            completion = self.gateway.complete(request, record)
            body = write.chat_completion(completion, request.model_id)
            resp.data = json_codec.encode(body)


@dataclass(frozen=True)
class EmbeddingVectors:
    """POST /v1/embeddings: texts in, vectors out, as numbers or as base64."""

    gateway: Gateway
    settings: Settings

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        asked = parse_vectors(
            read_json(req, self.settings.max_body_bytes),
            self.settings.embeddings_max_inputs,
        )
        found = self.gateway.embed(asked.embeddings, req.context.record)
        body = write.embeddings(found, asked.embeddings.model_id, asked.base64)
        resp.data = json_codec.encode(body)


@dataclass(frozen=True)
class ModelIndex:
    """GET /v1/models and GET /v1/models/{model_id}."""

    list: ModelList

    def on_get(
        self, req: falcon.Request, resp: falcon.Response, model_id: str | None = None
    ) -> None:
        if model_id is None:
            models = [write.model(*item) for item in self.list.all().items()]
            resp.data = json_codec.encode({"object": "list", "data": models})
        else:
            found = write.model(model_id, self.list.provider(model_id))
            resp.data = json_codec.encode(found)
