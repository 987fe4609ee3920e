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
        headers = [f"Authorization: Bearer {token}"] if token else []
        headers.append("Content-Type: application/json")
        sent = " ".join(f"-H {shlex.quote(header)}" for header in headers)
        data = shlex.quote(json.dumps({"model_id": MODEL, **body}))
        return f"curl -sN {url}/api/v1{path} {sent} -d {data}"

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
        yield "Model conf-NAME is answered as in the scenario NAME,"
        yield f"any other as in {otherwise}."


_LISTING = """
Scenarios: --scenario NAME, or the model conf-NAME. http-NNN is the upstream's status, status-NNN the server's own.
{scenarios}

Variants: --variant NAME. All are conformant: a client has to read them.
{variants}

Mutants: --mutant NAME. Each breaks the spec in one way.
{mutants}

{others} more mutants are not offered: only the upstream meets their bug, or a client during an outage.
"""


def listing(
    scenarios: dict[str, str], variants: Iterable[Subject], mutants: Iterable[Subject]
) -> str:
    mutants = list(mutants)
    offered = [each for each in mutants if each.shows]
    return _LISTING.strip().format(
        scenarios=_table((name, "", words) for name, words in scenarios.items()),
        variants=_table(
            (each.name, _endpoints(each), each.sentence) for each in variants
        ),
        mutants=_table((each.name, _endpoints(each), _bug(each)) for each in offered),
        others=len(mutants) - len(offered),
    )


def _table(rows: Iterable[tuple[str, str, str]]) -> str:
    rows = list(rows)
    first, second = (max(len(row[column]) for row in rows) + 2 for column in (0, 1))
    lines = [f"  {name:<{first}}{at:<{second}}{words}" for name, at, words in rows]
    return "\n".join(lines)


def _bug(mutant: Subject) -> str:
    seen = "" if mutant.shows == "echo" else f" (scenario {mutant.shows})"
    return mutant.sentence + seen


def _endpoints(subject: Subject) -> str:
    return ", ".join(subject.claims) if len(subject.claims) < 5 else "all"
