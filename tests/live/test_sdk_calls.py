"""What each SDK calls and which fields it reads, written down from its source (sdk_calls/), against the running server.

The SDKs for Node, Browser and iOS are on no registry. Neither their headers, except for the token, nor the bodies that they send
to route, plan and telemetry are written down.
"""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("sdk_calls")
CALLS = [
    pytest.param(call, id=f"{file.stem}: {call['call']}")
    for file in sorted(FOLDER.glob("*.json"))
    for call in json.loads(file.read_text("utf-8"))
]
KINDS = {"string": str, "number": (int, float), "object": dict, "array": list}


@pytest.mark.parametrize("call", CALLS)
def test_an_sdk_reads_what_it_needs(server, call):
    url = server.url + call["path"]
    response = server.client.request(call["method"], url, json=call["body"])

    assert response.status_code == call["status"]
    match call["reads"]:
        case "chat stream":
            assert chat_stream(response) == "Good morning"
        case "token stream":
            assert token_stream(response) == "Good morning"
        case fields:
            for path, kind in fields.items():
                assert isinstance(value_at(response.json(), path), KINDS[kind]), path


def value_at(value, path):
    for name in path.split("."):
        value = value[int(name) if name.isdecimal() else name]
    return value


def data_of(response):
    """Browser, Python and iOS read only lines that begin with `data: `, with the space."""
    lines = [line for line in response.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def chat_stream(response):
    *chunks, mark = data_of(response)
    assert mark == "[DONE]"
    # Python reads the first choice of each event, Node iterates over them.
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert choices[-1]["finish_reason"] == "stop"
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def token_stream(response):
    *tokens, final = map(json.loads, data_of(response))
    assert final["done"] is True
    assert final["latency_ms"] >= 0
    assert final["session_id"]
    assert {token["done"] for token in tokens} == {False}
    assert all(token["provider"] for token in tokens)
    return "".join(token["token"] for token in tokens)
