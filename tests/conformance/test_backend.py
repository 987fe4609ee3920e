"""The scripted backend does what its scenarios say, in both dialects, and its witness sees what happened."""

import http.client
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from octomil_conformance import cli
from octomil_conformance.backend import (
    LONG_TOKENS,
    UNICODE_TOKENS,
    RemoteBackend,
    ScriptedBackend,
    echo_tokens,
    embed,
    environment,
    new_nonce,
    tagged,
)
from octomil_conformance.backend.scenarios import SCENARIOS
from octomil_conformance.backend.scripted import is_loopback
from octomil_conformance.backend.witness import high_water

ANY = ("127.0.0.1", 0)
TIMEOUT = 0.2
SOON = 5.0
DIALECTS = ["ollama", "openai"]


@pytest.fixture(scope="module")
def scripted():
    with ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as backend:
        yield backend


@pytest.fixture(params=["in process", "remote"])
def backend(request, scripted):
    """Both forms of the interface; what holds for one holds for the other."""
    if request.param == "in process":
        yield scripted
    else:
        with RemoteBackend(urlsplit(scripted.ollama_url).netloc) as remote:
            yield remote


@pytest.fixture
def nonce():
    return new_nonce()


def base(backend, dialect):
    url = backend.ollama_url if dialect == "ollama" else backend.openai_url
    return urlsplit(url)


@contextmanager
def exchange(backend, dialect, path, body) -> Iterator[http.client.HTTPResponse]:
    url = base(backend, dialect)
    with closing(http.client.HTTPConnection(url.netloc, timeout=SOON)) as connection:
        connection.request("POST", url.path + path, json.dumps(body))
        with connection.getresponse() as response:
            yield response


def chat(backend, dialect, model, prompt, **fields):
    path = "/api/chat" if dialect == "ollama" else "/chat/completions"
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": messages, "stream": False} | fields
    return exchange(backend, dialect, path, body)


def stream(backend, dialect, model, prompt, **fields):
    return chat(backend, dialect, model, prompt, stream=True, **fields)


def whole(backend, dialect, model, prompt, **fields):
    with chat(backend, dialect, model, prompt, **fields) as response:
        body = json.loads(response.read())
    if dialect == "ollama":
        return response.status, body["message"]["content"]
    return response.status, body["choices"][0]["message"]["content"]


def frames(dialect, data: bytes) -> list:
    lines = [line for line in data.split(b"\n") if line]
    if dialect == "ollama":
        return [json.loads(line) for line in lines]
    events = [line.removeprefix(b"data: ") for line in lines]
    return [json.loads(event) for event in events if event != b"[DONE]"]


def texts(dialect, data: bytes) -> list[str]:
    found = frames(dialect, data)
    if dialect == "ollama":
        said = [frame["message"]["content"] for frame in found if "message" in frame]
    else:
        choices = [frame["choices"][0] for frame in found if frame.get("choices")]
        said = [choice["delta"].get("content") for choice in choices]
    return [text for text in said if text]


def vectors(backend, dialect, model, given):
    path = "/api/embed" if dialect == "ollama" else "/embeddings"
    with exchange(backend, dialect, path, {"model": model, "input": given}) as response:
        body = json.loads(response.read())
    if dialect == "ollama":
        return body["embeddings"]
    return [item["embedding"] for item in body["data"]]


def test_there_are_scenarios_and_each_has_a_sentence():
    assert len(SCENARIOS) > 30

    assert all(len(scenario.sentence) > 10 for scenario in SCENARIOS.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_echo_says_the_prompt_word_by_word_without_its_tag(scripted, dialect, nonce):
    with stream(
        scripted, dialect, "conf-echo", tagged(nonce, "one two  three")
    ) as response:
        said = texts(dialect, response.read())

    assert said == ["one", " two", " three"] == echo_tokens("one two  three")
    assert whole(scripted, dialect, "conf-echo", tagged(nonce, "one two")) == (
        200,
        "one two",
    )


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [("ollama", {"options": {"num_predict": 2}}), ("openai", {"max_tokens": 2})],
)
def test_an_answer_has_no_more_tokens_than_asked_for(scripted, dialect, limit):
    with stream(scripted, dialect, "conf-echo", "one two three", **limit) as response:
        data = response.read()

    assert texts(dialect, data) == ["one", " two"]
    assert b'"length"' in data
    assert whole(scripted, dialect, "conf-echo", "one two three", **limit)[1] == (
        "one two"
    )


