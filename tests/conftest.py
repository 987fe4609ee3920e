"""For all tests: a real browser, and the one line about tests that are left out."""

from collections.abc import Iterator

import pytest
from browser import Chromium, Page

LEFT_OUT = "not machine"
"""What `-m` says unless the caller says otherwise."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One for all tests; they use `page`."""
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Chromium) -> Iterator[Page]:
    """A new tab of a real browser."""
    with chromium.page() as page:
        yield page


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left_out = len(terminalreporter.stats.get("deselected", []))
    if config.option.markexpr == LEFT_OUT and left_out:
        terminalreporter.write_line(
            f"left out: {left_out} tests that need Linux on x86-64, a compiler or Debian "
            "packages; 'pytest -m machine' runs them"
        )
