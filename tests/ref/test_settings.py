"""Every setting: its variable, its default, how a wrong one is refused, and that no secret shows."""

import os

import pytest

from octomil_ref import setting_values, settings
from octomil_ref.settings import Settings, SettingsError, load

DEFAULTS = {
    "OLLAMA_BASE_URL": ("ollama_base_url", "http://localhost:11434"),
    "OPENAI_API_ENDPOINT": ("openai_api_endpoint", ""),
    "OPENAI_API_KEY": ("openai_api_key", ""),
    "LLM_BACKEND_TIMEOUT": ("backend_timeout", 30.0),
    "OCTOMIL_BACKEND_COOLDOWN": ("backend_cooldown", 5.0),
    "OCTOMIL_MODEL_ALIASES": ("model_aliases", setting_values.BUILT_IN_ALIASES),
    "OCTOMIL_API_KEYS": ("api_keys", ()),
    "OCTOMIL_API_KEYS_FILE": ("api_keys_file", ""),
    "OCTOMIL_ALLOW_ANONYMOUS": ("allow_anonymous", False),
    "OCTOMIL_CORS_ORIGINS": ("cors_origins", ()),
    "OCTOMIL_PAGE": ("page", True),
    "OCTOMIL_MAX_BODY_BYTES": ("max_body_bytes", 8 * 1024 * 1024),
    "OCTOMIL_MAX_INFLIGHT": ("max_inflight", None),
    "OCTOMIL_BATCH_MAX_INPUTS": ("batch_max_inputs", 256),
    "OCTOMIL_BATCH_MAX_CONCURRENCY": ("batch_max_concurrency", 32),
    "OCTOMIL_EMBEDDINGS_MAX_INPUTS": ("embeddings_max_inputs", 512),
    "OCTOMIL_HOST": ("host", "127.0.0.1"),
    "OCTOMIL_PORT": ("port", 8000),
    "OCTOMIL_THREADS": ("threads", None),
    "OCTOMIL_WORKERS": ("workers", 1),
    "OCTOMIL_PIN_TO_CORE": ("pin_to_core", False),
    "OCTOMIL_CLIENT_TIMEOUT": ("client_timeout", 75.0),
    "OCTOMIL_SHUTDOWN_GRACE": ("shutdown_grace", 60.0),
    "OCTOMIL_LOG_LEVEL": ("log_level", "INFO"),
    "OCTOMIL_LOG_FORMAT": ("log_format", "text"),
}

GIVEN = {
    "OLLAMA_BASE_URL": ("http://gpu:11434/", "http://gpu:11434"),
    "OPENAI_API_ENDPOINT": ("http://gpu:8080", "http://gpu:8080/v1"),
    "OPENAI_API_KEY": (" sk-1 ", "sk-1"),
    "LLM_BACKEND_TIMEOUT": ("2.5", 2.5),
    "OCTOMIL_BACKEND_COOLDOWN": ("0", 0.0),
    "OCTOMIL_API_KEYS": ("a, b", ("a", "b")),
    "OCTOMIL_ALLOW_ANONYMOUS": ("1", True),
    "OCTOMIL_CORS_ORIGINS": ("https://a.example", ("https://a.example",)),
    "OCTOMIL_PAGE": ("off", False),
    "OCTOMIL_MAX_BODY_BYTES": ("1024", 1024),
    "OCTOMIL_MAX_INFLIGHT": ("7", 7),
    "OCTOMIL_BATCH_MAX_INPUTS": ("8", 8),
    "OCTOMIL_BATCH_MAX_CONCURRENCY": ("9", 9),
    "OCTOMIL_EMBEDDINGS_MAX_INPUTS": ("10", 10),
    "OCTOMIL_HOST": ("0.0.0.0", "0.0.0.0"),
    "OCTOMIL_PORT": ("0", 0),
    "OCTOMIL_THREADS": ("12", 12),
    "OCTOMIL_WORKERS": ("2", 2),
    "OCTOMIL_PIN_TO_CORE": ("1", True),
    "OCTOMIL_CLIENT_TIMEOUT": ("0.5", 0.5),
    "OCTOMIL_SHUTDOWN_GRACE": ("0.5", 0.5),
    "OCTOMIL_LOG_LEVEL": ("debug", "DEBUG"),
    "OCTOMIL_LOG_FORMAT": ("json", "json"),
}

