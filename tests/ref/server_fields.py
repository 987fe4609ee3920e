"""What OpenAI-compatible servers really say about fields of a request that they do not know or do not support.

The bytes are of the same origin as those in `servers.py`.
"""

import json

from builders import openai_chunk, sse
from servers import DONE, STOP, VECTORS, Case, Reply, Text, entry

from octomil_ref.errors import RequestRefused

FINE = Reply(sse(openai_chunk(content="fine"), STOP, DONE))
TWO_VECTORS = Reply(json.dumps({"data": [entry(*each) for each in VECTORS]}).encode())


def refusing(field: str, status: int, body: object) -> Reply:
    return Reply(json.dumps(body).encode(), status, field)


OUR_FIELDS = [
    Case("Mistral", "forbids stream_options", (refusing("stream_options", 400, {"error": {"message": "Extra inputs are not permitted, field: 'stream_options'"}}), FINE), Text("fine")),
    Case(
        "Mistral",
        "forbids stream_options in a list of details",
        (refusing("stream_options", 422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": {}}]}}), FINE),
        Text("fine"),
    ),
    Case("Azure", "does not recognize stream_options", (refusing("stream_options", 400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}), FINE), Text("fine")),
    Case(
        "Voyage",
        "takes base64 alone for encoding_format",
        (refusing("encoding_format", 400, {"detail": "Value 'float' supplied for argument 'encoding_format' is not valid -- accepted values are 'base64'"}), TWO_VECTORS),
        VECTORS,
        texts=("a", "b"),
    ),
    Case(
        "LiteLLM before Bedrock",
        "does not support encoding_format",
        (refusing("encoding_format", 400, {"error": {"message": "litellm.UnsupportedParamsError: bedrock does not support parameters: {'encoding_format': 'float'}, for model=amazon.titan-embed-text-v2:0. To drop these, set `litellm.drop_params=True`", "code": "400"}}), TWO_VECTORS),
        VECTORS,
        texts=("a", "b"),
    ),
]  # fmt: skip


def without(server: str, does: str, *refusals: Reply, want: Text, **parameters: object):
    return Case(server, does, (*refusals, FINE), want, parameters=parameters)


PARAMETERS = [
    without(
        "OpenAI",
        "wants max_completion_tokens",
        refusing("max_tokens", 400, {"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter"}}),
        want=Text("fine"),
        max_tokens=5,
    ),
    without(
        "OpenAI",
        "does not recognize top_k",
        refusing("top_k", 400, {"error": {"message": "Unrecognized request argument supplied: top_k", "type": "invalid_request_error", "param": None, "code": None}}),
        want=Text("fine", ignored=("top_k",)),
        top_k=5,
    ),
    without(
        "OpenAI",
        "does not recognize several",
        refusing("top_k", 400, {"error": {"message": "Unrecognized request arguments supplied: keep_alive, top_k"}}),
        want=Text("fine", ignored=("keep_alive", "top_k")),
        keep_alive="5m",
        seed=7,
        top_k=5,
    ),
    without(
        "Gemini",
        "finds no field of this name, one after the other",
        refusing("seed", 400, [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"seed\": Cannot find field.", "status": "INVALID_ARGUMENT"}}]),
        refusing("top_k", 400, [{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"top_k\": Cannot find field.", "status": "INVALID_ARGUMENT"}}]),
        want=Text("fine", ignored=("top_k", "seed")),
        top_k=5,
        seed=7,
    ),
    without(
        "Groq",
        "asks whether another was meant",
        refusing("store", 400, {"error": {"message": "property 'store' is unsupported, did you mean 'stop'?", "type": "invalid_request_error"}}),
        refusing("no such field", 400, {}),
        want=Text("fine", ignored=("store",)),
        store=True,
        stop=["."],
    ),
    without(
        "xAI",
        "spells it differently",
        refusing("presence_penalty", 400, {"code": "Client specified an invalid argument", "error": "Argument not supported on this model: presencePenalty"}),
        want=Text("fine", ignored=("presence_penalty",)),
        presence_penalty=1,
    ),
    without(
        "DeepSeek",
        "does not support it",
        refusing("presence_penalty", 400, {"error": {"message": "deepseek-reasoner does not support the parameter `presence_penalty`", "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}}),
        want=Text("fine", ignored=("presence_penalty",)),
        presence_penalty=1,
    ),
    without(
        "TGI",
        "lists those that it knows",
        refusing("top_z", 422, {"error": "Failed to deserialize the JSON body into the target type: unknown field `top_z`, expected one of `model`, `seed`, `stop`"}),
        want=Text("fine", ignored=("top_z",)),
        top_z=5,
        seed=7,
    ),
    without(
        "LiteLLM",
        "answers 500 from Python",
        refusing("think", 500, {"error": {"message": "litellm.APIError: AsyncCompletions.create() got an unexpected keyword argument 'think'", "type": None, "param": None, "code": "500"}}),
        want=Text("fine", ignored=("think",)),
        think=True,
    ),
    without("Fireworks", "names it in `param` alone", refusing("seed", 400, {"error": {"message": "Unsupported parameter", "param": "seed"}}), want=Text("fine", ignored=("seed",)), seed=7),
]  # fmt: skip

REFUSED_FOR_GOOD = [
    without("OpenAI", "refuses a value", refusing("", 400, {"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.", "type": "invalid_request_error", "param": "temperature", "code": "unsupported_value"}}), want=RequestRefused, temperature=0),
    without("Moonshot", "refuses a value", refusing("", 400, {"error": {"message": "invalid temperature: only 1 is allowed for this model", "type": "invalid_request_error"}}), want=RequestRefused, temperature=0.5),
    without("Mistral", "refuses it again and again", refusing("", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]}), want=RequestRefused, top_k=5),
    without("vLLM", "speaks of the prompt", refusing("", 400, {"error": {"message": "unknown role in messages", "code": 400}}), want=RequestRefused, seed=7),
]  # fmt: skip
"""Refusals that no change of the request can avoid."""
