"""Middleware for every request: its id and access log line, Host, CORS and the token. Renders all errors."""

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import falcon
from falcon import Request, Response

from octomil_ref import json_codec
from octomil_ref.body import drain
from octomil_ref.clients import client_of
from octomil_ref.errors import (
    A_BUG,
    ApiError,
    BadRequest,
    ClientLeft,
    InternalError,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
)
from octomil_ref.keys import KeyRing
from octomil_ref.records import AccessRecord
from octomil_ref.settings import Settings

log = logging.getLogger("octomil_ref")

App = falcon.App[Request, Response]

EXPOSED_HEADERS = ("X-Request-Id", "Retry-After")

OnEnd = Callable[[AccessRecord], None]
"""Called with each request once its response is ready, or for a stream once it has ended."""


def middleware(settings: Settings, keys: KeyRing, on_end: OnEnd) -> list[Any]:
    """In the order in which a request passes them."""
    found = [AccessLog(on_end), Host(), *cors(settings.cors_origins)]
    return found if settings.allow_anonymous else [*found, Auth(keys)]


@dataclass(frozen=True)
class AccessLog:
    """Creates the record of each request, and passes it to `on_end`."""

    on_end: OnEnd

    def process_request(self, req: Request, resp: Response) -> None:
        record_of(req, resp)

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        record = record_of(req, resp)
        record.status = resp.status_code
        record.endpoint = req.uri_template
        record.is_polled = getattr(resource, "is_polled", False)
        if resp.stream is None:
            self.on_end(record)
        else:
            resp.stream = _Watched(resp.stream, lambda: self.on_end(record))


_PLAIN_ID = re.compile(r"[\x21-\x7e]{1,128}")


def record_of(req: Request, resp: Response) -> AccessRecord:
    """The record of the request. The first call creates it, sets X-Request-Id (spec section 1.3) and forbids caches to store the response.

    The id is the client's own if that is short and plain. The first call may come late: Falcon refuses some requests before any middleware, such as the method WEBSOCKET.
    """
    if "record" not in req.context:
        given = req.get_header("X-Request-Id") or ""
        request_id = given if _PLAIN_ID.fullmatch(given) else secrets.token_hex(16)
        resp.set_header("X-Request-Id", request_id)
        # Otherwise Varnish stores responses to GET for two minutes: old health, and for everyone what a client read with its X-API-Key.
        resp.set_header("Cache-Control", "no-store")
        record = AccessRecord(request_id, req.method, req.path)
        record.passed_on = {**record.passed_on, **_trace(req)}
        record.client = client_of(req.env)
        req.context.record = record
    known: AccessRecord = req.context.record
    return known


_TRACE = {
    "traceparent": re.compile(r"[0-9a-f]{2}(-[0-9a-f]{1,32}){3}[!-~]{0,100}"),
    "tracestate": re.compile(r"[\x20-\x7e]{1,512}"),
}


def _trace(req: Request) -> dict[str, str]:
    """The headers of a trace that the request belongs to (https://www.w3.org/TR/trace-context/)."""
    if "HTTP_TRACEPARENT" not in req.env:
        return {}
    given = {name: req.get_header(name) or "" for name in _TRACE}
    found = {name: text for name, text in given.items() if _TRACE[name].fullmatch(text)}
    return found if "traceparent" in found else {}


@dataclass(frozen=True)
class _Watched:
    """A body that calls `on_close` at its end. The WSGI server always calls close()."""

    body: Any
    on_close: Callable[[], None]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.body)

    def close(self) -> None:
        try:
            self.body.close()
        finally:
            self.on_close()


class Host:
    """Refuses HTTP/1.1 without a Host header, or with several (RFC 9112 section 3.2)."""

    def process_request(self, req: Request, resp: Response) -> None:
        host = req.env.get("HTTP_HOST")
        missing = host is None and req.env["SERVER_PROTOCOL"] == "HTTP/1.1"
        if missing or "," in (host or ""):  # waitress joins several by commas
            raise BadRequest("A request of HTTP/1.1 must have one Host header.")


