"""Every setting: its variable, the error for a wrong value, and secrets that are never shown."""

import os
import re
import shutil
from dataclasses import fields
from pathlib import Path

import certifi
import pytest

from octomil_ref import setting_values, settings
from octomil_ref.setting_values import SettingsError
from octomil_ref.settings import Settings, load
from octomil_ref.settings_report import (
    MASKED,
    MEANINGS,
    Reported,
    report,
    warnings,
)

GIVEN = {
    "OLLAMA_BASE_URL": ("http://gpu:11434/", "http://gpu:11434"),
    "OLLAMA_API_KEY": (" key-1 ", "key-1"),
    "OPENAI_API_ENDPOINT": ("http://gpu:8080", "http://gpu:8080/v1"),
    "OPENAI_API_KEY": (" sk-1 ", "sk-1"),
    "OPENAI_API_HEADERS": ("a: b, c-d: e:f", {"a": "b", "c-d": "e:f"}),
    "LLM_BACKEND_TIMEOUT": ("2.5", 2.5),
    "LLM_BACKEND_LOAD_TIMEOUT": ("600", 600.0),
    "OCTOMIL_BACKEND_COOLDOWN": ("0", 0.0),
    "OCTOMIL_MODEL_ALIASES": ("a=b", setting_values.aliases("a=b")),
    "OCTOMIL_API_KEYS": ("a, b", ("a", "b")),
    "OCTOMIL_API_KEYS_FILE": (os.devnull, os.devnull),
    "OCTOMIL_ALLOW_ANONYMOUS": ("1", True),
    "OCTOMIL_CORS_ORIGINS": ("https://a.example", ("https://a.example",)),
    "OCTOMIL_PAGE": ("off", False),
    "OCTOMIL_SDK_ENDPOINTS": ("0", False),
    "OCTOMIL_MAX_BODY_BYTES": ("1024", 1024),
    "OCTOMIL_MAX_INFLIGHT": ("7", 7),
    "OCTOMIL_BATCH_MAX_INPUTS": ("8", 8),
    "OCTOMIL_BATCH_MAX_CONCURRENCY": ("9", 9),
    "OCTOMIL_EMBEDDINGS_MAX_INPUTS": ("10", 10),
    "OCTOMIL_HOST": ("0.0.0.0", "0.0.0.0"),
    "OCTOMIL_PORT": ("0", 0),
    "OCTOMIL_UNIX_SOCKET": ("/run/a.sock", "/run/a.sock"),
    "OCTOMIL_THREADS": ("12", 12),
    "OCTOMIL_WORKERS": ("2", 2),
    "OCTOMIL_PIN_TO_CORE": ("1", True),
    "OCTOMIL_CLIENT_TIMEOUT": ("0.5", 0.5),
    "OCTOMIL_SHUTDOWN_GRACE": ("0.5", 0.5),
    "OCTOMIL_METRICS": ("1", True),
    "OCTOMIL_METRICS_PUBLIC": ("1", True),
    "PROMETHEUS_MULTIPROC_DIR": ("/run/metrics", "/run/metrics"),
    "OCTOMIL_LOG_LEVEL": ("debug", "DEBUG"),
    "OCTOMIL_LOG_FORMAT": ("json", "json"),
}
"""For each variable: a text, and the value of the text."""


def complaint(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value)


@pytest.mark.parametrize("field", fields(Settings), ids=lambda field: field.name)
def test_a_given_variable_sets_its_field(field):
    text, value = GIVEN[field.metadata["variable"]]

    assert getattr(load({field.metadata["variable"]: text}), field.name) == value


@pytest.mark.parametrize("text", ["", " "], ids=["empty", "blank"])
def test_an_empty_url_switches_ollama_off(text):
    assert load({"OLLAMA_BASE_URL": text}).ollama_base_url == ""


def test_any_other_empty_variable_counts_as_not_given():
    assert load(dict.fromkeys(GIVEN, "")) == Settings(ollama_base_url="")


