"""Middleware: who may call (spec section 2). A resource that needs no token says so with `public = True`."""

import hashlib
import hmac
from collections.abc import Sequence

import falcon

from octomil_ref.errors import Unauthorized


class Auth:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._digests = [_digest(token.encode()) for token in tokens]

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        params: dict[str, object],
    ) -> None:
        # A preflight carries no token: browsers do not let it.
        if getattr(resource, "public", False) or req.method == "OPTIONS":
            return
        if not any(self._knows(token) for token in _tokens(req)):
            raise Unauthorized(
                "A valid token is required: 'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'.",
                {"WWW-Authenticate": "Bearer"},
            )

    def _knows(self, token: str) -> bool:
        # WSGI gives a header's bytes as latin-1. Digests are all of one length and the sum asks every one of them:
        # the time this takes tells nothing about a token.
        digest = _digest(token.encode("latin-1"))
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _tokens(req: falcon.Request) -> list[str]:
    scheme, _, token = (req.auth or "").partition(" ")
    given = [token.strip()] if scheme.lower() == "bearer" else []
    return given + [req.get_header("X-API-Key") or ""]


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
