"""The scenarios that are an error answer, as real servers word it. Their words decide: `context`, `does not support`, `option "`."""

from dataclasses import dataclass

from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.scenario import Scenario
from octomil_conformance.backend.stage import Pace


@dataclass(frozen=True)
class _Refusal:
    name: str
    status: int
    sentence: str
    message: str
    kind: str = "api_error"
    retry_after: str = ""

    def act(self, reply: Reply, pace: Pace) -> None:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        reply.refuse(self.status, self.message, self.kind, headers)


_TOO_LONG = (
    "the request exceeds the available context size, maximum context length is 8 tokens"
)
_NO_SUPPORT = '"conf-no-support" does not support chat'

_ALL = [
    _Refusal("http-400", 400, "a fault in the request", "invalid value for seed"),
    _Refusal("http-402", 402, "the account is empty", "insufficient balance"),
    _Refusal("http-403", 403, "the key may not do this", "forbidden"),
    _Refusal("http-404", 404, "it lacks the model", "model not found"),
    _Refusal("http-408", 408, "it gave up waiting", "request timeout"),
    _Refusal("http-422", 422, "a fault in the request", "unprocessable seed"),
    _Refusal("http-429", 429, "too many, Retry-After 7", "slow down", retry_after="7"),
    _Refusal("http-500", 500, "a fault of its own", "unexpected server error"),
    _Refusal("http-502", 502, "what it asks itself failed", "bad gateway"),
    _Refusal("http-503", 503, "overloaded or starting", "server busy"),
    _Refusal("http-504", 504, "what it asks itself was late", "gateway timeout"),
    _Refusal("auth", 401, "it refuses the server's key", "invalid api key"),
    _Refusal(
        "context-too-long",
        400,
        "the prompt is longer than the model's context",
        _TOO_LONG,
        "exceed_context_size_error",
    ),
    _Refusal("no-support", 400, "the model cannot do this", _NO_SUPPORT),
    _Refusal(
        "bad-option",
        500,
        "an option of the wrong type, in Ollama's words",
        'option "seed" must be of type integer',
    ),
]

REFUSALS = {
    each.name: Scenario(each.name, f"{each.status}: {each.sentence}.", each.act)
    for each in _ALL
}