@pytest.mark.parametrize(
    "variable, text",
    [("OCTOMIL_PORT", "99999"), ("OCTOMIL_LOG_FORMAT", " "), ("OCTOMIL_HOST", '"::"')],
)
def test_the_error_of_a_wrong_setting_is_one_line_that_names_the_variable(
    variable, text
):
    message = complaint({variable: text})

    assert message.startswith(f"{variable}: expected ")
    assert message.endswith(f", got {text!r}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "given",
    [{"api_keys": ("t",)}, {"api_keys_file": "keys"}, {"allow_anonymous": True}],
    ids=["tokens", "a file of tokens", "anonymous access"],
)
def test_tokens_or_anonymous_access_satisfy_the_access_rule(
    given, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").write_text("t")
    given = Settings(**given)

    assert settings.require_complete(given) is given


def test_metrics_without_their_library_are_an_error(monkeypatch):
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    given = Settings(allow_anonymous=True, metrics=True)

    with pytest.raises(SettingsError, match="^OCTOMIL_METRICS: .*prometheus-client"):
        settings.require_complete(given)


def test_without_tokens_and_anonymous_access_the_error_says_what_to_set():
    with pytest.raises(SettingsError) as caught:
        settings.require_complete(Settings())

    assert str(caught.value).startswith("OCTOMIL_API_KEYS: no token is set; set one")
    assert "OCTOMIL_API_KEYS_FILE" in str(caught.value)
    assert "OCTOMIL_ALLOW_ANONYMOUS=1" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("variable", ["OLLAMA_API_KEY", "OPENAI_API_KEY"])
def test_a_secret_may_be_in_a_file(tmp_path, variable):
    file = tmp_path / "key"
    file.write_text("hidden\n")
    environ = {f"{variable}_FILE": str(file)}

    assert getattr(load(environ), variable.lower()) == "hidden"


def test_the_variable_wins_over_the_file():
    environ = {"OPENAI_API_KEY": "here", "OPENAI_API_KEY_FILE": "/no/such/file"}

    assert load(environ).openai_api_key == "here"


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda path: None, "a readable text file"),
        (lambda path: path.write_text(" \n"), "a file with the secret in it"),
        (lambda path: path.write_text("Bearer x"), "a key without spaces and without"),
        (lambda path: path.write_text("'x'"), "a value without quotes around it"),
    ],
    ids=["missing", "blank", "spaces", "quotes"],
)
def test_a_file_without_its_secret_is_a_wrong_setting(tmp_path, prepare, expected):
    path = tmp_path / "key"
    prepare(path)

    message = complaint({"OPENAI_API_KEY_FILE": str(path)})

    assert message.startswith(f"OPENAI_API_KEY_FILE: expected {expected}")
    assert f", got {str(path)!r}" in message


@pytest.mark.parametrize("variable", settings.CERTIFICATES)
def test_certificates_that_cannot_be_read_are_a_wrong_setting(tmp_path, variable):
    empty = tmp_path / "ca.pem"
    empty.touch()
    tls = {"OPENAI_API_ENDPOINT": "https://host"}

    for path in (empty, tmp_path / "missing"):
        load({variable: str(path)})  # without TLS it does not matter
        said = f"{variable}: expected a file with certificates, got {str(path)!r}"
        assert complaint({variable: str(path), **tls}) == said


def test_certificates_that_were_right_once_are_only_complained_about(tmp_path, caplog):
    """So that a new worker of gunicorn starts."""
    bundle = tmp_path / "ca.pem"
    shutil.copy(certifi.where(), bundle)
    environ = {"SSL_CERT_FILE": str(bundle), "OLLAMA_BASE_URL": "https://host"}
    load(environ)
    bundle.unlink()

    load(environ)

    said = f"SSL_CERT_FILE: expected a file with certificates, got {str(bundle)!r}"
    assert caplog.messages == [said]


def test_certificates_may_be_in_a_folder_unless_it_is_named_as_a_file(tmp_path):
    tls = {"OPENAI_API_ENDPOINT": "https://host"}

    load({"REQUESTS_CA_BUNDLE": str(tmp_path), **tls})
    load({"CURL_CA_BUNDLE": str(tmp_path), **tls})
    assert "a file with" in complaint({"SSL_CERT_FILE": str(tmp_path), **tls})


