"""Expectations of checks: what a report shows of them, and what is redacted."""

import re
from functools import partial

import pytest
from octomil_conformance.exchange import MISSING
from octomil_conformance.expect import (
    Finding,
    Want,
    Words,
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


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "got, want, words, shown",
    [
        (500, 200, "", ("500", "200")),
        (500, one_of(200, 201, None), "", ("500", "200, 201 or null")),
        (500, one_of(200), "a success", ("500", "a success")),
        (1, one_of(True, False), "", ("1", "true or false")),
        ({"a": [0]}, {"a": [False]}, "", ('{"a": [0]}', '{"a": [false]}')),
        ("a", none_of("a", MISSING), "", ('"a"', 'anything but "a" or (missing)')),
        (5.5, less_than(5), "", ("5.5", "less than 5")),
        (200, at_least(400), "", ("200", "at least 400")),
        (500, TEXT, "", ("500", "text")),
        (Words("a b"), "c", "", ("a b", '"c"')),
        ("5", 5, "", ('"5"', "5")),
        (
            "caf\u00e9\n\u2028\U000e0067",
            "",
            "",
            ('"caf\u00e9\\n\\u2028\\udb40\\udc67"', '""'),
        ),
        (b"\xef\xbb\xbf\xff", b"", "", (r'"\ufeff\\xff"', '""')),
        ({"a": (True, None)}, [MISSING], "", ('{"a": [true, null]}', "[(missing)]")),
        ({"b", "a"}, set(), "", ('["a", "b"]', "[]")),
        (nested(10_000), 0, "", ("a value that is nested too deeply to be shown", "0")),
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


def test_long_values_are_shown_from_where_they_differ():
    begins = "word " * 1000

    shown = evidence(Finding(f"{begins}ends{'x' * 500}", f"{begins}is cut"))

    assert shown.got.startswith("… word word")
    assert "word is cut" in shown.got
    assert shown.got.endswith("(from character 4940 of 5006 characters)")
    assert "word endsxxx" in shown.want


@pytest.mark.parametrize(
    "text, token, redacted",
    [
        ('Bearer tok {"token": 1}', "tok", 'Bearer [redacted] {"token": 1}'),
        ("xsecret-secrety", "secret-secret", "x[redacted]y"),
        ('{"a": "say \\"hello\\""}', 'say "hello"', '{"a": "[redacted]"}'),
        ("nothing", None, "nothing"),
    ],
)
def test_a_token_is_redacted_and_a_short_one_only_where_it_is_a_word(
    text, token, redacted
):
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
