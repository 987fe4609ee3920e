"""The command `octomil-conformance`: its exit codes, and what it prints."""

import importlib.util
import json
from pathlib import Path

import pytest
from canned_server import ANSWERS, EMBEDDINGS, HANG, STREAM, canned
from octomil_conformance import cli, spec
from octomil_conformance.api import Api
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.checks import MODEL_ANSWERS, MODEL_ANSWERS_OF_AUTH
from octomil_conformance.config import Config, CouldNotTest, base_url
from octomil_conformance.runner import judge
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import Upstreams, served

pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

STREAM_PATH, EMBED_PATH = "/api/v1/inference/stream", "/api/v1/embeddings"
MOCK = ["--profile", "stream@0", "--profile", "embed@0"]
UNENDED = (200, "text/event-stream", STREAM[:-1])
NO_USAGE = (200, "application/json", EMBEDDINGS.replace(b'"usage"', b'"used"'))
NO_SERVER = "http://127.0.0.1:1"


# Verdicts


@pytest.mark.parametrize("path", ["", "/api/v1"])
def test_a_conformant_mock_is_exit_0(path, capsys):
    with canned() as url:
        status = cli.main([url + path, *MOCK])

    out = capsys.readouterr().out
    assert status == 0
    assert "Conformant: " in out
    assert "not declared: infer, batch, health, auth" in out


def test_a_broken_must_is_exit_1_and_the_report_explains_it(capsys):
    with canned({STREAM_PATH: UNENDED}) as url:
        status = cli.main([url, *MOCK])

    out = capsys.readouterr().out
    assert status == 1
    assert "FAIL  STREAM-05  MUST  Every event, the last one too, ends" in out
    assert "want    a blank line after the last event" in out
    assert "breaks  Standard parsers of event streams: they drop" in out
    assert "spec    cloud-inference.md#STREAM-05" in out
    assert f"repro   curl -N -X POST {url}/api/v1/inference/stream -H 'Content" in out
    assert out.count("FAIL") == 1


def test_an_older_version_of_the_spec_judges_by_its_own_list(capsys):
    with canned() as url:
        status = cli.main([url, *MOCK, "--spec", "1.0", "--json", "r.json"])

    report = json.loads(Path("r.json").read_text())
    judged = {each["requirement"] for each in report["verdicts"]}
    assert (status, report["spec"]) == (0, "1.0")
    assert judged <= spec.ids_in("1.0")
    assert capsys.readouterr().out.startswith("octomil-conformance 0.1.0, spec 1.0\n")


def test_a_broken_should_is_a_warning_and_fails_only_when_strict():
    with canned() as url:
        assert cli.main([url, *MOCK]) == 0
        assert cli.main([url, *MOCK, "--strict"]) == 1


EXPECTED = """
profiles = ["stream@0", "embed@0"]

[[expected]]
check = "EMBED-06"
reason = "usage comes with the next release"
link = "https://example.org/7"
"""


def test_an_expected_failure_makes_the_conclusion_partial(capsys):
    Path("octomil-conformance.toml").write_text(EXPECTED)

    with canned({EMBED_PATH: NO_USAGE}) as url:
        status = cli.main([url])

    out = capsys.readouterr().out
    assert status == 0
    assert "usage comes with the next release https://example.org/7" in out
    assert "Partial: " in out


def test_a_stale_expectation_is_exit_1(capsys):
    Path("octomil-conformance.toml").write_text(EXPECTED)

    with canned() as url:
        status = cli.main([url])

    assert status == 1
    assert "STALE  EMBED-06" in capsys.readouterr().out


def test_a_server_that_hangs_fails_its_checks_at_their_deadline(capsys):
    with canned({EMBED_PATH: HANG}) as url:
        status = cli.main([url, *MOCK, "--timeout-factor", "0.03"])

    assert status == 1
    assert "FAIL  EMBED-01" in capsys.readouterr().out


