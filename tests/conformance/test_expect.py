"""Expectations of checks: what a report shows of them, and what is redacted."""

import re
from functools import partial

import pytest
from octomil_conformance.expect import (
    Finding,
    Want,
    at_least,
    collected,
    evidence,
    expect,
    less_than,
    none_of,
    one_of,
)
from octomil_conformance.report.redact import redact, redact_pieces

TEXT = Want("text", lambda value: isinstance(value, str))


@pytest.mark.parametrize(
    "got, want, words, shown",
    [
        (500, 200, "", ("500", "200")),
        (500, one_of(200, 201), "", ("500", "one of (200, 201)")),
        (500, one_of(200, 201), "a success", ("500", "a success")),
        ("a", none_of("a", None), "", ("a", "other than 'a' or None")),
        (5.5, less_than(5), "", ("5.5", "less than 5")),
        (200, at_least(400), "", ("200", "at least 400")),
        (500, TEXT, "", ("500", "text")),
        ("a b", "c", "", ("a b", "'c'")),
        ("5", 5, "", ("'5'", "5")),
        ("false", False, "", ("'false'", "False")),
        ("null", None, "", ("'null'", "None")),
        ("", "c", "", ("''", "'c'")),
    ],
)
def test_evidence_is_what_was_got_and_wanted(got, want, words, shown):
    with pytest.raises(Finding) as failed:
        expect(got, want, words)

    assert tuple(vars(evidence(failed.value)).values()) == shown


def test_all_findings_of_a_check_can_be_collected():
    with collected() as findings:
        expect(1, 2)
        expect(2, 2)
        expect(3, 4)

    assert [finding.got for finding in findings] == ["1", "3"]


@pytest.mark.parametrize("before", range(150, 310, 10))
def test_a_long_value_is_shortened_without_showing_a_part_of_a_token(before):
    text = "x" * before + "a-token-of-someone" + "y" * 310

    shown = evidence(Finding("", text), partial(redact, token="a-token-of-someone"))

    assert len(shown.got) < 400
    assert re.findall("a-tok|meone", shown.got) == []


@pytest.mark.parametrize(
    "text, token, redacted",
    [
        ('Bearer tok {"token": 1}', "tok", 'Bearer [redacted] {"token": 1}'),
        ("xsecret-secrety", "secret-secret", "x[redacted]y"),
        ('{"a": "say \\"hello\\""}', 'say "hello"', '{"a": "[redacted]"}'),
        ("nothing", None, "nothing"),
    ],
)
def test_a_short_token_is_redacted_only_where_it_is_a_word(text, token, redacted):
    assert redact(text, token) == redacted


@pytest.mark.parametrize(
    "pieces, token, masked",
    [
        ([b"a secret-token b"], "secret-token", [b"a [redacted] b"]),
        (
            [b"a secr", b"et-tok", b"en b"],
            "secret-token",
            [b"a [redacted]", b"", b" b"],
        ),
        ([b"secret-token", b"secret-token"], "secret-token", [b"[redacted]"] * 2),
        ([b"a tok", b" b token"], "tok", [b"a [redacted]", b" b token"]),
        ([b"p\xc3\xa4", b"sswort \xff"], "p\u00e4sswort", [b"[redacted]", b" \xff"]),
        ([b"as ", b"it is"], None, [b"as ", b"it is"]),
        ([], "secret-token", []),
    ],
)
def test_a_token_across_pieces_is_masked_where_it_begins(pieces, token, masked):
    assert redact_pieces(pieces, token) == masked
