"""Before the first check: does the server answer at all, with this model, this token, and through our backend?"""

from octomil_conformance.api import Api
from octomil_conformance.backend import Backend, environment
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.exchange import Exchange, field
from octomil_conformance.run import Run

MODEL_HINT = "pass --model NAME (and --embed-model NAME), or put `octomil-conformance backend` behind the server"


class CouldNotTest(Exception):
    """There is nothing to judge. The message says what to do."""


def preflight(run: Run) -> None:
    """One answer for each claimed endpoint. A claim that is merely broken goes on to the checks; raises CouldNotTest when nothing works."""
    profiles = [name for name in run.config.claims if name != "auth"] or ["infer"]
    answers = {profile: first_answer(run, profile) for profile in profiles}
    for answer in answers.values():
        _require_token(run, answer)
        _require_model(run, answer)
    if all(answer.status == 0 for answer in answers.values()):
        raise CouldNotTest(f"{run.config.url}: {_any(answers).problem}")
    refused = all(answer.status in (401, 403) for answer in answers.values())
    if not refused and not any(_good(answer) for answer in answers.values()):
        answer = _any(answers)
        raise CouldNotTest(
            f"{answer.request.url} answered a plain request with {answer.status} {answer.text[:300]}\n{MODEL_HINT}"
        )


def find_wiring(run: Run, backend: Backend) -> frozenset[str]:
    """Which dialects the server calls. Raises CouldNotTest when it calls none."""
    profiles = [name for name, level in run.config.claims.items() if level == 2]
    asked = [name for name in profiles if name not in ("auth", "health")]
    seen: set[str] = set()
    for profile in asked or profiles:
        seen |= _called(run, backend, profile, ("echo", "ollama-500-openai-ok"))
    for first, other in (BOTH, BOTH[::-1]):
        if asked and other not in seen:
            with backend.outage("refuse", backends=(first,)):
                apis = [_ask(run, profile, "echo") for profile in asked]
            seen |= {call.backend for api in apis for call in backend.calls(api.nonce)}
    if not seen:
        raise CouldNotTest(_environment(backend))
    return frozenset(seen)


def _called(
    run: Run, backend: Backend, profile: str, scenarios: tuple[str, ...]
) -> set[str]:
    if profile == "health":
        _ask(run, profile, "")
        return {call.backend for call in backend.calls("")}
    apis = [_ask(run, profile, scenario) for scenario in scenarios]
    return {call.backend for api in apis for call in backend.calls(api.nonce)}


def _ask(run: Run, profile: str, scenario: str) -> Api:
    api = Api(run, profile)
    api.begin(run.config.check_seconds)
    try:
        api.get() if profile == "health" else api.ask(scenario=scenario)
    except AssertionError:
        pass  # the witness tells
    return api


def first_answer(run: Run, profile: str) -> Exchange:
    api = Api(run, profile)
    api.begin(run.config.check_seconds)
    return next(run.specimens(api))


def _require_token(run: Run, answer: Exchange) -> None:
    if answer.status not in (401, 403) or _is_known_as_key(run, answer):
        return
    wanted = "refuses this token" if run.config.token else "wants one: pass --token"
    raise CouldNotTest(f"{answer.request.url} answered {answer.status}: it {wanted}")


def _is_known_as_key(run: Run, answer: Exchange) -> bool:
    """Whether the token is good in `X-API-Key`: then the server, not the token, is at fault, and the checks say so."""
    profile = answer.request.profile
    if not run.config.token or profile in (None, "health"):
        return False
    api = Api(run, str(profile))
    api.begin(run.config.check_seconds)
    headers = {"Authorization": None, "X-API-Key": run.config.token}
    try:
        return _good(api.ask_raw(answer.request.body, headers))
    except AssertionError:
        return False


def _require_model(run: Run, answer: Exchange) -> None:
    if answer.status not in (400, 404, 422) or answer.request.profile == "health":
        return
    model = answer.request.fields["model_id"]
    missing = field(answer.fields, "code") == "model_not_found"
    if missing or (isinstance(model, str) and model in answer.text):
        raise CouldNotTest(
            f"{answer.request.url} does not know the model {model!r}: {answer.text[:200]}\n{MODEL_HINT}"
        )


def _good(answer: Exchange) -> bool:
    """A redirect is no answer, but a check says that better."""
    return 200 <= answer.status < 400 or (
        answer.request.profile == "health" and answer.status == 503
    )


def _any(answers: dict[str, Exchange]) -> Exchange:
    return next(iter(answers.values()))


def _environment(backend: Backend) -> str:
    lines = [f"  {name}={value}" for name, value in environment(backend).items()]
    return "\n".join(
        [
            "the server never called our backend; start it with",
            *lines,
            "or say where it does call with --backend and --openai-backend",
        ]
    )
