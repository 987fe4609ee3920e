"""The output of `octomil-ref config`, its agreement with the README, and warnings."""

import re
from pathlib import Path

import pytest

from octomil_ref.settings import load
from octomil_ref.settings_report import MEANINGS, report, warnings

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


def rows(environ: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The shown value and the source of each variable."""
    return {row.variable: (row.value, row.source) for row in report(environ)}


def test_the_report_shows_given_values_and_defaults():
    shown = rows({"OCTOMIL_PORT": "0", "OLLAMA_BASE_URL": "", "OCTOMIL_HOST": ""})

    assert shown["OCTOMIL_PORT"] == ("0", "environment")
    assert shown["OLLAMA_BASE_URL"] == ("", "environment")
    assert shown["OCTOMIL_HOST"] == ("127.0.0.1", "default")


@pytest.mark.parametrize(
    ("given", "threads", "max_inflight"),
    [
        ({}, ("64", "default"), ("60", "derived")),
        ({"OCTOMIL_THREADS": "16"}, ("16", "environment"), ("12", "derived")),
        ({"OCTOMIL_MAX_INFLIGHT": "9"}, ("64", "default"), ("9", "environment")),
    ],
    ids=["nothing", "threads", "a limit"],
)
def test_the_report_shows_derived_values(given, threads, max_inflight):
    shown = rows(given)

    assert shown["OCTOMIL_THREADS"] == threads
    assert shown["OCTOMIL_MAX_INFLIGHT"] == max_inflight


def test_the_report_shows_no_secret():
    shown = rows({"OPENAI_API_KEY": "hidden-1", "OCTOMIL_API_KEYS": "hidden-2"})

    assert shown["OPENAI_API_KEY"] == ("(set, not shown)", "environment")
    assert shown["OCTOMIL_API_KEYS"] == ("(set, not shown)", "environment")
    assert "hidden" not in str(shown)


def test_the_report_shows_that_a_secret_is_from_a_file(tmp_path):
    (tmp_path / "key").write_text("hidden")

    shown = rows({"OPENAI_API_KEY_FILE": str(tmp_path / "key")})

    assert shown["OPENAI_API_KEY"] == ("(set, not shown)", "file")


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OCTOMIL_API_KEYS"])
def test_the_report_shows_that_a_secret_is_not_set(variable):
    assert rows({})[variable] == ("", "default")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, []),
        ({"OCTOMIL_ORG_ID": "1", "OCTOMIL_TEST_CACHE": "/", "OCTOMILAPI": "1"}, []),
        (
            {"OCTOMIL_API_KEY": "t", "OCTOMIL_WORKER": "2"},
            [
                "OCTOMIL_API_KEY is not a setting: is it OCTOMIL_API_KEYS?",
                "OCTOMIL_WORKER is not a setting: is it OCTOMIL_WORKERS?",
            ],
        ),
        (
            {"OPENAI_BASE_URL": "http://gpu/v1", "OLLAMA_HOST": "gpu"}
            | {"OLLAMA_BASE_URL": "http://gpu:11434"},
            ["OPENAI_BASE_URL is not a setting: is it OPENAI_API_ENDPOINT?"],
        ),
        (
            {"OLLAMA_BASE_URL": ""},
            ["no backend: set OLLAMA_BASE_URL or OPENAI_API_ENDPOINT"],
        ),
        ({"OLLAMA_BASE_URL": "", "OPENAI_API_ENDPOINT": "http://gpu"}, []),
        (
            {"OPENAI_API_ENDPOINT": "http://gpu/v1/v1/"},
            ["OPENAI_API_ENDPOINT ends with /v1 twice"],
        ),
    ],
    ids=[
        "nothing",
        "other names",
        "misspelt names",
        "names of other programs",
        "no backend",
        "one backend",
        "a doubled path",
    ],
)
def test_what_looks_like_a_mistake_is_warned_about(environ, expected):
    assert warnings(load(environ), environ) == expected
