"""Who may call: those with a token, by either of two headers; and anyone where a resource is public."""

import falcon
import falcon.testing
import pytest

from octomil_ref.auth import Auth
from octomil_ref.errors import Unauthorized

AUTH = Auth(["first-token", "s\u00e9cond"])

RIGHT = {
    "a Bearer token": {"Authorization": "Bearer first-token"},
    "a scheme in lower case": {"Authorization": "bearer first-token"},
    "a scheme in capitals": {"Authorization": "BEARER first-token"},
    "more spaces": {"Authorization": "Bearer   first-token "},
    "an API key": {"X-API-Key": "first-token"},
    "another of the tokens": {"X-API-Key": "s\u00e9cond".encode().decode("latin-1")},
    "a right key beside a wrong token": {
        "Authorization": "Bearer wrong",
        "X-API-Key": "first-token",
    },
    "a right token beside a wrong key": {
        "Authorization": "Bearer first-token",
        "X-API-Key": "wrong",
    },
    "a right key beside another scheme": {
        "Authorization": "Basic Zmlyc3Q6dG9rZW4=",
        "X-API-Key": "first-token",
    },
}

WRONG = {
    "nothing": {},
    "another token": {"Authorization": "Bearer other-token"},
    "the beginning of a token": {"Authorization": "Bearer first"},
    "more than a token": {"Authorization": "Bearer first-token-and-more"},
    "a token in another case": {"Authorization": "Bearer FIRST-TOKEN"},
    "a scheme alone": {"Authorization": "Bearer"},
    "an empty token": {"Authorization": "Bearer "},
    "another scheme": {"Authorization": "Basic first-token"},
    "a token without a scheme": {"Authorization": "first-token"},
    "an empty key": {"X-API-Key": ""},
    "a key with a scheme": {"X-API-Key": "Bearer first-token"},
    "bytes that are no UTF-8": {"X-API-Key": "\xff"},
}


class Private:
    """A resource that says nothing of who may call."""


class Public:
    public = True


def ask(auth: Auth, headers: dict[str, str], resource: object, **given: str) -> None:
    req = falcon.testing.create_req(headers=headers, **given)
    auth.process_resource(req, falcon.Response(), resource, {})


@pytest.mark.parametrize("headers", RIGHT.values(), ids=RIGHT)
def test_a_request_is_let_in_with(headers):
    ask(AUTH, headers, Private())


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_a_request_is_turned_away_with(headers):
    with pytest.raises(Unauthorized) as caught:
        ask(AUTH, headers, Private())

    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'" in caught.value.message


@pytest.mark.parametrize("headers", [*WRONG.values()], ids=WRONG)
def test_nobody_is_let_in_where_there_are_no_tokens(headers):
    with pytest.raises(Unauthorized):
        ask(Auth([]), headers, Private())


def test_a_public_resource_needs_no_token():
    ask(AUTH, {}, Public())


def test_a_preflight_needs_no_token():
    ask(AUTH, {}, Private(), method="OPTIONS")
