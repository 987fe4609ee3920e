"""Clients that are slow on purpose or by misfortune: as many as you like keep nobody else waiting, and none has endless time."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from dialects import NDJSON, ollama_chat, ollama_frame
from processes import serve
from reference import ASK, PATIENCE, Reference, http_request, receive_all, reference
from upstreams import Call, compact

SERVERS = ["waitress", "gunicorn"]
MANY = 40
"""Several times the threads."""

BODY = compact(ASK)


@pytest.fixture(scope="module", params=SERVERS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    """One of eight threads that waits for its clients as long as they like: it must not matter to others."""
    env = {"OCTOMIL_CLIENT_TIMEOUT": "3600"}
    with reference(serve, request.param, "--threads", "8", **env) as server:
        yield server


@pytest.fixture(scope="module", params=SERVERS)
def strict(request: pytest.FixtureRequest) -> Iterator[Reference]:
    """One that waits for a second."""
    env = {"OCTOMIL_CLIENT_TIMEOUT": "1"}
    with reference(serve, request.param, "--threads", "8", **env) as server:
        yield server


def connections(
    server: Reference, stack: ExitStack, said: bytes
) -> list[socket.socket]:
    clients = [stack.enter_context(server.connect()) for _ in range(MANY)]
    for client in clients:
        client.sendall(said)
    return clients


WHOLE = http_request("/inference", BODY)
HEADS = {
    "say nothing": b"",
    "say one byte": b"P",
    "stop within the head": WHOLE[:60],
    "stop just before its end": WHOLE[: -len(BODY) - 1],
}


@pytest.mark.parametrize("said", HEADS.values(), ids=HEADS)
def test_clients_that(server: Reference, said: bytes) -> None:
    """… keep nobody waiting, and get their answer once they go on."""
    server.ollama.on("/api/chat", ollama_chat())

    with ExitStack() as stack:
        clients = connections(server, stack, said)
        health = server.client.get(f"{server.url}/health").status_code
        answer = server.ask().status_code
        clients[0].sendall(WHOLE.removeprefix(said))
        late = clients[0].recv(12)

    assert (health, answer) == (200, 200)
    assert late == b"HTTP/1.1 200"


@pytest.mark.parametrize("shared_server", ["waitress"], indirect=True)
@pytest.mark.parametrize("token", ["good", "wrong"])
def test_clients_that_stop_within_the_body_leave_threads_for_health(
    server: Reference, token: str
) -> None:
    more = {"authorization": "Bearer wrong"} if token == "wrong" else {}
    said = http_request("/inference", BODY, **more)[:-1]

    with ExitStack() as stack:
        connections(server, stack, said)
        health = server.client.get(f"{server.url}/health").status_code
        liveness = server.client.get("/health").status_code

    assert (health, liveness) == (200, 200)


def test_clients_that_do_not_close_a_finished_connection_keep_nobody_waiting(
    server: Reference,
) -> None:
    said = http_request("/health", method="GET", connection="close")

    with ExitStack() as stack:
        connections(server, stack, said)
        health = server.client.get(f"{server.url}/health").status_code

    assert health == 200


PAGE = http_request("/", method="GET").replace(b"/api/v1/ ", b"/ ")


@pytest.mark.parametrize("times", [1, 50])
def test_clients_that_take_nothing_of_the_page_keep_nobody_waiting(
    server: Reference, times: int
) -> None:
    with ExitStack() as stack:
        for _ in range(MANY):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1460)
            client.connect(("127.0.0.1", server.port))
            client.sendall(PAGE * times)
        health = server.client.get(f"{server.url}/health").status_code
        first = client.makefile("rb").readline()

    assert health == 200
    assert first.rstrip() == b"HTTP/1.1 200 OK"


# None has endless time


def drip(client: socket.socket, data: bytes) -> int:
    """Sends byte by byte until nobody listens any more; how many were sent."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for sent, value in enumerate(data):
        try:
            client.sendall(bytes([value]))
            client.settimeout(0.05)
            client.recv(1, socket.MSG_PEEK)
            return sent
        except ConnectionError:
            return sent
        except TimeoutError:
            client.settimeout(PATIENCE)
    return len(data)


LONG = b"x" * 2000
"""Dripped, it lasts for minutes."""

SLOW: dict[str, tuple[bytes, bytes]] = {
    "a head": (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ", LONG),
    "a body": (http_request("/inference", content_length="2000"), LONG),
    "a body in chunks": (
        http_request("/inference", transfer_encoding="chunked").replace(
            b"content-length: 0\r\n", b""
        ),
        b"1\r\nx\r\n" * 400,
    ),
}


@pytest.mark.parametrize("strict", ["waitress"], indirect=True)
@pytest.mark.parametrize(("said", "rest"), SLOW.values(), ids=SLOW)
def test_who_drips_is_given_up(strict: Reference, said: bytes, rest: bytes) -> None:
    with strict.connect() as client:
        client.sendall(said)
        sent = drip(client, rest)
        answer = receive_all(client)

    assert sent < len(rest)
    assert b" 200 " not in answer


def test_who_says_nothing_is_given_up(strict: Reference) -> None:
    with strict.connect() as client:
        assert client.recv(1) == b""


def endless(over: threading.Event) -> Callable[[Call], None]:
    """A stream that ends when its server leaves; `over` tells."""
    frame = ollama_frame("x" * 30_000)

    def script(call: Call) -> None:
        try:
            call.start_chunked(NDJSON)
            while True:
                call.chunk(frame)
        finally:
            over.set()

    return script


def test_who_takes_nothing_of_a_stream_is_given_up_and_holds_up_nobody(
    strict: Reference,
) -> None:
    over = threading.Event()
    strict.ollama.on("/api/chat", endless(over), ollama_chat())

    with strict.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(http_request("/inference/stream", BODY))
        assert client.recv(1) == b"H"
        meanwhile = strict.ask().status_code

        assert over.wait(2 * PATIENCE)

    assert meanwhile == 200
    assert "Traceback" not in strict.heard()


def test_who_takes_nothing_of_a_large_answer_gives_its_thread_back() -> None:
    output = "x" * 30_000_000
    env = {"OCTOMIL_CLIENT_TIMEOUT": "1"}
    with reference(serve, "gunicorn", "--threads", "1", **env) as server:
        server.ollama.on("/api/chat", ollama_chat([output]))
        with server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(http_request("/inference", BODY))
            assert client.recv(1) == b"H"

            health = server.client.get(f"{server.url}/health").status_code

        assert "Traceback" not in server.heard()

    assert health == 200
