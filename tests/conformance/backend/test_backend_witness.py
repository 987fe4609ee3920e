"""The scripted backend's witness sees what was asked, and its gates hold answers back, from within and from another process."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from octomil_conformance.backend import tagged
from scripted_calls import DIALECTS, SOON, base, stream, whole


def test_the_witness_records_what_was_asked(backend, nonce):
    whole(backend, "ollama", "conf-echo", tagged(nonce, "x"), options={"seed": 7})
    whole(backend, "openai", "conf-echo", tagged(nonce, "x"), max_tokens=3)

    first, second = backend.calls(nonce)

    assert (first.backend, first.path) == ("ollama", "/api/chat")
    assert (second.backend, second.path) == ("openai", "/v1/chat/completions")
    assert first.body["options"] == {"seed": 7} and second.body["max_tokens"] == 3
    assert first.number < second.number and first.arrived < second.arrived
    assert (first.outcome, first.stream, first.scenario) == ("answered", False, "echo")


PROBES = [
    ("ollama", "HEAD", "/", 200),
    ("ollama", "GET", "/api/ps", 200),
    ("ollama", "POST", "/api/show", 404),
    ("openai", "GET", "/v1/", 200),
    ("openai", "GET", "/v1/models/conf-echo", 200),
    ("openai", "GET", "/v1/models/conf-missing", 404),
]


@pytest.mark.parametrize("provider, method, path, status", PROBES)
def test_a_probe_is_answered_without_a_nonce(scripted, provider, method, path, status):
    assert requested(scripted, provider, method, path) == status

    assert scripted.calls("")[-1].path == path
    assert not scripted.calls("")[-1].is_unknown


def test_the_witness_records_requests_to_unknown_paths(backend):
    assert requested(backend, "openai", "PUT", "/v1/foo") == 404

    assert backend.unknown() == ["PUT /v1/foo"]


def requested(backend, provider, method, path):
    """The status of a request without a body."""
    where = base(backend, provider).netloc
    with closing(http.client.HTTPConnection(where, timeout=SOON)) as connection:
        connection.request(method, path)
        return connection.getresponse().status


def test_a_gated_stream_sends_token_2_only_when_it_may(backend, nonce):
    with stream(
        backend, "ollama", "conf-gated", tagged(nonce, "one two three")
    ) as response:
        assert b'"one"' in response.readline()
        assert not backend.wait_until_idle(nonce, 0)

        backend.open(nonce)
        assert b'" two"' in response.readline()
        assert b'" three"' in response.read()
    assert backend.wait_until_idle(nonce, SOON)


def test_single_answers_of_a_group_are_released_one_by_one(backend, nonce):
    with ThreadPoolExecutor() as pool:
        answers = [
            pool.submit(
                whole, backend, "ollama", "conf-gated", tagged(f"{nonce}.{n}", f"w{n}")
            )
            for n in range(3)
        ]
        assert backend.wait_for_active(nonce, 3, SOON) == 3
        for n in (2, 0):
            backend.open(f"{nonce}.{n}")
            assert answers[n].result(SOON) == (200, f"w{n}")
        assert not answers[1].done()
        backend.open(nonce)

    assert answers[1].result() == (200, "w1")
    assert backend.high_water(nonce) == 3
    assert len(backend.wait_for_calls(nonce, 3, 0)) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", ["conf-long", "conf-gated", "conf-stall"])
def test_the_witness_sees_the_server_hang_up(backend, nonce, dialect, model):
    with stream(backend, dialect, model, tagged(nonce, "one two three")) as response:
        response.readline()

    call = backend.wait_for_hang_up(nonce, SOON)

    assert call and call.outcome == "hung up"
