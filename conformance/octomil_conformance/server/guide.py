"""The text that `octomil-conformance serve` prints: lines to paste, and lists. Pure."""

import json
import shlex
from collections.abc import Iterable

from octomil_conformance.server.subjects import Subject

MODEL = "any"
PROMPT = "one two three"

_GUIDE = """
Octomil API on {url}/api/v1   (Ctrl-C stops it)
{what}
Token: {token}

curl:
  {stream}
  {embeddings}

The Python SDK (pip install octomil, best in an environment of its own):
  import os
  os.environ["OCTOMIL_API_BASE"] = "{url}/api/v1"  # before the import
  from octomil import OctomilClient, OrgApiKeyAuth
  auth = OrgApiKeyAuth(api_key={key!r}, org_id="test", api_base="{url}/api/v1")
  for token in OctomilClient(auth=auth).stream_predict("{model}", "{prompt}"):
      print(token)
"""


def guide(url: str, token: str, subject: Subject | None, scenario: str) -> str:
    """`url` without `/api/v1`. Without a `scenario` the model's name chooses it."""

    def curl(path: str, body: dict[str, object]) -> str:
        auth = f"-H {shlex.quote(f'Authorization: Bearer {token}')} " if token else ""
        data = shlex.quote(json.dumps({"model_id": MODEL, **body}))
        return f"curl -sN {url}/api/v1{path} {auth}-H 'Content-Type: application/json' -d {data}"  # fmt: skip

    return _GUIDE.format(
        url=url,
        what="\n".join(_what(subject, scenario)),
        token=token or "not needed",
        key=token or "any",
        stream=curl("/inference/stream", {"input_data": PROMPT}),
        embeddings=curl("/embeddings", {"input": ["apple", "pear"]}),
        model=MODEL,
        prompt=PROMPT,
    )


def _what(subject: Subject | None, scenario: str) -> Iterable[str]:
    if subject:
        kind = "Mutant" if subject.violates else "Variant"
        breaks = ", ".join(sorted(subject.violates)) or "nothing"
        yield f"{kind} {subject.name}: {subject.sentence}"
        yield f"  at {_endpoints(subject)}; breaks {breaks}"
    otherwise = (subject.shows if subject else None) or "echo"
    if scenario:
        yield f"Every model is answered as in the scenario {scenario}."
    else:
        yield f"Model conf-NAME is answered as in the scenario NAME, any other as in {otherwise}."  # fmt: skip


def listing(
    scenarios: dict[str, str], variants: Iterable[Subject], mutants: Iterable[Subject]
) -> str:
    mutants = list(mutants)
    offered = [each for each in mutants if each.shows]
    parts = {
        "Scenarios: --scenario NAME, or the model conf-NAME. http-NNN is the upstream's status, status-NNN the server's own.": [(name, "", sentence) for name, sentence in scenarios.items()],
        "Variants: --variant NAME. All are conformant: a client has to read them.": [(each.name, _endpoints(each), each.sentence) for each in variants],
        "Mutants: --mutant NAME. Each breaks the spec in one way.": [(each.name, _endpoints(each), _bug(each)) for each in offered],
    }  # fmt: skip
    lines = [line for title, rows in parts.items() for line in ["", title, *_table(rows)]]  # fmt: skip
    rest = f"{len(mutants) - len(offered)} more mutants are not offered: only the upstream meets their bug, or a client during an outage."  # fmt: skip
    return "\n".join([*lines[1:], "", rest])


def _table(rows: list[tuple[str, str, str]]) -> list[str]:
    name, endpoints = (max(len(row[column]) for row in rows) + 2 for column in (0, 1))
    return [f"  {row[0]:<{name}}{row[1]:<{endpoints}}{row[2]}" for row in rows]


def _bug(mutant: Subject) -> str:
    seen = "" if mutant.shows == "echo" else f" (scenario {mutant.shows})"
    return mutant.sentence + seen


def _endpoints(subject: Subject) -> str:
    return ", ".join(subject.claims) if len(subject.claims) < 5 else "all"
