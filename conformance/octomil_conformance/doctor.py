"""`octomil-conformance doctor URL`: one plain request an endpoint, and what its answer means for a run."""

from pathlib import Path

from octomil_conformance.config import PATHS
from octomil_conformance.configure import from_options
from octomil_conformance.preflight import MODEL_HINT, first_answer
from octomil_conformance.report.redact import redact
from octomil_conformance.report.transcript import curl, seen
from octomil_conformance.run import Run


def examine(
    url: str, token: str | None, model: str | None, embed_model: str | None
) -> int:
    """The exit code. Raises UsageError."""
    given = {"url": url, "token": token, "profiles": list(PATHS)}
    models = {"model": model, "embed_model": embed_model or model}
    run = Run(from_options(given | models, Path.cwd()))
    statuses = []
    for profile in PATHS:
        answer = first_answer(run, profile)
        statuses.append(answer.status)
        for line in (
            f"{profile:<7} {answer.request.url}",
            f"        {seen(answer)}",
            f"        {advice(answer.status, bool(token), answer.end)}",
            f"        {curl(answer)}",
        ):
            print(redact(line, token))
    return 0 if any(200 <= status < 300 for status in statuses) else 3


def advice(status: int, token: bool, end: str) -> str:
    """What an answer to a plain request means for a run."""
    match status:
        case 0:
            return (
                "nothing answers here: is the server running, and is this its address?"
            )
        case 401 | 403:
            return "this token is refused" if token else "pass --token"
        case 404:
            return f"no such endpoint, or no such model: {MODEL_HINT}"
        case 503 | 502 | 504:
            return f"the server cannot reach a model: {MODEL_HINT}"
        case _ if 200 <= status < 300 and end in ("complete", "closed"):
            return "good: this profile can be claimed"
        case _ if 200 <= status < 300:
            return "it answers, but its answer breaks off"
        case _:
            return f"an unexpected answer: {MODEL_HINT}"
