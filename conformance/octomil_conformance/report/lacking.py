"""What recordings do not show. Nobody asked it of them: it changes no verdict, but it is told."""

from collections.abc import Iterator

from octomil_conformance.run import Run, Verdict


def is_lacking(run: Run, verdict: Verdict) -> bool:
    return run.recorded and verdict.outcome == "untestable"


def lacking(run: Run) -> Iterator[str]:
    """A line for each thing that some recordings lack."""
    found: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        if is_lacking(run, verdict):
            found.setdefault(verdict.reason, []).append(verdict)
    for reason, verdicts in found.items():
        names = dict.fromkeys(verdict.requirement.id for verdict in verdicts)
        count = len({id(verdict.exchanges[0]) for verdict in verdicts})
        answers = f"{count} answer{'s' * (count != 1)}"
        yield f"not judged: {', '.join(names)} of {answers}: {reason}"
