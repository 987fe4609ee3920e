"""The corpus that `octomil-conformance export` writes: every answer breaks what it says it breaks, and other languages can read it."""

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from octomil_conformance import cli, spec
from octomil_conformance.config import Config
from octomil_conformance.corpus.entry import Entry
from octomil_conformance.corpus.export import CORPUS
from octomil_conformance.recordings.judge import verdicts
from octomil_conformance.recordings.reader import read

READER = Path(__file__).with_name("corpus_reader.js")
VALID = [entry for entry in CORPUS if not entry.breaks]
INVALID = [entry for entry in CORPUS if entry.breaks]
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
def manifest(folder):
    """By their path in the corpus."""
    document = json.loads((folder / "manifest.json").read_text())
    assert document["spec"] == spec.VERSION
    return {each["file"]: each for each in document["recordings"]}


def outcomes(recording):
    judged = verdicts(recording, Config("corpus", {recording.profile: 0}))
    return {verdict.requirement.id: verdict.outcome for verdict in judged}


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.file)
def test_an_answer_breaks_just_what_it_says(entry, recordings):
    found = outcomes(recordings[entry.file])

    broken = {name for name, outcome in found.items() if outcome in ("fail", "warn")}
    assert broken == {*entry.breaks}
    assert {*found.values()} <= {"pass", "fail", "warn"}, "nothing is left unjudged"


def test_there_are_enough_of_either_kind():
    assert len(VALID) >= 60
    assert len(INVALID) >= 60
    assert {entry.endpoint for entry in VALID} == {*spec.PROFILES} - {"auth"}


def test_every_requirement_of_the_wire_is_broken_somewhere():
    assert {name for entry in INVALID for name in entry.breaks} == LEVEL_0


def test_no_two_answers_are_the_same():
    kinds = Counter(repr({**vars(each), "name": "", "about": ""}) for each in CORPUS)

    assert [key for key, count in kinds.items() if count > 1] == []
    assert len({entry.file for entry in CORPUS}) == len(CORPUS)


def test_every_sentence_is_one():
    assert [entry.about for entry in CORPUS if not entry.about.endswith(".")] == []


@pytest.mark.parametrize(
    "entry",
    [entry for entry in VALID if entry.is_stream],
    ids=lambda entry: entry.name,
)
def test_the_suite_reads_the_tokens_that_the_manifest_expects(
    entry, recordings, manifest
):
    exchange = recordings[entry.file].exchange

    expected = manifest[entry.file]["expected"]
    assert exchange.tokens == expected["tokens"]
    assert exchange.finals == [expected["final"]]


def test_the_manifest_says_how_bad_it_is(manifest):
    forces = Counter(each["expected"]["force"] for each in manifest.values())

    assert forces[None] == len(VALID)
    assert manifest["invalid/stream/may-be-cached.sse"]["expected"]["force"] == "SHOULD"
    assert manifest["invalid/stream/no-label.sse"]["expected"]["force"] == "MUST"


def test_it_is_the_same_byte_for_byte_every_time(folder, tmp_path):
    cli.main(["export", str(tmp_path / "again")])

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


def test_the_folder_may_be_named_as_record_names_it(folder, tmp_path, capsys):
    assert cli.main(["export", "-o", str(tmp_path / "new")]) == 0

    assert capsys.readouterr().out.startswith(f"{tmp_path / 'new'}: ")
    assert contents(tmp_path / "new") == contents(folder)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "one of the arguments DIR -o is required"),
        (["a", "-o", "b"], "argument -o: not allowed with argument DIR"),
    ],
)
def test_there_is_one_folder(options, told, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["export", *options])

    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["notes.txt", "folder/x"])
def test_it_is_written_to_an_empty_folder_only(name, tmp_path, capsys):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")

    assert cli.main(["export", str(tmp_path)]) == 2
    assert cli.main(["export", str(tmp_path / name)]) == 2
    assert "want a new folder, or an empty one" in capsys.readouterr().err
    assert contents(tmp_path) == {Path(name): b"mine"}


def test_an_entry_knows_its_place_and_its_force():
    entry = Entry("x", "stream", "It fails.", b"{}", ("HTTP-25",), status=503)

    assert entry.file == "invalid/stream/x.json"
    assert entry.force == "MUST"
    assert entry.all_headers[0] == ("Content-Type", "application/json")


def node(folder):
    return subprocess.run(
        ["node", READER, folder], capture_output=True, text=True, check=False
    )


@pytest.mark.machine
def test_a_client_in_plain_node_reads_what_the_manifest_expects(folder):
    ran = node(folder)

    assert ran.stdout == f"{len(CORPUS)} answers read, 0 otherwise than expected\n"
    assert ran.returncode == 0
    assert len(READER.read_text().splitlines()) <= 60


@pytest.mark.machine
@pytest.mark.parametrize(
    "file, field, value",
    [
        ("valid/stream/crlf.sse", "tokens", ["A", " cherry"]),
        ("valid/stream/done-marker.sse", "final", None),
        ("valid/infer/raw-letters.json", "fields", {"output": "?"}),
        ("invalid/infer/nan.json", "fields", {}),
    ],
)
def test_it_notices_when_the_manifest_says_something_else(
    file, field, value, folder, tmp_path
):
    copy = shutil.copytree(folder, tmp_path / "copy")
    document = json.loads((copy / "manifest.json").read_text())
    [entry] = [each for each in document["recordings"] if each["file"] == file]
    entry["expected"][field] = value
    (copy / "manifest.json").write_text(json.dumps(document))

    ran = node(copy)

    assert ran.returncode == 1
    assert ran.stdout.startswith(f"{file}: ")
    assert f"{len(CORPUS)} answers read, 1 otherwise" in ran.stdout


@pytest.mark.machine
def test_it_notices_when_an_answer_is_another(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    file = copy / "valid/stream/plain.sse"
    file.write_bytes(file.read_bytes().replace(b"cherry", b"plum"))

    ran = node(copy)

    assert ran.returncode == 1
    assert "valid/stream/plain.sse" in ran.stdout
