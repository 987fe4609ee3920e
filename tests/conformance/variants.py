"""Servers that differ from the reference in a freedom that the spec leaves. Every check must pass on each.

A variant is a layer like a mutant; its docstring is the freedom it takes.
"""

import gzip
import inspect
import json
import random
import string
from dataclasses import dataclass

from layers import Answer, Ask, Layer, Request
from mutants import fields_of, frame_of, frames

ALL = {"infer": 2, "stream": 2, "batch": 2, "embed": 2, "health": 2, "auth": 1}
ANSWERS = {"infer": 2, "batch": 2, "embed": 2, "health": 2}
STREAMS = {"stream": 2}


@dataclass(frozen=True)
class Variant:
    name: str
    freedom: str
    claims: dict[str, int]
    layer: Layer


_registry: dict[str, Variant] = {}


def all_variants() -> dict[str, Variant]:
    return _registry


def variant(claims, made=lambda play: play):
    def decorate(play):
        name = play.__name__
        _registry[name] = Variant(name, inspect.getdoc(play) or "", claims, made(play))
        return play

    return decorate


def _bodies(play) -> Layer:
    """For a function that changes the JSON of an answer, good or bad."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream or not answer.body:
            return answer
        fields = answer.fields
        instead = play(fields)
        return answer.send(fields if instead is None else instead)

    return changed


def _streams(play) -> Layer:
    """For a generator over the pieces of a stream."""

    def changed(request: Request, server: Ask) -> Answer:
        answer = server(request)
        if answer.is_stream:
            answer.pieces = play(answer.pieces)
        return answer

    return changed


def _frames(play) -> Layer:
    """For a function of one frame's fields and bytes, to the bytes instead."""

    def changed(pieces):
        return (play(fields_of(frame), frame) for frame in frames(pieces))

    return _streams(changed)


def _events(play) -> Layer:
    """For a function of the fields of one event, to the bytes instead."""
    return _frames(lambda fields, frame: play(fields) if fields else frame)


@variant(STREAMS, _frames)
def crlf(fields, frame):
    """Lines end with CR LF."""
    return frame.replace(b"\n", b"\r\n")


@variant(STREAMS, _streams)
def comments(pieces):
    """Comment lines stand before, between and after the events."""
    yield b": welcome\n\n"
    for frame in frames(pieces):
        yield b": heartbeat\n\n" + frame
    yield b": bye\n\n"


@variant(STREAMS, _frames)
def named_events(fields, frame):
    """Events have `event:`, `id:` and `retry:` lines."""
    return b"event: message\nid: 7\nretry: 1000\n" + frame


@variant(STREAMS, _frames)
def id_after_data(fields, frame):
    """The `id:` line comes after the `data:` line."""
    return frame.replace(b"\n\n", b"\nid: 7\n\n")


@variant(STREAMS, _frames)
def no_space(fields, frame):
    """No space follows `data:`."""
    return frame.replace(b"data: ", b"data:", 1)


@variant(STREAMS, _frames)
def more_blank_lines(fields, frame):
    """More blank lines than one stand between events."""
    return b"\n" + frame + b"\n\n"


@variant(STREAMS, _streams)
def ends_with_done(pieces):
    """`data: [DONE]` follows the last event."""
    yield from pieces
    yield b"data: [DONE]\n\n"


@variant(STREAMS, _streams)
def byte_by_byte(pieces):
    """Every byte is a chunk of its own."""
    for piece in pieces:
        yield from (piece[index : index + 1] for index in range(len(piece)))


@variant(STREAMS, _streams)
def split_in_characters(pieces):
    """Letters are written raw in UTF-8, and pieces end inside of them."""
    for frame in frames(pieces):
        data = _raw(frame)
        cut = next((place for place, byte in enumerate(data) if byte > 127), 3) + 1
        yield data[:cut]
        yield data[cut:]


def _raw(frame: bytes) -> bytes:
    """With all letters but the three that look like line ends."""
    fields = fields_of(frame)
    if fields is None:
        return frame
    text = json.dumps(fields, ensure_ascii=False)
    for mark in "\u0085\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return f"data: {text}\n\n".encode()


@variant(STREAMS)
def close_delimited(request, server):
    """The end of the connection ends the stream, and breaks it off."""
    answer = server(request)
    if answer.is_stream:
        answer.headers["connection"] = "close"
    return answer


@variant(STREAMS, _events)
def bare_final_event(fields):
    """The final event has neither a token nor a provider."""
    if fields["done"]:
        del fields["token"], fields["provider"]
    return frame_of(fields)


@variant(STREAMS, _events)
def more_in_events(fields):
    """Events have fields that no one knows, and those of the final event early."""
    more = {"index": 0, "logprobs": None, "latency_ms": 0, "session_id": None}
    return frame_of({**more, **fields})


@variant(STREAMS, _streams)
def letter_by_letter(pieces):
    """Tokens are cut into letters."""
    for frame in frames(pieces):
        fields = fields_of(frame)
        if fields and fields["token"]:
            for letter in fields["token"]:
                yield frame_of({**fields, "token": letter})
        else:
            yield frame


