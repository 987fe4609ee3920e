"""The API tokens that clients may use, and the files that hold secrets.

A file is read again when it changes. While it cannot be read, its last content is used.
"""

import hashlib
import logging
import mmap
import os
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from octomil_ref.clock import Deadline
from octomil_ref.setting_values import SettingsError, key_name_and_token

T = TypeVar("T")

log = logging.getLogger("octomil_ref")

LOOK_INTERVAL = 1.0  # seconds between two checks whether a file has changed, at least
MAX_CHARACTERS = 1_000_000  # the most characters in a file

_remembered: dict[str, mmap.mmap] = {}
"""The last text of each file, by path, in memory that forked processes share: a new worker of gunicorn starts even while a file is
being replaced, and has what the other workers read last, not what the master once read."""

_HEAD = struct.Struct("<I32s")  # size and digest of the text that follows


class SecretFile(Generic[T]):
    """The parsed content of a file. Threads may share it. No message quotes the content."""

    def __init__(self, variable: str, path: str, parse: Callable[[str], T]) -> None:
        """`parse` raises ValueError with what it expected. Raises SettingsError if the file was never readable."""
        self._variable = variable
        self._path = path
        self._parse = parse
        self._version: object = None
        self._complaint = ""
        self._lock = threading.Lock()
        self._next_look = Deadline(0)
        self._content: T
        self.refresh()

    def content(self) -> T:
        """The content of the file, at most a second old."""
        if self._next_look.remaining() <= 0:
            self.refresh()
        return self._content

    def refresh(self) -> None:
        """Reads the file if it has changed. Never waits for another call, which a signal may have interrupted."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._next_look.renew(LOOK_INTERVAL)
            self._look()
        except (OSError, ValueError) as ex:
            self._remember(ex)
        finally:
            self._lock.release()

    def _look(self) -> None:
        found = os.stat(self._path)
        when = found.st_mtime_ns, found.st_ctime_ns
        version = *when, found.st_size, found.st_ino
        if version != self._version:
            self._read()
            self._version, self._complaint = version, ""

    def _read(self) -> None:
        with open(self._path, encoding="utf-8-sig") as file:
            text = file.read(MAX_CHARACTERS + 1)
        if len(text) > MAX_CHARACTERS:
            raise ValueError(f"a file of at most {MAX_CHARACTERS} characters")
        self._content = self._parse(text)
        remember(self._path, text)
        if self._version is not None:
            log.info("read again", extra={"fields": {"file": self._path}})

    def _remember(self, ex: Exception) -> None:
        unreadable = isinstance(ex, OSError | UnicodeDecodeError)
        expected = "a readable text file" if unreadable else ex
        reason = f" ({type(ex).__name__})" if unreadable else ""
        complaint = f"{self._variable}: expected {expected}, got {self._path!r}{reason}"
        text = remembered(self._path)
        if text is not None:
            self._content = self._parse(text)
        elif self._version is None:
            raise SettingsError(complaint) from ex
        self._version = "old"
        if complaint != self._complaint:
            log.error(f"{complaint}; its previous content stays valid")
        self._complaint = complaint


def remember(path: str, text: str) -> None:
    data = text.encode()
    if path not in _remembered:
        _remembered[path] = mmap.mmap(-1, _HEAD.size + 4 * MAX_CHARACTERS)
    head = _HEAD.pack(len(data), hashlib.sha256(data).digest())
    _remembered[path][: len(head) + len(data)] = head + data


def remembered(path: str) -> str | None:
    """The last text of the file. None if it was never read, or if two processes have just written at once."""
    if path not in _remembered:
        return None
    block = _remembered[path]
    size, digest = _HEAD.unpack_from(block)
    data = block[_HEAD.size : _HEAD.size + size]
    return data.decode() if hashlib.sha256(data).digest() == digest else None


Names = Mapping[bytes, str]  # the names of keys by the digests of their tokens


class KeyRing:
    """All keys of the settings. Those in the file follow its changes."""

    def __init__(self, entries: Iterable[str], path: str) -> None:
        """Raises SettingsError if the file could never be read."""
        self._entries = _names("key", entries)
        self._file = path and SecretFile("OCTOMIL_API_KEYS_FILE", path, names_in_file)

    def name_of(self, token: bytes) -> str | None:
        """The name of the key with this token.

        The time of a look-up depends on the digest, which no client can choose, so it reveals nothing about a token.
        """
        digest = hashlib.sha256(token).digest()
        in_file = self._file.content() if self._file else {}
        return self._entries.get(digest) or in_file.get(digest)

    def refresh(self) -> None:
        """Reads the file if it has changed."""
        if self._file:
            self._file.refresh()


def names_in_file(text: str) -> Names:
    """One entry per line, as in the variable; `#` starts a comment line. Raises ValueError with what it expected."""
    lines = (line.strip() for line in text.split("\n"))
    names = _names("line", ("" if line.startswith("#") else line for line in lines))
    if not names:
        raise ValueError("at least one token, one per line")
    return names


def _names(place: str, entries: Iterable[str]) -> Names:
    """Each entry is `name:token` or `token`, or empty. A token without a name is named after its place: `line-7`."""
    found = {}
    for number, entry in enumerate(entries, 1):
        if entry:
            try:
                name, token = key_name_and_token(entry)
            except ValueError as ex:
                raise ValueError(f"{ex} in {place} {number}") from ex
            digest = hashlib.sha256(token.encode()).digest()
            found[digest] = name or f"{place}-{number}"
    return found
