"""A real Chromium for tests that look at a page, driven over its DevTools protocol.

    with Chromium() as chromium, chromium.page() as page:
        page.open(url)
        page.wait_for("document.querySelector('output').textContent === '3 shown'")
        assert page.complaints() == []

It knows no host but 127.0.0.1, and what it keeps is gone with it. Tests use the fixture `page`.
"""

import base64
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

COMMAND = "chromium"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-quic", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--no-first-run", "--mute-audio"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
ON_DESCRIPTORS_3_AND_4 = 'exec "$@" 3<&%d 4>&%d'
"""For bash. Where Chromium reads its commands and writes its answers: one socket is both."""
PATIENCE = 30.0
"""Seconds for anything that a page or the browser itself has to do."""
PHONE = 600
"""Pixels; below, a page is laid out as on a phone: by its own word on the viewport, no scroll bars."""

UNTIL = """new Promise((done, fail) => {
  const end = performance.now() + %d;
  (function look() {
    try { if (%s) return done(true); } catch (error) { return fail(error); }
    if (performance.now() > end) return fail(new Error("it never came true"));
    setTimeout(look, 20);
  })();
})"""
KEYS = {"Enter": "\r", "Space": " "}
"""Keys that write something; others have only their name."""
CODES = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32}
"""Keys that the browser itself acts upon."""


class Chromium:
    """One browser for a `with` block, with a new profile."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._errors = tempfile.TemporaryFile()
        self._line, theirs = socket.socketpair()
        self._line.settimeout(PATIENCE)
        script = ON_DESCRIPTORS_3_AND_4 % (theirs.fileno(), theirs.fileno())
        profile = f"--user-data-dir={self._folder.name}"
        with theirs:
            self._process = subprocess.Popen(
                ["bash", "-c", script, "bash", COMMAND, *FLAGS, profile],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
        self._number = 0
        self._unread = b""
        self._events: list[dict[str, Any]] = []
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.send("Browser.close")
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._line.close()
            self._errors.close()
            self._folder.cleanup()

    @contextmanager
    def page(self, width: int = 1280, height: int = 900) -> Iterator["Page"]:
        """A tab with cookies and storage of its own."""
        context = self.send("Target.createBrowserContext")
        target = self.send("Target.createTarget", url="about:blank", **context)
        attached = self.send("Target.attachToTarget", flatten=True, **target)
        page = Page(self, attached["sessionId"])
        page.look(width, height)
        yield page
        self.send("Target.disposeBrowserContext", **context)

    def send(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """What one command brings. Events that come before it are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        self._line.sendall(json.dumps(message).encode() + b"\0")
        answer = self._receive()
        while answer.get("id") != self._number:
            answer = self._receive()
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for_event(self, method: str, session: str) -> None:
        """It may have come already; no event is waited for twice."""
        while True:
            for event in self._events:
                if (event["method"], event.get("sessionId")) == (method, session):
                    self._events.remove(event)
                    return
            self._receive()

    def events(self, session: str) -> list[dict[str, Any]]:
        return [each for each in self._events if each.get("sessionId") == session]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            piece = self._line.recv(1 << 20)
            if not piece:
                self._errors.seek(0)
                raise RuntimeError(f"{COMMAND} ended: {self._errors.read().decode()}")
            self._unread += piece
        text, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self._events.append(message)
        return message


class Page:
    def __init__(self, chromium: Chromium, session: str) -> None:
        self._chromium = chromium
        self._session = session
        for domain in ("Page", "Runtime", "Log"):
            self._send(f"{domain}.enable")

    def open(self, url: str) -> None:
        """Back when the page and all that it names are loaded."""
        problem = self._send("Page.navigate", url=url).get("errorText")
        if problem:
            raise RuntimeError(f"{url}: {problem}")
        self._chromium.wait_for_event("Page.loadEventFired", self._session)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, as JSON has it; of a promise, what it brings."""
        answer = self._send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {_told(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true."""
        self.evaluate(UNTIL % (PATIENCE * 1000, condition))

    def press(self, key: str, shift: bool = False) -> None:
        """One key, down and up, by its name: Tab, Enter, Space, Escape, ArrowDown."""
        text = KEYS.get(key, "")
        named: dict[str, Any] = {"key": text if key == "Space" else key, "code": key}
        named |= {"windowsVirtualKeyCode": CODES.get(key, 0), "modifiers": 8 * shift}
        self._send("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        self._send("Input.dispatchKeyEvent", type="keyUp", **named)

    def write(self, text: str) -> None:
        """Into what has the focus."""
        self._send("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """With the mouse, on the middle of the first element that fits."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(
            f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})"
        )
        box = self.evaluate(f"{element}.getBoundingClientRect().toJSON()")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            at = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self._send("Input.dispatchMouseEvent", type=kind, **at)

    def look(
        self, width: int, height: int = 900, dark: bool = False, media: str = ""
    ) -> None:
        """Through a window of this size, a narrow one being a phone's; in the dark; or as it would be printed (`media="print"`)."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        phone = width < PHONE
        self._send("Emulation.setDeviceMetricsOverride", mobile=phone, **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def without_scripts(self) -> None:
        """For pages opened from now on; `evaluate` still works."""
        self._send("Emulation.setScriptExecutionDisabled", value=True)

    def screenshot(self, file: Path, whole: bool = True) -> None:
        """A PNG of the whole page, or of the window."""
        shot = self._send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Errors and warnings of the console so far: exceptions, what a policy blocked, what could not be loaded."""
        found = []
        for event in self._chromium.events(self._session):
            about = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    found.append(_told(about["exceptionDetails"]))
                case "Log.entryAdded":
                    found.append(about["entry"]["text"])
                case "Runtime.consoleAPICalled" if about["type"] in (
                    "error",
                    "warning",
                ):
                    found.append(
                        " ".join(str(each.get("value")) for each in about["args"])
                    )
        return found

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        return self._chromium.send(method, self._session, **params)


def _told(details: dict[str, Any]) -> str:
    said: str = details.get("exception", {}).get("description", details["text"])
    return said