WRONG = [
    ("OLLAMA_BASE_URL", "gpu:11434"),
    ("OPENAI_API_ENDPOINT", "/v1"),
    ("LLM_BACKEND_TIMEOUT", "abc"),
    ("OCTOMIL_BACKEND_COOLDOWN", "-1"),
    ("OCTOMIL_MODEL_ALIASES", "phi"),
    ("OCTOMIL_ALLOW_ANONYMOUS", "perhaps"),
    ("OCTOMIL_CORS_ORIGINS", "a.example"),
    ("OCTOMIL_PAGE", "dark"),
    ("OCTOMIL_MAX_BODY_BYTES", "8MiB"),
    ("OCTOMIL_MAX_INFLIGHT", "0"),
    ("OCTOMIL_BATCH_MAX_INPUTS", "0"),
    ("OCTOMIL_BATCH_MAX_CONCURRENCY", "x"),
    ("OCTOMIL_EMBEDDINGS_MAX_INPUTS", "1.5"),
    ("OCTOMIL_PORT", "99999"),
    ("OCTOMIL_THREADS", "many"),
    ("OCTOMIL_WORKERS", "-1"),
    ("OCTOMIL_PIN_TO_CORE", "yes please"),
    ("OCTOMIL_CLIENT_TIMEOUT", "0"),
    ("OCTOMIL_SHUTDOWN_GRACE", "nan"),
    ("OCTOMIL_LOG_LEVEL", "loud"),
    ("OCTOMIL_LOG_FORMAT", " "),
]


def complaint(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ)
    return str(caught.value)


