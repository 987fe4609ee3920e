"""The requests that a check may send to the server under test. Every exchange is recorded, and ends at the deadline of its check."""

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from octomil_conformance import request_parts, schemas
from octomil_conformance.backend import Backend, Call, new_nonce, tagged
from octomil_conformance.backend.gated import Outage
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.scenarios import ALONE, DECISIVE, MODEL_PREFIX
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import DEFAULT_BACKEND_TIMEOUT, METHODS, PATHS
from octomil_conformance.exchange import Exchange, Json, Request
from octomil_conformance.expect import Finding, SuiteFault, one_of
from octomil_conformance.target import PROMPT, Target
from octomil_conformance.transport import Transfer

HEALTH_MAX_WAIT = 4.0
"""Seconds within which a health report must change, because servers may cache it."""
HALF_A_MINUTE = 31.0
RECOVERY = 8.0
"""Seconds that a server may need until it asks an upstream again."""

OUTAGES: Mapping[Outage, str] = {
    "refuse": "refusing connections",
    "hang": "hanging",
    "stall": "hanging after one byte of an answer",
    "fail": "answering with 503",
    "deny": "answering with 401",
    "lost": "answering with 404",
    "limit": "answering with 429",
    "text": "answering with a word of text",
}

Headers = Mapping[str, str | None]
"""Headers that are added to the usual ones, or replace them. A header whose value is None is left out."""
AS_USUAL: Headers = {}
LINGERS = 0.3
"""Seconds in which a server may read or answer the part of a request that has been sent."""
REFUSED = one_of(400, 422)
UNAVAILABLE = one_of(502, 503, 504)


@dataclasses.dataclass(frozen=True)
class Raw:
    """A request as it is sent."""

    body: bytes
    path: str = ""
    """Empty for the path of the profile."""
    padding: int = 0
    """Spaces after the body."""
    headers: Headers = dataclasses.field(default_factory=dict)
    target: str = ""
    """Replaces the path in the request line."""
    method: str = "POST"


