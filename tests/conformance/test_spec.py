"""The spec, openapi.json, checks and mutants agree: nothing is missing in any direction, and the examples of the spec are right."""

import ast
import hashlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from octomil_conformance import schemas, spec
from octomil_conformance.exchange import Chunk, Exchange, Request
from octomil_conformance.requirement import checks_in
from octomil_conformance.runner import all_checks
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.subjects import requirements_in
from octomil_conformance.server.variants import all_variants
from octomil_conformance.wire import stream
from openapi_spec_validator import validate

EXAMPLE = re.compile(
    r"^```(json|sse) ?(not )?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
PROSE = spec.PROSE.read_text("utf-8")
REQUIREMENTS = spec.requirements()
EXAMPLES = EXAMPLE.findall(PROSE)
JSON_EXAMPLES = [example[1:] for example in EXAMPLES if example[0] == "json"]
STREAMS = [body for kind, _, _, body in EXAMPLES if kind == "sse"]

DOCUMENT = spec.openapi()
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
FAILURES = DOCUMENT["components"]["responses"]["Failure"]["x-failures"]

NOT_ABOUT_THE_FIELD = {
    ("REQ-14", "messages"): "there it is the name of a parameter",
    ("INFER-06", "stop"): "there it is a value",
    ("HTTP-17", "text"): "there it is half a media type",
    ("STREAM-01", "text"): "there it is half a media type",
}
"""Requirements that contain the name of a field but do not refer to it."""

OURS_AND_BINDING = {
    *("HTTP-16", "HTTP-36", "HTTP-37", "STREAM-36", "FALLBACK-12"),
    *("REQ-21", "REQ-24", "REQ-25", "INFER-11"),
}
"""MUSTs of `ours` outside of batch and health. The spec says why."""


def test_openapi_is_openapi():
    validate(spec.openapi())


def objects(value: object) -> Iterator[dict[str, Any]]:
    """All objects in a value. A reference is replaced by the object that it refers to."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item)
    if isinstance(value, dict):
        yield value
        if reference := value.get("$ref"):
            *_, kind, name = reference.split("/")
            yield from objects(DOCUMENT["components"][kind][name])
        for inner in value.values():
            yield from objects(inner)


def fields(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named fields of all schemas in a value, except fields that never occur."""
    for each in objects(value):
        if isinstance(properties := each.get("properties"), dict):
            for name, schema in properties.items():
                if schema != {"type": "null"}:
                    yield name, schema


def test_every_id_in_openapi_is_a_requirement():
    named = {name for o in objects(DOCUMENT) for name in o.get("x-requirements", [])}

    assert named <= REQUIREMENTS.keys()
    assert len(named) >= 80


@pytest.mark.parametrize("profile", [p for p in spec.PROFILES if p != "auth"])
def test_a_requirement_that_names_a_field_is_listed_at_that_field(profile):
    there = [
        (name, requirement)
        for name, schema in fields(OPERATIONS[profile])
        for requirement in schema.get("x-requirements", [])
    ]
    names = {name for name, _ in fields(OPERATIONS[profile])}
    wanted = {
        (name, each.id)
        for each in REQUIREMENTS.values()
        if profile in each.profiles
        for code in re.findall("`(.+?)`", each.text)
        for name in names & {*re.findall(r"\w+", code)}
        if (each.id, name) not in NOT_ABOUT_THE_FIELD
    }

    assert wanted - {*there} == set()
    assert len(wanted) >= 4


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_field_is_described(name):
    found = [*fields(DOCUMENT["components"]["schemas"][name])]

    described = {
        field
        for field, schema in found
        if any(each.get("description") for each in objects(schema))
    }
    assert described == {field for field, _ in found}


def test_example_requests_are_valid():
    examples = {
        profile: content["application/json"]["example"]
        for profile, operation in OPERATIONS.items()
        if (content := operation.get("requestBody", {}).get("content"))
    }

    assert examples.keys() == schemas.REQUESTS.keys()
    for profile, body in examples.items():
        schemas.require_valid_request(profile, json.dumps(body).encode())


def test_the_failures_have_the_classes_and_codes_of_the_prose():
    text = PROSE[PROSE.index("The classes by status:") : PROSE.index("### 1.4")]
    classes, codes = text.split("The codes that SDKs know:")

    told = {(each["status"], each["error"]) for each in FAILURES}
    assert told == {(int(s), e) for s, e in re.findall(r"(\d{3})\s`(\w+)`", classes)}
    assert {each["code"] for each in FAILURES} == {*re.findall(r"`(\w+)`", codes)}


# Sentences, requirements, checks and mutants


def test_every_sentence_with_an_id_is_a_requirement_with_a_link():
    assert re.findall(r"^\*\*\[([^]]+)\]\*\*", PROSE, re.MULTILINE) == [*REQUIREMENTS]
    assert re.findall(r'<a id="(.+?)"></a>', PROSE) == [*REQUIREMENTS]


def test_every_id_in_the_text_is_a_requirement():
    assert {*re.findall(r"\b[A-Z]+-\d\d\b", PROSE)} == REQUIREMENTS.keys()


def test_must_and_should_are_in_requirements_only():
    sentences = [line for line in PROSE.splitlines() if line.startswith("**[")]
    elsewhere = PROSE[PROSE.index("## 1.") :]
    for sentence in sentences:
        elsewhere = elsewhere.replace(sentence, "")

    assert re.findall(r".*\b(?:MUST|SHOULD)\b.*", elsewhere) == []


def test_every_requirement_is_a_sentence_under_a_heading():
    for each in REQUIREMENTS.values():
        assert each.text.endswith((".", "?")), each.id
        assert re.match(r"\d+\. \w", each.section), each.id
        assert {*each.profiles} <= {*spec.PROFILES}, each.id


def test_the_lists_of_the_versions_are_the_requirements():
    """Each requirement is in exactly one list. A new one is in the list of the newest version."""
    listed = [name for names in spec.additions().values() for name in names]

    assert sorted(listed) == sorted(REQUIREMENTS)


def test_the_newest_list_is_that_of_this_version():
    assert [*spec.additions()][-1] == spec.VERSION
    assert DOCUMENT["info"]["version"] == spec.VERSION
    title = f"# Octomil Cloud Inference API, specification {spec.VERSION}\n"
    assert PROSE.startswith(title)


def test_the_requirements_of_1_0_stay_as_they_were():
    """Their ids, levels, profiles, and where they come from. Sentences may be reworded."""
    released = {name: REQUIREMENTS[name] for name in spec.additions()["1.0"]}
    facts = [
        (name, each.force, each.profiles, each.level, each.provenance)
        for name, each in sorted(released.items())
    ]

    assert len(facts) == 159
    assert hashlib.sha256(repr(facts).encode()).hexdigest()[:16] == "f0cdcd16712c9597"


def test_what_only_the_spec_decides_binds_only_those_who_claim_it():
    binding = {
        each.id
        for each in REQUIREMENTS.values()
        if each.provenance == "ours"
        and each.force == "MUST"
        and not {*each.profiles} <= {"batch", "health"}
    }

    assert binding == OURS_AND_BINDING


def test_every_requirement_has_a_check_or_a_reason_and_no_other_has_one(counts):
    checked = {check.requirement.id for check in all_checks()}
    untestable = {name for name, each in REQUIREMENTS.items() if each.untestable}
    counts["requirements"] = f"{len(REQUIREMENTS)}, {len(untestable)} untestable"
    counts["checks"] = len(all_checks())
    counts["variants"] = len(all_variants())

    assert checked | untestable == REQUIREMENTS.keys()
    assert checked & untestable == set()


def test_every_checked_requirement_is_broken_by_a_mutant():
    checked = {check.requirement.id for check in all_checks()}

    violated = {name for each in all_mutants().values() for name in each.violates}
    assert {name.partition("[")[0] for name in violated} == checked


@pytest.mark.parametrize("check", all_checks(), ids=lambda each: each.name)
def test_a_check_decides_nothing_but_what_it_expects(check):
    source = textwrap.dedent(inspect.getsource(check.function))
    words = {type(node).__name__ for node in ast.walk(ast.parse(source))}

    assert not words & {"If", "Try", "While", "Raise", "Assert"}
    assert "expect(" in source


# Examples


@pytest.mark.parametrize("negation, component, text", JSON_EXAMPLES)
def test_examples_are_valid_unless_they_are_marked_with_not(negation, component, text):
    assert bool(schemas.complaint(component, json.loads(text))) == bool(negation)


@pytest.mark.parametrize("body", STREAMS)
def test_example_streams_can_be_read(body):
    request = Request("POST", "http://x/api/v1/inference/stream", (), b"{}", "stream")
    headers = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))
    chunks = (Chunk(0.1, body.encode()),)
    exchange = Exchange(request, 200, headers, chunks, "complete", 0.2)

    for check in checks_in(stream):
        check(exchange)
    assert schemas.schema_complaints(exchange) == []


