"""Starting and ending, for every way to start: wrong settings, no token, ports, signals in mid-stream."""

import signal
import socket

import httpx
import pytest
from open_streams import OpenStream
from processes import (
    ServerProcess,
    gunicorn,
    gunicorn_command,
    serve,
    serve_command,
    waitress_serve,
    waitress_serve_command,
)
from reference import PATIENCE, TOKEN, Reference, Start, client_of, reference

GRACEFUL: dict[str, tuple[Start, list[str]]] = {
    "serve": (serve, ["waitress"]),
    "serve by gunicorn": (serve, ["gunicorn"]),
    "gunicorn -c": (gunicorn, []),
}
gracefully = pytest.mark.parametrize(
    ("start", "options"), GRACEFUL.values(), ids=GRACEFUL
)

COMMANDS = {
    "serve": serve_command("waitress"),
    "serve by gunicorn": serve_command("gunicorn"),
    "gunicorn -c": gunicorn_command(),
    "waitress-serve": waitress_serve_command(),
}
in_every_way = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


def ending_at_once(command: list[str], **env: str) -> tuple[int, list[str]]:
    """The exit code and output of a process that ends by itself."""
    with ServerProcess(command, env) as process:
        code = process.wait(PATIENCE)
    return code, process.lines


# Starting


@in_every_way
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LLM_BACKEND_TIMEOUT", "abc"),
        ("LLM_BACKEND_TIMEOUT", "0"),
        ("OLLAMA_BASE_URL", "localhost:11434"),
        ("OCTOMIL_API_KEYS_FILE", "/no/such/file"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line(
    command: list[str], variable: str, value: str
) -> None:
    code, lines = ending_at_once(command, OCTOMIL_API_KEYS=TOKEN, **{variable: value})

    assert code not in (0, None)
    assert len(lines) == 1, lines
    assert variable in lines[0]
    assert value in lines[0]


@in_every_way
def test_a_wrong_secret_is_not_shown(command: list[str]) -> None:
    code, lines = ending_at_once(
        command, OCTOMIL_API_KEYS=TOKEN, OPENAI_API_KEY="sécret"
    )

    assert code != 0
    assert len(lines) == 1, lines
    assert "OPENAI_API_KEY" in lines[0]
    assert "cret" not in lines[0]


@pytest.mark.parametrize(
    "command",
    [COMMANDS["gunicorn -c"], COMMANDS["waitress-serve"]],
    ids=["gunicorn", "waitress-serve"],
)
def test_without_a_token_other_starts_than_serve_are_refused(
    command: list[str],
) -> None:
    code, lines = ending_at_once(command)

    assert code != 0
    assert len(lines) == 1, lines
    assert "OCTOMIL_API_KEYS" in lines[0]
    assert "OCTOMIL_ALLOW_ANONYMOUS=1" in lines[0]


@pytest.mark.parametrize("server", ["waitress", "gunicorn"])
def test_without_a_token_serve_makes_one_and_prints_it(server: str) -> None:
    with serve(server) as process:
        token = process.wait_for_line(r"Token.*: (\S+)$")[1]
        statuses = []
        for given in (token, f"{token}x"):
            with client_of(process.url, {"Authorization": f"Bearer {given}"}) as client:
                statuses.append(client.post("/inference", json={}).status_code)

    assert statuses == [400, 401]


@pytest.mark.parametrize("server", ["waitress", "gunicorn"])
def test_serve_listens_where_it_is_told(server: str) -> None:
    port = free_port()
    with serve(server, "--port", str(port), OCTOMIL_ALLOW_ANONYMOUS="1") as process:
        url = f"http://127.0.0.1:{port}/health"
        answer = httpx.get(url, timeout=PATIENCE, trust_env=False)

    assert process.url == f"http://127.0.0.1:{port}"
    assert answer.status_code == 200


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, lines = ending_at_once(
            serve_command("waitress", "--port", port), OCTOMIL_API_KEYS=TOKEN
        )

    assert code != 0
    assert len(lines) == 1, lines
    assert port in lines[0]
    assert "in use" in lines[0]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--port", "70000"], "65535"),
        (["--threads", "0"], "at least 1"),
        (["--server", "uvicorn"], "waitress"),
        (["--workers", "2"], "gunicorn"),
    ],
)
def test_a_wrong_flag_ends_the_start_without_a_traceback(
    options: list[str], wanted: str
) -> None:
    code, lines = ending_at_once(
        serve_command("waitress", *options), OCTOMIL_API_KEYS=TOKEN
    )

    assert code != 0
    assert wanted in lines[-1]
    assert options[0].lstrip("-") in lines[-1].lower()
    assert not any("Traceback" in line for line in lines)


def test_several_workers_serve_with_one_token() -> None:
    with serve("gunicorn", "--workers", "2", "--threads", "6") as process:
        token = process.wait_for_line(r"Token.*: (\S+)$")[1]
        process.wait_for_line("Booting worker")
        statuses = set()
        for _ in range(20):
            with client_of(process.url, {"Authorization": f"Bearer {token}"}) as client:
                statuses.add(client.post("/inference", json={}).status_code)

    assert statuses == {400}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


# Ending


@gracefully
def test_on_sigterm_a_stream_finishes(start: Start, options: list[str]) -> None:
    with reference(start, *options) as server:
        stream = OpenStream(server)
        stream.begin()

        server.process.terminate()
        wait_until_stopping(server)
        stream.gate.set()
        stream.end()
        code = server.process.wait()

    assert stream.failure is None
    assert [event["token"] for event in stream.events] == ["Good", " morning", ""]
    assert stream.events[-1]["done"] is True
    assert code == 0
    assert "Traceback" not in server.heard()


def wait_until_stopping(server: Reference) -> None:
    """`serve` refuses new connections; gunicorn, which says so, lets them wait until its last stream has ended."""
    if "waitress" in server.process.argv:
        server.wait_until_refused()
    else:
        server.process.wait_for_line("Handling signal: term")


@gracefully
def test_on_sigterm_an_idle_server_ends_with_0(
    start: Start, options: list[str]
) -> None:
    with reference(start, *options) as server:
        server.ask()

        server.process.terminate()
        code = server.process.wait()

    assert code == 0
    assert "Traceback" not in server.heard()


@gracefully
def test_when_the_grace_is_over_the_server_ends_and_the_stream_is_cut(
    start: Start, options: list[str]
) -> None:
    with reference(start, *options, OCTOMIL_SHUTDOWN_GRACE="1") as server:
        stream = OpenStream(server)
        stream.begin()

        server.process.terminate()
        server.process.wait()
        stream.end()

    assert stream.failure is not None
    assert not any(event["done"] for event in stream.events)


@gracefully
def test_on_ctrl_c_it_ends_without_a_traceback(
    start: Start, options: list[str]
) -> None:
    with reference(start, *options) as server:
        assert server.client.get("/health").status_code == 200
        server.process.signal(signal.SIGINT)
        server.process.wait()

    assert "Traceback" not in server.heard()


def test_a_second_sigterm_does_not_wait() -> None:
    with reference(serve) as server:
        stream = OpenStream(server)
        stream.begin()

        server.process.terminate()
        server.wait_until_refused()
        server.process.terminate()
        server.process.wait()
        stream.end()

    assert stream.failure is not None


def test_waitress_serve_ends_on_sigterm() -> None:
    with reference(waitress_serve) as server:
        assert server.ask().status_code == 200

        server.process.terminate()
        server.process.wait()

    assert "Traceback" not in server.heard()
