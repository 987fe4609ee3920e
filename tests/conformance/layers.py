"""A WSGI application with a layer around it, on a real socket: what mutants and variants are made of.

A layer is a function of a request and of the server below it, to an answer. The HTTP server is the smallest that sends
each piece of a body at once and passes on how a body ended; it leaves header names as they are given.
"""

import io
import json
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from independent_server import Server as SocketServer


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def fields(self):
        """The JSON object, or an empty one that goes nowhere."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def send(self, fields):
        self.body = json.dumps(fields).encode()
        return self


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    """By name as the client gets it."""
    pieces: Iterable[bytes]
    close: Callable[[], None] = lambda: None

    @property
    def body(self):
        """All of it, read once; what comes later reads it again."""
        if not isinstance(self.pieces, list):
            self.pieces = [b"".join(self.pieces)]
        return b"".join(self.pieces)

    @property
    def fields(self):
        return json.loads(self.body)

    def send(self, value, dumps=json.dumps):
        return self.send_bytes(dumps(value).encode())

    def send_bytes(self, data):
        self.pieces = [data]
        if self.headers.pop("content-length", None):
            self.headers["content-length"] = str(len(data))
        return self

    @property
    def is_stream(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")


Ask = Callable[[Request], Answer]
Layer = Callable[[Request, Ask], Answer]


def around(app, layer: Layer) -> Ask:
    return lambda request: layer(request, lambda again: call(app, again))


def call(app, request: Request) -> Answer:
    """One request to a WSGI application. Header names come back in lower case."""
    started = []
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            environ[f"HTTP_{key}"] = value
    body = app(environ, lambda status, headers, error=None: started.append((status, headers)))  # fmt: skip
    status, headers = started[-1]
    named = {name.lower(): value for name, value in headers}
    return Answer(int(status[:3]), named, body, getattr(body, "close", lambda: None))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *ignored):
        pass

    def answer(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urlsplit(self.path).path
        request = Request(self.command, path, headers, self.read_body())
        try:
            answer = self.server.ask(request)
            try:
                self.send(answer)
            finally:
                answer.close()
        except Exception:  # noqa: BLE001 - of the application, or a client that left
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def send(self, answer):
        names = {name.lower() for name in answer.headers}
        closing = answer.headers.get("connection") == "close"
        chunked = "content-length" not in names and not closing
        self.close_connection |= closing
        self.send_response(answer.status, HTTPStatus(answer.status).phrase)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in answer.pieces if self.command != "HEAD" else ():
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)  # fmt: skip
        if chunked:
            self.wfile.write(b"0\r\n\r\n")


class HttpServer(SocketServer):
    def __init__(self, ask: Ask):
        super().__init__(0, "", None, frozenset())
        self.RequestHandlerClass = Handler
        self.ask = ask


@contextmanager
def serving(ask: Ask):
    """Gives the server's URL."""
    server = HttpServer(ask)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        with suppress(OSError):
            server.shutdown()
            server.server_close()
        thread.join()