def cors(origins: Sequence[str]) -> list[Any]:
    """The middleware that allows web pages of these origins to call the API (spec section 1.4). `*` allows all."""
    if "*" in origins:
        return [falcon.CORSMiddleware("*", EXPOSED_HEADERS)]
    named = [falcon.CORSMiddleware(origins, EXPOSED_HEADERS), VaryByOrigin()]
    return named if origins else []


class VaryByOrigin:
    """Adds `Vary: Origin`: the response names the origin that asked, so a cache must not give it to another origin."""

    def process_response(
        self, req: Request, resp: Response, resource: object, req_succeeded: bool
    ) -> None:
        resp.append_header("Vary", "Origin")


@dataclass(frozen=True)
class Auth:
    """Requires a token (spec section 2), except for resources with `public = True`."""

    keys: KeyRing

    def process_resource(
        self, req: Request, resp: Response, resource: object, params: dict[str, object]
    ) -> None:
        # Browsers send no token in a preflight.
        if getattr(resource, "public", False) or req.method == "OPTIONS":
            return
        # Between the two there may be several spaces, but no tab (RFC 9110 section 11.4).
        scheme, _, token = (req.auth or "").partition(" ")
        given = [token.strip(" ")] if scheme.lower() == "bearer" else []
        given.append(req.get_header("X-API-Key") or "")
        # WSGI decodes headers as latin-1.
        names = (self.keys.name_of(each.encode("latin-1")) for each in given)
        name = next(filter(None, names), None)
        if name is None:
            raise Unauthorized(
                "A valid token is required: 'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'.",
                {"WWW-Authenticate": "Bearer"},
            )
        req.context.record.key = name


def add_error_handlers(app: App) -> None:
    """Every exception becomes the one envelope, whatever `Accept` says (spec section 1.3).

    Falcon's own errors have no body for a client that accepts only `text/event-stream`.
    """
    app.add_error_handler(Exception, _render_error)
    app.add_error_handler(falcon.HTTPError, _render_error)  # replaces Falcon's own
    app.add_error_handler(ClientLeft, _note_client_left)


def _note_client_left(
    req: Request, resp: Response, ex: Exception, params: dict[str, Any]
) -> None:
    """Sets 499, nginx's status for a client that has left. Only the log shows it."""
    resp.status = "499 Client Closed Request"
    resp.stream = None
    record_of(req, resp).ended = "client_left"


def _render_error(
    req: Request, resp: Response, ex: Exception, params: dict[str, Any]
) -> None:
    record, error = record_of(req, resp), _as_api_error(ex)
    request_id, record.error = record.request_id, error.code
    if isinstance(error, InternalError):
        log.exception("unexpected", extra={"fields": {"request_id": request_id}})
    resp.status = error.status
    resp.set_headers(error.headers)
    resp.content_type = falcon.MEDIA_JSON
    resp.stream = None
    drain(req)
    if req.path.startswith("/v1/"):
        body = error.openai_envelope()
    else:
        body = {**error.envelope(), "request_id": request_id}
    resp.data = json_codec.encode(body)


def _as_api_error(ex: Exception) -> ApiError:
    """Falcon raises some errors itself: unknown path, wrong method, unreadable header."""
    match ex:
        case ApiError():
            return ex
        case falcon.HTTPNotFound():
            return NotFound("There is nothing at this path.")
        case falcon.HTTPMethodNotAllowed():
            allowed = str(dict(ex.headers or {}).get("Allow", ""))
            return MethodNotAllowed(f"This path allows {allowed}.", {"Allow": allowed})
        case falcon.HTTPError():
            return BadRequest(f"Validation failed: {ex.description or ex.title}")
        case _:
            return InternalError(A_BUG)
