"""The page at `/`: the spec and its OpenAPI document, to read and to try. Built once, at the start."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

from octomil_conformance import spec

from octomil_ref import __version__
from octomil_ref.page.contents import contents
from octomil_ref.payloads import DEFAULT_MAX_CONCURRENCY
from octomil_ref.settings import Settings

WITH_TOKEN = "Send your API token in one of two headers:"
ANONYMOUS = "This server needs no API token. Others expect it in one of two headers:"

HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Document:
    """Bytes that are the same for every request."""

    data: bytes
    content_type: str
    headers: Mapping[str, str]

    @cached_property
    def etag(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:32]


def openapi_document(settings: Settings) -> Document:
    """The spec's, and after it what only SDKs and OpenAI clients call."""
    document: Mapping[str, Any] = spec.openapi()
    if others := _other_endpoints(settings):
        paths = {**document["paths"], **others["paths"]}
        document = {**document, "tags": others["tags"], "paths": paths}
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return Document(text.encode(), "application/json", HEADERS)


def _other_endpoints(settings: Settings) -> Mapping[str, Any] | None:
    if not settings.sdk_endpoints:
        return None
    document: Mapping[str, Any] = json.loads(_text("clients.json"))
    return document


def _text(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def reference_page(settings: Settings) -> Document:
    style, script = _text("page.css"), _text("page.js")
    limits, others = _limits(settings), _other_endpoints(settings)
    text = Template(_text("page.html")).substitute(
        contents(spec.openapi(), spec.requirements(), limits, others),
        style=style,
        script=script,
        version=__version__,
        access=ANONYMOUS if settings.allow_anonymous else WITH_TOKEN,
        body_bytes=f"{settings.max_body_bytes:,}",
    )
    headers = HEADERS | {"Content-Security-Policy": _policy(style, script)}
    return Document(text.encode(), "text/html; charset=utf-8", headers)


def _policy(style: str, script: str) -> str:
    """A Content Security Policy: only the page's own script runs, and the script connects only to this server."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    return f"'sha256-{digest.decode()}'"


def _limits(settings: Settings) -> dict[str, str]:
    """Limits that the spec leaves to the server."""
    return {
        "BatchRequest.inputs": f"This server accepts at most {settings.batch_max_inputs}.",
        "BatchRequest.max_concurrency": (
            f"This server uses {DEFAULT_MAX_CONCURRENCY} by default "
            f"and at most {settings.batch_max_concurrency}."
        ),
        "EmbeddingsRequest.input": f"This server accepts at most {settings.embeddings_max_inputs}.",
    }
