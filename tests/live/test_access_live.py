"""Who may call, seen from outside: tokens in headers as real clients send them, and browsers' preflights."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from dialects import ollama_chat
from processes import serve
from reference import (
    ASK,
    PATIENCE,
    TOKEN,
    Reference,
    client_of,
    http_request,
    receive_all,
    reference,
)

ORIGIN = "https://app.example.com"
ENDPOINTS = ["/inference", "/inference/stream", "/inference/batch", "/embeddings"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bEARER  {TOKEN}"},
        {"X-API-Key": TOKEN},
        {"X-API-Key": TOKEN, "Authorization": "Basic dXNlcjpwYXNz"},
    ],
)
def test_a_token_is_taken_in_every_way_it_is_sent(
    server: Reference, headers: dict[str, str]
) -> None:
    server.ollama.on("/api/chat", ollama_chat())

    with client_of(server.url, headers) as client:
        answer = client.post("/inference", json=ASK)

    assert answer.status_code == 200


WRONG: list[dict[str, str]] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": TOKEN},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"X-API-Key": ""},
    {"X-API-Key": f"Bearer {TOKEN}"},
]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("headers", WRONG)
def test_without_a_right_token_nothing_is_run(
    server: Reference, headers: dict[str, str], path: str
) -> None:
    with client_of(server.url, headers) as client:
        answer = client.post(path, json=ASK)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "authentication_failed"
    assert TOKEN not in answer.text
    assert server.ollama.requests == []


def test_a_token_of_any_bytes_is_a_wrong_token(server: Reference) -> None:
    with server.connect() as connection:
        connection.sendall(
            http_request(
                "/inference", authorization="Bearer \xff\xe9", connection="close"
            )
        )
        answer = receive_all(connection)

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_tokens_come_from_the_variable_and_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# two of them\nfrom-file-one\n\n  from-file-zwölf\n")
    tokens = ["one", "two", "from-file-one", "from-file-zwölf", "# two of them"]

    with reference(
        serve, OCTOMIL_API_KEYS="one, two", OCTOMIL_API_KEYS_FILE=str(file)
    ) as server:
        statuses = [
            httpx.post(
                f"{server.api}/inference",
                headers={b"X-API-Key": token.encode()},
                timeout=PATIENCE,
                trust_env=False,
            ).status_code
            for token in tokens
        ]

    assert statuses == [415, 415, 415, 415, 401]


def test_anonymous_callers_are_served_when_that_is_wanted() -> None:
    with serve(OCTOMIL_ALLOW_ANONYMOUS="1") as process, client_of(process.url, {}) as c:
        answer = c.post("/inference", json={})

    assert answer.status_code == 400


# Browsers


@pytest.fixture(scope="module", params=["waitress", "gunicorn"])
def cors_server(request: pytest.FixtureRequest) -> Iterator[Reference]:
    with reference(serve, request.param, OCTOMIL_CORS_ORIGINS=ORIGIN) as server:
        server.ollama.on("/api/chat", ollama_chat())
        yield server


def preflight(server: Reference, path: str, origin: str) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-api-key",
    }
    with client_of(server.url, {}) as client:
        return client.options(path, headers=headers)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_preflight_allows_what_sdks_send(cors_server: Reference, path: str) -> None:
    answer = preflight(cors_server, path, ORIGIN)

    allowed = answer.headers["access-control-allow-headers"].lower()
    assert answer.status_code in (200, 204)
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert allowed == "*" or all(
        name in allowed for name in ("authorization", "content-type", "x-api-key")
    )
    assert allowed != "*", "a * does not cover Authorization"


@pytest.mark.parametrize("path", ["/inference", "/inference/stream", "/no-such-path"])
@pytest.mark.parametrize("token", [TOKEN, "wrong"])
def test_pages_may_read_answers_and_refusals(
    cors_server: Reference, path: str, token: str
) -> None:
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token}"}

    with client_of(cors_server.url, headers) as client:
        answer = client.post(path, json=ASK)

    exposed = answer.headers["access-control-expose-headers"].lower()
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "x-request-id" in exposed
    assert "retry-after" in exposed


def test_other_pages_may_not(cors_server: Reference) -> None:
    answer = preflight(cors_server, "/inference", "https://evil.example.com")

    assert "access-control-allow-origin" not in answer.headers


def test_without_origins_there_are_no_cors_headers(server: Reference) -> None:
    answer = preflight(server, "/inference", ORIGIN)

    assert not [name for name in answer.headers if name.startswith("access-control")]
