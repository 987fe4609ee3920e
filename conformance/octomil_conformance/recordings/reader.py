"""Reads recordings from paths. No file is skipped silently: a file that is no recording is an error, or is counted."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from octomil_conformance.config import UsageError
from octomil_conformance.recordings import answer_file, har, http_file, manifest
from octomil_conformance.recordings.files import read_bytes
from octomil_conformance.recordings.manifest import Entry, WrongManifest
from octomil_conformance.recordings.recording import Recording

Entries = dict[Path, Entry]

KINDS = (*answer_file.KINDS, ".har")
WANTED = "expected .http (a response, as curl -i prints it), .sse (the body of a stream), .json (any other body) or .har"


def read(paths: Iterable[Path]) -> "Found":
    """Raises UsageError with a line for each file that cannot be judged."""
    found, wrong = Found(), dict[str, None]()
    for path, is_named in dict(_files(paths)).items():
        try:
            found.add(path, is_named)
        except OSError as ex:
            wrong[f"{path}: {ex.strerror}"] = None
        except WrongManifest as ex:
            wrong[str(ex)] = None  # once, for however many files
        except (UsageError, http_file.Malformed) as ex:
            wrong[f"{path}: {ex}"] = None
    if wrong:
        raise UsageError("\n".join(wrong))
    if not found.recordings:
        raise UsageError(
            f"no recordings found, skipped files: {len(found.skipped)}: {WANTED}"
        )
    return found


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file, with True if it was named and False if it was found in a folder."""
    for path in paths:
        if path.is_dir():
            files = (each for each in path.rglob("*") if not each.is_dir())
            yield from ((each, False) for each in sorted(files))
        else:
            yield path, True


class Found:
    def __init__(self) -> None:
        self.recordings: list[Recording] = []
        self.skipped: list[str] = []
        """Sentences about files that are no recordings."""
        self._manifests: dict[Path, Entries] = {}
        """The manifests by their path. A value is empty if there is no file, or if it is not a manifest."""

    def add(self, path: Path, is_named: bool) -> None:
        if not path.is_file():
            path.stat()
            raise UsageError("expected a regular file")
        if path.name in manifest.NAMES:
            _require_files(manifest.read(path.absolute()), path)
        elif path.suffix.lower() == ".har":
            self._add_har(path)
        elif path.suffix.lower() in KINDS:
            entry = self._entry_of(path)
            self.recordings.append(answer_file.read(path, entry))
        elif is_named:
            raise UsageError(WANTED)
        else:
            self.skipped.append(f"{path}: none of {', '.join(KINDS)}")

    def _add_har(self, path: Path) -> None:
        read = har.read(path, read_bytes(path))
        self.recordings += read.recordings
        counts = {
            "of other URLs or methods": read.others,
            "that failed before there was an answer": read.unanswered,
        }
        self.skipped += [
            f"{path}: entries {words}: {count}"
            for words, count in counts.items()
            if count
        ]

    def _entry_of(self, path: Path) -> Entry | None:
        """The entry of the nearest manifest that lists the file. Raises UsageError if there are two in one folder."""
        for folder in path.absolute().parents:
            given = [self._manifest(folder / name) for name in manifest.NAMES]
            found = [each[path.absolute()] for each in given if path.absolute() in each]
            if len(found) > 1:
                raise UsageError(
                    f"expected one manifest beside it, not {' and '.join(manifest.NAMES)}"
                )
            if found:
                return found[0]
        return None

    def _manifest(self, path: Path) -> Entries:
        if path not in self._manifests:
            ours = manifest.is_ours(path)
            self._manifests[path] = manifest.read(path) if ours else {}
        return self._manifests[path]


def _require_files(given: Entries, place: Path) -> None:
    missing = [each.file for path, each in given.items() if not path.is_file()]
    if missing:
        raise WrongManifest(f"{place}: there is no file {missing[0]}")
