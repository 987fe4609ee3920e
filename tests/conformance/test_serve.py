"""`octomil-conformance serve`: a server for tests of clients, from an installed package alone."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import octomil_conformance
import pytest
from octomil_conformance import cli
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.server.guide import guide
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import Request, around, cors
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.scenarios import is_scenario, sentences
from octomil_conformance.server.served import PROFILES, Upstreams, served
from octomil_conformance.server.variants import all_variants

TOKEN = "conf-token"
TIMEOUT = 0.5
SOON = 10.0
CHAT = {"model_id": "gpt-x", "input_data": "one two three"}
EMBED = {"model_id": "gpt-x", "input": ["apple", "pear"]}
BATCH = {"model_id": "gpt-x", "inputs": [{"input_data": "one two"}]}
BODIES = {
    "/api/v1/inference": CHAT,
    "/api/v1/inference/stream": CHAT,
    "/api/v1/inference/batch": BATCH,
    "/api/v1/embeddings": EMBED,
}
OFFERED = {name: each for name, each in all_mutants().items() if each.shows}
UNSEEN = {name: each for name, each in all_mutants().items() if not each.shows}


def ask(url, path, body=None, method="", **headers):
    """Status, headers and body; if the transfer breaks off, the part of the body that arrived."""
    address = url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=SOON)) as connection:
        data = None if body is None else json.dumps(body)
        given = {"Authorization": f"Bearer {TOKEN}", **headers}
        connection.request(method or ("POST" if data else "GET"), path, data, given)
        response = connection.getresponse()
        try:
            return response.status, response.headers, response.read()
        except http.client.IncompleteRead as ex:
            return response.status, response.headers, ex.partial + b"<broken off>"


def events(body):
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line[6:]) for line in lines]


# The command.


@contextmanager
def running(folder, *options):
    """The process, and what it said. Isolated: it sees the package and the standard library, and nothing else."""
    package = Path(octomil_conformance.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(package)!r}); from octomil_conformance.cli import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-c", code, "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        said = ""
        while "print(token)" not in said:
            line = process.stdout.readline()
            assert line, f"it ended early: {said}"
            said += line
        try:
            yield process, said
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "options", "ends"),
    [(signal.SIGINT, [], 1), (signal.SIGTERM, ["--mutant", "final_event_twice"], 2)],
)
def test_what_it_prints_works_when_pasted_and_a_signal_ends_it(
    tmp_path, number, options, ends
):
    with running(tmp_path, *options) as (process, said):
        lines = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
        streamed, embedded = (
            subprocess.check_output(line, shell=True) for line in lines
        )
        process.send_signal(number)

        assert process.wait(SOON) == 0

    tokens = [each["token"] for each in events(streamed)]
    assert tokens == ["one", " two", " three", *[""] * ends]
    assert len(json.loads(embedded)["data"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_it_says_what_is_wrong_with_it():
    said = guide("http://x", TOKEN, OFFERED["cut_looks_done"], "")

    assert "A failure in mid-stream is followed by an event with `done: true`." in said
    assert "breaks STREAM-31" in said
    assert "any other as in cut." in said


def test_the_list_explains_all_there_is(capsys):
    assert cli.main(["serve", "--list"]) == 0

    out = capsys.readouterr().out
    wanted = {name: each.sentence for name, each in OFFERED.items()}
    wanted |= {name: each.sentence for name, each in all_variants().items()}
    wanted |= sentences()
    for name, sentence in wanted.items():
        assert re.search(rf"^  {name} .*{re.escape(sentence)}", out, re.MULTILINE), name
    assert f"{len(UNSEEN)} more mutants are not offered" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mutant", "never_don"], "no mutant 'never_don', did you mean never_done?"),
        (["--variant", "x"], "no variant 'x'; --list explains all"),
        (["--scenario", "unicod"], "no scenario 'unicod', did you mean unicode?"),
        (["--scenario", "gated"], "no scenario 'gated'"),
        (["--mutant", "openai_first"], "no client meets the bug of openai_first"),
        (["--mutant", "never_done", "--variant", "crlf"], "not allowed with"),
        (["--port", "65536"], "expected 0 to 65535, not '65536'"),
        (["--port", "http"], "expected 0 to 65535, not 'http'"),
        (
            ["--backend-timeout", "0"],
            "expected a number above 0 and below 86400, not '0'",
        ),
        (
            ["--backend-timeout", "x"],
            "expected a number above 0 and below 86400, not 'x'",
        ),
        (["--token", "caf\u00e9"], "expected printable ASCII"),
    ],
)
def test_a_wrong_option_is_exit_2_and_named(capsys, options, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", *options])

    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_port_that_is_taken_is_exit_3(capsys):
    with closing(socket.create_server(ANY_PORT)) as taken:
        port = str(taken.getsockname()[1])
        status = cli.main(["serve", "--port", port])

    assert status == 3
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


README = Path(octomil_conformance.__file__).parents[1] / "README.md"


def test_the_readme_names_what_there_is(capsys):
    text = README.read_text("utf-8")
    lines = re.findall(
        r"^    octomil-conformance serve\b([^#>\n]*)", text, re.MULTILINE
    )
    assert len(lines) > 5

    for line in lines:
        assert cli.main(["serve", *line.split(), "--list"]) == 0
    for model in re.findall(r"`conf-([\w-]+)`", text):
        assert is_scenario(model)


# What is served.


@pytest.fixture(scope="module")
def upstreams():
    with ScriptedBackend(ANY_PORT, ANY_PORT, TIMEOUT) as backend:
        yield Upstreams(backend.ollama_url, backend.openai_url, TIMEOUT)


@pytest.fixture
def url(upstreams):
    with serving(around(served(upstreams, TOKEN), cors), TOKEN) as url:
        yield url


def test_the_model_names_the_scenario_and_any_other_model_echoes(url):
    refused = ask(url, "/api/v1/embeddings", {**EMBED, "model_id": "conf-status-429"})
    echoed = ask(url, "/api/v1/embeddings", EMBED)

    assert (refused[0], refused[1]["Retry-After"]) == (429, "7")
    assert (echoed[0], json.loads(echoed[2])["model"]) == (200, "gpt-x")


@pytest.mark.parametrize(
    ("scenario", "status", "tokens", "ending"),
    [
        ("echo", 200, ["one", " two", " three"], "done"),
        ("unicode", 200, ["caf\u00e9", " \u4f60\u597d"], "done"),
        ("cut", 200, ["one", " two"], "stream_interrupted"),
        ("stall", 200, ["one", " two"], "request_timeout"),
        ("http-404", 404, [], "model_not_found"),
        ("status-401", 401, [], "authentication_failed"),
    ],
)
def test_one_scenario_applies_to_all_models(
    upstreams, scenario, status, tokens, ending
):
    with serving(served(upstreams, TOKEN, scenario=scenario)) as url:
        asked = {**CHAT, "model_id": "conf-echo"}
        got, _, body = ask(url, "/api/v1/inference/stream", asked)

    assert got == status
    assert [each["token"] for each in events(body)][: len(tokens)] == tokens
    assert ending in body.decode()
    breaks_off = ending.endswith(("timeout", "interrupted")) and status == 200
    assert body.endswith(b"<broken off>") == breaks_off


def test_a_failure_of_the_server_itself_is_judged_after_the_request(upstreams):
    with serving(served(upstreams, TOKEN, scenario="status-500")) as url:
        assert ask(url, "/api/v1/embeddings", {"model_id": "m"})[0] == 400
        assert ask(url, "/api/v1/embeddings", EMBED, Authorization="Bearer x")[0] == 401
        assert ask(url, "/api/v1/embeddings", EMBED)[0] == 500
        assert ask(url, "/api/v1/inference/health")[0] == 200


def test_a_web_page_of_any_origin_may_call(url):
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    preflight = ask(
        url, "/api/v1/embeddings", None, "OPTIONS", **asked, Authorization=""
    )
    refused = ask(url, "/api/v1/embeddings", EMBED, Authorization="Bearer x")

    assert preflight[0] == 200
    assert ask(url, "/api/v1/embeddings", None, "OPTIONS")[0] == 405, "no preflight"
    assert preflight[1]["Access-Control-Allow-Headers"] == "*, Authorization"
    assert refused[0] == 401
    for _, headers, _ in (preflight, refused):
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Access-Control-Expose-Headers"] == "X-Request-Id, Retry-After"


def test_a_layer_leaves_other_endpoints_alone(upstreams):
    mutant = all_mutants()["data_is_missing"]
    with serving(served(upstreams, TOKEN, mutant)) as url:
        embedded = json.loads(ask(url, "/api/v1/embeddings", EMBED)[2])
        answered = json.loads(ask(url, "/api/v1/inference", CHAT)[2])

    assert "data" not in embedded
    assert answered["output"] == "one two three"


# Each mutant.

IN_TIME = {
    *("breaks_off_late", "buffers_stream", "lingers_after_done"),
    *("outages_take_their_time", "time_outs_take_their_time"),
}
"""Mutants that are only late or early. The kill matrix tests them."""
ELSEWHERE = [
    name
    for name, each in OFFERED.items()
    if each.shows != "echo" and name not in IN_TIME
]
STANDING = [name for name in OFFERED if name not in IN_TIME]


@pytest.fixture(scope="module")
def right(upstreams):
    """The answer of a conformant server, by the path, the scenario and the model."""

    @cache
    def answer(path, scenario="", model="any"):
        return answered(served(upstreams, TOKEN, scenario=scenario), path, model)

    return answer


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_mutant_changes_an_answer_of_its_scenario(upstreams, right, name):
    mutant = OFFERED[name]
    wrong = served(upstreams, TOKEN, mutant)

    assert is_scenario(mutant.shows)
    paths = claimed(mutant)
    assert any(answered(wrong, path) != right(path, mutant.shows) for path in paths)


@pytest.mark.parametrize("name", STANDING)
def test_a_mutant_answers_every_request(upstreams, name):
    mutant = OFFERED[name]
    server = served(upstreams, TOKEN, mutant)

    for path in [*claimed(mutant), "/api/v1/inference/health", "/nothing"]:
        for model in ("conf-empty", "conf-status-500"):
            assert answered(server, path, model)


@pytest.mark.parametrize("mutant", UNSEEN.values(), ids=UNSEEN.keys())
def test_clients_do_not_notice_a_mutant_that_is_not_offered(upstreams, right, mutant):
    wrong = served(upstreams, TOKEN, mutant)

    for path in BODIES:
        for model in ("any", "conf-status-500"):
            assert answered(wrong, path, model) == right(path, model=model)


def claimed(mutant):
    return [path for path in BODIES if PROFILES[path] in mutant.claims]


def answered(server, path, model="any"):
    """The whole answer, without the values that differ each time. It may break off, but only with a ConnectionError."""
    fields = {**BODIES.get(path, {}), "model_id": model}
    method = "POST" if path in BODIES else "GET"
    headers = {
        "authorization": f"Bearer {TOKEN}",
        "x-api-key": TOKEN,
        "x-request-id": "r",
        "accept": "text/event-stream",
    }
    request = Request(method, path, headers, json.dumps(fields).encode(), TOKEN)
    pieces = []
    try:
        answer = server(request)
        with closing(answer):
            pieces.extend(answer.pieces)
    except ConnectionError:
        pieces.append(b"<broken off>")
        return text(pieces)
    answer.headers.pop("content-length", None)  # it counts values that `text` removes
    return answer.status, answer.headers, text(pieces)


def text(pieces):
    varying = rb'"(latency_ms|session_id)": [^,}]+|openai|ollama'
    return re.sub(varying, b"", b"".join(pieces))
