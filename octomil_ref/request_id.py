"""Middleware: each request has an id, which its answer, its error and its log line carry as well (spec section 1.3)."""

import re
import secrets

import falcon

_PLAIN = re.compile(r"[\x21-\x7e]{1,128}")


class RequestId:
    """Sets `req.context.request_id` and the X-Request-Id of the answer."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        give_request_id(req, resp)


def give_request_id(req: falcon.Request, resp: falcon.Response) -> None:
    """The client's own id where it is short and plain, else a new one."""
    given = req.get_header("X-Request-Id") or ""
    request_id = given if _PLAIN.fullmatch(given) else secrets.token_hex(16)
    req.context.request_id = request_id
    resp.set_header("X-Request-Id", request_id)