@pytest.mark.parametrize(
    ("dialect", "limit"),
    [
        ("ollama", {"options": {"num_predict": 2**64}}),
        ("openai", {"max_tokens": 2**64}),
    ],
)
def test_a_limit_beyond_all_machine_words_is_none(scripted, dialect, limit):
    status, text = whole(scripted, dialect, "conf-echo", "one two three", **limit)

    assert (status, text) == (200, "one two three")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_user_message_is_echoed(scripted, dialect):
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
    ]

    assert whole(scripted, dialect, "conf-echo", "", messages=messages) == (
        200,
        "hello",
    )


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unicode_survives_pieces_that_end_inside_a_character(scripted, dialect):
    with stream(scripted, dialect, "conf-unicode", "x") as response:
        said = texts(dialect, response.read())

    assert said == list(UNICODE_TOKENS)
    assert whole(scripted, dialect, "conf-unicode", "x")[1] == "".join(UNICODE_TOKENS)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_empty_is_a_complete_answer_without_a_token(scripted, dialect):
    with stream(scripted, dialect, "conf-empty", "x") as response:
        data = response.read()

    assert texts(dialect, data) == []
    assert b'"stop"' in data


@pytest.mark.parametrize("dialect", DIALECTS)
def test_thoughts_come_first_and_are_no_content(scripted, dialect):
    with stream(scripted, dialect, "conf-thinking", "one two") as response:
        data = response.read()

    assert data.index(b"Let") < data.index(b"one")
    assert texts(dialect, data) == ["one", " two"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "name",
    [
        "http-400",
        "http-429",
        "http-500",
        "http-503",
        "404",
        "missing",
        "auth",
        "context-too-long",
        "no-support",
    ],
)
def test_refusals_have_their_status_in_both_kinds_of_answer(scripted, dialect, name):
    expected = {"auth": 401, "context-too-long": 400, "no-support": 400, "missing": 404}
    status = expected.get(name) or int(name.removeprefix("http-"))

    with stream(scripted, dialect, f"conf-{name}", "x") as streamed:
        error = json.loads(streamed.read())["error"]
    with chat(scripted, dialect, f"conf-{name}", "x") as single:
        single.read()

    assert (streamed.status, single.status) == (status, status)
    assert error if dialect == "ollama" else error["message"]


def test_each_backend_can_have_its_own_scenario(scripted):
    model = "conf-ollama-500-openai-ok"

    with chat(scripted, "ollama", model, "x") as response:
        response.read()

    assert response.status == 500
    assert whole(scripted, "openai", model, "x") == (200, "x")


def test_the_port_and_not_the_path_tells_which_backend_is_asked(scripted, nonce):
    body = {
        "model": "conf-ollama-ok-openai-500",
        "messages": [{"role": "user", "content": tagged(nonce, "x")}],
    }

    with exchange(scripted, "ollama", "/v1/chat/completions", body) as response:
        response.read()

    assert response.status == 200
    assert scripted.calls(nonce)[0].backend == "ollama"


def test_a_tag_gives_one_item_of_a_batch_its_own_scenario(scripted, nonce):
    with chat(
        scripted, "ollama", "conf-echo", tagged(f"{nonce}.1", "x", "http-500")
    ) as response:
        response.read()

    assert response.status == 500
    assert whole(scripted, "ollama", "conf-echo", tagged(f"{nonce}.0", "x"))[0] == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_unknown_model_is_404(scripted, dialect):
    with chat(scripted, dialect, "llama", tagged("n", "x", "echo")) as response:
        response.read()

    assert response.status == 404


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "said"), [("truncate", 2), ("truncate-before-first", 0)]
)
def test_truncate_ends_cleanly_without_the_end_of_an_answer(
    scripted, dialect, name, said
):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert len(texts(dialect, data)) == said
    assert b"stop" not in data
    with chat(scripted, dialect, f"conf-{name}", "one two three") as response:
        half = response.read()
    with pytest.raises(ValueError):
        json.loads(half)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "said"), [("cut", 2), ("cut-before-first", 0)])
