"""A batch: threads shared with other batches, bugs, and a body that may break off. The suite has order, concurrency and failures of inputs."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from builders import WAIT, asking, new_record

from octomil_ref.backends import Ending
from octomil_ref.batch import BatchBody, BatchRun
from octomil_ref.errors import A_BUG, Broken, ClientLeft
from octomil_ref.payloads import BatchRequest
from octomil_ref.streaming import TransferCut


@pytest.fixture(autouse=True)
def no_heartbeat(monkeypatch):
    monkeypatch.setattr("octomil_ref.batch.HEARTBEAT", WAIT)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def batch(*texts: str) -> BatchRequest:
    return BatchRequest("m", tuple(map(asking, texts)), 4)


def text(request) -> str:
    return request.messages[0].content


def echo(request):
    return {"output": text(request)}


def body_of(run: BatchRun, close=lambda: None, record=None) -> BatchBody:
    return BatchBody("m", run, record or new_record(), close)


def read(run: BatchRun) -> dict:
    return json.loads(b"".join(body_of(run)))


def test_a_bug_is_logged_and_the_client_learns_nothing_about_it(pool, caplog):
    def run_one(request):
        raise ZeroDivisionError("secret")

    run = BatchRun(batch("a", "b"), run_one, pool, 1)

    answer = read(run)

    errors = [result["error"] for result in answer["results"]]
    assert [error["status_code"] for error in errors] == [500, 500]
    assert {error["message"] for error in errors} == {A_BUG}
    assert "secret" in caplog.text


def test_white_space_is_written_while_no_result_is_ready(pool, monkeypatch):
    monkeypatch.setattr("octomil_ref.batch.HEARTBEAT", 0.001)
    gate = threading.Event()

    def run_one(request):
        assert gate.wait(WAIT)
        return echo(request)

    run = BatchRun(batch("a"), run_one, pool, 1)
    body = iter(body_of(run))

    early = [next(body), next(body), next(body)]
    gate.set()
    rest = b"".join(body)

    assert early[1:] == [b"\n", b"\n"]
    assert json.loads(b"".join(early) + rest)["succeeded"] == 1


def test_an_incomplete_body_is_never_valid_json(pool):
    pieces = list(body_of(BatchRun(batch("a", "b"), echo, pool, 1)))

    for count in range(len(pieces)):
        with pytest.raises(json.JSONDecodeError):
            json.loads(b"".join(pieces[:count]))


@pytest.mark.parametrize("at_once", [1, 3], ids=["not yet", "in the pool"])
def test_closing_a_body_cancels_inputs_that_wait(at_once):
    gate, started, ran = threading.Event(), threading.Event(), []

    def run_one(request):
        ran.append(text(request))
        started.set()
        assert gate.wait(WAIT)
        return echo(request)

    with ThreadPoolExecutor(1) as pool:
        body = body_of(BatchRun(batch("a", "b", "c"), run_one, pool, at_once))
        next(iter(body))
        assert started.wait(WAIT)

        body.close()
        gate.set()
        pool.submit(lambda: None).result(WAIT)  # the first input has ended

    assert ran == ["a"]


def test_when_the_client_has_left_no_input_starts_and_the_answer_ends():
    ran, record = [], new_record()

    def run_one(request):
        ran.append(text(request))
        if text(request) == "b":
            raise ClientLeft
        return echo(request)

    with ThreadPoolExecutor(1) as pool:
        run = BatchRun(batch("a", "b", "c", "d"), run_one, pool, 1)
        body = body_of(run, record=record)
        with pytest.raises(TransferCut):
            list(body)
        body.close()

    assert ran == ["a", "b"]
    assert (record.ended, record.failed) == ("client_left", 0)


def test_inputs_that_a_stopped_pool_does_not_start_fail():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()

    answer = read(BatchRun(batch("a", "b"), echo, pool, 1))

    assert answer["failed"] == 2
    assert [result["error"]["status_code"] for result in answer["results"]] == [503] * 2


def test_the_ignored_parameters_of_all_inputs_are_recorded():
    record = new_record()

    for names in (("top_k", "seed"), (), ("seed", "stop")):
        record.add_ending(Ending(None, None, names))

    assert record.ignored == "top_k,seed,stop"


def failing(request):
    if text(request) == "bad":
        raise Broken("no")
    return echo(request)


@pytest.mark.parametrize(
    "pieces, failed, ended", [(None, 2, "complete"), (2, 1, "client_left")]
)
def test_a_batch_is_recorded_with_how_many_failed(pool, pieces, failed, ended):
    record = new_record()
    body = body_of(BatchRun(batch("bad", "a", "bad"), failing, pool, 1), record=record)

    list(islice(body, pieces))
    body.close()

    assert (record.failed, record.ended) == (failed, ended)
