"""A layer that lets web pages of any origin call, as a server for tests may."""

from octomil_conformance.server.layers import Answer, Ask, Request

EVERYWHERE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-Request-Id, Retry-After",
}
PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "*, Authorization",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
    "content-length": "0",
}


def cors(request: Request, server: Ask) -> Answer:
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:  # fmt: skip
        return Answer(200, {**EVERYWHERE, **PREFLIGHT}, [])
    answer = server(request)
    answer.headers |= EVERYWHERE
    return answer
