"""Single answers, vectors, batches, health reports and failures in which something is wrong."""

from typing import Any

from octomil_conformance.corpus.answers import (
    GONE,
    TWO,
    USAGE,
    asked_embed,
    batch,
    embed,
    failure,
    health,
    infer,
    item,
)
from octomil_conformance.corpus.entry import JSON, Entry, written
from octomil_conformance.corpus.frames import without

HTML = (("Content-Type", "text/html"),)
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>\n"


def broken(
    endpoint: str, name: str, breaks: str, about: str, value: object, **more: Any
) -> Entry:
    body = value if isinstance(value, bytes) else written(value)
    return Entry(name, endpoint, about, body, tuple(breaks.split()), **more)


BODIES = (
    broken("infer", "nan", "HTTP-03", "A number that does not exist is written as NaN.", infer(score=float("nan"))),
    broken("infer", "byte-order-mark", "HTTP-03", "The body begins with a byte order mark.", b"\xef\xbb\xbf" + written(infer())),
    broken("infer", "latin-1", "HTTP-03", "A letter is written in Latin-1.", written(infer("caf|")).replace(b"|", b"\xe9")),
    broken("embed", "infinity", "EMBED-04 HTTP-03", "An infinite number in a vector.", embed([[0.1, float("inf")], [0.5, 0.25]])),
    broken("infer", "two-values", "HTTP-03 INFER-01 INFER-02 INFER-03 INFER-04 INFER-05", "A second JSON value follows the first.", written(infer()) + b"\n" + written(infer())),
    broken("infer", "half-an-answer", "HTTP-03 HTTP-21 INFER-01 INFER-02 INFER-03 INFER-04 INFER-05", "The transfer breaks off in the middle.", written(infer())[:40], end="cut"),
    broken("infer", "html", "HTTP-03 HTTP-04 INFER-01 INFER-02 INFER-03 INFER-04 INFER-05", "A proxy's page with the status of a success.", PAGE, headers=HTML),
    broken("batch", "labelled-as-text", "HTTP-04", "Labelled as plain text.", batch(infer(), infer()), headers=(("Content-Type", "text/plain"),)),
    broken("health", "no-label", "HTTP-04", "Content-Type is missing.", health("ok", "ok"), headers=()),
    broken("embed", "cut-at-the-end", "HTTP-21", "All of the JSON is there, but more bytes were announced.", embed(), headers=(*JSON, ("Content-Length", "9999")), end="cut"),
)  # fmt: skip

INFER = (
    broken("infer", "created", "INFER-01", "The status is 201.", infer(), status=201),
    broken("infer", "array", "INFER-01 INFER-02 INFER-03 INFER-04 INFER-05", "The answer is an array around the object.", [infer()]),
    broken("infer", "no-output", "INFER-02", "`output` is missing.", without(infer(), "output")),
    broken("infer", "null-output", "INFER-02", "`output` is null.", infer(None)),
    broken("infer", "output-in-choices", "INFER-02 INFER-03 INFER-04 INFER-05", "An answer of another API.", {"choices": [{"message": {"content": "A cherry."}}], "model": "phi-4-mini"}),
    broken("infer", "no-latency", "INFER-03", "`latency_ms` is missing.", without(infer(), "latency_ms")),
    broken("infer", "latency-is-a-string", "INFER-03", "`latency_ms` is a string.", infer(latency_ms="812.4")),
    broken("infer", "latency-is-negative", "INFER-03", "`latency_ms` is less than zero.", infer(latency_ms=-1)),
    broken("infer", "latency-is-a-boolean", "INFER-03", "`latency_ms` is true.", infer(latency_ms=True)),
    broken("infer", "no-provider", "INFER-04", "`provider` is missing.", without(infer(), "provider")),
    broken("infer", "null-provider", "INFER-04", "`provider` is null.", infer(provider=None)),
    broken("infer", "other-model", "INFER-05", "`model_id` is another than the one that was asked for.", infer(model_id="phi-4-mini:latest")),
    broken("infer", "no-model", "INFER-05", "`model_id` is missing: as in the SDKs' own tests, and harmless there.", without(infer(), "model_id")),
    broken("infer", "model-is-a-number", "HTTP-25 INFER-05", "`model_id` is a number.", infer(model_id=4)),
    broken("infer", "ends-for-no-known-reason", "INFER-06", "`finish_reason` is none of the known ones.", infer(finish_reason="eos_token")),
    broken("infer", "usage-does-not-add-up", "INFER-07", "`total_tokens` is not the sum.", infer(usage={**USAGE, "total_tokens": 12})),
    broken("infer", "usage-is-a-string", "HTTP-25 INFER-07", "`usage` is a string.", infer(usage="16 tokens")),
)  # fmt: skip

