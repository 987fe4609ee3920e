"""The keys that clients may use, and the names by which the log calls them."""

import pytest

from octomil_ref.keys import KeyRing, names_in_file


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


def test_without_a_file_there_is_nothing_to_refresh():
    keys = KeyRing(["t"], "")

    keys.refresh()

    assert keys.name_of(b"t") == "key-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "at least one token, one a line"),
        ("# none\n\n", "at least one token, one a line"),
        ("a\n:secret\n", "entries like name:token or token"),
        ("name: \n", "entries like name:token or token"),
    ],
)
def test_a_file_without_a_key_or_with_a_wrong_one_is_refused(text, expected):
    with pytest.raises(ValueError) as caught:
        names_in_file(text)

    assert str(caught.value) == expected
