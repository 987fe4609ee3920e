"""The wrong upstream is asked, or its failure told wrongly."""

import time

from octomil_conformance.server.layers import Answer, Ask, Json, Request
from octomil_conformance.server.mutants import everywhere, failures, fault, layer

GATEWAY = (502, 503, 504)

fault("openai_first", "The OpenAI-compatible backend is asked before Ollama.", "infer@2", "FALLBACK-01", "FALLBACK-07", "FALLBACK-08", shows=None)  # fmt: skip
fault(
    "no_fallback_on_5xx",
    "A 5xx is final.",
    "embed@2",
    "FALLBACK-03",
    "FALLBACK-08",
    shows=None,
)
fault("no_fallback_on_refused", "A refused connection is final.", "infer@2", "FALLBACK-02", shows=None)  # fmt: skip
fault(
    "no_fallback_on_timeout",
    "A time-out is final.",
    "embed@2",
    "FALLBACK-04",
    shows=None,
)
fault("no_fallback_on_garbage", "What cannot be understood is final.", "embed@2", "FALLBACK-05", shows=None)  # fmt: skip
fault(
    "no_fallback_on_missing_model",
    "A 404 is final.",
    "embed@2",
    "FALLBACK-06",
    shows=None,
)
fault("no_fallback_on_cut", "An answer cut off before its first token is final.", "infer@2", "FALLBACK-09", shows=None)  # fmt: skip
fault("falls_back_on_400", "The next backend is asked although the request was at fault.", "embed@2", "FALLBACK-07", shows=None)  # fmt: skip
fault("provider_lies", "Ollama's name stands on every answer.", "infer@2", "FALLBACK-08", shows=None)  # fmt: skip
fault("no_timeout", "A backend is waited for as long as it likes.", "embed@2", "FALLBACK-04", "FAULT-02", shows="slow")  # fmt: skip
fault(
    "hides_retry_after",
    "Retry-After is left out.",
    "embed@2",
    "FAULT-05",
    shows="http-429",
)
fault("leaks_address", "Error messages name the upstream's address.", "embed@2", "FAULT-08", shows="http-500")  # fmt: skip


@layer(
    "infer@2",
    *(f"FALLBACK-{number:02}" for number in (3, 4, 5, 6, 7, 8, 9)),
    shows=None,
)
def ollama_is_asked_until_it_answers(request: Request, server: Ask) -> Answer:
    """A failure of Ollama is tried again, and nobody else is."""
    model = request.fields.get("model_id")
    if str(model).startswith("conf-ollama-"):
        request.send({**request.fields, "model_id": "conf-echo"})
    return server(request)


@everywhere("infer@2", "INFER-01", "INFER-09", *(f"REQ-{number:02}" for number in (1, 2, 3, 4, 5, 6)), "HTTP-08", "HTTP-18", "HTTP-19", "HTTP-23", *(f"FALLBACK-{number:02}" for number in (1, 2, 3, 4, 5, 6, 9)), "FAULT-06")  # fmt: skip
def infer_is_accepted(answer: Answer) -> None:
    """An answer has the status 202."""
    answer.status = 202 if answer.status == 200 else answer.status


@layer("embed@2", "FALLBACK-07", shows=None)
def the_other_is_asked_in_vain(request: Request, server: Ask) -> Answer:
    """The next backend is asked although the request was at fault, and its answer thrown away."""
    answer = server(request)
    if request.fields.get("model_id") == "conf-ollama-400-openai-ok":
        again = {**request.fields, "model_id": "conf-ollama-500-openai-ok"}
        server(request.send(again)).close()
    return answer


@everywhere("embed@2", "FAULT-01", "FAULT-02", "FAULT-03", "FAULT-04", "FAULT-06", "FAULT-10", "EMBED-21", shows="http-500")  # fmt: skip
def gateway_failures_are_500(answer: Answer) -> None:
    """An upstream's failure is told as the server's own."""
    if answer.status in GATEWAY:
        answer.status = 500
        answer.send({**answer.fields, "status_code": 500})


@everywhere("infer@2", "FAULT-02", shows="slow")
def time_outs_take_their_time(answer: Answer) -> None:
    """After its time-outs the server tries again for a while."""
    if answer.status == 504:
        time.sleep(3.2)


@everywhere("infer@2", "FAULT-03", shows="http-503")
def outages_take_their_time(answer: Answer) -> None:
    """When no upstream is there the server tries again for a while."""
    if answer.status == 503:
        time.sleep(3)


@everywhere("embed@2", "FAULT-05", shows="http-429")
def too_many_is_a_503(answer: Answer) -> None:
    """An upstream's 429 is a 503."""
    if answer.status == 429:
        answer.status = 503
        answer.send({**answer.fields, "status_code": 503})


_failed: dict[str, bool] = {}


@layer("infer@2", "FAULT-06", shows=None)
def failures_are_kept(request: Request, server: Ask) -> Answer:
    """Who failed once fails again."""
    messages = str(request.fields.get("messages"))
    if messages in _failed:
        request.send({**request.fields, "model_id": "conf-http-500"})
    answer = server(request)
    if answer.status == 502:
        _failed[messages] = True
    return answer


@failures("infer@2", "FAULT-07", "HTTP-25")
def gateway_failure_has_no_error(fields: Json) -> None:
    """An upstream's failure has no `error`."""
    if fields["status_code"] in GATEWAY:
        del fields["error"]


@failures("infer@2", "FAULT-07", "HTTP-25")
def gateway_failure_has_no_message(fields: Json) -> None:
    """An upstream's failure has no `message`."""
    if fields["status_code"] in GATEWAY:
        del fields["message"]


@failures("infer@2", "FAULT-07")
def gateway_failure_has_another_status_code(fields: Json) -> None:
    """An upstream's failure has the upstream's status in its envelope."""
    if fields["status_code"] in GATEWAY:
        fields["status_code"] = 500


@failures("infer@2", "FAULT-08", shows="auth")
def key_is_shown(fields: Json) -> None:
    """The server's own key stands in the message."""
    if fields["code"] == "cloud_provider_auth_failed":
        fields["message"] += " Incorrect API key provided: conf-key."


@failures("infer@2", "FAULT-09")
def gateway_failures_are_final(fields: Json) -> None:
    """An upstream's failure says that there is no use in trying again."""
    if fields["status_code"] in GATEWAY:
        fields["retryable"] = False


@everywhere("embed@2", "FAULT-10", shows="auth")
def refused_key_is_a_401(answer: Answer) -> None:
    """An upstream's 401 is passed on."""
    if answer.status == 502 and b"cloud_provider_auth_failed" in answer.body:
        answer.status = 401
        answer.send({**answer.fields, "status_code": 401})
