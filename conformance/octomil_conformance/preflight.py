"""Before the first check: the backend is up, and the server answers with this model, this token, and through our backend."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import cast

from octomil_conformance.api import Api, specimens
from octomil_conformance.backend import (
    Backend,
    RemoteBackend,
    ScriptedBackend,
    environment,
)
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Provider
from octomil_conformance.backend.words import find_tag
from octomil_conformance.config import (
    DEFAULT_BACKEND,
    EXTERNAL,
    Config,
    CouldNotTest,
    UsageError,
    address,
)
from octomil_conformance.exchange import Exchange
from octomil_conformance.expect import Finding, shown
from octomil_conformance.report.redact import redact
from octomil_conformance.target import Target
from octomil_conformance.wire.batch import is_failure, results_of

MODEL_HINT = "pass --model NAME (and --embed-model NAME), or put `octomil-conformance backend` behind the server"
PORTS_HINT = "free the port, choose others with --backend and --openai-backend, or use the backend that runs there with --backend external"


@contextmanager
def ready(config: Config, backend: Backend | None = None) -> Iterator[Target]:
    """Yields a target that is ready for checks. Uses `backend` if there is one, and leaves it running.

    Raises UsageError or CouldNotTest.
    """
    with ExitStack() as resources:
        target = Target(config)
        if config.level == 2:
            target.backend = backend or _backend(config, resources)
        preflight(target)
        if target.backend is not None:
            target.wired = find_wiring(target, target.backend)
        yield target


def preflight(target: Target) -> None:
    """One plain request for each claimed endpoint. Raises CouldNotTest if nothing works: checks judge a server that works in part."""
    profiles = [name for name in target.config.claims if name != "auth"] or ["infer"]
    answers = [first_answer(target, profile) for profile in profiles]
    for answer in answers:
        _require_token(target, answer)
        _require_model(target, answer)
    first = answers[0]
    if all(answer.status == 0 for answer in answers):
        raise CouldNotTest(f"{target.config.url}: {first.problem}")
    of_models = [each for each in answers if each.request.profile != "health"]
    if not all(map(_refused, answers)) and not any(map(_good, of_models or answers)):
        raise CouldNotTest(
            f"{first.request.url} answered a plain request with {first.status} {_text(target, first)}\n{_hint(target, first)}"
        )


def _hint(target: Target, answer: Exchange) -> str:
    """What to do about a plain request that fails."""
    nonce = find_tag(answer.request.body.decode()).nonce
    calls = target.backend.calls(nonce) if target.backend else []
    refused = [f"our {call.backend} {why}" for call in calls if (why := call.refusal)]
    return "\n".join(refused) or MODEL_HINT


def refusals(target: Target) -> list[str]:
    """For each claimed profile whose plain request failed: the profile and the failure."""
    profiles = [name for name in target.config.claims if name != "auth"]
    answers = {name: first_answer(target, name) for name in profiles}
    return [
        f"{name} gets {answer.status or answer.problem} {_text(target, answer)}"
        for name, answer in answers.items()
        if not _good(answer)
    ]


def first_answer(target: Target, profile: str) -> Exchange:
    return next(specimens(target, profile))


def find_wiring(target: Target, backend: Backend) -> frozenset[Provider]:
    """The dialects that the server calls. Raises CouldNotTest if it calls none, unless it refuses a good token, which the checks report."""
    profiles = [name for name, level in target.config.claims.items() if level == 2]
    asked = [name for name in profiles if name not in ("auth", "health")]
    if not asked:
        apis = [_ask(target, "health", "")] if "health" in profiles else []
        seen = {call.backend for call in backend.calls("")}
    else:
        apis, seen = [], set()
        for scenario, profile in product(("ollama-500-openai-ok", "echo"), asked):
            if seen < {*BOTH}:
                apis.append(_ask(target, profile, scenario))
                seen |= _called(backend, apis[-1:])
    for first, other in (BOTH, BOTH[::-1]):
        if asked and other not in seen:
            with backend.outage("refuse", backends=(first,)):
                more = [_ask(target, profile, "echo") for profile in asked]
            seen |= _called(backend, more)
    if not seen and not all(_refused(answer) for api in apis for answer in api.seen):
        raise CouldNotTest(_never_called(backend))
    return frozenset(seen)


def _backend(config: Config, resources: ExitStack) -> Backend:
    """The scripted backend, here or where it already runs. `resources` closes it."""
    try:
        if config.backend.startswith(EXTERNAL):
            where = config.backend.removeprefix(EXTERNAL).lstrip(":")
            return cast(Backend, RemoteBackend(where or DEFAULT_BACKEND))
        opened = ScriptedBackend(
            ollama=address(config.backend),
            openai=address(config.openai_backend),
            timeout=config.backend_timeout,
            allow_remote=config.allow_remote,
        )
        return resources.enter_context(opened)
    except ValueError as ex:
        raise UsageError(str(ex)) from ex
    except OSError as ex:
        raise CouldNotTest(f"our backend: {ex}\n{PORTS_HINT}") from ex


def _ask(target: Target, profile: str, scenario: str) -> Api:
    api = Api(target, profile)
    try:
        api.get() if profile == "health" else api.ask(scenario=scenario)
    except Finding:
        pass  # the backend says whether it was called
    return api


def _called(backend: Backend, apis: list[Api]) -> set[Provider]:
    return {call.backend for api in apis for call in backend.calls(api.nonce)}


def _require_token(target: Target, answer: Exchange) -> None:
    if not _refused(answer) or _is_known_as_key(target, answer):
        return
    why = "it requires a token: pass --token"
    if target.config.token:
        why = "it refuses this token"
    raise CouldNotTest(f"{answer.request.url} answered {answer.status}: {why}")


def _is_known_as_key(target: Target, answer: Exchange) -> bool:
    """True if the token is good in `X-API-Key`: then the server is at fault, not the token, and the checks say so."""
    profile = answer.request.profile
    if not target.config.token or profile is None:
        return False
    api = Api(target, profile)
    headers = {"Authorization": None, "X-API-Key": target.config.token}
    try:
        if profile == "health":
            return _good(api.get(headers=headers))
        return _good(api.ask_raw(answer.request.body, headers))
    except Finding:
        return False


def _require_model(target: Target, answer: Exchange) -> None:
    if answer.status not in (400, 404, 422) or answer.request.profile == "health":
        return
    model = answer.request.fields["model_id"]
    missing = answer.field("code") == "model_not_found"
    if missing or (isinstance(model, str) and model in answer.text):
        raise CouldNotTest(
            f"{answer.request.url} does not know the model {model!r}: {_text(target, answer)}\n{MODEL_HINT}"
        )


def _refused(answer: Exchange) -> bool:
    return answer.status in (401, 403)


def _good(answer: Exchange) -> bool:
    """True for a redirect too, which a check reports better. False for a batch whose inputs all failed."""
    results = results_of(answer)
    if results and all(map(is_failure, results)):
        return False
    return 200 <= answer.status < 400 or (
        answer.request.profile == "health" and answer.status == 503
    )


def _text(target: Target, answer: Exchange) -> str:
    """The beginning of the body. The token is removed before the body is cut."""
    return shown(redact(answer.text, target.config.token))


def _never_called(backend: Backend) -> str:
    lines = [
        "the server never called our backend; start it with",
        *(f"  {name}={value}" for name, value in environment(backend).items()),
        "or say with --backend and --openai-backend where it does call",
    ]
    unknown = ", which the scripted backend does not have"
    lines += [f"it called {each} there{unknown}" for each in backend.unknown()]
    return "\n".join(lines)
