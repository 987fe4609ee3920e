"""Single answers, vectors, batches, health reports and failures that no mutant or variant sends."""

from octomil_conformance.corpus.entry import (
    GONE,
    JSON,
    MODEL,
    TWO,
    Answer,
    asked_batch,
    asked_embed,
    batch,
    embed,
    entries,
    failed,
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
DETAILS = [
    {"provider": "ollama", "status": "unavailable", "error": "connection refused"},
    {"provider": "openai", "status": "ok", "latency_ms": 3.1, "error": None},
]
LETTERS = "\u00e4\u00df \u685c\u6843 \U0001f352 \u2028"

INFER = {
    "array-output: `output` is an array.": infer([0.25, 0.75]),
    "number-output: `output` is a number.": infer(42),
    "zero-output: `output` is 0: it is not missing.": infer(0),
    "false-output: `output` is false: it is not missing.": infer(False),
    "empty-output: The model's answer is empty.": infer(""),
    "null-ending: `finish_reason` and `usage` are null.": infer(
        finish_reason=None, usage=None
    ),
    "null-error: `error` is null in a good answer.": infer(error=None),
    "raw-letters: Letters are not escaped.": raw(infer(LETTERS)),
    "escaped-letters: The same letters are escaped.": infer(LETTERS),
    "long-output: The text has 64 kilobytes.": infer("cherry " * 9363),
    "closed: The close of the connection ends the transfer.": Answer(
        infer(), headers=JSON, end="closed"
    ),
    "latin-1 [HTTP-03]: A letter is written in Latin-1.": (
        written(infer("caf|")).replace(b"|", b"\xe9")
    ),
    f"two-values [HTTP-03 {EACH_OF_INFER}]: A second JSON value follows the first.": (
        written(infer()) + b"\n" + written(infer())
    ),
    f"half-an-answer [HTTP-03 HTTP-21 {EACH_OF_INFER}]: The transfer breaks off in the middle.": (
        Answer(written(infer())[:40], end="cut")
    ),
    f"html [HTTP-03 HTTP-04 {EACH_OF_INFER}]: It is a proxy's page with the status of a success.": (
        Answer(PAGE, headers=HTML)
    ),
    "created [INFER-01]: The status is 201.": Answer(infer(), status=201),
    "output-in-choices [INFER-02 INFER-03 INFER-04 INFER-05]: It is an answer of another API.": (
        {"choices": [{"message": {"content": "A cherry."}}], "model": MODEL}
    ),
    "latency-is-a-boolean [INFER-03]: `latency_ms` is true.": infer(latency_ms=True),
    "null-provider [INFER-04]: `provider` is null.": infer(provider=None),
    "no-model [INFER-05]: `model_id` is missing, as in the SDKs' own tests, where it does no harm.": (
        without(infer(), "model_id")
    ),
    "model-is-a-number [HTTP-25 INFER-05]: `model_id` is a number.": infer(model_id=4),
    "usage-is-a-string [HTTP-25 INFER-07]: `usage` is a string.": infer(
        usage="16 tokens"
    ),
    "bad-request: A field is missing in the request.": Answer(
        failure(400, "bad_request", "invalid_input"),
        status=400,
        asked={"model_id": MODEL},
    ),
    "too-large: The prompt is too long.": failed(
        413, "payload_too_large", "context_too_large"
    ),
    "unsupported: The model takes no images.": failed(
        422, "validation_error", "unsupported_modality"
    ),
    "gateway-timeout: The model took too long.": failed(
        504, "gateway_timeout", "request_timeout"
    ),
    "short-envelope: The envelope has neither `code` nor `retryable`.": Answer(
        {"error": "not_found", "message": "Nothing here.", "status_code": 404},
        status=404,
    ),
    "error-in-error [HTTP-25]: It is a failure of another API: the message is one level down.": (
        Answer(
            {"error": {"message": "no such model", "code": "model_not_found"}},
            status=404,
        )
    ),
    "proxy-page [HTTP-03 HTTP-04]: It is a proxy's page.": Answer(
        PAGE, status=502, headers=HTML
    ),
}

EMBED = {
    "one-text: A string has one vector.": Answer(
        embed(TWO[:1]), asked=asked_embed("a cherry")
    ),
    "whole-numbers: The numbers are integers.": embed([[1, 0, -1], [0, 0, 1]]),
    "exponents: Small numbers are written with an exponent.": embed(
        [[1e-07, 2.5e-12, 1.0], [-3e-30, 1.0, 0.5]]
    ),
    "one-dimension: Each vector has one number.": embed([[0.5], [0.25]]),
    "the-same-twice: The same text is sent twice and has the same vector twice.": Answer(
        embed([TWO[0], TWO[0]]), asked=asked_embed(["a cherry", "a cherry"])
    ),
    "many-texts: There are a hundred texts.": Answer(
        embed([[place / 128, 1 - place / 128] for place in range(100)]),
        asked=asked_embed([f"text {place}" for place in range(100)]),
    ),
    "many-dimensions: The vector has 768 numbers.": Answer(
        embed([[(place * 37 % 101 - 50) / 64 for place in range(768)]]),
        asked=asked_embed("a cherry"),
    ),
    "more-usage: `usage` has an unknown field.": embed(
        usage={"prompt_tokens": 5, "total_tokens": 5, "cost": 0.1}
    ),
    "infinity [EMBED-04 HTTP-03]: A number is infinite.": embed(
        [[0.1, float("inf")], [0.5, 0.25]]
    ),
    "multi-status [EMBED-01]: The status is 207.": Answer(embed(), status=207),
    "no-envelope [EMBED-01 EMBED-04 EMBED-08 EMBED-16]: The vectors in `data` have no object around them.": (
        embed(data=TWO)
    ),
    "too-many [EMBED-02]: A string has a vector for each of its words.": Answer(
        embed(), asked=asked_embed("a cherry")
    ),
    "order-by-index-only [EMBED-03]: The items are in another order than their index says.": (
        embed(data=[item(1, TWO[0]), item(0, TWO[1])])
    ),
    "empty-vector [EMBED-04 EMBED-05]: A vector is empty.": embed([TWO[0], []]),
    "null-in-a-vector [EMBED-04]: A number is null.": embed([TWO[0], [0.1, None, 0.3]]),
    "base64 [EMBED-04]: The vectors are base64.": embed(
        ["zczMPc3MTD6amZk+", "zczMvgAAAD8AAIA9"]
    ),
    "usage-is-a-fraction [EMBED-06]: `prompt_tokens` is 5.5.": embed(
        usage={"prompt_tokens": 5.5, "total_tokens": 5}
    ),
    "usage-is-half-there [EMBED-06]: `total_tokens` is missing.": embed(
        usage={"prompt_tokens": 5}
    ),
    "empty-model [EMBED-07 EMBED-09]: `model` is an empty string.": embed(model=""),
    "provider-is-a-number [EMBED-09 HTTP-25]: `provider` is a number.": embed(
        provider=1
    ),
    "canned [EMBED-08 EMBED-09]: It is the answer in the SDKs' own tests: all of them read it.": (
        without(embed(), "embeddings", "object", "provider")
    ),
    "unauthorized: The token is unknown.": failed(
        401, "unauthorized", "authentication_failed", request_id="5f0c2a"
    ),
    "bad-gateway: The upstream's answer made no sense.": failed(
        502, "bad_gateway", "inference_failed"
    ),
    "no-message [HTTP-25]: A failure has no message.": Answer(
        without(failure(400, "bad_request", "invalid_input"), "message"), status=400
    ),
    "detail-only [HTTP-25]: It is a failure as a web framework writes it.": Answer(
        {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, status=422
    ),
}

BATCH = {
    "one-failed: The first input is answered, the second fails.": batch(infer(), GONE),
    "all-failed: Both inputs fail, and the status is 200.": batch(GONE, GONE),
    "one-input: There is one input with one result.": Answer(
        batch(infer()), asked=asked_batch("Name a fruit.")
    ),
    "object-outputs: Outputs have several types.": batch(
        infer({"label": "fruit"}), infer(0)
    ),
    "many-inputs: There are fifty inputs, and every seventh fails.": Answer(
        batch(
            *(infer(f"answer {place}") if place % 7 else GONE for place in range(50))
        ),
        asked=asked_batch(*(f"question {place}" for place in range(50))),
    ),
    "accepted [BATCH-01]: The status is 202, as if the work were not done yet.": Answer(
        batch(infer(), infer()), status=202
    ),
    "bare-array [BATCH-01 BATCH-02 BATCH-04 BATCH-05]: The results have no object around them.": (
        batch(infer(), infer())["results"]
    ),
    "another-order [BATCH-02]: The results are in the order in which they became ready.": (
        batch(
            infer(), infer(), results=[{"index": 1, **infer()}, {"index": 0, **infer()}]
        )
    ),
    "no-index [BATCH-02]: The results have no index.": batch(
        infer(), infer(), results=[infer(), infer()]
    ),
    "both [BATCH-03]: A result has an output and an error.": batch(
        infer(), {**infer(), **GONE}
    ),
    "neither [BATCH-03]: A result has neither an output nor an error.": batch(
        infer(), {}
    ),
    "error-is-a-string [BATCH-03]: An error is a string.": batch(
        infer(), {"error": "timeout"}
    ),
    "no-counts [BATCH-04]: The results are not counted.": without(
        batch(infer(), GONE), "succeeded", "failed"
    ),
    "failures-count-as-successes [BATCH-04]: A failure is counted as a success.": batch(
        infer(), GONE, succeeded=2, failed=0
    ),
    "reason-is-a-number [HTTP-25]: The `finish_reason` of a result is a number.": batch(
        infer(), infer(finish_reason=7)
    ),
    "internal-error: The server is at fault.": failed(
        500, "internal_error", "server_error", request_id=None
    ),
}

HEALTH = {
    "degraded: Only the second backend answers.": health(
        "degraded", "unavailable", "ok"
    ),
    "unavailable: No backend answers: it is a 503 with the same fields.": Answer(
        health("unavailable", "unavailable", "unavailable"), status=503
    ),
    "one-backend: The second backend is not configured.": health(
        "ok", "ok", "not_configured"
    ),
    "first-not-configured: The first backend is not configured: the second is the provider, and nothing is degraded.": (
        health("ok", "not_configured", "ok")
    ),
    "with-details: The backends have a latency and an error.": health(
        "degraded", backends=DETAILS, provider="openai"
    ),
    "no-label [HTTP-04]: Content-Type is missing.": Answer(
        health("ok", "ok"), headers=()
    ),
    "nothing-but-ok [HEALTH-03 HEALTH-04]: It is the answer of a liveness probe.": (
        {"status": "ok"}
    ),
    "unavailable-with-200 [HEALTH-02]: It is `unavailable` with the status of a success.": (
        health("unavailable", "unavailable")
    ),
    "no-provider [HEALTH-04]: `provider` is null though a backend answers.": health(
        "ok", "ok", provider=None
    ),
}

ANSWERS = (
    *entries("infer", INFER),
    *entries("embed", EMBED),
    *entries("batch", BATCH),
    *entries("health", HEALTH),
)