class Api:
    """The server, as one check of one profile sees it."""

    def __init__(
        self,
        target: Target,
        profile: str,
        through: Provider | None = None,
        seconds: float = math.inf,
    ) -> None:
        """`through`: the upstream that has to answer if a request names a scenario. `seconds`: the time limit."""
        self.target = target
        self.profile = profile
        self.through = through
        self.path = PATHS[profile]
        self.nonce = new_nonce()
        self.seen: list[Exchange] = []
        self._transfers: list[Transfer] = []
        seconds = min(seconds, target.config.check_seconds)
        self._deadline = time.monotonic() + seconds
        self._outage: list[str] = []
        self._lock = threading.Lock()

    # The requests

    def ask(self, *given: Any, **changes: Any) -> Exchange:
        """Sends a valid request, as `start` does, and returns its whole answer."""
        return answered(self.start(*given, **changes).finish())

    def plain(self, headers: Headers = AS_USUAL, **options: Any) -> Exchange:
        """A plain request: `ask`, or a health report."""
        if self.profile == "health":
            return self.get(headers=headers)
        return self.ask(headers=headers, **options)

    def start(
        self,
        prompt: str | list[str] = PROMPT,
        scenario: str = "",
        headers: Headers = AS_USUAL,
        **changes: Any,
    ) -> Transfer:
        """A valid request whose answer is still on its way. Without a scenario it goes to the model of the run."""
        data = self.good(prompt, scenario, **changes)
        without_nonce = data.replace(self.nonce.encode(), b"")
        schemas.require_valid_request(self.profile, without_nonce)
        return self._call(Raw(data, headers=headers))

    def accepts(self, prompt: str = PROMPT, **changes: Any) -> Exchange:
        """Like `ask`, but hangs up when the answer begins: for requests without a limit of tokens."""
        call = self.start(prompt, **changes)
        next(iter(call), None)
        return answered(call.hang_up())

    def ask_raw(
        self, body: bytes, headers: Headers = AS_USUAL, path: str = "", padding: int = 0
    ) -> Exchange:
        """A good request in an unusual form."""
        return self._answer(Raw(body, path, padding, headers))

    def refused(self, **changes: Any) -> Exchange:
        """A request that these changes make wrong, after a good one that shows that the server does answer."""
        return self.send(self.good(**changes))

    def send(
        self,
        body: bytes = b"",
        method: str = "POST",
        path: str = "",
        headers: Headers = AS_USUAL,
        padding: int = 0,
    ) -> Exchange:
        """Any request, after a good one as positive control."""
        self.works()
        return self._answer(Raw(body, path, padding, headers, method=method))

    def in_a_row(self, *asked: Raw) -> list[Exchange]:
        """Requests on one connection. A server that closes it gets the next one on a new connection."""
        call: Transfer | None = None
        answers = []
        for raw in asked:
            call = self._call(raw, keep=True, after=call)
            answers.append(answered(call.finish()))
        return answers

    def hold(self, body: bytes, held: int = 1, headers: Headers = AS_USUAL) -> Transfer:
        """A request whose last `held` bytes are sent later."""
        return self._call(Raw(body, headers=headers), held=held)

    def overload(
        self, body: bytes, length: int, most: int, headers: Headers = AS_USUAL
    ) -> Transfer | None:
        """Announces a body that is far too long, and sends up to `most` bytes of it. None if there is no response."""
        call = self._call(Raw(body, padding=length, headers=headers), most=most)
        if call.wait_for_response(LINGERS):
            return call
        call.hang_up()
        return None

    def get(
        self, method: str = "GET", path: str = "", headers: Headers = AS_USUAL
    ) -> Exchange:
        return self._answer(Raw(b"", path, headers=headers, method=method))

    def body(
        self,
        prompt: str | list[str] = PROMPT,
        scenario: str = "",
        without: tuple[str, ...] = (),
        **changes: Any,
    ) -> Json:
        """The JSON of a request of this profile."""
        config = self.target.config
        model = config.embed_model if self.profile == "embed" else config.model
        model = model_for(scenario, self.through) if scenario else model
        body: Json = {"model_id": model}
        body |= request_parts.content(
            self.profile, prompt, self.tag, limited=not scenario
        )
        body |= changes
        return {name: value for name, value in body.items() if name not in without}

    def good(self, *given: Any, **changes: Any) -> bytes:
        """The bytes of that request, with the arguments of `body`."""
        return request_parts.json_bytes(self.body(*given, **changes))

    def content(self, scenario: str) -> Json:
        """The prompt or the texts of a request, in which a tag names the scenario, whatever the model is."""
        text = self.tag(PROMPT, scenario=scenario)
        is_chat = self.profile in ("infer", "stream")
        return {"messages": self.messages(text)} if is_chat else {"input": text}

    def tag(self, text: str, suffix: str = "", scenario: str = "") -> str:
        """The text with the nonce, if the scripted backend is there to read it."""
        if self.target.backend is None:
            return text
        return tagged(self._nonce(suffix), text, scenario)

    messages = staticmethod(request_parts.messages)

    # What was seen

    def works(self) -> Exchange:
        """The positive control: a plain request is answered. It is sent once for all checks of the profile."""
        exchange = next(specimens(self.target, self.profile))
        self.observe(exchange)
        if not 200 <= exchange.status < 300:
            raise Finding(
                "a good answer to a plain request first (the positive control)",
                f"{exchange.status} {exchange.text}",
            )
        return exchange

    def specimens(self) -> Iterator[Exchange]:
        for exchange in specimens(self.target, self.profile):
            self.observe(exchange)
            yield answered(exchange)

    def complaints(self, about: Callable[[Exchange], list[str]]) -> list[str]:
        """The complaints about all exchanges of this profile so far in which no check found a fault. The report shows an exchange with complaints, if there is one."""
        known = {id(exchange) for exchange in self.seen}
        for exchange in self.target.seen(self.profile):
            if id(exchange) not in known:
                self.observe(exchange)
        unblamed = [each for each in self.seen if not self.target.is_blamed(each)]
        found = {id(exchange): about(exchange) for exchange in unblamed}
        self.seen.sort(key=lambda exchange: bool(found.get(id(exchange))))
        return [each for complaints in found.values() for each in complaints]

    def observe(self, exchange: Exchange) -> None:
        """Makes it the last exchange, which the verdict is about."""
        with self._lock:
            self.seen[:] = [*(e for e in self.seen if e is not exchange), exchange]

    def settled(self, status: str) -> Exchange:
        """The health report as soon as it has this status, else the last one."""
        until = time.monotonic() + HEALTH_MAX_WAIT
        while True:
            answer = self.get()
            if answer.field("status") == status or time.monotonic() > until:
                return answer
            time.sleep(0.1)

    @contextmanager
    def outage(self, kind: Outage, *backends: Provider) -> Iterator[list[Exchange]]:
        """An outage of upstreams, then time for the server to notice that they are back. Yields the answers of that time, which come first in `seen`."""
        afterwards: list[Exchange] = []
        with self.backend.outage(kind, backends or BOTH):
            self._outage = [f"{' and '.join(backends or BOTH)} {OUTAGES[kind]}"]
            yield afterwards
        self._outage = []
        until = time.monotonic() + RECOVERY * (self.profile != "health")
        while time.monotonic() < until and not self._is_as_before(afterwards):
            time.sleep(0.1)
        self.seen.sort(key=lambda each: each not in afterwards)

    def _is_as_before(self, answers: list[Exchange]) -> bool:
        """Adds an answer. True if it is good, and Ollama was asked first again, which a cooldown prevents."""
        first = "ollama" if "ollama" in self.target.wired else "openai"
        before = len(self.backend.calls(self.nonce))
        answers.append(self.start(scenario="echo").finish())
        asked = [call.backend for call in self.backend.calls(self.nonce)[before:]]
        return 200 <= answers[-1].status < 300 and asked[:1] == [first]

    @property
    def backend(self) -> Backend:
        """The scripted backend. Only checks of level 2 have one."""
        if self.target.backend is None:
            raise SuiteFault("a check below level 2 asked for the backend")
        return self.target.backend

    def calls(self, suffix: str = "") -> list[Call]:
        """The upstream calls for this check, or for one input of it. If one upstream has to answer, only its calls.

        The other one fails before it, or after it while Ollama cools down.
        """
        return self._answering(self.backend.calls(self._nonce(suffix)))

    def _answering(self, calls: list[Call]) -> list[Call]:
        return [call for call in calls if self.through in (None, call.backend)]

    def until_called(self, times: int = 1) -> int:
        """Waits until the upstream that has to answer has this many calls. Returns the number of calls of both."""
        end = time.monotonic() + self.timeout
        calls = self.backend.calls(self.nonce)
        while len(self._answering(calls)) < times and time.monotonic() < end:
            left = end - time.monotonic()
            calls = self.backend.wait_for_calls(self.nonce, len(calls) + 1, left)
        return len(calls)

    def failing(self, scenario: str) -> str:
        """The scenario in which the upstream that has to answer fails like this, and the client gets its failure."""
        return DECISIVE[self.through].format(scenario) if self.through else scenario

    def call(self, suffix: str = "") -> Call:
        """The first upstream call. Raises Finding if there is none."""
        for call in self.calls(suffix):
            return call
        raise Finding("an upstream call", "none")

    @property
    def timeout(self) -> float:
        """Seconds that the server waits for an upstream, by its settings."""
        return self.target.config.backend_timeout

    def steps(self, seconds: float, least: float = 5.5) -> int:
        """How many steps of this length outlast both timeouts and a second, and `least` seconds. The check may last as long."""
        lasts = max(least, 2 * self.timeout + 1.5)
        self._deadline += lasts
        return math.ceil(lasts / seconds)

    @property
    def long(self) -> float:
        """Seconds that outlast the timers of 30 seconds that servers have; fewer if the timeout is below the usual one."""
        return HALF_A_MINUTE * min(1, self.timeout / DEFAULT_BACKEND_TIMEOUT)

    def within(self, seconds: float) -> float:
        """`seconds`, prolonged for slow machines by `--timeout-factor`."""
        return seconds * self.target.config.timeout_factor

    @property
    def token(self) -> str:
        return self.target.config.token or ""

    # For the runner

    def close(self) -> None:
        """Close what a check left open when it failed."""
        for transfer in self._transfers:
            transfer.close()

    def _nonce(self, suffix: str) -> str:
        return f"{self.nonce}.{suffix}" if suffix else self.nonce

    def _answer(self, raw: Raw) -> Exchange:
        return answered(self._call(raw).finish())

    def _call(self, raw: Raw, **more: Any) -> Transfer:
        """`more`: further arguments of Transfer."""
        path, is_post = raw.path or self.path, raw.method == "POST"
        length = len(raw.body) + raw.padding if is_post else None
        token = self.target.config.token
        headers = request_parts.headers(
            token, raw.headers, is_post or raw.body != b"", length
        )
        usual = METHODS[self.profile], self.path, ""
        known = (raw.method, path, raw.target) == usual
        needs = request_parts.needs(raw.body) if self.target.backend is not None else []
        unusual = [f"{raw.padding} spaces after the body"] if raw.padding else []
        if raw.target:
            unusual.append(f"{raw.target} as the target of the request")
        request = Request(
            raw.method,
            self.target.config.url + path,
            headers,
            raw.body,
            self.profile if known else None,
            needs="; ".join([*unusual, *needs, *self._outage]),
            padding=raw.padding,
            target=raw.target,
        )
        transfer = Transfer(request, self._deadline, self.observe, **more)
        self._transfers.append(transfer)
        return transfer


def specimens(target: Target, profile: str) -> Iterator[Exchange]:
    """Good answers, each requested when it is first used. The first is from the model of the run, the others are scripted."""
    for index, (through, options) in enumerate(target.plain_requests(profile)):
        ask = partial(_specimen, target, profile, through, options)
        yield target.specimen(profile, index, ask)


def _specimen(
    target: Target, profile: str, through: Provider | None, options: Json
) -> Exchange:
    """Returns the exchange even if it went wrong: the check that reads it reports that."""
    api = Api(target, profile, through)
    try:
        return api.plain(**options)
    except Finding:
        return api.seen[-1]


def answered(exchange: Exchange) -> Exchange:
    """The exchange. Raises Finding if it has no whole response to look at."""
    if exchange.status == 0 or exchange.end == "deadline":
        raise Finding("a response", exchange.problem)
    return exchange


def model_for(scenario: str, through: Provider | None) -> str:
    """The model with which this upstream plays the scenario while the other one fails at once. A scenario for both stays as it is."""
    if through and not scenario.startswith("ollama-"):
        scenario = ALONE[through].format(scenario)
    return MODEL_PREFIX + scenario
