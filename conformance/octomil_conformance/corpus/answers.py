"""Single answers, vectors, batches, health reports and failures that no mutant or variant sends."""

from octomil_conformance.corpus.entry import (
    GONE,
    JSON,
    MODEL,
    TWO,
    asked_batch,
    asked_embed,
    batch,
    embed,
    entry,
    failure,
    health,
    infer,
    item,
    raw,
    without,
    written,
)

HTML = (("Content-Type", "text/html"),)
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"
EACH_OF_INFER = "INFER-01 INFER-02 INFER-03 INFER-04 INFER-05"
LETTERS = "\u00e4\u00df \u685c\u6843 \U0001f352 \u2028"

INFER = (
    entry("infer", "array-output", "", "`output` is an array.", infer([0.25, 0.75])),
    entry("infer", "number-output", "", "`output` is a number.", infer(42)),
    entry("infer", "zero-output", "", "`output` is 0: it is not missing.", infer(0)),
    entry("infer", "false-output", "", "`output` is false: it is not missing.", infer(False)),
    entry("infer", "empty-output", "", "The model's answer is empty.", infer("")),
    entry("infer", "null-ending", "", "`finish_reason` and `usage` are null.", infer(finish_reason=None, usage=None)),
    entry("infer", "null-error", "", "`error` is null in a good answer.", infer(error=None)),
    entry("infer", "raw-letters", "", "Letters are not escaped.", raw(infer(LETTERS))),
    entry("infer", "escaped-letters", "", "The same letters are escaped.", infer(LETTERS)),
    entry("infer", "long-output", "", "The text has 64 kilobytes.", infer("cherry " * 9363)),
    entry("infer", "closed", "", "The close of the connection ends the transfer.", infer(), headers=JSON, end="closed"),
    entry("infer", "latin-1", "HTTP-03", "A letter is written in Latin-1.", written(infer("caf|")).replace(b"|", b"\xe9")),
    entry("infer", "two-values", f"HTTP-03 {EACH_OF_INFER}", "A second JSON value follows the first.", written(infer()) + b"\n" + written(infer())),
    entry("infer", "half-an-answer", f"HTTP-03 HTTP-21 {EACH_OF_INFER}", "The transfer breaks off in the middle.", written(infer())[:40], end="cut"),
    entry("infer", "html", f"HTTP-03 HTTP-04 {EACH_OF_INFER}", "It is a proxy's page with the status of a success.", PAGE, headers=HTML),
    entry("infer", "created", "INFER-01", "The status is 201.", infer(), status=201),
    entry("infer", "output-in-choices", "INFER-02 INFER-03 INFER-04 INFER-05", "It is an answer of another API.", {"choices": [{"message": {"content": "A cherry."}}], "model": MODEL}),
    entry("infer", "latency-is-a-boolean", "INFER-03", "`latency_ms` is true.", infer(latency_ms=True)),
    entry("infer", "null-provider", "INFER-04", "`provider` is null.", infer(provider=None)),
    entry("infer", "no-model", "INFER-05", "`model_id` is missing, as in the SDKs' own tests, where it does no harm.", without(infer(), "model_id")),
    entry("infer", "model-is-a-number", "HTTP-25 INFER-05", "`model_id` is a number.", infer(model_id=4)),
    entry("infer", "usage-is-a-string", "HTTP-25 INFER-07", "`usage` is a string.", infer(usage="16 tokens")),
)  # fmt: skip