# Wrong usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["ftp://127.0.0.1"],
        [NO_SERVER, "--profile", "streams"],
        [NO_SERVER, "--profile", "stream@3"],
        [NO_SERVER, "--profile", "auth"],
        [NO_SERVER, "--profile", "stream@2", "--backend", "here"],
        [NO_SERVER, "--profile", "stream@2", "--backend", "192.0.2.1:1"],
        [NO_SERVER, "--token", "two\nlines"],
        [NO_SERVER, "--model", ""],
        ["http://[::1"],
        ["http://127.0.0.1:99999"],
        [f"{NO_SERVER}/a b"],
        [f"{NO_SERVER}?query"],
        ["http://name:password@127.0.0.1:1"],
        [f"{NO_SERVER}/api/v1/inference/stream"],
        ["doctor", "ftp://127.0.0.1"],
        ["explain", "STREAM-99"],
    ],
)
def test_wrong_usage_is_exit_2(arguments, capsys):
    assert cli.main(arguments) == 2
    assert "password" not in capsys.readouterr().err.replace("a password", "")


@pytest.mark.parametrize("options", ["", "--nonsense", "http://x --backend-timeout 0"])
def test_wrong_options_are_exit_2(options):
    with pytest.raises(SystemExit) as ended:
        cli.main(options.split())

    assert ended.value.code == 2


@pytest.mark.parametrize(
    "text",
    [
        "profiles = 7",
        "spec = '0.9'",
        "colour = 'red'",
        "= broken",
        "strict = 1",
        "profiles = [1]",
        "timeout_factor = 0",
        "timeout_factor = true",
        "at_once = 0",
        "backend_timeout = nan",
        "[[expected]]\ncheck = 1\nreason = 'no such'",
        "[[expected]]\ncheck = 'STREAM-05'",
        "[[expected]]\ncheck = 'STREAM-99'\nreason = 'no such'",
    ],
)
def test_a_wrong_file_is_exit_2(text):
    Path("octomil-conformance.toml").write_text(text)

    assert cli.main([NO_SERVER]) == 2


# Nothing to judge


def test_an_unreachable_server_is_exit_3(capsys):
    assert cli.main([NO_SERVER, "--markdown", "r.md"]) == 3
    said = capsys.readouterr()
    assert said.out.index("infer@1") < said.out.index("could not test: http://127")
    assert said.err == ""
    assert Path("r.md").read_text().startswith("## Could not test\n\n<code>")


NO_MODEL = b'{"error":"not_found","message":"no model conf-echo","status_code":404,"code":"model_not_found"}'
LEAKY = b"x" * 190 + b"%T" + b"y" * 200
TOKEN = "secret-token-of-somebody"
WITH_TOKEN = ["--token", TOKEN, "--profile"]
PORTS = ["--backend", "127.0.0.1:0", "--openai-backend", "127.0.0.1:0"]
GOOD = ANSWERS[STREAM_PATH]


@pytest.mark.parametrize(
    "answer, options, hint",
    [
        ((404, "application/json", NO_MODEL), MOCK, "pass --model NAME"),
        ((401, "text/plain", b"who?"), MOCK, "pass --token"),
        (GOOD, ["--profile", "stream@2", *PORTS], "OLLAMA_BASE_URL=http://127.0.0.1:"),
        ((400, "text/plain", LEAKY), [*WITH_TOKEN, "stream@0"], "request with 400 xxx"),
        (GOOD, [*WITH_TOKEN, "auth@0"], ""),
    ],
    ids=["model", "token", "backend", "redacted", "no check"],
)
def test_what_cannot_be_tested_is_exit_3_with_a_hint(answer, options, hint, capsys):
    with canned({STREAM_PATH: answer}, {b"%T": "Authorization"}) as url:
        status = cli.main([url, *options])

    out = capsys.readouterr().out
    assert status == 3
    assert hint in out
    assert "secret" not in out


