"""A short soak passes, which shows that it accepts right answers. And it finds every fault that it looks for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak.client import Answer, faults
from benchmarks.soak.plans import Plan, Request
from benchmarks.soak.usage import Usage, leaks

ROOT = Path(__file__).parents[2]
NONCE = "00112233445566aa"


def plan(ollama: str = "good", openai: str = "good") -> Plan:
    return Plan(NONCE, 3, ollama, openai)


def asked(kind: str, *plans: Plan) -> Request:
    return Request(kind, plans or (plan(),), None)


def result(**fields: object) -> dict[str, object]:
    return {"output": plan().text(), "provider": "ollama", **fields}


def body(value: object, status: int = 200, whole: bool = True) -> Answer:
    return Answer(status, json.dumps(value).encode(), whole)


def stream(*words: str, done: bool = True, whole: bool = True, **last) -> Answer:
    events = [
        {"token": word, "done": False, "provider": "ollama", **last} for word in words
    ]
    if done:
        events.append({"token": "", "done": True, "provider": "ollama"})
    data = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    return Answer(200, data.encode(), whole)


def envelope(status: int) -> Answer:
    return body({"status_code": status, "request_id": "r"}, status)


WORDS = plan().words()
CUT = plan("cut")
NOBODY = plan("error", "limit")

WRONG = {
    "another's answer": (asked("single"), body(result(output="another's"))),
    "a truncated answer": (asked("single"), body(result(), whole=False)),
    "an error for nothing": (asked("single"), envelope(502)),
    "the wrong provider": (asked("single", plan("refuse")), body(result())),
    "an answer where both fail": (asked("single", NOBODY), body(result())),
    "another failure": (asked("single", NOBODY), envelope(502)),
    "a stream with another's token": (
        asked("stream"),
        stream("x", *WORDS[1:]),
    ),
    "a stream that lost a token": (asked("stream"), stream(*WORDS[1:])),
    "a stream without its end": (asked("stream"), stream(*WORDS, done=False)),
    "a cut stream that says done": (
        asked("stream", CUT),
        stream(*WORDS[:1], whole=False),
    ),
    "a cut stream whose transfer ends well": (
        asked("stream", CUT),
        stream(*WORDS[:1], done=False, error={}),
    ),
    "a cut stream with another's token": (
        asked("stream", CUT),
        stream("x", done=False, whole=False, error={}),
    ),
    "a batch out of order": (
        asked("batch", plan(), plan()),
        body({"results": [result(index=1), result(index=0)], "failed": 0}),
    ),
    "a batch that lost a result": (
        asked("batch", plan(), plan()),
        body({"results": [result(index=0)], "failed": 0}),
    ),
    "a batch that counts wrong": (
        asked("batch"),
        body({"results": [result(index=0)], "failed": 1}),
    ),
    "another's vectors": (asked("embeddings"), body({"embeddings": [[1, 2, 3, 4]]})),
    "a bad request that is answered": (asked("bad"), body(result())),
    "no health": (asked("health"), body({}, 503)),
}


@pytest.mark.parametrize(("request_", "answer"), WRONG.values(), ids=WRONG)
def test_the_soak_finds(request_, answer):
    assert faults(request_, answer)


@pytest.mark.parametrize(
    ("after", "word"),
    [
        (Usage(10, 8, 40, 0), ""),
        (Usage(11, 8, 40, 0), "threads"),
        (Usage(10, 9, 40, 0), "descriptors"),
        (Usage(10, 8, 61, 0), "memory"),
        (Usage(10, 8, 40, 1), "upstream calls"),
    ],
)
def test_the_soak_finds_what_is_left_behind(after, word):
    before = Usage(threads=8, descriptors=8, memory_mb=40, answering=0)

    found = leaks(before, after, threads=10, memory_mb=20)

    assert word in " ".join(found)
    assert bool(found) == bool(word)


@pytest.mark.machine  # /proc
def test_a_short_soak_finds_nothing_wrong_with_either_server():
    command = [sys.executable, "-m", "benchmarks.soak", "--requests", "2000"]

    run = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=900
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("wrong answers 0, leaks 0") == 2