def test_cut_breaks_the_transfer(scripted, dialect, name, said):
    with (
        stream(scripted, dialect, f"conf-{name}", "one two three") as response,
        pytest.raises(http.client.IncompleteRead) as broken,
    ):
        response.read()

    assert len(texts(dialect, broken.value.partial)) == said
    with (
        chat(scripted, dialect, f"conf-{name}", "one two three") as response,
        pytest.raises(http.client.IncompleteRead),
    ):
        response.read()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_drop_sends_no_byte(scripted, dialect):
    with (
        pytest.raises(http.client.RemoteDisconnected),
        chat(scripted, dialect, "conf-drop", "x"),
    ):
        pass


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("name", "said"), [("garbage", 0), ("garbage-later", 2)])
def test_garbage_cannot_be_read(scripted, dialect, name, said):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert response.status == 200
    with pytest.raises(ValueError):
        frames(dialect, data)
    assert data.count(b"content") >= said


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("name", "said"), [("error-frame", 2), ("error-frame-first", 0)]
)
def test_an_error_frame_ends_a_stream(scripted, dialect, name, said):
    with stream(scripted, dialect, f"conf-{name}", "one two three") as response:
        data = response.read()

    assert len(texts(dialect, data)) == said
    assert "error" in frames(dialect, data)[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_embeddings_have_length_one_and_similar_texts_are_near(scripted, dialect):
    given = ["the red apple", "red apples", "a quick train"]

    apple, apples, train = vectors(scripted, dialect, "conf-echo", given)

    assert math.isclose(math.hypot(*apple), 1, abs_tol=1e-5)
    assert _dot(apple, apples) > 2 * abs(_dot(apple, train))
    assert apple == embed("the red apple") == embed(tagged("n", "the red apple"))


def _dot(left, right):
    return sum(a * b for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_missing_vectors_is_one_less(scripted, dialect):
    assert len(vectors(scripted, dialect, "conf-missing-vectors", ["a", "b"])) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["slow", "drip", "stall"])
def test_late_single_answers_are_later_than_the_timeout(scripted, dialect, name):
    begin = time.monotonic()

    answer = whole(scripted, dialect, f"conf-{name}", "one two three")

    assert answer == (200, "one two three")
    assert time.monotonic() - begin > 2 * TIMEOUT


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stall_says_two_tokens_before_it_is_late(scripted, dialect, nonce):
    with stream(
        scripted, dialect, "conf-stall", tagged(nonce, "one two three")
    ) as response:
        assert scripted.wait_for_tokens(nonce, 2, SOON)
        begin = time.monotonic()
        response.read()

    assert time.monotonic() - begin > 2 * TIMEOUT


def test_the_witness_records_what_was_asked(backend, nonce):
    whole(backend, "ollama", "conf-echo", tagged(nonce, "x"), options={"seed": 7})
    whole(backend, "openai", "conf-echo", tagged(nonce, "x"), max_tokens=3)

    first, second = backend.calls(nonce)

    assert (first.backend, first.path) == ("ollama", "/api/chat")
    assert (second.backend, second.path) == ("openai", "/v1/chat/completions")
    assert first.body["options"] == {"seed": 7} and second.body["max_tokens"] == 3
    assert first.number < second.number and first.arrived < second.arrived
    assert (first.outcome, first.stream, first.scenario) == ("answered", False, "echo")
    backend.forget(nonce)
    assert backend.calls(nonce) == []


def test_probes_have_no_nonce(backend):
    backend.forget("")

    with closing(
        http.client.HTTPConnection(base(backend, "ollama").netloc, timeout=SOON)
    ) as connection:
        connection.request("GET", "/api/version")
        connection.getresponse().read()

    assert [call.path for call in backend.calls("")] == ["/api/version"]


def test_a_gated_stream_sends_token_2_only_when_it_may(backend, nonce):
    with stream(
        backend, "ollama", "conf-gated", tagged(nonce, "one two three")
    ) as response:
        assert texts("ollama", response.readline()) == ["one"]
        assert backend.wait_for_tokens(nonce, 1, SOON)
        assert [call.tokens for call in backend.calls(nonce)] == [1]

        backend.allow(nonce, 2)
        assert texts("ollama", response.readline()) == [" two"]
        assert not backend.wait_until_idle(nonce, 0)

        backend.open(nonce)
        assert texts("ollama", response.read()) == [" three"]
    assert backend.wait_until_idle(nonce, SOON)


def test_a_gate_can_hold_the_first_token_of_any_scenario(backend, nonce):
    backend.allow(nonce, 0)

    with ThreadPoolExecutor() as pool:
        answer = pool.submit(
            whole, backend, "openai", "conf-echo", tagged(nonce, "one")
        )
        assert backend.wait_for_active(nonce, 1, SOON)
        assert not answer.done()
        backend.open(nonce)

    assert answer.result() == (200, "one")


def test_single_answers_of_a_group_are_released_one_by_one(backend, nonce):
    with ThreadPoolExecutor() as pool:
        answers = [
            pool.submit(
                whole, backend, "ollama", "conf-gated", tagged(f"{nonce}.{n}", f"w{n}")
            )
            for n in range(3)
        ]
        assert backend.wait_for_active(nonce, 3, SOON)
        for n in (2, 0):
            backend.open(f"{nonce}.{n}")
            assert answers[n].result(SOON) == (200, f"w{n}")
        assert not answers[1].done()
        backend.open(nonce)

    assert answers[1].result() == (200, "w1")
    assert backend.high_water(nonce) == 3
    assert len(backend.wait_for_calls(nonce, 3, 0)) == 3


def test_one_after_the_other_is_never_two_at_once(scripted, nonce):
    for _ in range(20):
        whole(scripted, "ollama", "conf-echo", tagged(nonce, "x"))

    assert scripted.high_water(nonce) == 1
    assert high_water([]) == 0


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", ["conf-long", "conf-gated", "conf-stall"])
def test_the_witness_sees_the_server_hang_up(backend, nonce, dialect, model):
    with stream(backend, dialect, model, tagged(nonce, "one two three")):
        assert backend.wait_for_tokens(nonce, 1, SOON)

    call = backend.wait_for_hang_up(nonce, SOON)

    assert call and call.outcome == "hung up"
    assert call.tokens < len(LONG_TOKENS)


def test_a_complete_answer_is_not_a_hang_up(scripted, nonce):
    whole(scripted, "ollama", "conf-echo", tagged(nonce, "x"))

    assert scripted.wait_until_idle(nonce, SOON)
    assert scripted.wait_for_hang_up(nonce, 0) is None


@pytest.mark.parametrize("times", [1, 2])
def test_during_an_outage_nobody_can_connect_and_then_everybody_can(backend, times):
    for _ in range(times):
        with backend.outage("refuse"):
            for dialect in DIALECTS:
                with pytest.raises(ConnectionRefusedError):
                    whole(backend, dialect, "conf-echo", "x")

        for dialect in DIALECTS:
            assert whole(backend, dialect, "conf-echo", "x") == (200, "x")


def test_an_outage_of_one_backend_leaves_the_other(backend):
    with backend.outage("refuse", backends=["openai"]):
        with pytest.raises(ConnectionRefusedError):
            whole(backend, "openai", "conf-echo", "x")

        assert whole(backend, "ollama", "conf-echo", "x") == (200, "x")


def test_an_outage_cuts_off_answers_and_idle_connections(scripted, nonce):
    with stream(scripted, "ollama", "conf-gated", tagged(nonce, "one two")) as response:
        response.readline()
        with scripted.outage("refuse"), pytest.raises(http.client.IncompleteRead):
            response.read()

    assert [call.outcome for call in scripted.calls(nonce)] == ["stopped"]


def test_an_outage_can_be_503_for_everything(backend):
    with (
        backend.outage("fail"),
        chat(backend, "ollama", "conf-echo", "x") as response,
    ):
        response.read()

    assert response.status == 503


def test_an_outage_can_be_silence(backend):
    with ThreadPoolExecutor() as pool, backend.outage("hang"):
        backend.forget("")
        answer = pool.submit(whole, backend, "ollama", "conf-echo", "x")
        assert backend.wait_for_active("", 1, SOON)
        assert not answer.done()

    assert isinstance(answer.exception(), http.client.RemoteDisconnected)


def test_an_outage_ends_when_the_one_who_began_it_is_gone(scripted):
    address = base(scripted, "ollama").netloc
    with closing(http.client.HTTPConnection(address, timeout=SOON)) as connection:
        body = json.dumps({"kind": "hang", "backends": ["ollama", "openai"]})
        connection.request("POST", "/conf/outage", body)
        connection.getresponse().read()
        with pytest.raises(ValueError, match="lasts already"):
            scripted.outage("hang").__enter__()

    assert scripted._outages._over.wait(SOON)
    assert whole(scripted, "ollama", "conf-echo", "x") == (200, "x")


def test_closing_cuts_off_what_is_held_and_leaves_no_thread(nonce):
    before = set(threading.enumerate())
    with (
        ScriptedBackend(ANY, ANY) as backend,
        stream(backend, "ollama", "conf-gated", tagged(nonce, "one two")) as response,
    ):
        response.readline()
        backend.close()
        with pytest.raises(http.client.IncompleteRead):
            response.read()

    assert not [
        thread
        for thread in set(threading.enumerate()) - before
        if "serve_forever" in thread.name or "_run" in thread.name
    ]


def test_chunked_requests_are_understood(scripted):
    body = json.dumps(
        {
            "model": "conf-echo",
            "stream": False,
            "messages": [{"role": "user", "content": "x"}],
        }
    ).encode()
    with closing(
        http.client.HTTPConnection(base(scripted, "ollama").netloc, timeout=SOON)
    ) as connection:
        connection.request("POST", "/api/chat", iter([body[:9], body[9:]]))
        answer = json.loads(connection.getresponse().read())

    assert answer["message"]["content"] == "x"


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"options": {"stop": "x"}}, 500, 'option "stop" must be of type []string'),
        ({"messages": [{"role": "user", "content": []}]}, 400, "cannot unmarshal"),
        ({"messages": "x"}, 400, "must be an array"),
    ],
)
def test_what_a_real_ollama_refuses_is_refused(scripted, fields, status, words):
    with chat(scripted, "ollama", "conf-echo", "x", **fields) as response:
        error = json.loads(response.read())["error"]

    assert response.status == status
    assert words in error


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
def test_other_than_loopback_is_refused(host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="not a loopback"):
        ScriptedBackend((host, 0), ANY)


