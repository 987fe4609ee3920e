"""The keys that clients may use and their names; files of secrets: read when they change, remembered while they cannot be read, never quoted."""

import logging
import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from builders import WAIT

from octomil_ref import keys
from octomil_ref.keys import KeyRing, SecretFile, names_in_file
from octomil_ref.setting_values import SettingsError


def shouted(text: str) -> str:
    if "!" in text:
        raise ValueError("calm words")
    return text.upper()


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "secret"
    path.write_text("old")
    return path


def opened(path: Path) -> SecretFile[str]:
    return SecretFile("A_FILE", str(path), shouted)


def replaced(path: Path, text: str) -> None:
    """Replaces the file atomically, as `mv` does."""
    new = path.with_name("new")
    new.write_text(text)
    new.rename(path)


def test_a_file_is_read_again_a_second_later_if_it_has_changed(path, clock, caplog):
    caplog.set_level(logging.INFO, logger="octomil_ref")
    file = opened(path)
    replaced(path, "new")
    clock.advance(0.9)
    assert file.content() == "OLD"
    clock.advance(0.1)

    assert file.content() == "NEW"
    [line] = caplog.records
    assert (line.message, line.fields) == ("read again", {"file": str(path)})


def test_a_file_that_has_not_changed_is_not_read_again(path, clock, monkeypatch):
    file = opened(path)
    clock.advance(1)
    monkeypatch.setattr("builtins.open", None)

    assert file.content() == "OLD"


def test_a_signal_that_interrupts_reading_does_not_wait_for_it(path):
    interruptions = []

    def interrupted(text: str) -> str:
        for refresh in interruptions:
            refresh()
        return text

    file = SecretFile("A_FILE", str(path), interrupted)
    replaced(path, "new")
    interruptions.append(file.refresh)
    reading = threading.Thread(target=file.refresh, daemon=True)

    reading.start()
    reading.join(WAIT)

    assert not reading.is_alive()
    assert file.content() == "new"


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


UNREADABLE = {
    "missing": (Path.unlink, "a readable text file", " (FileNotFoundError)"),
    "a directory": (make_directory, "a readable text file", " (IsADirectoryError)"),
    "not text": (
        lambda path: path.write_bytes(b"se\xffcret"),
        "a readable text file",
        " (UnicodeDecodeError)",
    ),
    "wrong": (lambda path: path.write_text("secret!"), "calm words", ""),
    "endless": (make_endless, "a file of at most 1000000 characters", ""),
}

each_unreadable = pytest.mark.parametrize(
    ("spoil", "expected", "reason"), UNREADABLE.values(), ids=UNREADABLE
)


@each_unreadable
def test_an_unreadable_file_keeps_its_content_and_logs_one_error(
    path, clock, caplog, spoil, expected, reason
):
    file = opened(path)
    spoil(path)
    for _ in range(2):
        clock.advance(1)
        content = file.content()

    assert content == "OLD"
    [line] = caplog.records
    said = f"A_FILE: expected {expected}, got {str(path)!r}{reason}"
    assert line.levelname == "ERROR"
    assert line.message == f"{said}; its previous content stays valid"


@each_unreadable
def test_a_file_that_was_never_readable_is_an_error(path, spoil, expected, reason):
    spoil(path)

    with pytest.raises(SettingsError, match="A_FILE") as caught:
        opened(path)

    said = f"A_FILE: expected {expected}, got {str(path)!r}{reason}"
    assert str(caught.value) == said


def test_a_file_that_can_be_read_again_is_read_whatever_it_was_before(path, clock):
    file = opened(path)
    before = path.stat()
    path.rename(path.with_name("elsewhere"))
    clock.advance(1)
    file.content()
    path.with_name("elsewhere").rename(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.advance(1)

    assert file.content() == "OLD"
    assert file._complaint == ""


def test_the_content_of_a_file_is_remembered_for_the_next_reader(path, caplog):
    opened(path)
    path.unlink()

    assert opened(path).content() == "OLD"
    assert "stays valid" in caplog.text


# Other tests have left threads behind. None of them holds a lock that the child needs.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_a_forked_process_has_read_is_remembered_too(path):
    """A worker of gunicorn reads the file, then the master starts another worker."""
    opened(path)
    replaced(path, "new")
    worker = multiprocessing.get_context("fork").Process(target=opened, args=[path])
    worker.start()
    worker.join()
    path.unlink()

    assert opened(path).content() == "NEW"


def test_what_two_processes_write_at_once_is_not_remembered(path, clock):
    file = opened(path)
    block = keys._remembered[str(path)]
    block[36:37] = b"x"  # a byte of the text, after its size and its digest
    path.unlink()
    clock.advance(1)

    assert file.content() == "OLD"
    with pytest.raises(SettingsError, match="A_FILE"):
        opened(path)


def test_a_file_may_start_with_a_byte_order_mark(path):
    path.write_text("old", encoding="utf-8-sig")

    assert opened(path).content() == "OLD"


@pytest.mark.parametrize(
    ("token", "name"),
    [
        pytest.param("first", "key-1", id="without a name, the place of a key"),
        pytest.param("second", "ci", id="the name of a key"),
        pytest.param("third:3", "a b", id="a colon in a token with a name"),
        pytest.param("in-file", "line-3", id="without a name, the line of a key"),
        pytest.param("zw\u00f6lf", "bob", id="the name of a key in the file"),
        pytest.param("ci:second", None, id="a name is no part of a token"),
        pytest.param("line", None, id="another token"),
        pytest.param("# staff", None, id="a comment is no token"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_key_has_a_name(tmp_path, token, name):
    file = tmp_path / "keys"
    file.write_text("# staff\n\n in-file \r\nbob : zw\u00f6lf\n", encoding="utf-8")
    keys = KeyRing(["first", "ci:second", "a b: third:3"], str(file))

    assert keys.name_of(token.encode()) == name


def test_the_keys_of_a_file_follow_its_changes(tmp_path):
    file = tmp_path / "keys"
    file.write_text("old")
    keys = KeyRing([], str(file))
    file.write_text("newer")

    keys.refresh()

    assert (keys.name_of(b"old"), keys.name_of(b"newer")) == (None, "line-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "at least one token, one per line"),
        ("# none\n\n", "at least one token, one per line"),
        ("a\n:secret\n", "entries like name:token or token in line 2"),
        ("name: \n", "entries like name:token or token in line 1"),
        ("# staff\n\ntoken # mine", "entries like name:token or token in line 3"),
    ],
)
def test_a_file_without_a_key_or_with_a_wrong_one_is_refused(text, expected):
    with pytest.raises(ValueError) as caught:
        names_in_file(text)

    assert str(caught.value) == expected
