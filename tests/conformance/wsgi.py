"""A WSGI application as a server that layers go around."""

import io

from octomil_conformance.server.layers import Answer, Ask, Request


def server_of(app) -> Ask:
    """Header names come back in lower case."""

    def call(request: Request) -> Answer:
        started = []
        body = app(_environ(request), lambda *head: started.append(head[:2]))
        status, headers = started[-1]
        named = {name.lower(): value for name, value in headers}
        return Answer(int(status[:3]), named, body, getattr(body, "close", lambda: None))  # fmt: skip

    return call


def _environ(request: Request):
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
    return environ
