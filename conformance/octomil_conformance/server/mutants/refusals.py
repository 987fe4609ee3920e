"""Failures of one upstream that reach the client wrongly, while those of the other one are reported well; unusual failures, and several in a row."""

import re
import time

from octomil_conformance.backend.words import find_tag
from octomil_conformance.server import on
from octomil_conformance.server.failures import RETRY, Failure
from octomil_conformance.server.faults import whole_seconds
from octomil_conformance.server.layers import (
    CLIENT,
    Client,
    Json,
    Request,
    Response,
    Server,
)
from octomil_conformance.server.mutants.gateway import GATEWAY


@on.upstream_failures(
    "batch@2 embed@2", "BATCH-32 FAULT-08 HTTP-36", only="openai", shows="auth"
)
def refused_keys_are_quoted(failure: Failure, words: str) -> Failure:
    """The words with which the server's key is refused are passed on."""
    if failure.kind == "bad_key":
        failure.message += f" {words}"
    return failure


@on.upstream_failures("batch@2 embed@2", "BATCH-32 FAULT-08", shows="http-500")
def errors_are_quoted(failure: Failure, words: str) -> Failure:
    """The words of an error of the upstream are passed on."""
    if failure.kind == "bad_gateway":
        failure.message += f" {words}"
    return failure


@on.upstream_failures("embed@2", "FAULT-08", shows="http-429")
def limits_are_quoted(failure: Failure, words: str) -> Failure:
    """The words about too many requests are passed on."""
    failure.message += f" {words}" if failure.status == 429 else ""
    return failure


@on.replies("infer@2", "FAULT-01", shows="http-500-memory")
def words_decide(request: Request, response: Response) -> None:
    """If both upstreams fail and speak of something not found, the client gets a 404."""
    if request.scenario == "http-500-memory":
        response.fail(404)


@on.upstream_failures("embed@2", "HTTP-36", shows="http-400-trace")
def refusals_are_quoted(failure: Failure, words: str) -> Failure:
    """The words with which a request is refused are passed on, with their traceback."""
    if failure.kind == "bad_request":
        failure.message = words
    return failure


@on.delays("embed@2", "FAULT-05 FALLBACK-13[ollama]", shows=None)
def the_server_waits_itself(given: str) -> str:
    """The server waits for most of a short Retry-After before it passes the failure on."""
    time.sleep(6 * (given == "7"))
    return whole_seconds(given)


@on.delays("embed@2", "HTTP-35", shows="http-429-fraction")
def retry_after_is_passed_on(given: str) -> str:
    """Retry-After is passed on as it is."""
    return given or "1"


@on.delays("embed@2", "HTTP-35", shows="http-429-long-fraction")
def a_fraction_of_retry_after_is_none(given: str) -> str:
    """Retry-After is read only if it is a whole number."""
    return given if given.isdecimal() else "5"


@on.delays("embed@2", "HTTP-35", shows="http-429-fraction")
def retry_after_is_rounded_down(given: str) -> str:
    """A fraction in Retry-After is left out."""
    return whole_seconds(given.partition(".")[0])


@on.delays("embed@2", "HTTP-35", shows="http-429-fraction")
def retry_after_is_rounded(given: str) -> str:
    """A fraction in Retry-After is rounded to the nearest second."""
    is_number = given.replace(".", "").isdecimal()
    return whole_seconds(str(round(float(given))) if is_number else given)


@on.delays("embed@2", "HTTP-35", shows="http-429-future")
def dates_in_retry_after_are_not_read(given: str) -> str:
    """A date in Retry-After counts as one second."""
    return "1" if "GMT" in given else whole_seconds(given)


@on.delays("embed@2", "HTTP-35", shows="http-429-negative")
def seconds_may_be_negative(given: str) -> str:
    """A negative number in Retry-After is passed on."""
    return given if given.startswith("-") else whole_seconds(given)


@on.delays("embed@2", "HTTP-35", shows="http-429-word")
def what_is_no_number_is_nan(given: str) -> str:
    """A Retry-After that is neither a number nor a date becomes `NaN`."""
    return "NaN" if given.endswith("s") else whole_seconds(given)


@on.upstream_failures("embed@2", "HTTP-35", shows="http-503-later")
def busy_upstreams_are_back_in_a_second(failure: Failure, words: str) -> Failure:
    """Retry-After is always 1 if an upstream is busy."""
    if failure.kind == "service_unavailable":
        failure.headers = RETRY
    return failure