EMBED = (
    broken("embed", "multi-status", "EMBED-01", "The status is 207.", embed(), status=207),
    broken("embed", "embeddings-only", "EMBED-01 EMBED-02 EMBED-08", "`data` is missing: all SDKs read the vectors there.", without(embed(), "data")),
    broken("embed", "bare-vectors", "EMBED-01 EMBED-04 EMBED-08", "`data` has the vectors without an object around them.", embed(data=TWO)),
    broken("embed", "too-few", "EMBED-02", "A vector is missing.", embed(TWO[:1])),
    broken("embed", "too-many", "EMBED-02", "A string gives one vector for each of its words.", embed(), asked=asked_embed("a cherry")),
    broken("embed", "order-by-index-only", "EMBED-03", "The items stand in another order than their index says.", embed(data=[item(1, TWO[0]), item(0, TWO[1])])),
    broken("embed", "index-from-one", "EMBED-03", "The index begins with one.", embed(data=[item(1, TWO[0]), item(2, TWO[1])])),
    broken("embed", "empty-vector", "EMBED-04 EMBED-05", "A vector is empty.", embed([TWO[0], []])),
    broken("embed", "null-in-a-vector", "EMBED-04", "A number is null.", embed([TWO[0], [0.1, None, 0.3]])),
    broken("embed", "strings-in-a-vector", "EMBED-04", "Numbers are strings.", embed([TWO[0], ["0.1", "0.2", "0.3"]])),
    broken("embed", "base64", "EMBED-04", "Vectors are base64.", embed(["zczMPc3MTD6amZk+", "zczMvgAAAD8AAIA9"])),
    broken("embed", "two-lengths", "EMBED-05", "The vectors are not equally long.", embed([TWO[0], [0.5, 0.25]])),
    broken("embed", "no-usage", "EMBED-06", "`usage` is missing.", without(embed(), "usage")),
    broken("embed", "usage-is-a-fraction", "EMBED-06", "`prompt_tokens` is 5.5.", embed(usage={"prompt_tokens": 5.5, "total_tokens": 5})),
    broken("embed", "usage-is-half-there", "EMBED-06", "`total_tokens` is missing.", embed(usage={"prompt_tokens": 5})),
    broken("embed", "empty-model", "EMBED-07 EMBED-09", "`model` is an empty string.", embed(model="")),
    broken("embed", "data-only", "EMBED-08", "`embeddings` is missing: the documentation shows it, no SDK reads it.", without(embed(), "embeddings")),
    broken("embed", "embeddings-in-another-order", "EMBED-08", "`embeddings` has the vectors in another order than `data`.", embed(embeddings=TWO[::-1])),
    broken("embed", "other-model", "EMBED-09", "`model` is another than the one that was asked for.", embed(model="nomic-embed-text:v1.5")),
    broken("embed", "no-provider", "EMBED-09", "`provider` is missing.", without(embed(), "provider")),
    broken("embed", "provider-is-a-number", "EMBED-09 HTTP-25", "`provider` is a number.", embed(provider=1)),
    broken("embed", "canned", "EMBED-08 EMBED-09", "What the SDKs' own tests answer with: all of them read it.", without(embed(), "embeddings", "object", "provider")),
)  # fmt: skip

