"""A request's body: bounded bytes from the WSGI server, then strict JSON (spec section 1.2).

Not `req.media`, which has no bound and accepts forms, NaN and duplicate keys.
"""

from collections.abc import Iterator
from contextlib import suppress

import falcon

from octomil_ref import json_codec
from octomil_ref.clock import Deadline
from octomil_ref.errors import (
    ApiError,
    BadRequest,
    PayloadTooLarge,
    UnsupportedMediaType,
)

READ_BYTES = 65536
READ_TYPE = 1000  # characters of a Content-Type that are read
DRAIN_TIMEOUT = 5.0  # seconds for the body of a refused request, checked between reads
DRAIN_MAX_BYTES = 64 * 1024 * 1024


def read_json(req: falcon.Request, max_bytes: int) -> object:
    """The JSON value in the body. Raises UnsupportedMediaType, PayloadTooLarge or BadRequest."""
    _require_json(req.content_type)
    body = _read(req, max_bytes)
    if not body:
        raise BadRequest(
            "Validation failed: the body is empty, expected a JSON object."
        )
    try:
        return json_codec.decode_strictly(body)
    except ValueError as ex:
        raise BadRequest(
            f"Validation failed: the body is not valid JSON: {ex}."
        ) from ex


def drain(req: falcon.Request) -> None:
    """Reads the rest of a refused request's body.

    Otherwise gunicorn closes the connection while the client still writes, and the client loses the response.
    """
    deadline = Deadline(DRAIN_TIMEOUT)
    with suppress(Exception):  # too large, or the connection is gone
        for _ in _chunks(req, DRAIN_MAX_BYTES):
            if deadline.remaining() <= 0:
                return


def _require_json(content_type: str | None) -> None:
    # Falcon takes seconds to parse a header of 64 KiB that is made for it.
    media_type, options = falcon.parse_header((content_type or "")[:READ_TYPE])
    charset = options.get("charset", "utf-8").lower()
    if media_type.lower() != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            "The body must be JSON in UTF-8, sent with 'Content-Type: application/json'."
        )


def _read(req: falcon.Request, max_bytes: int) -> bytes:
    length = req.content_length or 0
    if length > max_bytes:
        raise _too_large(max_bytes)
    try:
        body = b"".join(_chunks(req, max_bytes))
    except ApiError:
        raise
    except Exception as ex:  # each server has its own errors for a broken body
        raise BadRequest("Validation failed: the body did not arrive whole.") from ex
    if len(body) < length:
        raise BadRequest("Validation failed: the body is shorter than announced.")
    return body


def _chunks(req: falcon.Request, max_bytes: int) -> Iterator[bytes]:
    """The body as it arrives. Raises PayloadTooLarge, and whatever the server raises."""
    # A chunked body has no Content-Length. This flag says that the server ends the input where the body ends.
    ends = req.env.get("wsgi.input_terminated")
    stream = req.stream if ends else req.bounded_stream
    size = 0
    while chunk := stream.read(READ_BYTES):
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        yield chunk


def _too_large(max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body has more than {max_bytes} bytes.")
