"""Tokens (spec section 2), tried at every claimed endpoint."""

from octomil_conformance.api import Api, json_bytes
from octomil_conformance.exchange import field
from octomil_conformance.expect import expect
from octomil_conformance.requirement import requirement
from octomil_conformance.wire.common import NAME

WRONG = "conf-0000-an-unknown-token"


@requirement("AUTH-01", {"none": None, "empty": "Bearer ", "scheme": "Bearer"})
def without_a_token_there_is_a_401(api: Api, value: str | None) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": value})

    expect(answer.status, 401)


@requirement("AUTH-02", [("Authorization", f"Bearer {WRONG}"), ("X-API-Key", WRONG)])
def with_an_unknown_token_there_is_a_401(api: Api, name: str, value: str) -> None:
    headers = {"Authorization": None, name: value}
    answer = api.send(json_bytes(api.body()), headers=headers)

    expect(answer.status, 401)


@requirement("AUTH-03")
def a_bearer_token_is_accepted(api: Api) -> None:
    answer = api.ask()

    expect(answer.status, 200)


@requirement("AUTH-04")
def an_api_key_is_accepted(api: Api) -> None:
    headers = {"Authorization": None, "X-API-Key": api.token}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    expect(answer.status, 200)


@requirement("AUTH-05")
def the_scheme_may_be_written_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bearer {api.token}"}
    answer = api.ask_raw(json_bytes(api.body()), headers)

    expect(answer.status, 200)


@requirement("AUTH-06")
def a_401_names_the_scheme(api: Api) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": None})

    expect((answer.header("WWW-Authenticate") or "")[:6].lower(), "bearer")


@requirement("AUTH-07")
def a_401_has_an_envelope(api: Api) -> None:
    answer = api.send(json_bytes(api.body()), headers={"Authorization": None})

    expect(field(answer.fields, "error"), NAME)
    expect(field(answer.fields, "message"), NAME)
    expect(field(answer.fields, "status_code"), 401)


@requirement("AUTH-08")
def part_of_a_token_is_unknown(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token[:-1]}"}
    answer = api.send(json_bytes(api.body()), headers=headers)

    expect(answer.status, 401)


@requirement("AUTH-08")
def more_than_a_token_is_unknown(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token}x"}
    answer = api.send(json_bytes(api.body()), headers=headers)

    expect(answer.status, 401)


@requirement("AUTH-09")
def a_large_request_gets_a_401_too(api: Api) -> None:
    body = json_bytes({**api.body(), "padding": "x" * 2_000_000})
    answer = api.send(body, headers={"Authorization": f"Bearer {WRONG}"})

    expect(answer.status, 401)
