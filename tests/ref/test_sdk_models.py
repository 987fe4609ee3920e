"""What SDKs ask for besides answers: lists of models, routes, plans, the manifest, telemetry."""

import json

import pytest
import responses
from builders import OLLAMA, OPENAI, app_client


def names(response) -> dict[str, str]:
    return {model["id"]: model["owned_by"] for model in response.json["data"]}


def tags(*found: str) -> None:
    models = [{"name": name} for name in found]
    responses.get(f"{OLLAMA}/api/tags", json={"models": models})


def test_models_are_those_of_all_backends_with_their_aliases(client):
    tags("phi4-mini:latest", "@cf/meta/llama")
    responses.get(f"{OPENAI}/models", json={"data": [{"id": "gpt-4o"}]})

    listed = client.simulate_get("/v1/models")

    assert names(listed) == {
        "phi4-mini:latest": "ollama",
        "phi-4-mini": "ollama",
        "@cf/meta/llama": "ollama",
        "gpt-4o": "openai",
    }
    assert listed.json["data"][0]["object"] == "model"
    one = client.simulate_get("/v1/models/@cf/meta/llama").json
    assert one == {
        "id": "@cf/meta/llama",
        "object": "model",
        "created": 0,
        "owned_by": "ollama",
    }


def test_a_model_that_no_backend_has_is_a_404(client):
    tags("m")

    response = client.simulate_get("/v1/models/other")

    assert response.status_code == 404
    assert response.json["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "gpt-4o"}],
        {"data": [{"id": "gpt-4o"}]},
        {"data": [{"id": None}, {}, None, 7, {"id": "gpt-4o"}, {"id": ""}]},
    ],
    ids=["an array, as Together sends it", "an object", "malformed entries"],
)
def test_models_of_one_backend_are_listed_while_the_other_is_down(client, body):
    responses.get(f"{OPENAI}/models", json=body)

    assert names(client.simulate_get("/v1/models")) == {"gpt-4o": "openai"}


def test_null_instead_of_a_list_of_models_is_no_model(client):
    responses.get(f"{OLLAMA}/api/tags", json={"models": None})
    responses.get(f"{OPENAI}/models", json={"data": None})

    assert names(client.simulate_get("/v1/models")) == {}


@pytest.mark.parametrize("body", [{}, {"data": 1}, "[" * 99999])
def test_a_list_of_models_that_cannot_be_read_is_a_failure(body):
    client = app_client(ollama_base_url="")
    text = body if isinstance(body, str) else json.dumps(body)
    responses.get(f"{OPENAI}/models", body=text)

    assert client.simulate_get("/v1/models").status_code == 502


@pytest.mark.parametrize("status", [200, 500])
def test_the_list_of_models_is_asked_for_once_in_five_seconds(status, clock, client):
    responses.get(f"{OLLAMA}/api/tags", status=status, json={"models": []})
    responses.get(f"{OPENAI}/models", status=status, json={"data": []})

    asked = []
    for _ in range(3):
        response = client.simulate_get("/v1/models")
        asked.append((response.status_code, len(responses.calls)))
        clock.advance(2.6)

    shown = 200 if status == 200 else 502
    assert asked == [(shown, 2), (shown, 2), (shown, 4)]


def test_without_backends_no_models_can_be_listed():
    client = app_client(ollama_base_url="", openai_api_endpoint="")

    assert client.simulate_get("/v1/models").status_code == 503


def test_a_plan_has_one_candidate_in_the_cloud(client):
    asked = {"model": "m", "capability": "embeddings", "device": {}}

    plan = client.simulate_post("/api/v2/runtime/plan", json=asked).json

    assert [candidate["locality"] for candidate in plan["candidates"]] == ["cloud"]
    assert plan["model"] == "m" and plan["capability"] == "embeddings"


def test_the_manifest_needs_no_token(client):
    headers = {"Authorization": ""}

    response = client.simulate_get("/api/v2/catalog/manifest", headers=headers)

    assert response.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b"not JSON"])
def test_telemetry_is_accepted_whatever_it_is(client, body):
    response = client.simulate_post("/api/v2/telemetry/events", body=body)

    assert response.status_code == 202


@pytest.mark.parametrize("path", ["/api/v1/route", "/api/v2/runtime/plan"])
def test_a_body_that_is_no_object_is_a_400(client, path):
    assert client.simulate_post(path, json=[]).status_code == 400
