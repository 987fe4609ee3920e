"""Tokens (spec section 2), tried at every endpoint that is claimed."""

import pytest

from octomil_conformance.api import Api, json_bytes
from octomil_conformance.exchange import field
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.completions import is_name

WRONG = "conf-0000-no-token-of-anybody"


@requirement("AUTH-01")
@pytest.mark.parametrize(
    "value", [None, "Bearer ", "Bearer"], ids=["none", "empty", "scheme"]
)
def test_without_a_token_there_is_a_401(api: Api, value: str | None) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": value})

    assert answer.status == 401


@requirement("AUTH-02")
@pytest.mark.parametrize(
    "name, value", [("Authorization", f"Bearer {WRONG}"), ("X-API-Key", WRONG)]
)
def test_with_an_unknown_token_there_is_a_401(api: Api, name: str, value: str) -> None:
    headers = {"Authorization": None, name: value}
    answer = api.send(json_bytes(api.body()), headers=headers)

    assert answer.status == 401


@requirement("AUTH-03")
def test_a_bearer_token_is_accepted(api: Api) -> None:
    answer = api.ask()

    assert answer.status == 200


@requirement("AUTH-04")
def test_an_api_key_is_accepted(api: Api) -> None:
    headers = {"Authorization": None, "X-API-Key": api.token}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    assert answer.status == 200


@requirement("AUTH-05")
def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bearer {api.token}"}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    assert answer.status == 200


@requirement("AUTH-06")
def test_a_401_names_the_scheme(api: Api) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": None})

    assert (answer.header("WWW-Authenticate") or "")[:6].lower() == "bearer"


@requirement("AUTH-07")
def test_a_401_has_an_envelope(api: Api) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": None})

    assert is_name(field(answer.fields, "error")), "a string that is not empty"
    assert is_name(field(answer.fields, "message")), "a string that is not empty"
    assert field(answer.fields, "status_code") == 401


@requirement("AUTH-08")
def test_part_of_a_token_is_unknown(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token[:-1]}"}
    answer = api.send(json_bytes(api.body()), headers=headers)

    assert answer.status == 401


@requirement("AUTH-08")
def test_more_than_a_token_is_unknown(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token}x"}
    answer = api.send(json_bytes(api.body()), headers=headers)

    assert answer.status == 401


@requirement("AUTH-09")
def test_a_large_request_gets_its_401_too(api: Api) -> None:
    body = json_bytes({**api.body(), "padding": "x" * 2_000_000})
    answer = api.send(body, headers={"Authorization": f"Bearer {WRONG}"})

    assert answer.status == 401
