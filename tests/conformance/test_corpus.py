"""The corpus that `octomil-conformance export` writes: every answer breaks what it says it breaks, and other languages can read it."""

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from octomil_conformance import cli, spec
from octomil_conformance.config import Config
from octomil_conformance.corpus.export import corpus
from octomil_conformance.recordings.judge import verdicts
from octomil_conformance.recordings.reader import read

CORPUS = corpus()
LEVEL_0 = {name for name, each in spec.requirements().items() if each.level == 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    assert cli.main(["export", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def recordings(folder):
    """By their path in the corpus."""
    found = read([folder])
    assert found.skipped == []
    return {str(Path(each.name).relative_to(folder)): each for each in found.recordings}


@pytest.fixture(scope="module")
def expected(folder):
    """By the path in the corpus."""
    document = json.loads((folder / "manifest.json").read_text())
    assert document["spec"] == spec.VERSION
    return {each["file"]: each["expected"] for each in document["recordings"]}


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.file)
def test_an_answer_breaks_just_what_it_says(entry, recordings, expected):
    recording = recordings[entry.file]
    judged = verdicts(recording, Config("corpus", {recording.profile: 0}))

    found = {verdict.requirement.id: verdict.outcome for verdict in judged}
    broken = {name for name, outcome in found.items() if outcome in ("fail", "warn")}
    assert broken == {*entry.breaks}
    assert {*found.values()} <= {"pass", "fail", "warn"}, "nothing is left unjudged"
    assert entry.about.endswith(".")
    if entry.is_stream and not entry.breaks:
        assert recording.exchange.tokens == expected[entry.file]["tokens"]
        assert recording.exchange.finals == [expected[entry.file]["final"]]


def test_every_endpoint_is_answered_and_every_requirement_of_level_0_broken():
    valid = {entry.endpoint for entry in CORPUS if not entry.breaks}
    broken = {name for entry in CORPUS for name in entry.breaks}

    assert valid == {*spec.PROFILES} - {"auth"}
    assert broken == LEVEL_0


def test_no_two_answers_are_the_same():
    kinds = Counter(repr((each.breaks, each.exchange)) for each in CORPUS)

    assert [key for key, count in kinds.items() if count > 1] == []
    assert len({entry.file for entry in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(
    ("file", "force"),
    [
        ("invalid/stream/nothing-of-caches.sse", "SHOULD"),
        ("invalid/stream/no-label.sse", "MUST"),
        ("invalid/stream/status-is-a-string.json", "MUST"),
        ("valid/health/unavailable.json", None),
    ],
)
def test_the_manifest_says_how_bad_it_is(file, force, expected):
    assert expected[file]["force"] == force


def test_it_is_the_same_bytes_every_time(folder, tmp_path, capsys):
    assert cli.main(["export", "-o", str(tmp_path / "again")]) == 0

    assert capsys.readouterr().out.startswith(f"{tmp_path / 'again'}: ")
    assert contents(tmp_path / "again") == contents(folder)


def contents(folder):
    return {
        file.relative_to(folder): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_the_command_judges_it_like_any_recordings(folder, capsys):
    assert cli.main(["fixtures", str(folder / "valid"), "--strict"]) == 0
    assert cli.main(["fixtures", str(folder / "invalid")]) == 1
    assert "skipped" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["notes.txt", "folder/x"])
def test_it_is_written_to_an_empty_folder_only(name, tmp_path, capsys):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")

    assert cli.main(["export", str(tmp_path)]) == 2
    assert cli.main(["export", str(tmp_path / name)]) == 2
    assert "expected a new folder, or an empty one" in capsys.readouterr().err
    assert contents(tmp_path) == {Path(name): b"mine"}


@pytest.mark.machine
def test_a_client_in_plain_node_reads_what_the_manifest_expects(folder):
    command = ["node", Path(__file__).with_name("corpus_reader.js"), folder]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.stdout == f"{len(CORPUS)} answers read, 0 not as expected\n"
    assert ran.returncode == 0