BATCH = (
    broken("batch", "created", "BATCH-01", "The status is 202, as if the work were yet to be done.", batch(infer(), infer()), status=202),
    broken("batch", "bare-array", "BATCH-01 BATCH-02 BATCH-04 BATCH-05", "The results stand there without an object around them.", batch(infer(), infer())["results"]),
    broken("batch", "too-few", "BATCH-02", "A result is missing.", batch(infer())),
    broken("batch", "another-order", "BATCH-02", "Results stand in the order in which they became ready.", batch(infer(), infer(), results=[{"index": 1, **infer()}, {"index": 0, **infer()}])),
    broken("batch", "no-index", "BATCH-02", "Results have no index.", batch(infer(), infer(), results=[infer(), infer()])),
    broken("batch", "both", "BATCH-03", "A result has an output and an error.", batch(infer(), {**infer(), **GONE})),
    broken("batch", "neither", "BATCH-03", "A result has neither an output nor an error.", batch(infer(), {})),
    broken("batch", "error-is-a-string", "BATCH-03", "An error is a string.", batch(infer(), {"error": "timeout"})),
    broken("batch", "no-counts", "BATCH-04", "The results are not counted.", without(batch(infer(), GONE), "succeeded", "failed")),
    broken("batch", "failures-count-as-successes", "BATCH-04", "A failure is counted as a success.", batch(infer(), GONE, succeeded=2, failed=0)),
    broken("batch", "no-latency", "BATCH-05", "`latency_ms` is missing.", without(batch(infer(), infer()), "latency_ms")),
    broken("batch", "other-model", "BATCH-05", "`model_id` is another than the one that was asked for.", batch(infer(), infer(), model_id="phi-4")),
    broken("batch", "reason-is-a-number", "HTTP-25", "`finish_reason` of a result is a number.", batch(infer(), infer(finish_reason=7))),
)  # fmt: skip

HEALTH = (
    broken("health", "up", "HEALTH-01", "`status` is a word of another API.", health("up", "ok")),
    broken("health", "nothing-but-ok", "HEALTH-03 HEALTH-04", "A liveness probe's answer.", {"status": "ok"}),
    broken("health", "unavailable-with-200", "HEALTH-02", "`unavailable` with the status of a success.", health("unavailable", "unavailable")),
    broken("health", "ok-with-503", "HEALTH-02", "`ok` with the status of a failure.", health("ok", "ok"), status=503),
    broken("health", "backends-by-name", "HEALTH-03 HEALTH-04", "`backends` is an object.", health("ok", backends={"ollama": "ok"}, provider="ollama")),
    broken("health", "backend-is-up", "HEALTH-03", "The status of a backend is none of the known ones.", health("degraded", "up", "ok")),
    broken("health", "last-usable-provider", "HEALTH-04", "`provider` is the second of two that answer.", health("ok", "ok", "ok", provider="openai")),
    broken("health", "no-provider", "HEALTH-04", "`provider` is null though a backend answers.", health("ok", "ok", provider=None)),
    broken("health", "address", "HEALTH-05", "The address of a backend is shown.", health("ok", "ok", note="asked http://10.0.0.7:11434/api/version")),
    broken("health", "version-is-a-number", "HTTP-25", "`version` is a number.", health("ok", "ok", version=1.0)),
)  # fmt: skip

FAILURES = (
    broken("infer", "error-in-error", "HTTP-25", "A failure of another API: the message is one level down.", {"error": {"message": "no such model", "code": "model_not_found"}}, status=404),
    broken("embed", "no-message", "HTTP-25", "A failure without a message.", without(failure(400, "bad_request", "invalid_input"), "message"), status=400),
    broken("stream", "status-is-a-string", "HTTP-25", "`status_code` is a string.", failure(503, "service_unavailable", "server_error", status_code="503"), status=503),
    broken("stream", "failure-as-an-event", "HTTP-25", "A failure before the first token comes as an event.", b"data: " + written(failure(502, "bad_gateway", "inference_failed")) + b"\n\n", status=502, headers=(("Content-Type", "text/event-stream"),)),
    broken("infer", "proxy-page", "HTTP-03 HTTP-04", "A proxy's page.", PAGE, status=502, headers=HTML),
    broken("embed", "detail-only", "HTTP-25", "A failure as a web framework writes it.", {"detail": [{"loc": ["body", "input"], "msg": "field required"}]}, status=422),
)  # fmt: skip

BROKEN = (*BODIES, *INFER, *EMBED, *BATCH, *HEALTH, *FAILURES)
