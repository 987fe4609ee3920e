"""The keys that clients may use: each is a token, with a name for the log."""

import hashlib
from collections.abc import Iterable, Mapping

from octomil_ref.secret_files import SecretFile
from octomil_ref.setting_values import key_name_and_token

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
    """One entry a line, as in the variable; `#` starts a comment line. Raises ValueError with what it expected."""
    lines = (line.strip() for line in text.split("\n"))
    names = _names("line", ("" if line.startswith("#") else line for line in lines))
    if not names:
        raise ValueError("at least one token, one a line")
    return names


def _names(place: str, entries: Iterable[str]) -> Names:
    """Each entry is `name:token` or `token`, or empty. A token without a name is named after its place: `line-7`."""
    found = {}
    for number, entry in enumerate(entries, 1):
        if entry:
            name, token = key_name_and_token(entry)
            digest = hashlib.sha256(token.encode()).digest()
            found[digest] = name or f"{place}-{number}"
    return found