@variant({"stream": 1}, _streams)
def one_token(pieces):
    """The whole answer is one token, and that rides in the final event."""
    events = [fields_of(frame) for frame in frames(pieces)]
    text = "".join(event["token"] for event in events)
    yield frame_of({**events[-1], "token": text})


@variant(STREAMS)
def no_store(request, server):
    """Cache-Control says more, and Content-Type has a charset."""
    answer = server(request)
    if answer.is_stream:
        answer.headers["cache-control"] = "No-Store, no-transform"
        answer.headers["content-type"] = "Text/Event-Stream; charset=utf-8"
    return answer


@variant(ANSWERS)
def gzipped(request, server):
    """Answers are compressed for clients that say they can read it."""
    answer = server(request)
    if not answer.is_stream and "gzip" in request.headers.get("accept-encoding", ""):
        answer.send_bytes(gzip.compress(answer.body))
        answer.headers["content-encoding"] = "gzip"
    return answer


@variant(ANSWERS)
def chunked(request, server):
    """Single answers come in chunks, without a Content-Length."""
    answer = server(request)
    answer.headers.pop("content-length", None)
    body = answer.body
    answer.pieces = [body[:9], body[9:]]
    return answer


@variant(ALL)
def header_case(request, server):
    """Header names are written in capitals."""
    answer = server(request)
    answer.headers = {name.upper(): value for name, value in answer.headers.items()}
    return answer


@variant(ANSWERS)
def spaced_json(request, server):
    """JSON is indented, with raw letters and a line end after it; its type has a charset."""
    answer = server(request)
    if answer.body:
        text = json.dumps(answer.fields, ensure_ascii=False, indent=2)
        answer.send_bytes(f"\n{text}\n".encode())
        answer.headers["content-type"] = "Application/JSON; charset=utf-8"
    return answer


@variant(ANSWERS, _bodies)
def other_order(fields):
    """Names stand in another order."""
    names = sorted(fields, key=lambda name: name[::-1], reverse=True)
    return {name: fields[name] for name in names}


@variant(ANSWERS, _bodies)
def more_fields(fields):
    """Answers and failures have fields that no one knows."""
    fields.update(object="list", created=1700000000, trace={"spans": [1, 2.5, None]})


@variant(ANSWERS, _bodies)
def whole_milliseconds(fields):
    """`latency_ms` is an integer, in a batch too."""
    for each in (fields, *fields.get("results", ())):
        if "latency_ms" in each:
            each["latency_ms"] = int(each["latency_ms"])


@variant(ANSWERS, _bodies)
def zero_milliseconds(fields):
    """`latency_ms` is 0."""
    for each in (fields, *fields.get("results", ())):
        if "latency_ms" in each:
            each["latency_ms"] = 0


@variant({"infer": 2, "batch": 2}, _bodies)
def fewer_fields(fields):
    """What may be left out is left out."""
    fields.pop("usage", None)
    for result in fields.get("results", ()):
        for name in ("usage", "model_id", "finish_reason"):
            result.pop(name, None)


@variant({"infer": 2, "batch": 2}, _bodies)
def null_fields(fields):
    """What may be left out is null."""
    fields["usage"] = None


@variant({"embed": 2}, _bodies)
def bare_vectors(fields):
    """The items of `data` are nothing but vectors."""
    for item in fields.get("data", ()):
        del item["object"], item["index"]


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def refuses_with_422(request, server):
    """What is wrong with a request is a 422."""
    answer = server(request)
    if answer.status == 400:
        answer.status = 422
        answer.send({**answer.fields, "error": "validation_error", "status_code": 422})
    return answer


@variant({"infer": 2, "stream": 2, "embed": 2})
def gateway_is_503(request, server):
    """Whatever upstreams do wrong is a 503."""
    answer = server(request)
    if answer.status in (502, 504):
        answer.status = 503
        answer.send({**answer.fields, "error": "service_unavailable", "status_code": 503})  # fmt: skip
    return answer


@variant({"infer": 2, "stream": 2, "embed": 2, "batch": 2})
def other_labels(request, server):
    """Providers have labels of the server's own."""
    answer = server(request)
    if answer.status == 200 and not answer.is_stream:
        text = answer.body.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"')  # fmt: skip
        answer.send_bytes(text)
    elif answer.is_stream:
        pieces = answer.pieces
        answer.pieces = (piece.replace(b'"ollama"', b'"cloud"').replace(b'"openai"', b'"triton"') for piece in frames(pieces))  # fmt: skip
    return answer


@variant({"infer": 1}, _bodies)
def structured_output(fields):
    """`output` is an object."""
    if "output" in fields:
        fields["output"] = {"label": fields["output"], "scores": [0.1, 0.9]}


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "health": 1, "auth": 1})
def long_request_ids(request, server):
    """Each answer has a request id with other characters than hexadecimal ones, unless the client gave one."""
    letters = random.choices(string.ascii_letters, k=40)
    request.headers.setdefault("x-request-id", f"req_{''.join(letters)}")
    return server(request)


@variant({"infer": 1, "stream": 1, "batch": 1, "embed": 1, "auth": 1})
def other_challenge(request, server):
    """A 401 asks for bearer in small letters, with a realm."""
    answer = server(request)
    if answer.status == 401:
        answer.headers["www-authenticate"] = 'bearer realm="octomil", charset="UTF-8"'
    return answer
