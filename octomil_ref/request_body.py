"""A request's body: bytes from the WSGI server, bounded, then strict JSON (spec section 1.2).

Not `req.media`, which knows no bound, and takes a form, NaN and an object with the same key twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import falcon

from octomil_ref import json_text
from octomil_ref.admission import Admission, overloaded
from octomil_ref.clock import Deadline
from octomil_ref.errors import (
    ApiError,
    BadRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from octomil_ref.settings import SPARE_THREADS, Settings

PIECE_BYTES = 65536

MOMENT = 0.02
"""Seconds in which a body arrives that is already on its way."""

DRAIN_TIMEOUT = 5.0
DRAIN_MAX_BYTES = 64 * 1024 * 1024
"""How much, in which time, of a refused request's body is taken in."""

DRAINS = Admission(SPARE_THREADS // 2)
"""How many threads may wait for the bodies of refused requests, which anybody can send: they need no token."""


def read_json(req: falcon.Request, settings: Settings, admission: Admission) -> object:
    """Raises UnsupportedMediaType, PayloadTooLarge, BadRequest, or Overloaded where a body had to be waited for."""
    _require_json(req.content_type)
    body = _read(req, settings, admission)
    if not body:
        raise BadRequest(
            "Validation failed: the body is empty, expected a JSON object."
        )
    try:
        return json_text.read(body)
    except ValueError as ex:
        raise BadRequest(
            f"Validation failed: the body is not valid JSON: {ex}."
        ) from ex


def _require_json(content_type: str | None) -> None:
    media_type, options = falcon.parse_header(content_type or "")
    charset = options.get("charset", "utf-8").lower()
    if media_type.lower() != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            "The body must be JSON in UTF-8, sent with 'Content-Type: application/json'."
        )


def _read(req: falcon.Request, settings: Settings, admission: Admission) -> bytes:
    max_bytes, length = settings.max_body_bytes, req.content_length or 0
    if length > max_bytes:
        raise _too_large(max_bytes)
    try:
        body = b"".join(_pieces(req, settings.client_timeout, max_bytes, admission))
    except ApiError:
        raise
    except Exception as ex:  # each server has its own errors for a broken body
        raise BadRequest("Validation failed: the body did not arrive whole.") from ex
    if len(body) < length:
        raise BadRequest("Validation failed: the body is shorter than announced.")
    return body


def drain(req: falcon.Request) -> None:
    """Take in what is left of the body of a refused request.

    gunicorn else closes the connection while the client still writes, and the client loses the answer.
    """
    if req.context.get("too_slow"):
        return
    with suppress(Exception):  # it is too much or too slow, or the connection is gone
        for _ in _pieces(req, DRAIN_TIMEOUT, DRAIN_MAX_BYTES, DRAINS):
            pass


def _pieces(
    req: falcon.Request, seconds: float, max_bytes: int, places: Admission
) -> Iterator[bytes]:
    """The body as it arrives. Raises PayloadTooLarge, TimeoutError when it takes too long, and whatever the server raises."""
    # A chunked body has no length; where the server says that it ends the input itself, all of it is the body.
    ends = req.env.get("wsgi.input_terminated")
    stream = req.stream if ends else req.bounded_stream
    size = 0
    with _socket_timeout(req, seconds, places):
        deadline = Deadline(seconds)
        while piece := stream.read(PIECE_BYTES):
            size += len(piece)
            if size > max_bytes:
                raise _too_large(max_bytes)
            yield piece
            if deadline.remaining() <= 0:
                raise TimeoutError


@contextmanager
def _socket_timeout(
    req: falcon.Request, seconds: float, places: Admission
) -> Iterator[None]:
    """Under gunicorn a thread waits for the body, which takes a place; without one, it waits for a moment at most.

    Slow senders then leave some threads free, as slow models do. waitress has the whole body before it calls the app.
    """
    sock = req.env.get("gunicorn.socket")
    if sock is None:
        yield
        return
    with places.place_if_free() as given:
        sock.settimeout(seconds if given else MOMENT)
        try:
            yield
        except TimeoutError as ex:
            req.context.too_slow = True
            if given:
                raise
            raise overloaded() from ex
        finally:
            sock.settimeout(None)


def _too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body has more than {max_bytes} bytes.")
