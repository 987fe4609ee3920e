"""A bare relay, which shows the cost of a streamed token in Python threads without a framework, checks or deadlines.

It has one thread for each stream. For each token it calls `recv`, parses, and calls `send`. It understands both dialects, as the
reference server does.
"""

import re
import socket
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from octomil_ref import json_codec

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def serve(port: int, upstream: tuple[str, int]) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=2048)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_answer, args=(client, upstream), daemon=True).start()


def _answer(client: socket.socket, upstream: tuple[str, int]) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        while body := _body(client):
            stream = ask(upstream, body)
            client.sendall(HEAD)
            for found in events(stream):
                client.sendall(b"%x\r\n%b\r\n" % (len(found), found))
            client.sendall(b"0\r\n\r\n")


def _body(client: socket.socket) -> bytes:
    """The body of the next request; empty if the client has left."""
    received = b""
    while data := client.recv(65536):
        received += data
        head, found, body = received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and not length:  # a request that asks whether the server is there
            client.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            received = b""
        elif found and length and len(body) >= int(length[1]):
            return body
    return b""


def ask(upstream: tuple[str, int], body: bytes) -> socket.socket:
    """The connection on which the answer to a client's request will come."""
    asked = json_codec.decode(body)
    payload = {"model": asked["model_id"], "messages": asked["messages"]}
    body = json_codec.encode({**payload, "stream": True})
    stream = socket.create_connection(upstream)
    stream.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: upstream\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    return stream


def events(stream: socket.socket) -> Iterator[bytes]:
    """The events of an answer; those that arrived together are joined."""
    rest, done = b"", False
    with stream:
        while not done and (data := stream.recv(65536)):
            *lines, rest = (rest + data).split(b"\n")
            found = b"".join(map(_event, lines))
            done = b'"done":true' in found
            if found:
                yield found


def _event(line: bytes) -> bytes:
    """Turns a line of an answer into an event of ours. Lines with the size of a chunk are not JSON and are skipped."""
    if line.startswith(b"data: {"):
        choices = json_codec.decode(line[6:])["choices"]
        if not choices:
            return b""
        token = choices[0]["delta"].get("content", "")
        done = choices[0]["finish_reason"] is not None
    elif line.startswith(b"{"):
        chunk = json_codec.decode(line)
        token, done = chunk["message"]["content"], chunk["done"]
    else:
        return b""
    return b"data: %b\n\n" % json_codec.encode({"token": token, "done": done})


if __name__ == "__main__":
    url = urlsplit(sys.argv[2])
    serve(int(sys.argv[1]), (url.hostname or "", url.port or 80))
