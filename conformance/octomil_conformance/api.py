"""What a check may do to the server under test. Every exchange is recorded, bounded by the check's deadline and counted as seen."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from octomil_conformance import schemas
from octomil_conformance.backend import Backend, Call, new_nonce, tagged
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.stage import Outage
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import PATHS
from octomil_conformance.exchange import Exchange, Headers, Request, field
from octomil_conformance.findings import Finding, SuiteFault
from octomil_conformance.transport import Transfer

if TYPE_CHECKING:
    from octomil_conformance.run import Run

PROMPT = "Name a fruit."
OTHER_PROMPT = "The moon is far away."
MAX_TOKENS = 4

HEALTH_PATIENCE = 4.0
RECOVERY = 8.0
"""Seconds that a server may need to ask an upstream again."""

REFUSED = (400, 422)
UNAVAILABLE = (502, 503, 504)


class Api:
    """The server, as one check of one profile sees it."""

    def __init__(self, run: "Run", profile: str) -> None:
        self.run = run
        self.profile = profile
        self.path = PATHS[profile]
        self.nonce = new_nonce()
        self.seen: list[Exchange] = []
        self._transfers: list[Transfer] = []
        self.deadline = 0.0
        self._lock = threading.Lock()

    # The requests

    def ask(
        self, prompt: str | list[str] = PROMPT, scenario: str = "", **changes: Any
    ) -> Exchange:
        """A valid request and its whole answer. Without a scenario it goes to the model that the run was given."""
        return answered(self.start(prompt, scenario, **changes).finish())

    def start(
        self, prompt: str | list[str] = PROMPT, scenario: str = "", **changes: Any
    ) -> Transfer:
        """A valid request, its answer still on the way."""
        body = self.body(prompt, scenario, **changes)
        schemas.require_valid_request(self.profile, body)
        return self._call("POST", self.path, json_bytes(body), self._headers({}))

    def accepts(self, prompt: str = PROMPT, **changes: Any) -> Exchange:
        """As `ask`, but it leaves when the answer begins: for requests that set no limit to it."""
        call = self.start(prompt, **changes)
        next(iter(call), None)
        return answered(call.hang_up())

    def ask_raw(
        self,
        body: bytes,
        headers: Mapping[str, str | None] | None = None,
        path: str | None = None,
    ) -> Exchange:
        """A good request in unusual clothes."""
        call = self._call("POST", path or self.path, body, self._headers(headers or {}))
        return answered(call.finish())

    def refused(self, body: object) -> Exchange:
        """A request that is wrong on purpose. First a good one shows that the server does answer."""
        return self.send(json_bytes(body))

    def send(
        self,
        body: bytes = b"",
        method: str = "POST",
        path: str | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        """Any request at all, after a good one as positive control. A header of None is left out."""
        self.works()
        call = self._call(method, path or self.path, body, self._headers(headers or {}))
        return answered(call.finish())

    def get(
        self,
        method: str = "GET",
        path: str = "",
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        given = self._headers(headers or {})
        return answered(self._call(method, path or self.path, b"", given).finish())

    def body(
        self,
        prompt: str | list[str] = PROMPT,
        scenario: str = "",
        without: tuple[str, ...] = (),
        **changes: Any,
    ) -> dict[str, Any]:
        """The JSON of a request of this profile. Text is tagged with the nonce when our backend is there to read it."""
        config = self.run.config
        model = config.embed_model if self.profile == "embed" else config.model
        body: dict[str, Any] = {"model_id": f"conf-{scenario}" if scenario else model}
        body |= self._content(prompt, limited=not scenario)
        body |= changes
        return {name: value for name, value in body.items() if name not in without}

    def tag(self, text: str, suffix: str = "", scenario: str = "") -> str:
        if self.run.backend is None:
            return text
        nonce = f"{self.nonce}.{suffix}" if suffix else self.nonce
        return (
            tagged(nonce, text, scenario=scenario) if scenario else tagged(nonce, text)
        )

    def messages(self, *texts: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": text} for text in texts]

    # What was seen

    def works(self) -> Exchange:
        """The positive control: a plain request is answered. Asked once in a run and profile."""
        exchange = next(self.run.specimens(self))
        self.observe(exchange)
        if not 200 <= exchange.status < 300:
            raise Finding(
                "a plain request to be answered first (the positive control)",
                f"{exchange.status} {exchange.text}",
            )
        return exchange

    def specimens(self) -> Iterator[Exchange]:
        """Good answers of this profile: of the run's model, and of our backend's odder ones."""
        for exchange in self.run.specimens(self):
            self.observe(exchange)
            yield answered(exchange)

    def unblamed(self) -> list[Exchange]:
        """Of all that was seen of this profile, what no check found a fault in."""
        seen, blamed = self.run.seen(self.profile)
        known = {id(exchange) for exchange in self.seen}
        for exchange in seen:
            if id(exchange) not in known:
                self.observe(exchange)
        return [exchange for exchange in self.seen if id(exchange) not in blamed]

    def observe(self, exchange: Exchange) -> None:
        with self._lock:
            self.seen.append(exchange)

    def settled(self, status: str) -> Exchange:
        """The health report once it says `status`, or what it says after some patience: reports may be kept for a moment."""
        until = time.monotonic() + HEALTH_PATIENCE
        while True:
            answer = self.get()
            if field(answer.fields, "status") == status or time.monotonic() > until:
                return answer
            time.sleep(0.1)

    @contextmanager
    def outage(self, kind: Outage, *backends: Provider) -> Iterator[None]:
        """Upstreams gone. Afterwards the server has time to find out that they are back."""
        with self.backend.outage(kind, backends or BOTH):
            yield
        until = time.monotonic() + RECOVERY
        while self.profile != "health" and time.monotonic() < until:
            if 200 <= self.start(scenario="echo").finish().status < 300:
                return
            time.sleep(0.1)

    @property
    def backend(self) -> Backend:
        """The witness. Only checks of level 2 may ask for it."""
        if self.run.backend is None:
            raise SuiteFault("a check below level 2 asked for the backend")
        return self.run.backend

    def call(self, suffix: str = "") -> Call:
        """The first that the server under test made upstream for this check, or for one input of it."""
        nonce = f"{self.nonce}.{suffix}" if suffix else self.nonce
        calls = self.backend.calls(nonce)
        if not calls:
            raise Finding("an upstream call", "none")
        return calls[0]

    @property
    def timeout(self) -> float:
        """Seconds that the server was told to wait for an upstream."""
        return self.run.config.backend_timeout

    def within(self, seconds: float) -> float:
        """As long as that on a machine that is fast enough."""
        return seconds * self.run.config.timeout_factor

    @property
    def token(self) -> str:
        return self.run.config.token or ""

    # Below

    def begin(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def close(self) -> None:
        """Whatever a check left open when it failed."""
        for transfer in self._transfers:
            transfer.close()

    def _content(self, prompt: str | list[str], limited: bool) -> dict[str, Any]:
        parameters = {"parameters": {"max_tokens": MAX_TOKENS}} if limited else {}
        if self.profile == "embed":
            if isinstance(prompt, str):
                return {"input": self.tag(prompt)}
            return {"input": [self.tag(text) for text in prompt]}
        if self.profile == "batch":
            texts = prompt if isinstance(prompt, list) else [prompt, OTHER_PROMPT]
            inputs = [
                {"messages": self.messages(self.tag(text, str(index)))}
                for index, text in enumerate(texts)
            ]
            return {"inputs": inputs, **parameters}
        texts = prompt if isinstance(prompt, list) else [prompt]
        return {"messages": self.messages(*map(self.tag, texts)), **parameters}

    def _headers(self, changes: Mapping[str, str | None]) -> Headers:
        headers: dict[str, str | None] = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            "User-Agent": "octomil-conformance",
        }
        if self.run.config.token:
            headers["Authorization"] = f"Bearer {self.run.config.token}"
        headers |= changes
        return tuple(
            (name, value) for name, value in headers.items() if value is not None
        )

    def _call(self, method: str, path: str, body: bytes, headers: Headers) -> Transfer:
        names = {name.lower() for name, _ in headers}
        if method == "POST" and "transfer-encoding" not in names:
            headers = (*headers, ("Content-Length", str(len(body))))
        known = path == self.path and method in ("POST", "GET")
        known = known and (method == "GET") == (self.profile == "health")
        url = self.run.config.url + path
        request = Request(method, url, headers, body, self.profile if known else None)
        transfer = Transfer(request, self.deadline, self.observe)
        self._transfers.append(transfer)
        return transfer


def answered(exchange: Exchange) -> Exchange:
    """Raises Finding for one that has no whole answer to look at."""
    if exchange.status == 0 or exchange.end == "deadline":
        raise Finding("an answer", exchange.problem)
    return exchange


def json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()
