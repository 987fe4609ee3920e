"""Fixtures for all tests: a clean environment, the logger as it was, and a clock that tests move."""

import logging
import os
from collections.abc import Iterator
from dataclasses import fields

import falcon.testing
import pytest
import responses
from builders import Clock, app_client

from octomil_ref.settings import Settings

VARIABLES = {setting.metadata["variable"] for setting in fields(Settings)}


@pytest.fixture(autouse=True)
def no_variables() -> Iterator[None]:
    """No variable of the server is set. Variables that a test sets are removed after it."""
    before = {each: os.environ.pop(each) for each in VARIABLES & {*os.environ}}
    yield
    for each in VARIABLES & {*os.environ}:
        del os.environ[each]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Each test starts with loggers as Python makes them. Every new application configures them, in tests elsewhere too."""
    names = ("octomil_ref", "waitress", "gunicorn.error", "gunicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.handlers, each.level, each.propagate) for each in loggers]
    for each in loggers:
        each.handlers, each.propagate = [], True
        each.setLevel(logging.NOTSET)
    yield
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the server, which stands still until the test moves it."""
    clock = Clock()
    monkeypatch.setattr("octomil_ref.clock.time", clock)
    return clock


@pytest.fixture(autouse=True, scope="module")
def mocked_requests() -> Iterator[None]:
    with responses.mock:
        yield


@pytest.fixture(autouse=True)
def only_this_machine() -> None:
    """Requests to other hosts get the `responses` that the test prepared. All other requests fail like a refused connection."""
    responses.reset()
    for loopback in ("http://127.0.0.1", "https://127.0.0.1"):
        responses.add_passthru(loopback)


@pytest.fixture
def client() -> falcon.testing.TestClient:
    """A client with a token, of the app with both backends."""
    return app_client()