EMBED = (
    entry("embed", "one-text", "", "A string has one vector.", embed(TWO[:1]), asked=asked_embed("a cherry")),
    entry("embed", "whole-numbers", "", "The numbers are integers.", embed([[1, 0, -1], [0, 0, 1]])),
    entry("embed", "exponents", "", "Small numbers are written with an exponent.", embed([[1e-07, 2.5e-12, 1.0], [-3e-30, 1.0, 0.5]])),
    entry("embed", "one-dimension", "", "Each vector has one number.", embed([[0.5], [0.25]])),
    entry("embed", "the-same-twice", "", "The same text twice has the same vector twice.", embed([TWO[0], TWO[0]]), asked=asked_embed(["a cherry", "a cherry"])),
    entry("embed", "many-texts", "", "There are a hundred texts.", embed([[place / 128, 1 - place / 128] for place in range(100)]), asked=asked_embed([f"text {place}" for place in range(100)])),
    entry("embed", "many-dimensions", "", "The vector has 768 numbers.", embed([[(place * 37 % 101 - 50) / 64 for place in range(768)]]), asked=asked_embed("a cherry")),
    entry("embed", "more-usage", "", "`usage` has an unknown field.", embed(usage={"prompt_tokens": 5, "total_tokens": 5, "cost": 0.1})),
    entry("embed", "infinity", "EMBED-04 HTTP-03", "A number is infinite.", embed([[0.1, float("inf")], [0.5, 0.25]])),
    entry("embed", "multi-status", "EMBED-01", "The status is 207.", embed(), status=207),
    entry("embed", "no-envelope", "EMBED-01 EMBED-04 EMBED-08 EMBED-16", "The vectors in `data` have no object around them.", embed(data=TWO)),
    entry("embed", "too-many", "EMBED-02", "A string has a vector for each of its words.", embed(), asked=asked_embed("a cherry")),
    entry("embed", "order-by-index-only", "EMBED-03", "The items are in another order than their index says.", embed(data=[item(1, TWO[0]), item(0, TWO[1])])),
    entry("embed", "empty-vector", "EMBED-04 EMBED-05", "A vector is empty.", embed([TWO[0], []])),
    entry("embed", "null-in-a-vector", "EMBED-04", "A number is null.", embed([TWO[0], [0.1, None, 0.3]])),
    entry("embed", "base64", "EMBED-04", "The vectors are base64.", embed(["zczMPc3MTD6amZk+", "zczMvgAAAD8AAIA9"])),
    entry("embed", "usage-is-a-fraction", "EMBED-06", "`prompt_tokens` is 5.5.", embed(usage={"prompt_tokens": 5.5, "total_tokens": 5})),
    entry("embed", "usage-is-half-there", "EMBED-06", "`total_tokens` is missing.", embed(usage={"prompt_tokens": 5})),
    entry("embed", "empty-model", "EMBED-07 EMBED-09", "`model` is an empty string.", embed(model="")),
    entry("embed", "provider-is-a-number", "EMBED-09 HTTP-25", "`provider` is a number.", embed(provider=1)),
    entry("embed", "canned", "EMBED-08 EMBED-09", "It is the answer in the SDKs' own tests: all of them read it.", without(embed(), "embeddings", "object", "provider")),
)  # fmt: skip

BATCH = (
    entry("batch", "one-failed", "", "The first input is answered, the second failed.", batch(infer(), GONE)),
    entry("batch", "all-failed", "", "Both inputs failed, and the status is 200.", batch(GONE, GONE)),
    entry("batch", "one-input", "", "There is one input with one result.", batch(infer()), asked=asked_batch("Name a fruit.")),
    entry("batch", "object-outputs", "", "Outputs have several types.", batch(infer({"label": "fruit"}), infer(0))),
    entry("batch", "many-inputs", "", "There are fifty inputs, each seventh failed.", batch(*(infer(f"answer {place}") if place % 7 else GONE for place in range(50))), asked=asked_batch(*(f"question {place}" for place in range(50)))),
    entry("batch", "accepted", "BATCH-01", "The status is 202, as if the work were not done yet.", batch(infer(), infer()), status=202),
    entry("batch", "bare-array", "BATCH-01 BATCH-02 BATCH-04 BATCH-05", "The results have no object around them.", batch(infer(), infer())["results"]),
    entry("batch", "another-order", "BATCH-02", "The results are in the order in which they became ready.", batch(infer(), infer(), results=[{"index": 1, **infer()}, {"index": 0, **infer()}])),
    entry("batch", "no-index", "BATCH-02", "The results have no index.", batch(infer(), infer(), results=[infer(), infer()])),
    entry("batch", "both", "BATCH-03", "A result has an output and an error.", batch(infer(), {**infer(), **GONE})),
    entry("batch", "neither", "BATCH-03", "A result has neither an output nor an error.", batch(infer(), {})),
    entry("batch", "error-is-a-string", "BATCH-03", "An error is a string.", batch(infer(), {"error": "timeout"})),
    entry("batch", "no-counts", "BATCH-04", "The results are not counted.", without(batch(infer(), GONE), "succeeded", "failed")),
    entry("batch", "failures-count-as-successes", "BATCH-04", "A failure is counted as a success.", batch(infer(), GONE, succeeded=2, failed=0)),
    entry("batch", "reason-is-a-number", "HTTP-25", "The `finish_reason` of a result is a number.", batch(infer(), infer(finish_reason=7))),
)  # fmt: skip

