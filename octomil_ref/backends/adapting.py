"""Asks an upstream. If it refuses fields of the request, asks again without them, and remembers them for each model.

A refused field of ours is left out. A refused parameter of the client is left out too, or gets the name that the upstream
asks for. If the upstream refuses a large request for embeddings, it is asked for smaller parts. If a model only streams, or
cannot, it is asked for the other form of answer. A change is remembered only after the upstream has accepted it.
"""

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from octomil_ref.backends import Embeddings, reading
from octomil_ref.backends.http import Upstream, UpstreamResponse
from octomil_ref.clock import Deadline
from octomil_ref.errors import (
    BatchTooLarge,
    Broken,
    ModalityRefused,
    RequestRefused,
    UpstreamError,
)

T = TypeVar("T")

log = logging.getLogger("octomil_ref")

MAX_MODELS = 1000  # models to remember; clients choose the names, so there is a limit
MAX_CHANGES = 50  # parameters to remember for one model; clients choose these too
MAX_REQUESTS = 20  # requests in one attempt; many servers name one field at a time
REMEMBERED = 3600.0  # seconds; after that the upstream may have been updated

Changes = Mapping[str, str | None]
"""New names for fields of a request. None leaves a field out."""

FIXED = frozenset({"model", "messages", "input", "stream", "options"})
"""Fields that are never left out, because the request would mean something else without them."""

RENAMED = {"max_tokens": "max_completion_tokens"}
"""OpenAI and Azure, for models that think: "Use 'max_completion_tokens' instead"."""

Asked = tuple[UpstreamResponse, tuple[str, ...]]
"""A successful response, and the client's parameters that it ignores."""


class Memory(Generic[T]):
    """One value per model, bounded in number and in time."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[T, Deadline]] = {}

    def get(self, model: str) -> T | None:
        value, until = self._values.get(model, (None, None))
        return value if until and until.remaining() > 0 else None

    def put(self, model: str, value: T) -> None:
        self._values.pop(model, None)  # so that the newest is last
        self._values[model] = (value, Deadline(REMEMBERED))
        for oldest in list(self._values)[:-MAX_MODELS]:
            self._values.pop(oldest, None)


class Adapter:
    """Asks one upstream, and remembers what it refuses. Threads may share it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._changes: Memory[Changes] = Memory()
        self._part_sizes: Memory[int] = Memory()
        self._only: Memory[bool] = Memory()
        """Models that only stream (True), or cannot (False)."""

    def deadline(self) -> Deadline:
        """The deadline of one attempt, however many requests the attempt needs."""
        return Deadline(self._upstream.timeout)

    def ask(
        self,
        path: str,
        payload: Mapping[str, Any],
        ours: Mapping[str, Any],
        deadline: Deadline | None = None,
    ) -> Asked:
        """Sends the client's `payload` with `ours`, the fields that we add."""
        deadline = deadline or self.deadline()
        known = self._changes.get(payload["model"]) or {}
        changes, requests = known, 0
        while True:
            requests += 1
            asked = changed({**payload, **ours}, changes)
            response = self._upstream.post(path, asked, deadline.remaining())
            if reading.is_success(response):
                break
            failure, words = reading.failure(response)
            new = refused(words, asked, ours)
            hopeless = not isinstance(failure, _ABOUT_THE_REQUEST)
            if not new or hopeless or requests == MAX_REQUESTS:
                raise failure
            changes = {**changes, **new}
        if changes is not known:
            self._remember(payload["model"], changes)
        return response, tuple(n for n in payload if _new_name(n, changes) is None)

    def ask_either(
        self,
        path: str,
        payload: Mapping[str, Any],
        ours: Mapping[str, Any],
        streams: bool,
    ) -> Asked:
        """Asks for a stream, with `ours`, or for a whole answer. Asks for the other one if the model has only that."""
        model, deadline = payload["model"], self.deadline()

        def ask(streams: bool) -> Asked:
            # Some servers stream unless told not to.
            asked = {**payload, "stream": streams}
            return self.ask(path, asked, ours if streams else {}, deadline)

        only = self._only.get(model)
        streams = streams if only is None else only
        try:
            return ask(streams)
        except UpstreamError as ex:
            if not _OTHER_FORM.search(ex.detail):
                raise
        found = ask(not streams)
        self._only.put(model, not streams)
        return found

    def _remember(self, model: str, changes: Changes) -> None:
        newest = dict(list(changes.items())[-MAX_CHANGES:])
        self._changes.put(model, newest)
        about = {"provider": self._upstream.provider, "model": model}
        fields = {**about, "parameters": ",".join(newest)}
        log.warning("unsupported", extra={"fields": fields})

    def in_parts(
        self,
        model: str,
        texts: Sequence[str],
        embed: Callable[[Sequence[str]], Embeddings],
    ) -> Embeddings:
        """Halves the parts until the upstream takes them, then remembers their size."""
        known = self._part_sizes.get(model) or len(texts)
        size, rest, parts = known, texts, []
        while rest:
            part = rest[:size]
            try:
                parts.append(embed(part))
            except BatchTooLarge:
                if len(part) == 1:
                    raise
                size = (len(part) + 1) // 2
            else:
                rest = rest[size:]
        if size < known:
            self._part_sizes.put(model, size)
        return _joined(parts)


