"""Bugs that show with unusual failures of an upstream, and with several in a row."""

import re

from octomil_conformance.backend.words import find_tag
from octomil_conformance.server import subjects as on
from octomil_conformance.server.layers import Request, Response, Server
from octomil_conformance.server.mutants.gateway import GATEWAY

_given_up: dict[str, int] = {}


@on.replies("embed@2", "FAULT-08", shows="http-500")
def headers_are_passed_on(request: Request, response: Response) -> None:
    """A header of a failure shows the address of the upstream."""
    if response.status in GATEWAY:
        response.headers["x-served-by"] = request.upstream


@on.scenarios("embed@2", "FALLBACK-03")
def unusual_statuses_are_final(scenario: str) -> str:
    """A 507, 520 or 529 of Ollama counts as a fault of the request."""
    return re.sub("^ollama-(507|520|529)-", "ollama-400-", scenario)


@on.layer("infer@2", "FALLBACK-13", shows=None)
def a_circuit_opens(request: Request, server: Server) -> Response:
    """After three failures of Ollama in a row the fallback alone is asked."""
    nonce = find_tag(request.body.decode()).nonce
    if _given_up.get(nonce, 0) >= 3:
        request.scenario = "ollama-500-openai-echo"
    response = server(request)
    is_fallback = b'"provider": "openai"' in response.body
    _given_up[nonce] = (_given_up.get(nonce, 0) + 1) * is_fallback
    return response
