"""The bodies of requests, to any endpoint (spec section 1.2)."""

from collections.abc import Callable

from octomil_conformance.api import AS_USUAL, LINGERS, REFUSED, Api, Headers
from octomil_conformance.exchange import Json
from octomil_conformance.expect import Want, expect, less_than, one_of
from octomil_conformance.requirement import requirement
from octomil_conformance.transport import Transfer

DEEP = b"[" * 10_000 + b"]" * 10_000
HOSTILE = {
    "nesting": DEEP,
    "digits": b"9" * 5_000,
    "surrogate": b'"\\ud800"',
    "surrogate-bytes": b'"\xed\xa0\x80"',
    "nan": b"NaN",
    "range": b"1e999",
}
USED = {
    "nesting": b'"parameters": {"max_tokens": 1, "a": %b}, "input": %b' % (DEEP, DEEP),
    "range": b'"parameters": {"max_tokens": 1, "a": -1e999}, "input": 1e999',
    "digits": b'"parameters": {"max_tokens": 1, "temperature": %d}' % 10**400,
}
"""Hostile values of fields that a server uses."""
HALVES = {
    "prompt": {"prompt": "a lone \ud800 half"},
    "model": {"model_id": "conf-lone-\ud800"},
}
MEBIBYTE = 1 << 20
LARGE = 10 * MEBIBYTE
"""More bytes than many servers read."""
ANNOUNCED = 50 * MEBIBYTE
"""The `Content-Length` of a body that is never sent whole. A server may drop longer bodies."""
SENT = 40 * MEBIBYTE
"""The most bytes of that body that are sent."""
CHUNKED = {"Transfer-Encoding": "chunked"}
BEGUN: dict[str, tuple[bytes, Headers]] = {
    "length": (b'{"model_id": ', AS_USUAL),
    "chunk": (b'%x\r\n{"model_id": ' % ANNOUNCED, CHUNKED),
}
"""How that body begins, and its headers: it has a length, or is one long chunk."""
UNREAD = 100_000
"""More bytes than a server reads after it has refused the request."""
UNKNOWN_FIELDS: Json = {
    "an_unknown_field": {"deep": [1, 2]},
    "": 0,
    "model": "no-such-thing",
    "n": "2",
    "user": None,
    "temperature": "hot",
    "system": "Say nothing.",
    "__proto__": {"a": 1},
    "constructor": 1,
    "MODEL_ID": 7,
    "Input": 7,
    "INPUT_DATA": 7,
    "Inputs": 7,
    "me\u017f\u017fages": 7,
}
"""The last ones differ from fields of this API only in case: `\u017f` is a small `S`."""
NO_OBJECT = {
    "array": b'["model_id", "messages"]',
    "null": b"null",
    "string": b'"model_id"',
    "number": b"7",
}
NO_JSON: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda good: b'{"model_id": ',
    "behind": lambda good: good + b" x",
    "two": lambda good: good + good,
    "comma": lambda good: good[:-1] + b",}",
    "comment": lambda good: b"/* */" + good,
    "quotes": lambda good: good.replace(b'"', b"'"),
    "line-end": lambda good: good[:-1] + b', "a": "\n"}',
    "nan": lambda good: good[:-1] + b', "a": NaN}',
    "infinity": lambda good: good[:-1] + b', "a": [-Infinity]}',
    "zero": lambda good: good[:-1] + b', "a": 07}',
    "plus": lambda good: good[:-1] + b', "a": +7}',
    "python": lambda good: good[:-1] + b', "a": None}',
    "name": lambda good: good[:-1] + b", a: 7}",
    "latin-1": lambda good: good[:-1] + b', "a": "caf\xe9"}',
    "half-a-character": lambda good: good[:-1] + b', "a": "\xe4\xbd"}',
    "overlong": lambda good: good[:-1] + b', "a": "\xc0\xaf"}',
    "utf-16": lambda good: good.decode().encode("utf-16-le"),
    "utf-32": lambda good: good.decode().encode("utf-32-le"),
}
"""What lenient parsers and decoders read, made of the body of a good request."""
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="model_id"\r\n\r\nconf-echo\r\n'
    b'--x\r\nContent-Disposition: form-data; name="input_data"\r\n\r\nHi\r\n--x--\r\n'
)
FORMS = {
    "urlencoded": (
        "application/x-www-form-urlencoded",
        b"model_id=conf-echo&input_data=Hi&input=Hi",
    ),
    "multipart": ("multipart/form-data; boundary=x", MULTIPART),
}
"""Content type and body."""
LAST_CHUNKS = 40
"""Bytes at the end of a body in chunks that are sent later."""


def in_chunks(body: bytes, size: int = 7) -> bytes:
    """The body in chunked transfer coding."""
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in [*pieces, b""])


