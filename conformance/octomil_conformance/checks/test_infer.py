"""Single answers of the model (spec section 4); what clients can read of them is in wire/infer.py."""

from octomil_conformance.api import Api
from octomil_conformance.backend import UNICODE_TOKENS
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement


@requirement("INFER-08")
def test_output_is_what_the_model_said(api: Api) -> None:
    answer = api.ask(scenario="unicode")

    assert field(answer.fields, "output") == "".join(UNICODE_TOKENS)


@requirement("INFER-09")
def test_an_empty_answer_is_an_answer(api: Api) -> None:
    answer = api.ask(scenario="empty")

    assert answer.status == 200
    assert field(answer.fields, "output") == ""


@requirement("INFER-10")
def test_an_answer_that_was_cut_short_says_so(api: Api) -> None:
    answer = api.ask("one two three", scenario="echo", parameters={"max_tokens": 2})

    assert field(answer.fields, "finish_reason") == "length"
