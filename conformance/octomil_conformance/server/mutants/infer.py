"""Single answers that clients cannot read, or that differ from the model's."""

import unicodedata

from octomil_conformance.server.layers import Json, Response
from octomil_conformance.server.mutants import answers, responses


@responses("infer@1", "INFER-01", "REQ-01", "REQ-02", "REQ-03", "REQ-04", "REQ-05", "REQ-06", "HTTP-08", "HTTP-18", "HTTP-19", "HTTP-23")  # fmt: skip
def infer_is_created(response: Response) -> None:
    """An answer has the status 201 instead of 200."""
    response.status = 201 if response.status == 200 else response.status


@answers("infer@0", "INFER-01", "INFER-02", "INFER-03", "INFER-04", "INFER-05")
def infer_is_an_array(fields: Json) -> object:
    """The answer is an array around the object."""
    return [fields]


@answers("infer@0", "INFER-02")
def output_is_null(fields: Json) -> None:
    """`output` is null."""
    fields["output"] = None


@answers("infer@0", "INFER-02")
def output_is_called_text(fields: Json) -> None:
    """The text is in `text`, not in `output`."""
    fields["text"] = fields.pop("output")


@answers("infer@0", "INFER-03")
def latency_is_text(fields: Json) -> None:
    """`latency_ms` is a string."""
    fields["latency_ms"] = f"{fields['latency_ms']} ms"


@answers("infer@0", "INFER-03")
def latency_is_negative(fields: Json) -> None:
    """`latency_ms` is negative."""
    fields["latency_ms"] = -fields["latency_ms"] - 1


@answers("infer@0", "INFER-03")
def latency_is_missing(fields: Json) -> None:
    """There is no `latency_ms`."""
    del fields["latency_ms"]


@answers("infer@0", "INFER-04")
def provider_is_missing(fields: Json) -> None:
    """There is no `provider`."""
    del fields["provider"]


@answers("infer@0", "INFER-04")
def provider_is_empty(fields: Json) -> None:
    """`provider` is an empty string."""
    fields["provider"] = ""


@answers("infer@0", "INFER-05")
def model_is_the_upstreams(fields: Json) -> None:
    """`model_id` is the upstream's name of the model."""
    fields["model_id"] += ":latest"


@answers("infer@0", "INFER-06")
def finish_reason_is_made_up(fields: Json) -> None:
    """`finish_reason` is an unknown word."""
    fields["finish_reason"] = "eos_token"


@answers("infer@0", "INFER-07")
def usage_does_not_add_up(fields: Json) -> None:
    """`total_tokens` is not the sum."""
    fields["usage"] = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 4}


@answers("infer@2", "INFER-08", shows="unicode")
def output_is_normalized(fields: Json) -> None:
    """The model's text is changed to another Unicode form."""
    fields["output"] = unicodedata.normalize("NFC", fields["output"])


@answers("infer@2", "INFER-09", shows="empty")
def empty_output_is_filled(fields: Json) -> None:
    """An empty answer is replaced by a placeholder."""
    fields["output"] = fields["output"] or "(empty)"


@responses("infer@2", "INFER-01", "INFER-02", "INFER-03", "INFER-04", "INFER-05", "INFER-09", shows="empty")  # fmt: skip
def empty_output_is_a_failure(response: Response) -> None:
    """An empty answer of the model is answered with 502."""
    if response.status == 200 and response.fields["output"] == "":
        response.status = 502
        response.send({"error": "bad_gateway", "message": "Empty.", "status_code": 502, "code": "inference_failed", "retryable": True})  # fmt: skip


@answers("infer@2", "INFER-10")
def finish_reason_is_always_stop(fields: Json) -> None:
    """`finish_reason` is `stop` even if the answer reached its limit."""
    fields["finish_reason"] = "stop"
