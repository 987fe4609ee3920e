"""Single answers, vectors, batches, health reports and failures that every client has to read."""

from typing import Any

from octomil_conformance.corpus.entry import ASKED, Entry, raw, written

EMBEDDER = ASKED["embed"]["model_id"]
TWO = [[0.1, 0.2, 0.3], [-0.4, 0.5, 0.0625]]
USAGE = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16}


def infer(output: Any = "A cherry.", **more: Any) -> dict[str, Any]:
    told = {"latency_ms": 812.4, "provider": "ollama", "model_id": "phi-4-mini"}
    return {"output": output, **told, **more}


def embed(vectors: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    given = TWO if vectors is None else vectors
    return {
        "object": "list",
        "data": [item(index, vector) for index, vector in enumerate(given)],
        "embeddings": given,
        "model": EMBEDDER,
        "provider": "ollama",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
        **more,
    }


def item(index: Any, vector: Any) -> dict[str, Any]:
    return {"object": "embedding", "index": index, "embedding": vector}


def failure(status: int, error: str, code: str, **more: Any) -> dict[str, Any]:
    said = {"error": error, "message": f"This is what a {status} says."}
    retryable = code in RETRYABLE
    return {
        **said,
        "status_code": status,
        "code": code,
        "retryable": retryable,
        **more,
    }


RETRYABLE = ("rate_limited", "request_timeout", "inference_failed", "server_error")


def batch(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    failed = sum("error" in result for result in results)
    placed = [{"index": index, **result} for index, result in enumerate(results)]
    counts = {"succeeded": len(results) - failed, "failed": failed}
    told = {"model_id": "phi-4-mini", "latency_ms": 1630.2}
    return {**told, "results": placed, **counts, **more}


GONE = {"error": failure(504, "gateway_timeout", "request_timeout")}


def health(status: str, *backends: str, **more: Any) -> dict[str, Any]:
    """`backends`: what the first and the second are."""
    listed = [
        {"provider": provider, "status": each}
        for provider, each in zip(("ollama", "openai"), backends, strict=False)
    ]
    usable = [each["provider"] for each in listed if each["status"] == "ok"]
    provider = next(iter(usable), None)
    return {"status": status, "provider": provider, "backends": listed, **more}


def valid(endpoint: str, name: str, about: str, value: object, **more: Any) -> Entry:
    body = value if isinstance(value, bytes) else written(value)
    return Entry(name, endpoint, about, body, **more)


def asked_embed(text: Any) -> dict[str, Any]:
    return {"model_id": EMBEDDER, "input": text}


def asked_batch(*texts: str) -> dict[str, Any]:
    return {
        "model_id": "phi-4-mini",
        "inputs": [{"input_data": text} for text in texts],
    }


INFER = (
    valid("infer", "plain", "All fields that the documentation shows.", infer(finish_reason="stop", usage=USAGE)),
    valid("infer", "object-output", "`output` is an object.", infer({"label": "positive", "score": 0.95}, provider="triton")),
    valid("infer", "array-output", "`output` is an array.", infer([0.25, 0.75])),
    valid("infer", "number-output", "`output` is a number.", infer(42)),
    valid("infer", "zero-output", "`output` is zero: nothing, but not missing.", infer(0)),
    valid("infer", "false-output", "`output` is false: no, but not missing.", infer(False)),
    valid("infer", "empty-output", "The model said nothing.", infer("")),
    valid("infer", "whole-latency", "`latency_ms` is an integer.", infer(latency_ms=42)),
    valid("infer", "more-fields", "Fields that nobody knows.", infer(id="7f", choices=[{"text": "no"}], error=None)),
    valid("infer", "nothing-known-of-the-end", "`finish_reason` and `usage` are null.", infer(finish_reason=None, usage=None)),
    valid("infer", "other-order", "The fields stand in another order.", dict(reversed(infer().items()))),
    valid("infer", "raw-letters", "Letters as they are.", raw(infer("\u00e4\u00df \u685c\u6843 \U0001f352 \u2028"))),
    valid("infer", "escaped-letters", "The same letters as escapes.", infer("\u00e4\u00df \u685c\u6843 \U0001f352 \u2028")),
    valid("infer", "spread-out", "JSON with line ends and spaces around everything.", b"\r\n" + written(infer()).replace(b", ", b" ,\n\t").replace(b": ", b" : ") + b"\n"),
    valid("infer", "long-output", "A text of 64 kilobytes.", infer("cherry " * 9363)),
    valid("infer", "charset", "Content-Type in capitals and with a charset.", infer(), headers=(("content-type", "Application/JSON; charset=UTF-8"), ("transfer-encoding", "chunked"))),
    valid("infer", "closed", "The close of the connection ends the transfer.", infer(), headers=(("Content-Type", "application/json"),), end="closed"),
)  # fmt: skip

EMBED = (
    valid("embed", "plain", "Two texts, two vectors, each in both forms.", embed()),
    valid("embed", "one-text", "A string gives one vector.", embed(TWO[:1]), asked=asked_embed("a cherry")),
    valid("embed", "no-index", "Items have nothing but their vector.", embed(data=[{"embedding": vector} for vector in TWO])),
    valid("embed", "whole-numbers", "Integers are numbers, too.", embed([[1, 0, -1], [0, 0, 1]])),
    valid("embed", "exponents", "Small numbers are written with an exponent.", embed([[1e-07, 2.5e-12, 1.0], [-3e-30, 1.0, 0.5]])),
    valid("embed", "one-dimension", "Vectors of one number.", embed([[0.5], [0.25]])),
    valid("embed", "the-same-twice", "The same text twice gives the same vector twice.", embed([TWO[0], TWO[0]]), asked=asked_embed(["a cherry", "a cherry"])),
    valid("embed", "many-texts", "A hundred texts.", embed([[place / 128, 1 - place / 128] for place in range(100)]), asked=asked_embed([f"text {place}" for place in range(100)])),
    valid("embed", "many-dimensions", "A vector of 768 numbers.", embed([[(place * 37 % 101 - 50) / 64 for place in range(768)]]), asked=asked_embed("a cherry")),
    valid("embed", "more-fields", "Fields that nobody knows.", embed(id="7f", latency_ms=12.5, usage={"prompt_tokens": 5, "total_tokens": 5, "cost": 0.1})),
)  # fmt: skip

BATCH = (
    valid("batch", "plain", "Two inputs, two answers.", batch(infer(), infer("An oak."))),
    valid("batch", "one-failed", "The second input failed, the first did not.", batch(infer(), GONE)),
    valid("batch", "all-failed", "Both failed, and the answer is a 200.", batch(GONE, GONE)),
    valid("batch", "one-input", "One input, one answer.", batch(infer()), asked=asked_batch("Name a fruit.")),
    valid("batch", "object-outputs", "Outputs of several kinds.", batch(infer({"label": "fruit"}), infer(0))),
    valid("batch", "many-inputs", "Fifty inputs, each seventh failed.", batch(*(infer(f"answer {place}") if place % 7 else GONE for place in range(50))), asked=asked_batch(*(f"question {place}" for place in range(50)))),
)  # fmt: skip

HEALTH = (
    valid("health", "ok", "Both backends answer.", health("ok", "ok", "ok", version="1.0.0")),
    valid("health", "degraded", "Only the second answers.", health("degraded", "unavailable", "ok")),
    valid("health", "unavailable", "None answers: a 503 with the same shape.", health("unavailable", "unavailable", "unavailable"), status=503),
    valid("health", "one-backend", "The second is not configured.", health("ok", "ok", "not_configured")),
    valid("health", "first-not-configured", "The first is not configured: the second is the provider, and nothing is degraded.", health("ok", "not_configured", "ok")),
    valid("health", "with-details", "Latency and error of each.", health("degraded", backends=[{"provider": "ollama", "status": "unavailable", "error": "connection refused"}, {"provider": "openai", "status": "ok", "latency_ms": 3.1, "error": None}], provider="openai")),
)  # fmt: skip

FAILURES = (
    valid("infer", "bad-request", "A field is missing.", failure(400, "bad_request", "invalid_input"), status=400, asked={"model_id": "phi-4-mini"}),
    valid("embed", "unauthorized", "The token is unknown.", failure(401, "unauthorized", "authentication_failed", request_id="5f0c2a"), status=401),
    valid("stream", "model-not-found", "No backend has the model; a stream fails with JSON, too.", failure(404, "not_found", "model_not_found"), status=404),
    valid("infer", "too-large", "The prompt is too long.", failure(413, "payload_too_large", "context_too_large"), status=413),
    valid("infer", "unsupported", "The model takes no images.", failure(422, "validation_error", "unsupported_modality"), status=422),
    valid("stream", "rate-limited", "Too many requests: in three seconds again.", failure(429, "rate_limited", "rate_limited"), status=429, headers=(("Content-Type", "application/json"), ("Retry-After", "3"))),
    valid("batch", "internal-error", "The server's own fault.", failure(500, "internal_error", "server_error", request_id=None), status=500),
    valid("embed", "bad-gateway", "The model's server said nonsense.", failure(502, "bad_gateway", "inference_failed"), status=502),
    valid("stream", "overloaded", "Nobody is free.", failure(503, "service_unavailable", "server_error"), status=503, headers=(("Content-Type", "application/json"), ("Retry-After", "1"))),
    valid("infer", "gateway-timeout", "The model took too long.", failure(504, "gateway_timeout", "request_timeout"), status=504),
    valid("infer", "bare-envelope", "An envelope without code and retryable.", {"error": "not_found", "message": "Nothing here.", "status_code": 404}, status=404),
)  # fmt: skip

VALID = (*INFER, *EMBED, *BATCH, *HEALTH, *FAILURES)
