"""The notation in which a mutant says what it violates."""

import pytest
from octomil_conformance.server.subjects import requirements_in


def test_a_range_stands_for_each_of_its_requirements():
    assert requirements_in("STREAM-09..11 REQ-02 FAULT-04..05[openai]") == [
        *("STREAM-09", "STREAM-10", "STREAM-11"),
        *("REQ-02", "FAULT-04[openai]", "FAULT-05[openai]"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STREAM-9", "expected an id such as HTTP-25 or HTTP-25..29, not 'STREAM-9'"),
        ("REQ-02[ollama", "not 'REQ-02[ollama'"),
        ("REQ-02,REQ-03", "not 'REQ-02,REQ-03'"),
        ("REQ-00", "'REQ-00' names what is not in the spec"),
        ("REQ-01..99", "'REQ-01..99' names what is not in the spec"),
        ("REQ-03..02", "'REQ-03..02': the last number is below the first one"),
        ("REQ-01..03 REQ-02", "'REQ-01..03 REQ-02' names a requirement twice"),
    ],
)
def test_any_other_text_is_an_error(text, message):
    with pytest.raises(ValueError) as raised:
        requirements_in(text)

    assert message in str(raised.value)
