"""For all tests: Debian's Chromium without its windows, driven by Playwright, and the one line about tests that are left out."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

LEFT_OUT = "not machine"
"""The value of `-m` unless the caller gives one."""

LONGEST = [
    *("test_kill_matrix.py", "test_sdk_table.py", "test_deployment.py"),
    *("test_compatible_servers.py", "test_conformance_live.py", "test_benchmarks.py"),
    *("test_page_live.py", "test_workers.py"),
    *("test_openai_clients.py", "test_serve.py", "test_command.py"),
    "test_reference.py",
]
"""Files that take longest. They begin first: with -n, a long one that begins last leaves the other processes idle.

The reference begins when the kill matrix is nearly done, because both need the processor.
"""

UNIT_TESTS = Path(__file__).with_name("ref")

MAX_WAIT = 30
"""Seconds that a page has to show what a test expects."""

CHROMIUM_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
"""Chromium runs as root too, resolves no host name and looks for no updates."""


@pytest.fixture(scope="session")
def chromium():
    """One headless browser for all tests. Most of them use `page`."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=MAX_WAIT * 1000)
    program = shutil.which("chromium-headless-shell")
    if program is None:
        raise RuntimeError("no Chromium: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=CHROMIUM_FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture
def complaints():
    """Complaints of the pages of the test: exceptions, errors, warnings, and loads that a policy blocked."""
    return []


@pytest.fixture
def new_page(chromium, complaints):
    """Opens a tab with cookies and storage of its own; takes the options of a browser context."""

    def opened(**options):
        page = contexts.enter_context(chromium.new_context(**options)).new_page()
        page.on("pageerror", lambda error: complaints.append(error.message))
        page.on("console", heard)
        return page

    def heard(said):
        if said.type in ("error", "warning"):
            complaints.append(said.text)

    with ExitStack() as contexts:
        yield opened


@pytest.fixture
def page(new_page):
    return new_page()


def pytest_ignore_collect(collection_path, config):
    """With `-m machine`, files without the mark are not even imported: all of them take each process ten seconds."""
    if config.option.markexpr != "machine" or collection_path.suffix != ".py":
        return None
    return "mark.machine" not in collection_path.read_text("utf-8") or None


def pytest_collection_modifyitems(items):
    """Sorts the files. With --cov, only tests of octomil_ref itself are measured: other tests run its code without checking it."""
    for item in items:
        if UNIT_TESTS not in item.path.parents:
            item.add_marker("no_cover")
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_terminal_summary(terminalreporter, config):
    # With -n, only the worker processes know which tests were left out.
    some = terminalreporter.stats.get("deselected") or config.option.numprocesses
    if config.option.markexpr == LEFT_OUT and some:
        terminalreporter.write_line(
            "left out: tests that need Linux on x86-64, a compiler or Debian packages; "
            "'pytest -m machine' runs them"
        )
