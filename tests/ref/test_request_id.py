"""Each request has an id: the client's own where it is short and plain, else a new one."""

import pytest
from builders import app_client


def answered_id(given: str | None) -> str:
    headers = {} if given is None else {"X-Request-Id": given}
    return app_client().simulate_get("/health", headers=headers).headers["x-request-id"]


@pytest.mark.parametrize("given", ["7", "trace-1:a/b", "!~", "x" * 128])
def test_an_id_that_is_short_and_plain_is_kept(given):
    assert answered_id(given) == given


@pytest.mark.parametrize(
    "given",
    [None, "", "x" * 129, "a b", "a\tb", "a\nb", "a\x7fb", "caf\xe9"],
    ids=["none", "empty", "long", "space", "tab", "newline", "control", "not ASCII"],
)
def test_else_the_server_makes_one(given):
    request_id = answered_id(given)

    assert len(request_id) == 32 and request_id.isalnum()


def test_each_request_gets_an_id_of_its_own():
    assert answered_id(None) != answered_id(None)


def test_an_error_carries_the_id_in_its_body_too():
    answer = app_client().simulate_get("/nowhere", headers={"X-Request-Id": "mine"})

    assert answer.headers["x-request-id"] == "mine"
    assert answer.json["request_id"] == "mine"
