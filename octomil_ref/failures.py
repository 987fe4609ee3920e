"""From any exception to the one envelope, whatever `Accept` says (spec section 0)."""

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
from octomil_ref.request_id import assign

log = logging.getLogger("octomil_ref")


def handle_failures(app: "falcon.App[falcon.Request, falcon.Response]") -> None:
    app.add_error_handler(Exception, _on_bug)
    app.add_error_handler(falcon.HTTPError, _on_falcon_error)
    app.add_error_handler(ApiError, _on_api_error)


def _on_api_error(
    req: falcon.Request, resp: falcon.Response, ex: ApiError, params: dict[str, Any]
) -> None:
    _render(req, resp, ex)


def _on_falcon_error(
    req: falcon.Request,
    resp: falcon.Response,
    ex: falcon.HTTPError,
    params: dict[str, Any],
) -> None:
    """What Falcon finds on its own: no such path, no such method, a header that cannot be read."""
    match ex:
        case falcon.HTTPNotFound():
            _render(req, resp, NotFound("There is nothing at this path."))
        case falcon.HTTPMethodNotAllowed():
            allowed = str(dict(ex.headers or {}).get("Allow", ""))
            _render(
                req,
                resp,
                MethodNotAllowed(f"This path takes {allowed}.", {"Allow": allowed}),
            )
        case _:
            _render(
                req,
                resp,
                BadRequest(f"Validation failed: {ex.description or ex.title}"),
            )


def _on_bug(
    req: falcon.Request, resp: falcon.Response, ex: Exception, params: dict[str, Any]
) -> None:
    log.exception(
        "unexpected", extra={"fields": {"request_id": _request_id(req, resp)}}
    )
    _render(req, resp, InternalError(A_BUG))


def _render(req: falcon.Request, resp: falcon.Response, error: ApiError) -> None:
    request_id = _request_id(req, resp)
    resp.status = error.status
    resp.set_headers(error.headers)
    resp.content_type = falcon.MEDIA_JSON
    resp.stream = None
    drain(req)
    resp.data = json_text.write({**error.envelope(), "request_id": request_id})
    if record := req.context.get("record"):
        record.error = error.code


def _request_id(req: falcon.Request, resp: falcon.Response) -> str:
    if "request_id" not in req.context:
        assign(req, resp)  # Falcon refused the request before any middleware
    return str(req.context.request_id)
