"""The forms of the reference page, as a reader in a browser uses them."""

import re

from playwright.sync_api import Page, expect
from reference import TOKEN, Reference


def opened(
    page: Page, server: Reference, token: str = TOKEN, model: str = "conf-echo"
) -> None:
    page.goto(f"{server.url}/?model={model}")
    page.fill("#token", token)


def send(page: Page, endpoint: str) -> None:
    page.click(f"#{endpoint} [type=submit]")


def text_of(page: Page, endpoint: str, part: str) -> str:
    """The text in the `.state`, `.figures`, `.text` or `.json` of a form."""
    return page.locator(f"#{endpoint} .{part}").inner_text()


def wait_for_text(page: Page, endpoint: str, part: str, beginning: str) -> None:
    shown = page.locator(f"#{endpoint} .{part}")
    expect(shown).to_have_text(re.compile("^" + re.escape(beginning)))
