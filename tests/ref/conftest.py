"""What no test may take from outside or leave behind: variables of the server, and how its log looks."""

import logging
from collections.abc import Iterator
from dataclasses import fields

import pytest

from octomil_ref.settings import Settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the server's variables is set; those that a test or the code sets are gone after it."""
    for setting in fields(Settings):
        variable = setting.metadata["variable"]
        monkeypatch.setenv(variable, "")  # only what was set is taken back
        monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The application sets up its logger anew each time it is created."""
    logger = logging.getLogger("octomil_ref")
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before
