"""A request of HTTP/1.1 without a host is refused, to whatever path it goes; others are not asked for one."""

import falcon.testing
import pytest
from builders import app_client

PATHS = ["/health", "/api/v1/inference", "/nowhere"]


def answered(path: str, http_version: str, host: str | None) -> tuple[int, bytes]:
    """The status, and the body."""
    client = app_client()
    environ = falcon.testing.create_environ(path, http_version=http_version)
    environ.pop("HTTP_HOST", None)
    if host is not None:
        environ["HTTP_HOST"] = host
    started = falcon.testing.StartResponseMock()
    body = b"".join(client.app(environ, started))
    return int(started.status.split()[0]), body


@pytest.mark.parametrize("path", PATHS)
def test_a_request_without_a_host_is_refused_with_the_envelope(path):
    status, body = answered(path, "1.1", None)

    assert status == 400
    assert b'"code":"invalid_input"' in body
    assert b'"message":"A request of HTTP/1.1 must have a Host header."' in body


@pytest.mark.parametrize(
    ("version", "host"), [("1.1", "x"), ("1.1", ""), ("1.0", None)]
)
def test_a_host_may_be_empty_and_under_http_1_0_be_missing(version, host):
    status, _ = answered("/health", version, host)

    assert status == 200