@on.upstream_failures("embed@2", "FAULT-05", shows="http-429-quota")
def an_empty_account_is_a_refused_key(failure: Failure, words: str) -> Failure:
    """A 429 that speaks of a quota counts as a refused key."""
    return Failure("bad_key", failure.message) if "quota" in words else failure


@on.upstream_failures("embed@2", "FAULT-05", shows="http-429-page")
def a_page_is_no_rate_limit(failure: Failure, words: str) -> Failure:
    """A 429 with a web page counts as a failure of the upstream."""
    is_page = failure.kind == "rate_limited" and words.startswith("<")
    return Failure("bad_gateway", failure.message) if is_page else failure


@on.upstream_failures("embed@2", "FALLBACK-05", only="ollama", shows=None)
def a_web_page_is_a_rejection(failure: Failure, words: str) -> Failure:
    """A 400 with a web page rejects the request."""
    return Failure("bad_request", failure.message) if "<" in words else failure


@on.upstream_failures("embed@2", "FAULT-07", shows="http-400-page")
def a_web_page_is_a_500(failure: Failure, words: str) -> Failure:
    """A web page instead of a rejection is answered with 500."""
    failure.status = 500 if "<" in words else failure.status
    return failure


@on.upstream_failures("embed@2", "FAULT-10", shows="auth")
def refused_keys_are_a_401(failure: Failure, words: str) -> Failure:
    """A refused key is answered with 401."""
    failure.status = 401 if failure.kind == "bad_key" else failure.status
    return failure


@on.upstream_failures("embed@2", "FAULT-10", shows="http-402")
def an_empty_account_is_an_unknown_model(failure: Failure, words: str) -> Failure:
    """A 402 counts as a missing model."""
    return Failure("missing_model", failure.message) if "balance" in words else failure


@on.upstream_failures("embed@2", "FAULT-15", shows="auth")
def refused_keys_may_be_tried_again(failure: Failure, words: str) -> Failure:
    """A refused key may be tried again."""
    failure.retryable |= failure.kind == "bad_key"
    return failure


@on.upstream_failures("embed@2", "FAULT-09", shows="http-500")
def errors_are_final(failure: Failure, words: str) -> Failure:
    """An error of the upstream may not be tried again."""
    failure.retryable &= failure.kind != "bad_gateway"
    return failure


@on.upstream_failures("embed@2", "FAULT-13", shows="http-503")
def busy_upstreams_are_errors(failure: Failure, words: str) -> Failure:
    """The failure of a busy upstream has the class of an upstream that fails."""
    failure.error = failure.error.replace("service_unavailable", "bad_gateway")
    return failure


@on.upstream_failures("embed@2", "FAULT-14", shows="slow")
def late_upstreams_are_errors(failure: Failure, words: str) -> Failure:
    """The failure of a late upstream has the code of an upstream that fails."""
    failure.code = failure.code.replace("request_timeout", "inference_failed")
    return failure


@on.sends("infer@2 batch@2 stream@2", "INFER-15 BATCH-28", only="openai")
def calls_go_on_without_their_client(payload: Json) -> None:
    """A call goes on after the client has left."""
    CLIENT.set(Client())


@on.final_events("stream@2", "STREAM-27[openai]")
def sessions_are_named_by_the_fallback(fields: Json) -> None:
    """The session_id is the id in the fallback's answer, which may occur again."""
    if fields["provider"] == "openai":
        fields["session_id"] = "chatcmpl-conf"


_given_up: dict[str, int] = {}


@on.replies("embed@2", "FAULT-08", shows="http-500")
def headers_are_passed_on(request: Request, response: Response) -> None:
    """A header of a failure shows the address of the upstream."""
    if response.status in GATEWAY:
        response.headers["x-served-by"] = request.upstream


@on.scenarios("embed@2", "FALLBACK-03")
def unusual_statuses_are_final(scenario: str) -> str:
    """A 507, 520 or 529 of Ollama counts as a fault of the request."""
    return re.sub("^ollama-(507|520|529)-", "ollama-400-", scenario)


@on.layer("infer@2", "FALLBACK-13", shows=None)
def a_circuit_opens(request: Request, server: Server) -> Response:
    """After three failures of Ollama in a row the fallback alone is asked."""
    nonce = find_tag(request.body.decode()).nonce
    if _given_up.get(nonce, 0) >= 3:
        request.scenario = "ollama-500-openai-echo"
    response = server(request)
    is_fallback = b'"provider": "openai"' in response.body
    _given_up[nonce] = (_given_up.get(nonce, 0) + 1) * is_fallback
    return response
