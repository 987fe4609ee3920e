"""From any exception to the one envelope, whatever `Accept` says (spec section 1.3).

Falcon's own errors have no body for a client that accepts `text/event-stream` alone.
"""

import logging
from typing import Any

import falcon

from octomil_ref import json_text
from octomil_ref.errors import (
    A_BUG,
    ApiError,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NotFound,
)
from octomil_ref.request_body import drain
from octomil_ref.request_id import give_request_id

log = logging.getLogger("octomil_ref")


def handle_failures(app: "falcon.App[falcon.Request, falcon.Response]") -> None:
    app.add_error_handler(Exception, _answer)
    app.add_error_handler(falcon.HTTPError, _answer)  # in place of Falcon's own


def _answer(
    req: falcon.Request, resp: falcon.Response, ex: Exception, params: dict[str, Any]
) -> None:
    if "request_id" not in req.context:
        give_request_id(req, resp)  # Falcon refused the request before any middleware
    request_id = req.context.request_id
    error = _as_api_error(ex)
    if isinstance(error, InternalError):
        log.exception("unexpected", extra={"fields": {"request_id": request_id}})
    resp.status = error.status
    resp.set_headers(error.headers)
    resp.content_type = falcon.MEDIA_JSON
    resp.stream = None
    drain(req)
    resp.data = json_text.write({**error.envelope(), "request_id": request_id})
    if record := req.context.get("record"):
        record.error = error.code


def _as_api_error(ex: Exception) -> ApiError:
    """Falcon finds some failures on its own: no such path, no such method, a header that cannot be read."""
    match ex:
        case ApiError():
            return ex
        case falcon.HTTPNotFound():
            return NotFound("There is nothing at this path.")
        case falcon.HTTPMethodNotAllowed():
            allowed = str(dict(ex.headers or {}).get("Allow", ""))
            return MethodNotAllowed(f"This path takes {allowed}.", {"Allow": allowed})
        case falcon.HTTPError():
            return BadRequest(f"Validation failed: {ex.description or ex.title}")
        case _:
            return InternalError(A_BUG)