def test_the_spec_has_examples():
    assert len(JSON_EXAMPLES) >= 12
    assert len(STREAMS) >= 2


@pytest.mark.parametrize(
    "prose",
    [
        "**[A-01]** MUST *(infer, level 0, doc)*: x.\n**[A-01]** MUST *(infer, level 0, doc)*: y.",
        "**[A-01]** MAY *(infer, level 0, doc)*: x.",
        "**[A-01]** MUST *(infer, doc)*: x.",
    ],
)
def test_a_spec_that_is_misspelt_is_not_read(prose):
    with pytest.raises(ValueError, match="A-01"):
        spec.parse(prose)


@pytest.mark.parametrize(
    "text, message",
    [
        ("STREAM-9", "expected an id such as HTTP-25 or HTTP-25..29, not 'STREAM-9'"),
        ("REQ-02[ollama", "not 'REQ-02[ollama'"),
        ("REQ-02,REQ-03", "not 'REQ-02,REQ-03'"),
        ("REQ-01..99", "'REQ-01..99' names what is not in the spec"),
        ("REQ-03..02", "'REQ-03..02': the last number is below the first one"),
        ("REQ-01..03 REQ-02", "'REQ-01..03 REQ-02' names a requirement twice"),
    ],
)
def test_what_a_mutant_violates_cannot_be_misspelt(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        requirements_in(text)