HEALTH = (
    entry("health", "degraded", "", "Only the second backend answers.", health("degraded", "unavailable", "ok")),
    entry("health", "unavailable", "", "No backend answers: it is a 503 with the same fields.", health("unavailable", "unavailable", "unavailable"), status=503),
    entry("health", "one-backend", "", "The second backend is not configured.", health("ok", "ok", "not_configured")),
    entry("health", "first-not-configured", "", "The first backend is not configured: the second is the provider, and nothing is degraded.", health("ok", "not_configured", "ok")),
    entry("health", "with-details", "", "The backends have a latency and an error.", health("degraded", backends=[{"provider": "ollama", "status": "unavailable", "error": "connection refused"}, {"provider": "openai", "status": "ok", "latency_ms": 3.1, "error": None}], provider="openai")),
    entry("health", "no-label", "HTTP-04", "Content-Type is missing.", health("ok", "ok"), headers=()),
    entry("health", "nothing-but-ok", "HEALTH-03 HEALTH-04", "It is the answer of a liveness probe.", {"status": "ok"}),
    entry("health", "unavailable-with-200", "HEALTH-02", "It is `unavailable` with the status of a success.", health("unavailable", "unavailable")),
    entry("health", "no-provider", "HEALTH-04", "`provider` is null though a backend answers.", health("ok", "ok", provider=None)),
)  # fmt: skip

FAILURES = (
    entry("infer", "bad-request", "", "A field is missing in the request.", failure(400, "bad_request", "invalid_input"), status=400, asked={"model_id": MODEL}),
    entry("embed", "unauthorized", "", "The token is unknown.", failure(401, "unauthorized", "authentication_failed", request_id="5f0c2a"), status=401),
    entry("stream", "model-not-found", "", "No backend has the model: a stream fails with JSON, too.", failure(404, "not_found", "model_not_found"), status=404),
    entry("infer", "too-large", "", "The prompt is too long.", failure(413, "payload_too_large", "context_too_large"), status=413),
    entry("infer", "unsupported", "", "The model takes no images.", failure(422, "validation_error", "unsupported_modality"), status=422),
    entry("stream", "rate-limited", "", "There were too many requests: the client may try again after three seconds.", failure(429, "rate_limited", "rate_limited"), status=429, headers=(*JSON, ("Retry-After", "3"))),
    entry("batch", "internal-error", "", "The server is at fault.", failure(500, "internal_error", "server_error", request_id=None), status=500),
    entry("embed", "bad-gateway", "", "The upstream's answer made no sense.", failure(502, "bad_gateway", "inference_failed"), status=502),
    entry("stream", "overloaded", "", "No backend has room for the request.", failure(503, "service_unavailable", "server_error"), status=503, headers=(*JSON, ("Retry-After", "1"))),
    entry("infer", "gateway-timeout", "", "The model took too long.", failure(504, "gateway_timeout", "request_timeout"), status=504),
    entry("infer", "short-envelope", "", "The envelope has neither `code` nor `retryable`.", {"error": "not_found", "message": "Nothing here.", "status_code": 404}, status=404),
    entry("infer", "error-in-error", "HTTP-25", "It is a failure of another API: the message is one level down.", {"error": {"message": "no such model", "code": "model_not_found"}}, status=404),
    entry("embed", "no-message", "HTTP-25", "A failure has no message.", without(failure(400, "bad_request", "invalid_input"), "message"), status=400),
    entry("stream", "status-is-a-string", "HTTP-25", "`status_code` is a string.", failure(503, "service_unavailable", "server_error", status_code="503"), status=503),
    entry("stream", "failure-as-an-event", "HTTP-25", "A failure before the first token comes as an event.", b"data: " + written(failure(502, "bad_gateway", "inference_failed")) + b"\n\n", status=502, headers=(("Content-Type", "text/event-stream"),)),
    entry("infer", "proxy-page", "HTTP-03 HTTP-04", "It is a proxy's page.", PAGE, status=502, headers=HTML),
    entry("embed", "detail-only", "HTTP-25", "It is a failure as a web framework writes it.", {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, status=422),
)  # fmt: skip

ANSWERS = (*INFER, *EMBED, *BATCH, *HEALTH, *FAILURES)
