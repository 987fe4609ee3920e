"""Each fault of our server shows. Whether it conforms without one is the suite's to say."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest
from octomil_conformance.backend import ScriptedBackend, new_nonce, tagged
from octomil_conformance.server.faults import FAULTS
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.served import Upstreams, app

ANY = ("127.0.0.1", 0)
TIMEOUT = 0.3
TOKEN = "secret"
SOON = 5.0


@pytest.fixture(scope="module")
def backend():
    with ScriptedBackend(ANY, ANY, timeout=TIMEOUT) as scripted:
        yield scripted


class Client:
    def __init__(self, backend, url):
        self.backend, self.nonce = backend, new_nonce()
        self._address = url.removeprefix("http://")

    def open(self, path, body=None):
        connection = http.client.HTTPConnection(self._address, timeout=SOON)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        data = None if body is None else json.dumps(body)
        connection.request(
            "POST" if data else "GET", f"/api/v1{path}", data, headers=headers
        )
        return connection, connection.getresponse()

    def ask(self, path, body=None):
        """Status, JSON value, headers."""
        connection, response = self.open(path, body)
        with closing(connection):
            return response.status, json.loads(response.read()), response.headers

    def infer(self, model, prompt="one two three", **fields):
        body = {"model_id": model, "input_data": tagged(self.nonce, prompt), **fields}
        return self.ask("/inference", body)

    def embed(self, model):
        texts = [tagged(self.nonce, "a"), "b"]
        return self.ask("/embeddings", {"model_id": model, "input": texts})

    def stream(self, model, prompt="one two three", **fields):
        """Status, events, whether the transfer broke."""
        body = {"model_id": model, "input_data": tagged(self.nonce, prompt), **fields}
        connection, response = self.open("/inference/stream", body)
        with closing(connection):
            try:
                data, broken = response.read(), False
            except http.client.IncompleteRead as ex:
                data, broken = ex.partial, True
        lines = [line for line in data.split(b"\n") if line.startswith(b"data: ")]
        return response.status, [json.loads(line[6:]) for line in lines], broken

    def batch(self, model, scenarios=("", "", ""), **fields):
        inputs = [
            {"input_data": tagged(f"{self.nonce}.{n}", f"w{n}", scenario)}
            for n, scenario in enumerate(scenarios)
        ]
        body = {"model_id": model, "inputs": inputs, **fields}
        return self.ask("/inference/batch", body)

    def asked(self):
        return [call.backend for call in self.backend.calls(self.nonce)]


@pytest.fixture
def serve(backend):
    """Makes clients of servers with the faults that are named."""
    upstreams = Upstreams(backend.ollama_url, backend.openai_url, TIMEOUT)
    with ExitStack() as stack:

        def make(*faults):
            server = app(upstreams, TOKEN, faults)
            return Client(backend, stack.enter_context(serving(server)))

        yield make


def tokens(events):
    return [event["token"] for event in events]


# What each fault changes: a function of a client, to a value that differs with the fault.


def status(model):
    return lambda client: client.infer(model)[0]


def provider(model):
    return lambda client: client.infer(model)[1].get("provider")


def hold_and_count(client):
    """How many items of a batch with max_concurrency 2 run at once."""
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.batch, "conf-gated", [""] * 4, max_concurrency=2)
        client.backend.wait_for_active(client.nonce, 4, 0.2)
        client.backend.open(client.nonce)
        answer.result()
    return client.backend.high_water(client.nonce)


def order_of_batch(client):
    scenarios = ["stall", "", ""]
    model = "conf-echo"
    results = client.batch(model, scenarios)[1]["results"]
    return [result["index"] for result in results]


def first_event_while_held(client):
    """Whether token 1 arrives while token 2 is held."""
    body = {"model_id": "conf-gated", "input_data": tagged(client.nonce, "one two")}
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(client.open, "/inference/stream", body)
        client.backend.wait_for_tokens(client.nonce, 1, SOON)
        try:
            early = opening.result(0.15)[1].readline() != b""
        except TimeoutError:
            early = False
        client.backend.open(client.nonce)
        opening.result()[0].close()
    return early


def hang_up_seen(client):
    body = {"model_id": "conf-long", "input_data": tagged(client.nonce, "x")}
    connection, response = client.open("/inference/stream", body)
    response.readline()
    response.close()
    connection.close()
    return client.backend.wait_for_hang_up(client.nonce, 1.0) is not None


def health_in_silence(client):
    begin = time.monotonic()
    with ThreadPoolExecutor() as pool, client.backend.outage("hang"):
        answer = pool.submit(client.ask, "/inference/health")
        try:
            answer.result(4 * TIMEOUT)
        except TimeoutError:
            return "late"
    return "in time" if time.monotonic() - begin < 4 * TIMEOUT else "late"


def health_in_outage(client):
    with client.backend.outage("refuse"):
        return client.ask("/inference/health")[0]


def after_a_failure(client):
    client.infer("conf-http-500")
    return client.infer("conf-echo")[0]


def infer_while_refused(client):
    with client.backend.outage("refuse", ["ollama"]):
        return client.infer("conf-echo")[0]


def two_streams(client):
    first = client.stream("conf-echo", "a a a")[1]
    second = client.stream("conf-echo", "b b b")[1]
    return tokens(first), tokens(second)


def malformed_batch(client):
    inputs = [{"input_data": tagged(client.nonce, "x")}, {}]
    client.ask("/inference/batch", {"model_id": "conf-echo", "inputs": inputs})
    return client.asked()


def parameters_seen(client):
    client.infer("conf-echo", parameters={"max_tokens": 2})
    return client.backend.calls(client.nonce)[0].body["options"]


SHOWS = {
    "accepts_missing_vectors": lambda client: client.embed("conf-missing-vectors")[0],
    "batch_all_or_nothing": lambda client: client.batch("conf-echo", ["", "500"])[0],
    "batch_completion_order": order_of_batch,
    "batch_runs_before_validation": malformed_batch,
    "batch_serial": hold_and_count,
    "batch_unbounded": hold_and_count,
    "buffers_stream": first_event_while_held,
    "cut_ends_cleanly": lambda client: client.stream("conf-cut")[2],
    "cut_looks_done": lambda client: client.stream("conf-cut")[1][-1]["done"],
    "drops_parameters": parameters_seen,
    "fallback_after_first_token": lambda client: client.stream(
        "conf-ollama-cut-openai-ok"
    )[2],
    "falls_back_on_400": status("conf-ollama-400-openai-ok"),
    "gives_up_after_failure": after_a_failure,
    "health_always_ok": health_in_outage,
    "health_unbounded": health_in_silence,
    "hides_missing_model": status("conf-missing"),
    "hides_retry_after": lambda client: client.infer("conf-http-429")[2]["Retry-After"],
    "ignores_disconnect": hang_up_seen,
    "leaks_address": lambda client: (
        "127.0.0.1" in str(client.infer("conf-http-500")[1])
    ),
    "mixes_streams": two_streams,
    "no_fallback": status("conf-ollama-500-openai-ok"),
    "no_fallback_on_5xx": status("conf-ollama-500-openai-ok"),
    "no_fallback_on_cut": status("conf-ollama-cut-before-first-openai-ok"),
    "no_fallback_on_garbage": status("conf-ollama-garbage-openai-ok"),
    "no_fallback_on_missing_model": status("conf-ollama-missing-openai-ok"),
    "no_fallback_on_refused": infer_while_refused,
    "no_fallback_on_timeout": status("conf-ollama-slow-openai-ok"),
    "no_timeout": status("conf-slow"),
    "openai_first": provider("conf-echo"),
    "provider_lies": provider("conf-ollama-500-openai-ok"),
    "status_before_first_token": lambda client: client.stream("conf-http-500")[0],
    "thoughts_are_tokens": lambda client: tokens(client.stream("conf-thinking")[1]),
    "truncated_is_complete": lambda client: client.stream("conf-truncate")[1][-1][
        "done"
    ],
}


COUNTED = {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
CUT_SHORT = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
EVERYWHERE = ["conf-echo", "conf-ollama-500-openai-ok"]
"""Answered by the one backend, and by the other."""


def ending(fields):
    return fields["finish_reason"], fields["usage"]


@pytest.mark.parametrize("model", EVERYWHERE)
@pytest.mark.parametrize(
    ("parameters", "ended"),
    [({}, ("stop", COUNTED)), ({"max_tokens": 2}, ("length", CUT_SHORT))],
    ids=["whole", "cut short"],
)
def test_each_answer_says_how_it_ended_and_what_it_took(
    serve, model, parameters, ended
):
    client = serve()

    _, answer, _ = client.infer(model, parameters=parameters)
    _, events, _ = client.stream(model, parameters=parameters)
    _, batch, _ = client.batch(model, [""], parameters=parameters)

    assert [ending(answer), ending(events[-1])] == [ended, ended]
    assert batch["results"][0]["usage"]["prompt_tokens"] == 1
    assert all("usage" not in event for event in events[:-1])


def test_health_says_how_long_each_backend_took(serve):
    _, report, _ = serve().ask("/inference/health")

    assert [each["latency_ms"] >= 0 for each in report["backends"]] == [True, True]


def test_each_fault_is_shown():
    assert SHOWS.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_what_it_says(serve, fault):
    show = SHOWS[fault]

    assert show(serve()) != show(serve(fault))


def test_a_fault_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="there is no fault"):
        app(Upstreams(), faults=["nonsense"])
