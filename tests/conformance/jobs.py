"""The servers that the suite has to judge, each with the claims and requirements for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from operator import itemgetter

from octomil_conformance import runner
from octomil_conformance.backend.witness import Provider
from octomil_conformance.config import parse_claims
from octomil_conformance.requirement import id_through
from octomil_conformance.server.layers import Request, Response, Server, around
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, where_claimed
from octomil_conformance.server.subjects import Subject
from octomil_conformance.server.variants import ALL, all_variants

TIMEOUT = 1.0
"""Seconds that a mutant waits for a backend."""
UNHURRIED = 2.0
"""Seconds that a conformant server waits, which has to pass hundreds of checks in time on a busy machine too."""
LOOK_AT_ALL = {
    *("HTTP-09", "HTTP-11", "HTTP-12", "HTTP-25", "HTTP-32", "HTTP-33"),
    "EMBED-16",
}
"""The requirements with a check that reads the exchanges of all other checks."""
LOOKED_AT = {"FAULT-01", "EMBED-22", "EMBED-26[ollama]"}
"""The requirements whose checks bring the exchanges that those need at level 2: failures of upstreams, an unknown model, many texts."""
TOGETHER = {
    "freedoms of streams": [
        "no_store",
        "more_in_events",
        "bare_final_event",
        "letter_by_letter",
        "no_space",
        "id_after_data",
        "named_events",
        "comments",
        "more_blank_lines",
        "ends_with_done",
        "crlf",
        "split_in_characters",
        "byte_by_byte",
    ],
    "freedoms of answers": [
        "null_fields",
        "more_fields",
        "whole_milliseconds",
        "other_order",
        "spaced_json",
        "other_labels",
        "refuses_with_422",
        "other_challenge",
        "long_request_ids",
        "gzipped",
        "header_case",
        "prompts_stay_whole_ollama",
    ],
    "other freedoms of answers": [
        "fewer_fields",
        "bare_vectors",
        "gateway_is_503",
        "chunked",
        "newer_words_openai",
        "any_key_ollama",
        "cools_down",
        "unknown_methods_are_a_501",
        "json_text_is_ascii",
    ],
    "freedoms that level 2 does not have": [
        "structured_output",
        "zero_milliseconds",
        "one_token",
        "strict_about_types",
        "switches_to_http_2",
        "one_request_a_connection",
    ],
}
"""Conformant servers that use many freedoms at once, the first innermost. They are judged by the highest claims of their freedoms. Each
freedom alone is judged at level 0."""
ONE_UPSTREAM = "one upstream"
"""The name of a conformant server that has only Ollama."""


@dataclass(frozen=True)
class Job:
    name: str
    """The name of a mutant or variant. Any other name is a conformant server."""
    claims: Mapping[str, int]
    only: frozenset[str] = frozenset()
    """Ids such as `STREAM-21` or `STREAM-21[openai]`; empty for all checks of the claims."""
    timeout: float = TIMEOUT


@cache
def upstreams_of(requirement: str) -> tuple[Provider | None, ...]:
    """The upstreams through which the checks of a requirement go. A test shows that they are the same for all of them."""
    every = [each for each in runner.all_checks() if each.requirement.id == requirement]
    return every[0].through


def ids_through(through: Provider | None = None) -> frozenset[str]:
    """The ids of all requirements. If the checks of one go through each upstream, only the id with this upstream, or with the first."""
    checked = {check.requirement.id: check.through for check in runner.all_checks()}
    return frozenset(
        id_through(name, through if through in each else each[0])
        for name, each in checked.items()
    )


def declared(mutant: Subject) -> frozenset[str]:
    """The requirements that a run must find, each with its upstream."""
    return frozenset(
        id_through(name, through)
        for name in mutant.violates
        for through in ([None] if "[" in name else upstreams_of(name))
        if not through or mutant.through in (None, through)
    )


def violated(mutant: Subject) -> frozenset[str]:
    """The requirements to judge a mutant by: those that it violates, each with its upstream.

    Empty, which stands for the whole claim, if one of LOOK_AT_ALL is among them and the claim is below level 2.
    """
    names, small = declared(mutant), max(mutant.claims.values()) < 2
    if LOOK_AT_ALL & names and small:
        return frozenset()
    return names | LOOKED_AT if names <= LOOK_AT_ALL else names


def mutant_jobs() -> list[Job]:
    """Each mutant against the requirements that it violates. A run with --own shows that the others pass."""
    mutants = all_mutants().values()
    return [Job(mutant.name, mutant.claims, violated(mutant)) for mutant in mutants]


def conformant_jobs() -> list[Job]:
    """Conformant servers, the longest runs first."""
    unhurried = partial(Job, timeout=UNHURRIED)
    return [
        unhurried("conformant", parse_claims(ALL.split())),
        *(
            unhurried(
                name, combined(names).claims, ids_through(combined(names).through)
            )
            for name, names in TOGETHER.items()
        ),
        unhurried(ONE_UPSTREAM, {"infer": 2}),
        *(
            unhurried(each.name, _alone(each), _noticed_by(each))
            for each in all_variants().values()
        ),
    ]


def _alone(variant: Subject) -> Mapping[str, int]:
    """The claims for a variant alone: level 0 if it is judged together with others at level 2."""
    if not any(variant.name in names for names in TOGETHER.values()):
        return variant.claims
    return {name: 0 for name in variant.claims if name != "auth"}


def _noticed_by(variant: Subject) -> frozenset[str]:
    """The requirements whose checks may notice that it differs from another server; empty for all."""
    if variant.upstreams is Subject.upstreams:
        return ids_through()  # a layer does not know which upstream answers
    return ids_through(variant.through) if variant.through else frozenset()


def combined(names: Iterable[str]) -> Subject:
    """One server with the layers and the upstreams of all of these variants."""
    parts = [all_variants()[name] for name in names]
    levels = [level for each in parts for level in each.claims.items()]
    # If a part concerns the fallback, the checks that the fallback answers are judged. Layers do not know which one answers.
    through = "openai" if any(each.through == "openai" for each in parts) else None

    def layer(request: Request, server: Server) -> Response:
        for each in parts:
            server = around(server, where_claimed(each.layer, each.claims))
        return server(request)

    def upstreams(given: Upstreams) -> Upstreams:
        for each in parts:
            given = each.upstreams(given)
        return given

    return replace(
        parts[0],
        claims=dict(sorted(levels, key=itemgetter(1))),  # the highest one stays
        layer=layer,
        upstreams=upstreams,
        through=through,
    )