def sent_to_the_end(call: Transfer) -> tuple[int, Exception | None]:
    """The status, and what went wrong, of a client that goes on sending after the response has begun."""
    call.go_on(UNREAD)
    return call.finish().status, call.error


HEARD_OUT = Want(
    "a 400, 413 or 422 and no broken connection",
    lambda seen: seen[0] in (400, 413, 422) and seen[1] is None,
)


@requirement("HTTP-05", NO_JSON)
def malformed_json_is_refused(api: Api, spoil: Callable[[bytes], bytes]) -> None:
    expect(api.send(spoil(api.good())).status, REFUSED)


@requirement("HTTP-06", NO_OBJECT)
def json_that_is_not_an_object_is_refused(api: Api, body: bytes) -> None:
    expect(api.send(body).status, REFUSED)


@requirement("HTTP-07", HOSTILE)
def hostile_json_is_no_server_error(api: Api, value: bytes) -> None:
    good = api.good()
    answer = api.ask_raw(good[:-1] + b', "extra": ' + value + b"}")

    expect(answer.status, less_than(500))


@requirement("HTTP-07", USED)
def hostile_values_that_are_used_are_no_server_error(api: Api, fields: bytes) -> None:
    good = api.good(without=("parameters", "input"))
    answer = api.ask_raw(good[:-1] + b", " + fields + b"}")

    expect(answer.status, less_than(500))


@requirement("HTTP-07", HALVES)
def half_a_surrogate_pair_in_a_text_is_no_server_error(
    api: Api, changes: dict[str, str]
) -> None:
    answer = api.ask_raw(api.good(**changes))

    expect(answer.status, less_than(500))


@requirement("HTTP-08")
def unknown_fields_are_ignored(api: Api) -> None:
    plain = api.works()
    answer = api.ask(**UNKNOWN_FIELDS, stream=api.profile != "stream")

    expect((answer.status, answer.media_type), (200, plain.media_type))


@requirement("HTTP-18")
def the_content_type_is_read_loosely(api: Api) -> None:
    headers = {"Content-Type": 'APPLICATION/JSON;v=1; charset="UTF-8"'}
    answer = api.ask_raw(api.good(), headers)

    expect(answer.status, 200)


@requirement("HTTP-22", FORMS)
def a_form_is_refused(api: Api, content_type: str, body: bytes) -> None:
    answer = api.send(body, headers={"Content-Type": content_type})

    expect(answer.status, one_of(400, 415, 422))


@requirement("HTTP-23")
def a_chunked_request_is_read(api: Api) -> None:
    call = api.hold(in_chunks(api.good()), held=LAST_CHUNKS, headers=CHUNKED)
    call.wait_for_response(LINGERS)
    call.go_on()

    expect(call.finish().status, 200)


@requirement("HTTP-28")
def a_body_of_one_mebibyte_is_read(api: Api) -> None:
    body = api.good()
    answer = api.ask_raw(body, padding=MEBIBYTE - len(body))

    expect(answer.status, 200)


@requirement("HTTP-29")
def a_body_that_is_too_large_is_a_failure(api: Api) -> None:
    answer = api.send(b'{"model_id": ', padding=LARGE)

    expect(answer.status, one_of(400, 413, 422))
    expect(answer.field("status_code"), answer.status, "an envelope")


@requirement("HTTP-29")
def a_client_that_sends_a_body_that_is_too_large_gets_its_response(api: Api) -> None:
    api.works()
    call = api.hold(b'{"model_id": ' + b" " * LARGE, held=UNREAD)
    call.wait_for_response(LINGERS)
    call.go_on()
    answer = call.finish()

    expect((answer.status, call.error), HEARD_OUT)


@requirement("HTTP-29", BEGUN)
def a_client_that_goes_on_sending_gets_its_response(
    api: Api, body: bytes, headers: Headers
) -> None:
    api.works()
    calls = filter(None, [api.overload(body, ANNOUNCED, SENT, headers)])
    seen = [sent_to_the_end(call) for call in calls]
    broken = [each for each in seen if not HEARD_OUT.holds(each)]

    expect(broken, [], f"{HEARD_OUT}, or no response yet")


@requirement("HTTP-30")
def a_body_without_a_type_is_no_server_error(api: Api) -> None:
    answer = api.send(b'{"model_id": ', headers={"Content-Type": None})

    expect(answer.status, one_of(400, 415, 422))


@requirement("HTTP-31")
def a_client_that_asks_before_it_sends_its_body_gets_its_response(api: Api) -> None:
    answer = api.send(b'{"model_id": ', headers={"Expect": "100-continue"})

    expect(answer.status, REFUSED)