@pytest.mark.parametrize(
    "method, instead, words",
    [
        ("body", lambda *_, **__: {"messages": []}, "our own InferenceRequest is inv"),
        ("specimens", lambda _: 1 / 0, "ZeroDivisionError"),
        ("specimens", lambda _: [], "without an observation"),
    ],
)
def test_a_fault_of_the_suite_is_exit_4(method, instead, words, monkeypatch, capsys):
    monkeypatch.setattr(Api, method, instead)

    with canned() as url:
        status = cli.main([url, *MOCK])

    assert status == 4
    assert words in "".join(capsys.readouterr())


@pytest.fixture
def without_the_extra(monkeypatch):
    """Pretends that a package of the extra `conformance` is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "jsonschema" else found(name),
    )


@pytest.mark.usefixtures("without_the_extra")
def test_without_the_extra_the_command_says_how_to_install_it(capsys):
    of_a_server = [[NO_SERVER], ["doctor", NO_SERVER], ["record", NO_SERVER, "-o", "f"]]
    for arguments in [*of_a_server, ["matrix", "r.json"], ["fixtures", "."]]:
        assert cli.main(arguments) == 3
        assert "pip install 'octomil-ref[conformance]'" in capsys.readouterr().err


# Other commands


def test_list_prints_the_requirements_that_a_claim_includes(capsys):
    assert cli.main(["list"]) == 0
    assert "STREAM-05   MUST   @0 sdk  stream" in capsys.readouterr().out

    assert cli.main(["list", "--profile", "health", "--level", "0"]) == 0
    *listed, _, total = capsys.readouterr().out.splitlines()
    assert {line.split()[2] for line in listed} == {"@0"}
    assert all("health" in line for line in listed)
    assert total == f"{len(listed)} requirements of spec {spec.VERSION}"


def test_explain_prints_requirements_their_checks_and_what_these_send(capsys):
    assert cli.main(["explain", "stream-05", "Health-23", "AUTH-02", "HTTP-25"]) == 0

    out = capsys.readouterr().out
    assert "wire/stream.py:" in out
    assert "every_event_ends_with_a_blank_line" in out
    assert "cloud-inference.md#STREAM-05" in out
    assert "sends     POST /api/v1/inference/stream\n" in out
    assert "# ollama and openai hanging\n" in out
    assert "X-API-Key: conf-0000-an-unknown-token\n" in out
    assert "sends     nothing; it judges the responses to the other checks\n" in out


def test_a_batch_whose_inputs_all_fail_is_no_answer():
    with serving(served(Upstreams(), scenario="status-503")) as url:
        config = Config(base_url(url), {"infer": 1, "batch": 1})
        with pytest.raises(CouldNotTest, match="answered a plain request with 503"):
            judge(config)


# The cost


@pytest.mark.parametrize("profile", MODEL_ANSWERS)
def test_the_cost_of_a_run_is_as_it_is_stated(profile):
    """If it fails: write the number that was counted into checks/__init__.py."""
    inputs = 2 if profile == "batch" else 1

    alone = model_answers({profile: 1})
    with_auth = model_answers({profile: 1, "auth": 1})

    assert alone == MODEL_ANSWERS[profile]
    assert with_auth - alone == MODEL_ANSWERS_OF_AUTH * inputs


def model_answers(claims):
    """How many answers a run asks the model for."""
    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout=2) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url)
        with serving(served(upstreams, TOKEN)) as url:
            run = judge(Config(base_url(url), claims, TOKEN))
        assert run.conclusion() == "conformant"
        return len(backend.calls(""))


def test_a_claim_of_auth_at_level_2_needs_no_backend(capsys):
    cli.main([NO_SERVER, "--profile", "infer@1", *WITH_TOKEN, "auth@2"])

    out = capsys.readouterr().out
    assert "auth@2 is judged at level 1, the highest that its requirements have" in out
    assert "the server under test needs" not in out


def test_the_cost_is_printed_before_the_run(capsys):
    cli.main([NO_SERVER, "--profile", "infer@1", "--profile", "batch@0"])

    cost = (
        f"about {MODEL_ANSWERS['infer'] + 2} answers from the model: at most 4 tokens"
    )
    assert f"{cost} each, except 2 without a limit" in capsys.readouterr().out