def test_published_variables_are_set_for_child_processes():
    settings.publish(OCTOMIL_PORT=0, OCTOMIL_THREADS=8, OCTOMIL_HOST="::")
    settings.publish(OCTOMIL_THREADS=None, OCTOMIL_HOST="")

    assert os.environ["OCTOMIL_PORT"] == "0"
    assert not {"OCTOMIL_THREADS", "OCTOMIL_HOST"} & os.environ.keys()


@pytest.mark.parametrize(
    "variable, text",
    [
        ("OPENAI_API_KEY", "sk-hunter2-\u00e9"),
        ("OPENAI_API_ENDPOINT", "http://u:hunter2@h/v1"),
        ("OPENAI_API_ENDPOINT", "http://h/v1?key=hunter2"),
    ],
)
def test_the_error_for_a_secret_does_not_show_it(variable, text):
    assert complaint({variable: text}).endswith(", got a value that is not shown")


def test_settings_do_not_show_their_secrets():
    shown = repr(load({"OCTOMIL_API_KEYS": "hunter2", "OPENAI_API_KEY": "hunter3"}))

    assert "hunter" not in shown


# What `octomil-ref config` prints, its agreement with the README, and warnings

README = Path(__file__).parents[2] / "README.md"

DEFAULTS_IN_WORDS = {
    "LLM_BACKEND_LOAD_TIMEOUT": "LLM_BACKEND_TIMEOUT",
    "OCTOMIL_MODEL_ALIASES": "the ids of Octomil's catalogue, for Ollama",
    "OCTOMIL_MAX_INFLIGHT": "threads minus 4",
    "PROMETHEUS_MULTIPROC_DIR": "a temporary folder",
}


def test_the_readme_has_each_variable_with_its_default_and_its_meaning():
    row = re.compile(r"^\| `([A-Z_]+)` \|(.*?)\| (.*) \|$", re.MULTILINE)
    table = {
        variable: (default.strip(" `"), meaning)
        for variable, default, meaning in row.findall(README.read_text("utf-8"))
    }

    assert table == {
        row.variable: (
            DEFAULTS_IN_WORDS.get(row.variable, row.value),
            MEANINGS[row.variable],
        )
        for row in report({})
    }


