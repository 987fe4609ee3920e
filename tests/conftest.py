"""For all tests: the one line about those that are left out."""

import pytest

LEFT_OUT = "not machine"
"""What `-m` says unless the caller says otherwise."""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    left_out = len(terminalreporter.stats.get("deselected", []))
    if config.option.markexpr == LEFT_OUT and left_out:
        terminalreporter.write_line(
            f"left out: {left_out} tests that need Linux on x86-64, a compiler or Debian "
            "packages; 'pytest -m machine' runs them"
        )