_ABOUT_THE_REQUEST = (RequestRefused, ModalityRefused, Broken)
"""Failures that may be about a field. Broken: LiteLLM answers 500 "got an unexpected keyword argument 'top_k'"."""

_OTHER_FORM = re.compile(
    r"only support\w* stream|non-streaming|stream must be|stream\W+(is not supported|does not support)"
    r"|(not|n't) support stream|unsupported for stream|streaming completion is not|to stream this model",
    re.IGNORECASE,
)
"""DashScope: "This model only support stream mode". Gateways before ChatGPT: "Stream must be set to true". OpenAI: "'stream' does not support
true with this model". Bedrock: "The model is unsupported for streaming"."""

_UNSUPPORTED = re.compile(
    r"unsupported|(not|n't)[ _]support|not enabled|unknown|unrecogni[sz]ed|unexpected|extra (inputs|fields|param\w+)|extra_forbidden"
    r"|additional propert|cannot find field|invalid (field|parameter name)"
    r"|deprecated|extraneous",
    re.IGNORECASE,
)
"""Anthropic: "`temperature` is deprecated for this model". Bedrock: "extraneous key [top_k] is not permitted"."""

_VALUE = re.compile(
    r"unsupported[ _]value|supported values|only .{0,60}(supported|allowed)"
    r"|unknown variant|unexpected (type|value)|invalid (json )?schema",
    re.IGNORECASE,
)
"""Servers in Rust: "unknown variant `foo`, expected one of `low`, `high`". OpenAI: "'temperature' does not support 0 with this model. Only the default (1) value is supported". Only the client can correct that."""

_ADVICE = re.compile(
    r"did you mean|expected one of|(?<!un)supported (param|field|value|arg)|allowed (param|field)|\buse ['\"`]",
    re.IGNORECASE,
)
"""A name after such words is a suggestion, not a refused field. Groq: "property 'store' is unsupported, did you mean 'stop'?"."""


def refused(
    words: str, names: Collection[str], ours: Collection[str]
) -> dict[str, str | None]:
    """The changes that the upstream asks for, given its words about a request with fields of these names."""
    reason, _, codes = words.partition("\n")
    text = f"{_ADVICE.split(reason)[0]}\n{codes}"
    parameters = _UNSUPPORTED.search(words) and not _VALUE.search(words)
    letters = re.sub("[ _-]", "", text).lower()
    # Clients choose the names and how many there are, and a regular expression for each takes long.
    found = (
        name
        for name in names
        if name in _SPELLED or name.replace("_", "").lower() in letters
    )
    candidates = [*islice(found, MAX_CHANGES)]
    blamed = [
        name
        for name in candidates
        if (name in ours and _named(name, text, _ANYWHERE))
        or (parameters and _named(name, text, _WHERE_NAMES_STAND))
    ]
    other_names = {name: new for name, new in RENAMED.items() if new in words}
    return {name: other_names.get(name) for name in blamed}


_SPELLED = {
    "think": "thinking|think",
    "presence_penalty": "presence[ _-]?penalty|penalty(?= is not enabled)",
    "frequency_penalty": "frequency[ _-]?penalty|penalty(?= is not enabled)",
}
"""How upstreams also spell parameters. Gemini, for both: "Penalty is not enabled for models/gemini-2.5-flash"."""

_ANYWHERE = r"(?<![\w.])"
_WHERE_NAMES_STAND = r"(^|['\"`:,\[(>]\s*|(parameter|argument|property|field|support) )"
"""The text that must precede the name of a client's parameter, because the name may be an English word such as `stop`."""


def _named(name: str, text: str, before: str) -> bool:
    """True if the text names the field, in any case: xAI writes `presencePenalty`, Ollama "does not support thinking"."""
    if name in FIXED or not re.fullmatch(r"\w{1,64}", name):
        return False
    if "_" in name:
        before = _ANYWHERE
    spelled = _SPELLED.get(name) or name.replace("_", "[ _-]?")
    pattern = f"{before}({spelled})(?!\\w)"
    return bool(re.search(pattern, text, re.IGNORECASE | re.MULTILINE))


def changed(payload: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """The payload with the changes made."""
    if not changes:
        return payload
    names = {name: _new_name(name, changes) for name in payload}
    return {new: payload[name] for name, new in names.items() if new is not None}


def _new_name(name: str, changes: Changes) -> str | None:
    new = changes.get(name, name)
    return new if new is None or new == name else _new_name(new, changes)


def _joined(parts: Sequence[Embeddings]) -> Embeddings:
    """Joins the answers to all parts. An unknown count makes the sum unknown."""
    vectors = [vector for part in parts for vector in part.vectors]
    if len({len(vector) for vector in vectors}) != 1:
        raise Broken(
            f"The {parts[0].provider} backend changed the dimension of its vectors."
        )
    counts = [part.prompt_tokens for part in parts]
    return Embeddings(vectors, parts[0].provider, sum(counts) if all(counts) else 0)