def rows(environ: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Of each variable its value as shown, and where it came from."""
    return {name: (value, source) for name, value, source in settings.report(environ)}


def test_the_variables_are_those_of_the_table():
    assert [variable for variable, _, _ in settings.report({})] == list(DEFAULTS)


@pytest.mark.parametrize("name, default", DEFAULTS.values(), ids=DEFAULTS)
def test_a_variable_has_its_default(name, default):
    assert getattr(load({}), name) == default


@pytest.mark.parametrize("variable", GIVEN)
def test_a_variable_that_is_given_counts(variable):
    text, value = GIVEN[variable]
    name, _ = DEFAULTS[variable]

    assert getattr(load({variable: text}), name) == value


@pytest.mark.parametrize("variable", [v for v in DEFAULTS if v != "OLLAMA_BASE_URL"])
def test_an_empty_variable_counts_as_not_given(variable):
    assert load({variable: ""}) == Settings()


@pytest.mark.parametrize("text", ["", " "], ids=["empty", "blank"])
def test_ollama_is_off_where_its_url_is(text):
    assert load({"OLLAMA_BASE_URL": text}).ollama_base_url == ""


def test_an_alias_joins_the_built_in_ones():
    table = load({"OCTOMIL_MODEL_ALIASES": "mine=yours"}).model_aliases

    assert table["ollama"]["mine"] == "yours"
    assert table["ollama"]["phi-4-mini"] == "phi4-mini"


def test_settings_come_from_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("OCTOMIL_PORT", "1234")

    assert load().port == 1234


@pytest.mark.parametrize("variable, text", WRONG)
def test_a_wrong_setting_is_one_line_that_names_the_variable(variable, text):
    said = complaint({variable: text})

    assert said.startswith(f"{variable}: expected ")
    assert said.endswith(f", got {text!r}")
    assert len(said.splitlines()) == 1


def test_a_wrong_key_is_not_shown():
    said = complaint({"OPENAI_API_KEY": "sk-s\u00e9cret"})

    assert said == "OPENAI_API_KEY: expected printable ASCII, got what is set"


def test_tokens_stand_in_a_file_one_a_line(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# staff\n\n  first \nsecond\r\n#third\n")

    loaded = load({"OCTOMIL_API_KEYS_FILE": str(file)})

    assert loaded.api_keys == ("first", "second")


def test_tokens_of_the_file_join_those_of_the_variable(tmp_path):
    file = tmp_path / "keys"
    file.write_text("second")

    loaded = load(
        {"OCTOMIL_API_KEYS": "first", "OCTOMIL_API_KEYS_FILE": str(file)},
    )

    assert loaded.api_keys == ("first", "second")


@pytest.mark.parametrize(
    "prepare, reason",
    [
        (lambda path: None, "FileNotFoundError"),
        (lambda path: path.mkdir(), "IsADirectoryError"),
        (lambda path: path.write_bytes(b"se\xffcret"), "UnicodeDecodeError"),
    ],
    ids=["missing", "a directory", "not text"],
)
def test_a_file_of_tokens_that_cannot_be_read_is_named(tmp_path, prepare, reason):
    path = tmp_path / "keys"
    prepare(path)

    said = complaint({"OCTOMIL_API_KEYS_FILE": str(path)})

    assert said == (
        f"OCTOMIL_API_KEYS_FILE: expected a readable text file, got {str(path)!r} ({reason})"
    )


@pytest.mark.parametrize(
    "host, shown",
    [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")],
)
def test_a_host_as_it_stands_in_a_url(host, shown):
    assert Settings(host=host).url_host() == shown


@pytest.mark.parametrize(
    "given, bound",
    [
        (Settings(), None),
        (Settings(threads=64), 60),
        (Settings(threads=5), 1),
        (Settings(threads=2), 1),
        (Settings(max_inflight=7), 7),
        (Settings(max_inflight=100, threads=64), 100),
    ],
    ids=[
        "unbounded where nothing is known",
        "the threads less four",
        "one, with one thread beside the spare ones",
        "one, with fewer threads than are spared",
        "as said",
        "as said, whatever the threads",
    ],
)
def test_the_requests_that_may_wait_for_a_model_are(given, bound):
    assert given.inflight_limit() == bound


@pytest.mark.parametrize(
    "given",
    [Settings(api_keys=("t",)), Settings(allow_anonymous=True)],
    ids=["tokens", "everyone"],
)
def test_someone_said_who_may_call(given):
    assert settings.require_access_rule(given) is given


def test_nobody_said_who_may_call():
    with pytest.raises(SettingsError) as caught:
        settings.require_access_rule(Settings())

    assert str(caught.value).startswith("OCTOMIL_API_KEYS: no token is set; set one")
    assert "OCTOMIL_API_KEYS_FILE" in str(caught.value)
    assert "OCTOMIL_ALLOW_ANONYMOUS=1" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "variable, text, line",
    [
        ("OCTOMIL_API_KEYS", "", "octomil-ref: OCTOMIL_API_KEYS: no token is set"),
        ("OCTOMIL_PORT", "x", "octomil-ref: OCTOMIL_PORT: expected a port"),
    ],
    ids=["no access rule", "a wrong value"],
)
def test_settings_unfit_to_serve_end_the_process_with_one_line(
    monkeypatch, variable, text, line
):
    monkeypatch.setenv(variable, text)

    with pytest.raises(SystemExit) as caught:
        settings.load_or_exit()

    assert caught.value.code.startswith(line)
    assert "\n" not in caught.value.code


def test_settings_fit_to_serve_are_given(monkeypatch):
    monkeypatch.setenv("OCTOMIL_API_KEYS", "t")

    assert settings.load_or_exit().api_keys == ("t",)


def test_the_report_tells_what_was_given():
    report = rows({"OCTOMIL_PORT": "0", "OLLAMA_BASE_URL": "", "OCTOMIL_HOST": ""})

    assert report["OCTOMIL_PORT"] == ("0", "environment")
    assert report["OLLAMA_BASE_URL"] == ("", "environment")
    assert report["OCTOMIL_HOST"] == ("127.0.0.1", "default")


@pytest.mark.parametrize(
    ("given", "threads", "max_inflight"),
    [
        ({}, ("64", "default"), ("60", "derived")),
        ({"OCTOMIL_THREADS": "16"}, ("16", "environment"), ("12", "derived")),
        ({"OCTOMIL_MAX_INFLIGHT": "9"}, ("64", "default"), ("9", "environment")),
    ],
    ids=["nothing", "threads", "a bound"],
)
def test_the_report_tells_what_follows_from_what_was_given(
    given, threads, max_inflight
):
    report = rows(given)

    assert report["OCTOMIL_THREADS"] == threads
    assert report["OCTOMIL_MAX_INFLIGHT"] == max_inflight


def test_the_report_shows_no_secret(tmp_path):
    file = tmp_path / "keys"
    file.write_text("hidden-3")

    report = rows(
        {
            "OPENAI_API_KEY": "hidden-1",
            "OCTOMIL_API_KEYS": "hidden-2",
            "OCTOMIL_API_KEYS_FILE": str(file),
        }
    )

    assert report["OPENAI_API_KEY"] == ("(set, not shown)", "environment")
    assert report["OCTOMIL_API_KEYS"] == ("(set, not shown)", "environment")
    assert "hidden" not in str(report)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OCTOMIL_API_KEYS"])
def test_the_report_tells_that_a_secret_is_not_set(variable):
    assert rows({})[variable] == ("", "default")


def test_the_report_tells_that_tokens_came_from_the_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text("hidden")

    report = rows({"OCTOMIL_API_KEYS_FILE": str(file)})

    assert report["OCTOMIL_API_KEYS"] == ("(set, not shown)", "file")
    assert report["OCTOMIL_API_KEYS_FILE"] == (str(file), "environment")
    assert report["OCTOMIL_PORT"] == ("8000", "default")


def test_the_report_refuses_a_wrong_setting():
    with pytest.raises(SettingsError, match="OCTOMIL_PORT"):
        settings.report({"OCTOMIL_PORT": "x"})


def test_what_is_published_is_set_for_the_processes_started_next():
    settings.publish(OCTOMIL_PORT=8001, OCTOMIL_THREADS=None)

    assert os.environ["OCTOMIL_PORT"] == "8001"
    assert "OCTOMIL_THREADS" not in os.environ


def test_a_key_file_may_start_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "keys"
    file.write_text("one\n", encoding="utf-8-sig")

    assert load({"OCTOMIL_API_KEYS_FILE": str(file)}).api_keys == ("one",)


@pytest.mark.parametrize("url", ["http://u:hunter2@h/v1", "http://h/v1?key=hunter2"])
def test_a_password_in_a_url_is_not_shown(url):
    said = complaint({"OPENAI_API_ENDPOINT": url})

    assert "hunter2" not in said


def test_settings_do_not_show_their_secrets():
    shown = repr(load({"OCTOMIL_API_KEYS": "hunter2", "OPENAI_API_KEY": "hunter3"}))

    assert "hunter" not in shown
