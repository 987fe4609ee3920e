"""HTTP to one upstream: pooled connections, a deadline for every read, and the body as lines. It is the same for both dialects.

Every exception of requests, urllib3 and sockets leaves here as an UpstreamError, or as ClientLeft. Requests go straight to the
adapter, with the base URL prepared once, for less than half the CPU of `Session.post`. So `~/.netrc` is not read, no redirect is
followed and no cookie is kept. Proxies and certificates of the environment are looked up once.
"""

import email.utils
import ipaddress
import math
import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool

from octomil_ref import json_codec
from octomil_ref.backends.refusals import HIDDEN
from octomil_ref.backends.wire import POOLS, READ_BYTES, StaleConnection, sending_for
from octomil_ref.clients import Client
from octomil_ref.clock import Deadline
from octomil_ref.errors import Broken, ClientLeft, NotReached, TimedOut, UpstreamError
from octomil_ref.records import asked_by

CONNECT_TIMEOUT = 3.0  # seconds in all, however many addresses the upstream's name has
DRAIN_TIMEOUT = 0.2  # seconds to read what follows an answer, so that its connection can be used again
POOL_SIZE = 256  # idle connections: more than a process has threads
MIN_SECRET = 12  # characters; a shorter header value is not a secret, the key always is
MAX_LINE = 16 * 1024 * 1024  # bytes of one line of a streamed answer
MAX_BODY = 256 * 1024 * 1024  # bytes: more than 512 vectors of 16,384 numbers
MAX_MESSAGE = 350  # characters of an error message that quotes the upstream


class Upstream:
    """One base URL with its headers and connections. `timeout` is LLM_BACKEND_TIMEOUT in seconds."""

    def __init__(
        self, provider: str, base_url: str, headers: Mapping[str, str], timeout: float
    ) -> None:
        self.provider = provider
        self.timeout = timeout
        _, _, key = headers.get("Authorization", "").partition(" ")
        long = [value for value in headers.values() if len(value) >= MIN_SECRET]
        self.credentials = [_pattern_of(each) for each in [key, *long] if each]
        prepared = requests.Request("GET", base_url).prepare().url or ""
        self._base_url = prepared.rstrip("/")
        self._headers = {
            "Host": urlsplit(prepared).netloc.rpartition("@")[2],
            **headers,
            "Accept-Encoding": "identity",
            "User-Agent": "octomil-ref",
        }
        self._adapter = _Adapter()
        self._route = _route(base_url)
        # A proxy for HTTP may answer in place of the upstream. Behind one for HTTPS, the upstream itself answers.
        self.behind_proxy = prepared.startswith("http:") and bool(
            self._route["proxies"].keys() & {"http", "all"}
        )

    def post(
        self, path: str, payload: Mapping[str, Any], timeout: float | None = None
    ) -> "UpstreamResponse":
        """Returns as soon as the head of the response has arrived, whatever its status."""
        seconds = self.timeout if timeout is None else timeout
        return self._send("POST", path, json_codec.encode(payload), seconds)

    def get(self, path: str, timeout: float) -> "UpstreamResponse":
        return self._send("GET", path, b"", timeout)

    def broken(self, what: str) -> Broken:
        return Broken(f"The {self.provider} backend {what}.")

    def error_for(self, ex: Exception, client: Client) -> UpstreamError | ClientLeft:
        """The error to raise in place of one of the FAILURES."""
        if client.left:
            return ClientLeft()
        if _caused_by(ex, *_NOT_REACHED):
            what = f"The {self.provider} backend could not be reached."
            failure: UpstreamError = NotReached(what)
        elif _caused_by(ex, *_TIMED_OUT):
            failure = self._timed_out()
        else:
            failure = self.broken("cut its answer off")
        failure.detail = _reason(ex)
        return failure

    def _timed_out(self) -> TimedOut:
        return TimedOut(f"The {self.provider} backend did not answer in time.")

    def _send(
        self, method: str, path: str, body: bytes, timeout: float
    ) -> "UpstreamResponse":
        client, passed_on = asked_by()
        deadline, request = Deadline(timeout), self._request(method, path, body)
        request.headers.update(passed_on)
        try:
            with sending_for(client, deadline):
                response = self._exchange(request, deadline)
        except FAILURES as ex:
            raise self.error_for(ex, client) from ex
        return UpstreamResponse(self, response, client, deadline)

    def _exchange(self, request: PreparedRequest, deadline: Deadline) -> Response:
        try:
            return self._attempt(request, deadline)
        except requests.ConnectionError as ex:
            if not _caused_by(ex, StaleConnection):
                raise
        # The other connections in the pool are as old as the one that died.
        self._adapter.forget_connections()
        return self._attempt(request, deadline)

    def _request(self, method: str, path: str, body: bytes) -> PreparedRequest:
        request = PreparedRequest()
        request.method, request.url = method, self._base_url + path
        # A plain dictionary: copying the case-insensitive one of requests costs a tenth of the whole call.
        headers: Any = self._headers.copy()
        if body:
            request.body = body
            headers["Content-Type"] = "application/json"
            headers["Content-Length"] = str(len(body))
        request.headers = headers
        return request

    def _attempt(self, request: PreparedRequest, deadline: Deadline) -> Response:
        remaining = deadline.remaining()
        if remaining <= 0:
            raise self._timed_out()
        limits = (min(remaining, CONNECT_TIMEOUT), remaining)
        return self._adapter.send(request, stream=True, timeout=limits, **self._route)


