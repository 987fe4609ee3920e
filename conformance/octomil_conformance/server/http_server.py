"""A small HTTP server that sends each piece of a body at once, and breaks a transfer off when the body does.

It leaves header names as they are given. Each connection has a thread.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from octomil_conformance.backend.response import is_closed
from octomil_conformance.backend.upstream import ANY_PORT, Address
from octomil_conformance.server.layers import (
    MAX_BODY,
    Client,
    Request,
    Response,
    Server,
)

LOOK_EVERY = 0.05
"""Seconds between two checks whether a client is still there."""

IDLE = 60.0
"""Seconds after which an idle connection is closed."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE
    server: "HttpServer"

    unread = 0
    """Bytes of the body of this request."""
    requests = 0
    """The number of requests on this connection so far."""

    def version_string(self) -> str:
        return "octomil-conformance"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def respond(self) -> None:
        try:
            request = self._request()
        except ValueError:
            self.send_error(400)
            return
        self.connection.settimeout(None)
        try:
            with watched(self.connection, request.client):
                response = self.server.ask(request)
            try:
                self._send(response)
                self.unread *= not response.drops
            finally:
                response.close()
        except Exception:  # noqa: BLE001 - an error of the application, or a client that has left
            self.close_connection = True
        self.connection.settimeout(IDLE)
        self._drain()

    def _drain(self) -> None:
        """Read the rest of a body that is too large: the client loses the response if the connection closes before."""
        with suppress(OSError):
            while self.unread > 0 and (data := self.rfile.read1(MAX_BODY)):
                self.unread -= len(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = respond

    def _request(self) -> Request:
        """Raises ValueError for broken framing."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = self._chunks()
        else:
            length = int(headers.get("content-length") or 0)
            if length < 0:
                raise ValueError(length)
            body = self.rfile.read(min(length, MAX_BODY + 1))
            self.unread = length - len(body)
        self.close_connection |= len(body) > MAX_BODY
        self.requests += 1
        url = urlsplit(self.path)
        return Request(self.command, url.path, headers, body, self.server.token, query=url.query, nth=self.requests)  # fmt: skip

    def _chunks(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            if size < 0:
                raise ValueError(size)
            data += self.rfile.read(min(size, MAX_BODY + 1))
            if len(data) > MAX_BODY:
                return data
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return data

    def _send(self, response: Response) -> None:
        chunked = self._send_head(response)
        if self.command == "HEAD":
            return
        for piece in filter(None, response.pieces):
            if is_closed(self.connection):
                raise ConnectionAbortedError
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)  # fmt: skip
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, response: Response) -> bool:
        """True if the body is sent in chunks."""
        names = {name.lower(): value for name, value in response.headers.items()}
        delimited = names.get("connection") == "close"
        if "content-length" not in names:
            delimited |= self.request_version == "HTTP/1.0"
        chunked = "content-length" not in names and not delimited
        self.close_connection |= delimited
        self.send_response(response.status, HTTPStatus(response.status).phrase)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection and "connection" not in names:
            self.send_header("Connection", "close")
        self.end_headers()
        return chunked


@contextmanager
def watched(connection: socket.socket, client: Client) -> Iterator[None]:
    """Ends the upstream calls for a client that closes its connection."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_EVERY):
            if is_closed(connection):
                return client.leave()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


class HttpServer(ThreadingHTTPServer):
    """Listens as soon as it is made. Raises OSError if it cannot."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, ask: Server, token: str = "", address: Address = ANY_PORT
    ) -> None:
        self.ask, self.token = ask, token
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._is_stopped = False
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"  # fmt: skip

    def server_bind(self) -> None:
        # HTTPServer would look up its own name, which takes seconds in some networks.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def serve(self) -> None:
        """Until `stop`. It sleeps until a client connects: `serve_forever` wakes up all the time, and tests run hundreds of servers."""
        while not self._is_stopped:
            self.handle_request()

    def stop(self) -> None:
        self._is_stopped = True
        with suppress(OSError), socket.create_connection(self.server_address[:2]):  # type: ignore[arg-type]
            pass  # a client, which wakes it up

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that has left


@contextmanager
def serving(ask: Server, token: str = "", address: Address = ANY_PORT) -> Iterator[str]:
    """Yields the URL of the server."""
    server = HttpServer(ask, token, address)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()
        server.server_close()
