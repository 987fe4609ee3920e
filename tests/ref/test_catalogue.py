"""A wrong stanza of the catalogue of servers is reported, with its file and what is wrong."""

import catalogue
import pytest
from catalogue import Answer, Error, stanzas

ERROR = "- {server: a server, status: 400, body: no, means: Broken}"
ANSWER = "- {server: a server, does: answers, streamed: [], text: A}"


@pytest.mark.parametrize(
    ("kind", "good", "wrong", "words"),
    [
        (Error, ERROR, ERROR.replace("Broken", "Brokn"), "'Brokn' is not an Upstream"),
        (Error, ERROR, ERROR.replace("status", "sttaus"), "'sttaus'"),
        (Answer, ANSWER, ANSWER.replace("text: A", "means: Brokn"), "'Brokn'"),
        (Answer, ANSWER, ANSWER.replace("streamed", "streemed"), "'streemed'"),
        (Answer, ANSWER, ANSWER.replace("text: A", "thinks: true"), "one of `text`"),
        (Answer, ANSWER, ANSWER.replace("text", "whole: B, text"), "one of `streamed`"),
        (Answer, ANSWER, ANSWER.replace("text", "refuses: [{}], text"), "`refuses`"),
    ],
)
def test_a_wrong_stanza_is_reported(kind, good, wrong, words, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    (tmp_path / "new.yaml").write_text(good, "utf-8")
    assert len(stanzas(kind, "new.yaml")) == 1

    (tmp_path / "new.yaml").write_text(wrong, "utf-8")
    with pytest.raises(ValueError, match=words) as caught:
        stanzas(kind, "new.yaml")

    assert "servers/new.yaml" in str(caught.value)
