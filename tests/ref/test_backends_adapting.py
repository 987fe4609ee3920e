"""The memory about models is bounded in number and in time. `test_backends_servers.py` tests what is remembered."""

import json
import logging

import pytest
import responses
from builders import OPENAI, asking, openai_chat, sent

from octomil_ref.backends import adapting
from octomil_ref.backends.adapting import (
    MAX_CHANGES,
    MAX_MODELS,
    MAX_REQUESTS,
    REMEMBERED,
    Memory,
)
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import RequestRefused

CHAT = f"{OPENAI}/chat/completions"


def test_the_oldest_model_is_forgotten_if_there_are_too_many():
    memory = Memory()
    for number in range(MAX_MODELS):
        memory.put(str(number), number)
    memory.put("0", "again")

    memory.put("one more", "new")

    assert memory.get("0") == "again"
    assert memory.get("1") is None
    assert memory.get("2") == 2


def test_what_is_remembered_is_forgotten_in_time(clock):
    memory = Memory()
    memory.put("m", 1)
    clock.advance(REMEMBERED - 0.1)
    assert memory.get("m") == 1

    clock.advance(0.1)

    assert memory.get("m") is None


def refuse(at_once: int) -> None:
    """An upstream that does not know parameters that begin with `p_`, and names this many of them at once."""

    def callback(request):
        names = [name for name in json.loads(request.body) if name.startswith("p_")]
        named = ", ".join(f"'{name}'" for name in names[:at_once])
        error = {"error": f"unknown fields: {named}"}
        return 400 if names else 200, {}, json.dumps(error if names else openai_chat())

    responses.add_callback("POST", CHAT, callback)


def test_a_parameter_whose_name_is_empty_is_sent_like_any_other():
    refuse(at_once=1)

    completion = OpenAIBackend(OPENAI, "", 20, {}).complete(asking(**{"": 1, "p_1": 2}))

    assert completion.ending.ignored_parameters == ("p_1",)
    assert sent()[""] == 1


def test_a_client_cannot_fill_the_memory_with_names():
    refuse(at_once=10)
    backend = OpenAIBackend(OPENAI, "", 20, {})
    names = [f"p_{number}" for number in range(MAX_CHANGES + 5)]

    completion = backend.complete(asking(**dict.fromkeys(names, 1)))

    assert completion.ending.ignored_parameters == tuple(names)
    assert list(backend._adapter._changes.get("m")) == names[5:]


def test_names_that_the_message_cannot_contain_are_not_looked_for(monkeypatch):
    looked_for = []
    monkeypatch.setattr(
        adapting, "_named", lambda name, *where: looked_for.append(name)
    )

    adapting.refused("unknown: 'top-k', topP", ["top_k", "top_p", "seed", "p" * 99], [])

    assert looked_for == ["top_k", "top_p"]


def test_a_client_cannot_cause_requests_without_end():
    refuse(at_once=1)
    names = [f"p_{number}" for number in range(MAX_REQUESTS)]

    with pytest.raises(RequestRefused):
        OpenAIBackend(OPENAI, "", 20, {}).complete(asking(**dict.fromkeys(names, 1)))

    assert len(responses.calls) == MAX_REQUESTS


def test_what_is_unsupported_is_in_the_log_once(caplog):
    responses.post(CHAT, status=400, json={"error": "unknown field 'top_k'"})
    responses.post(CHAT, json=openai_chat())
    backend = OpenAIBackend(OPENAI, "", 20, {})

    with caplog.at_level(logging.WARNING, "octomil_ref"):
        for _ in range(2):
            backend.complete(asking(top_k=5))

    [line] = caplog.records
    assert line.fields == {"provider": "openai", "model": "m", "parameters": "top_k"}


def test_a_deadline_holds_for_all_requests_of_one_attempt(clock):
    def callback(request):
        clock.advance(15)
        return 400, {}, json.dumps({"error": "unknown fields 'top_k', 'seed'"})

    responses.add_callback("POST", CHAT, callback)
    backend = OpenAIBackend(OPENAI, "", 20, {})

    with pytest.raises(RequestRefused):
        backend.complete(asking(top_k=5))

    limits = [call.request.req_kwargs["timeout"][1] for call in responses.calls]
    assert limits == [20, 5]
