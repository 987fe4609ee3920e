"""Tokens as real connections bring them: any bytes in a header, and a file of tokens."""

from pathlib import Path

import httpx
from processes import serve
from reference import PATIENCE, Reference, http_request, receive_all, reference


def test_a_token_of_any_bytes_is_a_wrong_token(server: Reference) -> None:
    wrong = http_request(
        "/inference", authorization="Bearer \xff\xe9", connection="close"
    )
    with server.connect() as connection:
        connection.sendall(wrong)
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