def test_loopback_addresses_are_known():
    assert all(map(is_loopback, ["127.0.0.1", "127.9.9.9", "::1", "localhost"]))


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(scripted):
    taken = ("127.0.0.1", base(scripted, "openai").port)

    with pytest.raises(OSError, match=f"127.0.0.1:{taken[1]}: Address already in use"):
        ScriptedBackend(ANY, taken)


def test_there_is_no_remote_backend_where_nobody_listens():
    with ScriptedBackend(ANY, ANY) as gone:
        address = urlsplit(gone.ollama_url).netloc

    with pytest.raises(ConnectionError, match="no scripted backend"):
        RemoteBackend(address)


def test_the_command_serves_until_it_is_told_to_end():
    command = "import sys; from octomil_conformance.cli import main; sys.exit(main(['backend', *sys.argv[1:]]))"
    options = ["--backend", "127.0.0.1:0", "--openai-backend", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-c", command, *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(7)]
        exports = dict(
            line.strip().removeprefix("export ").split("=") for line in lines[2:]
        )
        with RemoteBackend(urlsplit(exports["OLLAMA_BASE_URL"]).netloc) as remote:
            assert environment(remote) == exports
            assert whole(remote, "openai", "conf-echo", "hi") == (200, "hi")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0


def test_the_command_refuses_other_than_loopback(capsys):
    assert cli.main(["backend", "--backend", "0.0.0.0:0"]) == 2

    assert "--allow-remote" in capsys.readouterr().err
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("place", ["127.0.0.1:99999", "127.0.0.1:", "here", "[::1]:-1"])
def test_the_command_refuses_what_is_no_address(place):
    with pytest.raises(SystemExit) as ended:
        cli.main(["backend", "--backend", place])

    assert ended.value.code == 2


def test_the_command_lists_its_models(capsys):
    assert cli.main(["backend", "--scenarios"]) == 0

    assert "conf-echo" in capsys.readouterr().out
