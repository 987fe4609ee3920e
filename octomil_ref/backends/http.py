"""Requests to one upstream and its answers: pooled connections, deadlines, lines. No dialect.

Requests are sent by the adapter, their URLs prepared once, for less than half the CPU of `Session.post`; so nothing is taken
from the environment (`~/.netrc`, proxies), no redirect is followed and no cookie kept. Every exception of requests and
urllib3 ends here as an UpstreamError.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3.exceptions

from octomil_ref import json_text
from octomil_ref.backends.connections import (
    PooledAdapter,
    StaleConnection,
    reading_until,
)
from octomil_ref.clock import Deadline
from octomil_ref.errors import Broken, NotReached, TimedOut, UpstreamError

CONNECT_TIMEOUT = 3.0
"""Seconds to connect, at most."""

DRAIN_TIMEOUT = 0.2
"""Seconds for what follows the end of an answer, so that its connection can be used again."""

READ_BYTES = 65536

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line of a streamed answer."""

HIDDEN = "(not shown)"

MAX_MESSAGE = 350
"""Characters of what a client is told of a failure."""


class Answer:
    """One upstream's answer, its body read against a deadline. Whoever holds it closes it."""

    def __init__(
        self, sender: "Upstream", response: requests.Response, deadline: Deadline
    ) -> None:
        self.provider = sender.provider
        self.status = response.status_code
        self.retry_after = response.headers.get("Retry-After")
        self.deadline = deadline
        self._sender = sender
        self._response = response
        self._chunks = self._read_chunks()

    def body(self) -> bytes:
        return b"".join(self._chunks)

    def lines(self) -> Iterator[list[bytes]]:
        """Lines without their ends, those that arrived together in one list; an unfinished last line counts."""
        rest = b""
        for chunk in self._chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE:
                raise self._sender.broken("sent a line without end")
            if whole:
                yield whole
        if rest:
            yield [rest]

    def cut_off(self) -> Broken:
        """The failure that the end of the body is, where the answer was not complete."""
        return self._sender.broken("cut its answer off")

    def hushed(self, failure: UpstreamError) -> UpstreamError:
        """`failure` without the credentials that the request carried: some upstreams repeat them in what they say.

        Its words are cut here, and not before: of a key that was cut the beginning would be shown.
        """
        message = failure.message
        if credentials := self._sender.credentials:
            message = message.replace(credentials, HIDDEN)
        failure.message = message[:MAX_MESSAGE]
        return failure

    def drain(self) -> None:
        """Read what little is left, so that the connection goes back to the pool."""
        self.deadline.shorten(DRAIN_TIMEOUT)
        with suppress(UpstreamError):
            for _ in self._chunks:
                pass

    def close(self) -> None:
        """Ends the connection unless the body was read to its end."""
        self._response.close()

    def _read_chunks(self) -> Iterator[bytes]:
        # Not iter_content: it keeps everything back until the end of an answer that is not chunked.
        raw = self._response.raw
        # Nothing but plain bytes was asked for; to look for an encoding costs as much as to read.
        encoded = "Content-Encoding" in self._response.headers
        with self._sender.translated():
            while data := raw.read1(READ_BYTES, encoded):
                yield data
                if raw.length_remaining == 0 and not encoded:
                    return  # to read on, only to find nothing, costs as much again


class Upstream:
    """One base URL, its headers and its connections. `timeout` in seconds, see LLM_BACKEND_TIMEOUT."""

    def __init__(
        self, provider: str, base_url: str, headers: Mapping[str, str], timeout: float
    ) -> None:
        self.provider = provider
        self.timeout = timeout
        _, _, self.credentials = headers.get("Authorization", "").partition(" ")
        self._base_url = base_url
        self._headers = {
            **headers,
            "Accept-Encoding": "identity",
            "User-Agent": "octomil-ref",
        }
        self._adapter = PooledAdapter()
        self._urls: dict[str, str | None] = {}
        """As requests writes them, by path."""

    def post(self, path: str, payload: Mapping[str, Any]) -> Answer:
        """The answer as soon as its head is there, whatever its status."""
        return self._send("POST", path, json_text.write(payload), self.timeout)

    def get(self, path: str, timeout: float) -> Answer:
        return self._send("GET", path, b"", timeout)

    def broken(self, what: str) -> Broken:
        return Broken(f"The {self.provider} backend {what}.")

    def timed_out(self) -> TimedOut:
        return TimedOut(f"The {self.provider} backend did not answer in time.")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Whatever goes wrong on the connection, as an UpstreamError."""
        try:
            yield
        except (OSError, urllib3.exceptions.HTTPError) as ex:
            raise self._translation(ex) from ex

    def _request(self, method: str, path: str, body: bytes) -> requests.PreparedRequest:
        if path not in self._urls:
            url = self._base_url + path
            self._urls[path] = requests.Request(method, url).prepare().url
        request = requests.PreparedRequest()
        request.method, request.url = method, self._urls[path]
        # A plain dictionary: to copy the one of requests, which ignores case, costs a tenth of the whole call.
        headers: Any = dict(self._headers)
        if body:
            request.body = body
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(body))
        request.headers = headers
        return request

    def _send(self, method: str, path: str, body: bytes, timeout: float) -> Answer:
        deadline = Deadline(timeout)
        with self.translated(), reading_until(deadline):
            request = self._request(method, path, body)
            try:
                response = self._attempt(request, deadline)
            except requests.ConnectionError as ex:
                if not _caused_by(ex, StaleConnection):
                    raise
                # What else is in the pool is as old as the connection that died.
                self._adapter.forget_connections()
                response = self._attempt(request, deadline)
        return Answer(self, response, deadline)

    def _attempt(
        self, request: requests.PreparedRequest, deadline: Deadline
    ) -> requests.Response:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise self.timed_out()
        limits = (min(remaining, CONNECT_TIMEOUT), remaining)
        return self._adapter.send(request, stream=True, timeout=limits)

    def _translation(self, ex: Exception) -> UpstreamError:
        if _caused_by(ex, *_NOT_REACHED):
            return NotReached(f"The {self.provider} backend could not be reached.")
        if _caused_by(ex, *_TIMED_OUT):
            return self.timed_out()
        return self.broken("cut its answer off")


_NOT_REACHED = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.SSLError,
    urllib3.exceptions.NewConnectionError,
)
_TIMED_OUT = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


def _caused_by(ex: object, *kinds: type[BaseException]) -> bool:
    """Whether `ex` is or wraps one of `kinds`: requests and urllib3 keep the cause in `args` or `reason`."""
    if isinstance(ex, kinds):
        return True
    if not isinstance(ex, BaseException):
        return False
    inner = [*ex.args, getattr(ex, "reason", None), ex.__cause__]
    return any(_caused_by(each, *kinds) for each in inner)
