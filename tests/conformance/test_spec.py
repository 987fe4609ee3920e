"""The spec says what the suite and the schemas take it to say, and its examples are true."""

import json
import re

import pytest
from octomil_conformance import schemas, spec, wire
from octomil_conformance.exchange import Chunk, Exchange, Request
from octomil_conformance.requirement import requirement_of
from openapi_spec_validator import validate

EXAMPLE = re.compile(
    r"^```(json|sse) ?(not )?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = EXAMPLE.findall(spec.PROSE.read_text("utf-8"))
JSON_EXAMPLES = [example[1:] for example in EXAMPLES if example[0] == "json"]
STREAMS = [body for kind, _, _, body in EXAMPLES if kind == "sse"]

OURS_AND_BINDING = {"HTTP-16"}
"""What only the spec decides and yet binds everybody; the spec says why."""


def test_openapi_is_openapi():
    validate(spec.openapi())


def test_the_frozen_list_is_the_spec():
    assert list(spec.required()) == list(spec.requirements())
    assert len(spec.requirements()) >= 60


def test_what_is_ours_binds_only_those_who_claim_it():
    binding = {
        each.id
        for each in spec.requirements().values()
        if each.provenance == "ours"
        and each.force == "MUST"
        and not {*each.profiles} <= {"batch", "health"}
    }

    assert binding == OURS_AND_BINDING


def test_every_sentence_is_one():
    for each in spec.requirements().values():
        assert each.text.endswith((".", "?")), each.id
        assert {*each.profiles} <= {*spec.PROFILES}, each.id


def test_every_requirement_can_be_linked_to():
    prose = spec.PROSE.read_text("utf-8")

    assert re.findall(r'<a id="(.+?)"></a>', prose) == list(spec.requirements())


@pytest.mark.parametrize("negation, component, text", JSON_EXAMPLES)
def test_examples_are_what_they_are_called(negation, component, text):
    assert bool(schemas.complaint(component, json.loads(text))) == bool(negation)


@pytest.mark.parametrize("body", STREAMS)
def test_example_streams_can_be_read(body):
    request = Request("POST", "http://x/api/v1/inference/stream", (), b"{}", "stream")
    headers = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))
    chunks = (Chunk(0.1, body.encode()),)
    exchange = Exchange(request, 200, headers, chunks, "complete", 0.2)

    for check in wire.stream.CHECKS:
        check(exchange)
    assert schemas.answer_complaints(exchange) == []


def test_there_are_examples():
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


def test_wire_checks_are_level_0():
    assert {requirement_of(check).level for check in wire.CHECKS} == {0}
