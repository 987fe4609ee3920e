"""One log line per request, written once its response has ended; both formats."""

import json
import logging

import pytest
from builders import asking, new_record

from octomil_ref import logs
from octomil_ref.errors import Busy, UpstreamError
from octomil_ref.logs import configure_logging
from octomil_ref.records import Attempt
from octomil_ref.settings import Settings


@pytest.fixture(autouse=True)
def requests_are_logged() -> None:
    logging.getLogger("octomil_ref").setLevel("INFO")


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"status": 200}, "INFO"),
        ({"status": 404}, "INFO"),
        ({"status": 502}, "ERROR"),
        ({"status": 200, "ended": "interrupted"}, "ERROR"),
        ({"status": 200, "ended": "client_left"}, "INFO"),
        ({"status": 200, "is_polled": True}, "DEBUG"),
        ({"status": 401, "is_polled": True}, "INFO"),
        ({"status": 503, "is_polled": True}, "ERROR"),
    ],
    ids=str,
)
def test_a_failure_of_ours_is_an_error_and_a_good_probe_is_for_debugging(
    capsys, fields, level
):
    configure_logging(Settings(log_format="json", log_level="DEBUG"))
    record = new_record()
    vars(record).update(fields)

    logs.write_access_line(record)

    assert json.loads(capsys.readouterr().err)["level"] == level


def attempt(failure: UpstreamError | None, prompt: str = "Hi") -> Attempt:
    return Attempt("id-1", "ollama", asking(prompt), 1.5, failure)


def failure(detail: str, status: int | None = None) -> UpstreamError:
    failure = Busy("The client reads this.")
    failure.detail, failure.upstream_status = detail, status
    return failure


def test_a_failed_attempt_is_one_warning_with_what_the_upstream_said(capsys):
    configure_logging(Settings(log_format="json"))

    logs.write_attempt(attempt(failure("out of memory", 503)))

    line = json.loads(capsys.readouterr().err)
    assert line.pop("time")
    assert line == {
        "level": "WARNING",
        "event": "attempt failed",
        "request_id": "id-1",
        "provider": "ollama",
        "model": "m",
        "kind": "Busy",
        "upstream_status": 503,
        "detail": "out of memory",
        "duration_ms": 1.5,
    }


@pytest.mark.parametrize(
    "ended, event",
    [
        (attempt(failure("")), "attempt failed"),
        (attempt(None).ended(failure(""), interrupted=True), "stream interrupted"),
        (attempt(None), None),
    ],
    ids=["that failed without a word", "whose stream broke off", "that succeeded"],
)
def test_the_line_of_an_attempt(capsys, ended, event):
    configure_logging(Settings(log_format="json"))

    logs.write_attempt(ended)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ([event] if event else [])
    assert not any({"upstream_status", "detail"} & line.keys() for line in lines)


@pytest.mark.parametrize(
    ("detail", "prompt", "shown"),
    [
        pytest.param("out of memory", "Hi", "out of memory", id="nothing is quoted"),
        pytest.param(
            "no 'my secret word' here, my secret word!",
            "It is my secret word.",
            "no '(not shown)' here,(not shown)!",
            id="every quote is hidden",
        ),
        pytest.param("word wordy", "word", "(not shown) (not shown)y", id="all of it"),
        pytest.param("this is it", "is", "this is it", id="a prompt of 3 or less"),
        pytest.param("x" * 400, "Hi", "x" * 300, id="no more than 300 characters"),
        pytest.param("ab", "a" * 300_000, "(not shown)", id="a prompt too long"),
        pytest.param("", "a" * 300_000, "", id="nothing about a prompt too long"),
    ],
)
def test_what_an_upstream_says_is_logged_without_the_prompt(detail, prompt, shown):
    assert logs.without_prompt(detail, [prompt]) == shown


@pytest.fixture
def noon():
    """The time at which each line is written."""
    made = logging.getLogRecordFactory()

    def at_noon(*args, **kwargs):
        record = made(*args, **kwargs)
        record.created = 1793448000.25
        return record

    logging.setLogRecordFactory(at_noon)
    yield "2026-10-31T12:00:00.250Z"
    logging.setLogRecordFactory(made)


def logged(capsys, log_format: str, message: str = "request", **given: object) -> str:
    """The text that one call of the logger writes."""
    configure_logging(Settings(log_format=log_format))
    logging.getLogger("octomil_ref.requests").info(message, **given)
    return capsys.readouterr().err


def test_a_text_line_has_time_level_event_and_fields(capsys, noon):
    line = logged(capsys, "text", extra={"fields": {"status": 200, "path": "/health"}})

    assert line == f"{noon} INFO request status=200 path=/health\n"


@pytest.mark.parametrize(
    "value, written",
    [
        ("a b", '"a b"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("", '""'),
        ("a\nb", '"a\\nb"'),
        ("a\x1b[2J", '"a\\u001b[2J"'),
        ("\u2028", '"\\u2028"'),
        ("caf\u00e9", '"caf\\u00e9"'),
        ("\ud800", '"\\ud800"'),
        ("llama3.2:1b", "llama3.2:1b"),
        (0.5, "0.5"),
        (True, "true"),
    ],
    ids=ascii,
)
def test_a_value_in_a_text_line_cannot_pass_for_another_field_or_line(
    capsys, value, written
):
    line = logged(capsys, "text", extra={"fields": {"model": value}})

    assert line.endswith(f" INFO request model={written}\n")


def test_a_json_line_has_time_level_event_and_fields(capsys, noon):
    line = logged(capsys, "json", extra={"fields": {"status": 200, "path": "/a\nb"}})

    assert line.count("\n") == 1 and line.isascii()
    assert json.loads(line) == {
        "time": noon,
        "level": "INFO",
        "event": "request",
        "status": 200,
        "path": "/a\nb",
    }


def test_a_traceback_follows_a_text_line_and_is_a_field_of_a_json_line(capsys):
    failure = ZeroDivisionError("by zero")

    first, *_, last = logged(capsys, "text", "a bug", exc_info=failure).splitlines()
    [line] = logged(capsys, "json", "a bug", exc_info=failure).splitlines()

    assert first.endswith(" INFO a bug") and last == "ZeroDivisionError: by zero"
    assert json.loads(line)["traceback"].endswith(last)


def test_lines_below_the_level_are_not_written(capsys):
    configure_logging(Settings(log_level="WARNING"))

    logging.getLogger("octomil_ref").info("quiet")
    logging.getLogger("octomil_ref").warning("loud")

    assert capsys.readouterr().err.count("\n") == 1


def test_after_a_second_configuration_each_line_is_written_once(capsys):
    configure_logging(Settings())

    line = logged(capsys, "text")

    assert line.count("\n") == 1


def test_handlers_of_the_root_logger_do_not_repeat_the_lines(caplog):
    configure_logging(Settings())

    logs.access_log.info("request", extra={"fields": {}})

    assert caplog.messages == []
