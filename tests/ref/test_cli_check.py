"""`octomil-ref check`: what it prints about each backend, and its exit code."""

import pytest
import requests
import responses

from octomil_ref import cli

TAGS = "http://localhost:11434/api/tags"


def test_check_lists_the_models_of_each_backend(monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_ENDPOINT", "http://gpu")
    responses.get(TAGS, json={"models": [{"name": "a"}, {"name": "b"}]})
    responses.get("http://gpu/v1/models", json={"data": []})

    cli.main(["check"])

    ollama, openai = capsys.readouterr().out.splitlines()
    assert ollama.startswith("ollama: reached and authorized; models: a")
    assert openai == "openai: reached and authorized; models: none"


FAILURES = {
    "cut its answer off. (connection refused)": {
        "body": requests.ConnectionError(ConnectionRefusedError())
    },
    "did not accept this server's credentials. (status 401: unauthorized)": {
        "status": 401,
        "json": {"error": "unauthorized"},
    },
    "does not know the path: check its base URL. (status 301)": {"status": 301},
    "sent something that is not an answer. (status 200)": {"body": "<html>"},
}


@pytest.mark.parametrize(("said", "answer"), FAILURES.items(), ids=FAILURES)
def test_check_says_that_the_backend(capsys, said, answer):
    responses.get(TAGS, **answer)

    with pytest.raises(SystemExit, match="^1$"):
        cli.main(["check"])

    assert capsys.readouterr().out == f"ollama: The ollama backend {said}\n"


def test_check_reads_the_file_of_api_tokens(monkeypatch):
    monkeypatch.setenv("OCTOMIL_API_KEYS_FILE", "/no")

    with pytest.raises(SystemExit, match="^octomil-ref: OCTOMIL_API_KEYS_FILE: "):
        cli.main(["check"])


def test_check_without_a_backend_fails(monkeypatch, capsys):
    monkeypatch.setenv("OLLAMA_BASE_URL", "")

    with pytest.raises(SystemExit, match="^1$"):
        cli.main(["check"])

    assert capsys.readouterr().out.startswith("no backend: ")