class UpstreamResponse:
    """One response, whose body is read against a deadline. The caller closes it."""

    def __init__(
        self,
        upstream: Upstream,
        response: Response,
        client: Client,
        deadline: Deadline,
    ) -> None:
        self.provider = upstream.provider
        self.status = response.status_code
        self.deadline = deadline
        self._upstream = upstream
        self._response = response
        self._client = client
        self._begun: list[bytes] = []  # the parts of a line whose end has not arrived
        # We asked for plain bytes. Letting urllib3 look for an encoding costs as much as the read.
        self._is_encoded = "Content-Encoding" in response.headers

    def retry_after(self) -> str | None:
        """The response's Retry-After. A date becomes the seconds until then, at least 1; any other text stays as it is."""
        given = self._response.headers.get("Retry-After")
        date = email.utils.parsedate_tz(given or "")
        if date is None:
            return given
        try:
            return str(max(1, math.ceil(email.utils.mktime_tz(date) - time.time())))
        except (ValueError, OverflowError):  # a year that does not exist
            return None

    def body(self, most: int | None = None) -> bytes:
        """The whole body. Raises Broken if it has more than `most` bytes, by default MAX_BODY."""
        parts, size = [], 0
        while data := self._read():
            parts.append(data)
            size += len(data)
            if size > (most or MAX_BODY):
                raise self.broken("sent an answer that is too long")
        return b"".join(parts)

    def next_lines(self) -> list[bytes]:
        """The whole lines that have arrived, at least one, without their ends. Empty after the last.

        An unfinished last line counts.
        """
        size = 0
        while data := self._read():
            lines = data.split(b"\n")
            self._begun.append(lines[0])
            if len(lines) > 1:
                lines[0] = b"".join(self._begun)
                self._begun = [lines.pop()]
                return lines
            size += len(data)
            if size > MAX_LINE:
                raise self.broken("sent a line that is too long")
        rest, self._begun = b"".join(self._begun), []
        return [rest] if rest else []

    def broken(self, what: str) -> Broken:
        return self._upstream.broken(what)

    def redacted(self, failure: UpstreamError) -> UpstreamError:
        """`failure` without the credentials of the request, which some upstreams repeat in their messages."""
        failure.upstream_status = self.status
        for secret in self._upstream.credentials:
            failure.message = secret.sub(HIDDEN, failure.message)
            failure.detail = secret.sub(HIDDEN, failure.detail)
        if self._upstream.behind_proxy:
            failure.detail = f"through a proxy: {failure.detail}".removesuffix(": ")
        # Truncate last: a message that was truncated earlier could end with half of a secret.
        failure.message = failure.message[:MAX_MESSAGE]
        return failure

    def drain(self) -> None:
        """Reads the little that is left, so that the connection goes back to the pool."""
        self.deadline.shorten(DRAIN_TIMEOUT)
        with suppress(UpstreamError, ClientLeft):
            while self._read():
                pass

    def close(self) -> None:
        """Closes the connection unless the body was read to its end."""
        self._response.close()

    def _read(self) -> bytes:
        """The bytes that have arrived, at least one; none at the end of the body."""
        # Not iter_content, which withholds everything until the end of an answer that is not chunked.
        try:
            data: bytes = self._response.raw.read1(READ_BYTES, self._is_encoded)
        except FAILURES as ex:
            raise self._upstream.error_for(ex, self._client) from ex
        # A body without a length ends with the connection, also if we closed it for a client that left.
        if not data and self._client.left:
            raise ClientLeft
        return data


