"""Middleware: a request of HTTP/1.1 names the host that it is for (RFC 9112 section 3.2). That it names one alone is seen to
by what reads it from the wire."""

import falcon

from octomil_ref.errors import BadRequest


class Host:
    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        if "HTTP_HOST" not in req.env and req.env["SERVER_PROTOCOL"] == "HTTP/1.1":
            raise BadRequest("A request of HTTP/1.1 must have a Host header.")
