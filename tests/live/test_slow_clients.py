"""Slow and silent clients: waitress serves others meanwhile, and so does gunicorn with nginx in front (`test_nginx.py`)."""

import socket
from contextlib import ExitStack

import pytest
from octomil_conformance.backend.response import compact
from processes import serve
from reference import ASK, http_request, reference

MANY = 400
"""Fifty times the threads."""

WHOLE = http_request("/inference", compact(ASK))
SAID = {
    "say nothing": b"",
    "say one byte": b"P",
    "stop within the head": WHOLE[:60],
    "stop within the body": WHOLE[:-1],
}


@pytest.fixture(scope="module")
def shared_server():
    with reference(serve, "waitress", "--threads", "8") as server:
        yield server


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_other_clients_are_answered_beside_400_that(server, said):
    """Such clients get their own answer once they go on."""

    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(MANY)]
        for client in clients:
            client.sendall(said)
        answer = server.ask().status_code
        clients[0].sendall(WHOLE.removeprefix(said))
        late = clients[0].recv(12)

    assert answer == 200
    assert late == b"HTTP/1.1 200"


PAGE = http_request("/", method="GET").replace(b"/api/v1/ ", b"/ ")


def test_clients_that_do_not_read_the_page_delay_no_other_client(server):
    with ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", server.port))
            client.sendall(PAGE)
        health = server.client.get(f"{server.url}/health").status_code
        first = client.makefile("rb").readline()

    assert health == 200
    assert first.rstrip() == b"HTTP/1.1 200 OK"