@pytest.mark.parametrize(
    "environ, variable, value, source",
    [
        ({"OCTOMIL_PORT": "0"}, "OCTOMIL_PORT", "0", "environment"),
        ({"OLLAMA_BASE_URL": ""}, "OLLAMA_BASE_URL", "", "environment"),
        ({"OCTOMIL_HOST": ""}, "OCTOMIL_HOST", "127.0.0.1", "default"),
        ({}, "OCTOMIL_THREADS", "64", "default"),
        ({}, "OCTOMIL_MAX_INFLIGHT", "60", "derived"),
        ({"OCTOMIL_THREADS": "16"}, "OCTOMIL_MAX_INFLIGHT", "12", "derived"),
        ({"OCTOMIL_THREADS": "2"}, "OCTOMIL_MAX_INFLIGHT", "1", "derived"),
        ({"OCTOMIL_MAX_INFLIGHT": "99"}, "OCTOMIL_MAX_INFLIGHT", "99", "environment"),
        ({}, "OPENAI_API_KEY", "", "default"),
        ({"OPENAI_API_KEY": "hidden"}, "OPENAI_API_KEY", MASKED, "environment"),
        ({"OPENAI_API_KEY_FILE": "key"}, "OPENAI_API_KEY", MASKED, "file"),
        ({"OCTOMIL_API_KEYS": "hidden"}, "OCTOMIL_API_KEYS", MASKED, "environment"),
    ],
    ids=str,
)
def test_the_report_shows_a_setting_and_its_source(
    environ, variable, value, source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("hidden")

    rows = {row.variable: row for row in report(environ)}

    assert rows[variable] == Reported(variable, value, source)
    assert "hidden" not in str(rows)


OLLAMA_OFF = {"OLLAMA_BASE_URL": ""}
ENDS = "OPENAI_API_ENDPOINT ends with"
ADDS = "to which the server adds /chat/completions"
MISTAKES = {
    "nothing": ({}, []),
    "other names": (
        {"OCTOMIL_ORG_ID": "1", "OCTOMIL_TEST_CACHE": "/", "OCTOMILAPI": "1"}
        | {"OLLAMA_MODELS": "/", "OPENAI_ORG_ID": "1", "OPENAI_API_KEY_FILE": ""},
        [],
    ),
    "misspelt names": (
        {"OCTOMIL_API_KEY": "t", "OLLAMA_BASEURL": "", "OPENAI_API_KEYFILE": "/"}
        | {"OCTOMIL_PORT_FILE": "/"},
        [
            "OCTOMIL_API_KEY is not a setting: did you mean OCTOMIL_API_KEYS?",
            "OLLAMA_BASEURL is not a setting: did you mean OLLAMA_BASE_URL?",
            "OPENAI_API_KEYFILE is not a setting: did you mean OPENAI_API_KEY_FILE?",
        ],
    ),
    "names of other programs": (
        {"OPENAI_BASE_URL": "http://gpu/v1", "OLLAMA_HOST": "gpu"}
        | {"OLLAMA_BASE_URL": "http://gpu:11434"},
        ["OPENAI_BASE_URL is not a setting: did you mean OPENAI_API_ENDPOINT?"],
    ),
    "no backend": (
        OLLAMA_OFF,
        ["no backend: set OLLAMA_BASE_URL or OPENAI_API_ENDPOINT"],
    ),
    "one backend": (OLLAMA_OFF | {"OPENAI_API_ENDPOINT": "http://gpu"}, []),
    "a key without a backend": (
        {"OPENAI_API_KEY": "sk"},
        [
            "OPENAI_API_KEY and OPENAI_API_HEADERS have no effect without OPENAI_API_ENDPOINT"
        ],
    ),
    "tokens that are not checked": (
        {"OCTOMIL_API_KEYS": "t", "OCTOMIL_ALLOW_ANONYMOUS": "1"},
        ["OCTOMIL_ALLOW_ANONYMOUS is 1: the API tokens are not checked"],
    ),
    "no thread for health checks": (
        {"OCTOMIL_THREADS": "8", "OCTOMIL_MAX_INFLIGHT": "8"},
        [
            "OCTOMIL_MAX_INFLIGHT is not below OCTOMIL_THREADS: health checks wait while all threads are busy"
        ],
    ),
    "a thread for health checks": (
        {"OCTOMIL_THREADS": "8", "OCTOMIL_MAX_INFLIGHT": "7"},
        [],
    ),
    "public metrics without metrics": (
        {"OCTOMIL_METRICS_PUBLIC": "1"},
        ["OCTOMIL_METRICS_PUBLIC has no effect without OCTOMIL_METRICS"],
    ),
    **{
        url: ({"OPENAI_API_ENDPOINT": url}, [f"{ENDS} {ending}, {ADDS}"])
        for url, ending in [
            ("http://gpu/v1/v1/", "/v1/v1"),
            ("http://gpu/v1/chat/completions", "/chat/completions"),
            ("http://gpu/v1/models", "/v1/models"),
        ]
    },
    **{
        f"http://gpu:11434{ending}": (
            {"OLLAMA_BASE_URL": f"http://gpu:11434{ending}"},
            [f"OLLAMA_BASE_URL ends with {ending}, to which the server adds /api/chat"],
        )
        for ending in ("/v1", "/api", "/api/generate")
    },
    "base URLs with a path": (
        {
            "OLLAMA_BASE_URL": "http://gpu/apis/ollama",
            "OPENAI_API_ENDPOINT": "https://azure/models",
        },
        [],
    ),
}


@pytest.mark.parametrize("environ, expected", MISTAKES.values(), ids=MISTAKES)
def test_probable_mistakes_cause_warnings(environ, expected):
    assert warnings(load(environ), environ) == expected