def _route(url: str) -> dict[str, Any]:
    """The proxies and certificates that the environment names, as arguments of an adapter's `send`."""
    found = requests.Session().merge_environment_settings(url, {}, None, None, None)
    proxies, verify = found["proxies"], found["verify"]
    if _is_loopback(urlsplit(url).hostname or ""):
        proxies = {}
    paths = ssl.get_default_verify_paths()
    if verify is True and paths.cafile and paths.cafile != paths.openssl_cafile:
        verify = paths.cafile  # SSL_CERT_FILE, which requests does not know
    return {"proxies": proxies, "verify": verify}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _pattern_of(secret: str) -> re.Pattern[str]:
    """Matches the secret. A short one, such as `EMPTY` or `x` for servers that need none, must be a whole word."""
    text = re.escape(secret)
    return re.compile(text if len(secret) >= MIN_SECRET else rf"(?<!\w){text}(?!\w)")


FAILURES = (OSError, urllib3.exceptions.HTTPError)
"""The exceptions of requests, urllib3 and sockets. Those of requests are OSErrors."""

_NOT_REACHED = (
    requests.ConnectTimeout,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.ProxyError,
    requests.exceptions.SSLError,
    urllib3.exceptions.NewConnectionError,
)
_TIMED_OUT = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


def _caused_by(ex: object, *kinds: type[BaseException]) -> BaseException | None:
    """`ex`, or what it wraps, if that is one of `kinds`: requests and urllib3 keep the cause in `args` or `reason`."""
    if isinstance(ex, kinds):
        return ex
    if not isinstance(ex, BaseException):
        return None
    inner = [*ex.args, getattr(ex, "reason", None), ex.__cause__]
    return next(filter(None, (_caused_by(each, *kinds) for each in inner)), None)


def _reason(ex: Exception) -> str:
    """Why a connection failed, in a few words for the log."""
    reasons = (
        (ssl.SSLCertVerificationError, "certificate not accepted"),
        (ssl.SSLError, "TLS failed"),
        (socket.gaierror, "name not found"),
        (ConnectionRefusedError, "connection refused"),
        (ConnectionResetError, "connection reset"),
        (BrokenPipeError, "connection reset"),
        (requests.ConnectTimeout, "no connection in time"),
        (TimeoutError, "no bytes in time"),
        (requests.exceptions.InvalidSchema, "proxy of a kind that is not supported"),
        (requests.exceptions.InvalidURL, "the proxy's URL is malformed"),
    )
    found = (words for kind, words in reasons if _caused_by(ex, kind))
    # Errors about malformed HTTP. urllib3 and framing.py say what is wrong, and quote nothing.
    malformed = _caused_by(ex, urllib3.exceptions.ProtocolError)
    reason = next(found, str(malformed) if malformed else type(ex).__name__)
    if tls := _caused_by(ex, ssl.SSLError):  # OpenSSL says what it does not accept
        said = getattr(tls, "verify_message", None) or getattr(tls, "reason", None)
        reason += f": {said.strip('.')}" if said else ""
    if not _caused_by(ex, requests.exceptions.ProxyError):
        return reason
    status = re.search(r"Tunnel connection failed: (\d+)", str(ex))
    return f"the proxy answered {status[1]}" if status else f"the proxy: {reason}"


class _Adapter(HTTPAdapter):
    """Sends requests to one upstream. Looks up its connection pool once, not for each request."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=POOL_SIZE)
        self.poolmanager.pool_classes_by_scheme = POOLS
        self._pool: HTTPConnectionPool | None = None

    def get_connection_with_tls_context(
        self, *args: Any, **kwargs: Any
    ) -> HTTPConnectionPool:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def request_url(self, request: Any, proxies: Any) -> str:
        """Looks for a proxy only if one is configured."""
        if proxies:
            return super().request_url(request, proxies)
        return str(request.path_url)

    def build_response(self, req: Any, resp: Any) -> Response:
        """The response without its cookies, which nothing reads."""
        response = Response()
        response.status_code, response.headers = resp.status, resp.headers
        response.raw, response.request = resp, req
        return response

    def forget_connections(self) -> None:
        self._pool = None
        self.close()
