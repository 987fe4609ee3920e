"""Middleware: which web pages of other origins may call (spec section 1.4)."""

from collections.abc import Sequence
from typing import Any

import falcon

EXPOSED = ("X-Request-Id", "Retry-After")


def cors(origins: Sequence[str]) -> list[Any]:
    """Nothing where no origin may; `*` stands for all of them."""
    if not origins:
        return []
    if "*" in origins:
        return [falcon.CORSMiddleware("*", EXPOSED)]
    return [falcon.CORSMiddleware(origins, EXPOSED), VaryByOrigin()]


class VaryByOrigin:
    """An answer names the one origin that asked: no cache may give it to a page of another."""

    def process_response(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        req_succeeded: bool,
    ) -> None:
        resp.append_header("Vary", "Origin")
