"""Before the first check: does the server answer at all, with this model, this token, and through our backend?"""

from octomil_conformance.api import Api
from octomil_conformance.backend import Backend, environment
from octomil_conformance.backend.interface import BOTH
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import CouldNotTest
from octomil_conformance.exchange import Exchange, field
from octomil_conformance.findings import shown
from octomil_conformance.report.redact import redact
from octomil_conformance.run import Run

MODEL_HINT = "pass --model NAME (and --embed-model NAME), or put `octomil-conformance backend` behind the server"


def preflight(run: Run) -> None:
    """One answer for each claimed endpoint. A claim that is merely broken goes on to the checks; raises CouldNotTest when nothing works."""
    profiles = [name for name in run.config.claims if name != "auth"] or ["infer"]
    answers = {profile: first_answer(run, profile) for profile in profiles}
    for answer in answers.values():
        _require_token(run, answer)
        _require_model(run, answer)
    if all(answer.status == 0 for answer in answers.values()):
        raise CouldNotTest(f"{run.config.url}: {_any(answers).problem}")
    if not all(map(_refused, answers.values())) and not any(
        _good(answer) for answer in answers.values()
    ):
        answer = _any(answers)
        raise CouldNotTest(
            f"{answer.request.url} answered a plain request with {answer.status} {_text(run, answer)}\n{MODEL_HINT}"
        )


def find_wiring(run: Run, backend: Backend) -> frozenset[str]:
    """Which dialects the server calls. Raises CouldNotTest when it calls none, but for one that refuses a good token: the checks say that."""
    profiles = [name for name, level in run.config.claims.items() if level == 2]
    asked = [name for name in profiles if name not in ("auth", "health")]
    if not asked:
        apis = [_ask(run, "health", "")] if "health" in profiles else []
        seen = {call.backend for call in backend.calls("")}
    else:
        scenarios = ("echo", "ollama-500-openai-ok")
        apis = [_ask(run, profile, each) for profile in asked for each in scenarios]
        seen = _callers(backend, apis)
    for first, other in (BOTH, BOTH[::-1]):
        if asked and other not in seen:
            with backend.outage("refuse", backends=(first,)):
                more = [_ask(run, profile, "echo") for profile in asked]
            seen |= _callers(backend, more)
    if not seen and not all(_refused(answer) for api in apis for answer in api.seen):
        raise CouldNotTest(_environment(backend))
    return frozenset(seen)


def _callers(backend: Backend, apis: list[Api]) -> set[Provider]:
    return {call.backend for api in apis for call in backend.calls(api.nonce)}


def _refused(answer: Exchange) -> bool:
    return answer.status in (401, 403)


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
    if not _refused(answer) or _is_known_as_key(run, answer):
        return
    wanted = "refuses this token" if run.config.token else "wants one: pass --token"
    raise CouldNotTest(f"{answer.request.url} answered {answer.status}: it {wanted}")


def _is_known_as_key(run: Run, answer: Exchange) -> bool:
    """Whether the token is good in `X-API-Key`: then the server, not the token, is at fault, and the checks say so."""
    profile = answer.request.profile
    if not run.config.token or profile is None:
        return False
    api = Api(run, profile)
    api.begin(run.config.check_seconds)
    headers = {"Authorization": None, "X-API-Key": run.config.token}
    try:
        if profile == "health":
            return _good(api.get(headers=headers))
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
            f"{answer.request.url} does not know the model {model!r}: {_text(run, answer)}\n{MODEL_HINT}"
        )


def _good(answer: Exchange) -> bool:
    """A redirect is no answer, but a check says that better."""
    return 200 <= answer.status < 400 or (
        answer.request.profile == "health" and answer.status == 503
    )


def _text(run: Run, answer: Exchange) -> str:
    """Without the token, and cut after that."""
    return shown(redact(answer.text, run.config.token))


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
