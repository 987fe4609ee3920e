"""What clients send to the independent server, validated, and how it says no. Standard library only."""

import json

# class: (status, code, retryable, asks the next backend)
FAILURES = {
    "bad_request": (400, "invalid_input", False, False),
    "unauthorized": (401, "authentication_failed", False, False),
    "not_found": (404, "invalid_input", False, False),
    "method_not_allowed": (405, "invalid_input", False, False),
    "payload_too_large": (413, "context_too_large", False, False),
    "unsupported_media_type": (415, "invalid_input", False, False),
    "validation_error": (422, "unsupported_modality", False, False),
    "missing_model": (404, "model_not_found", False, True),
    "rate_limited": (429, "rate_limited", True, True),
    "internal_error": (500, "server_error", True, False),
    "bad_gateway": (502, "inference_failed", True, True),
    "bad_key": (502, "cloud_provider_auth_failed", False, True),
    "service_unavailable": (503, "server_error", True, True),
    "gateway_timeout": (504, "request_timeout", True, True),
}
NAMES = {"missing_model": "not_found", "bad_key": "bad_gateway"}
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}  # fmt: skip
FORBIDDEN = {"model", "messages", "input", "prompt", "stream", "stream_options", "n", "tools", "tool_choice", "functions", "function_call", "options", "encoding_format"}  # fmt: skip


class Failure(Exception):
    def __init__(self, kind, message, cause="", headers=()):
        super().__init__(message)
        self.kind, self.message, self.cause = kind, message, cause
        self.headers = dict(headers)
        self.status, self.code, self.retryable, self.falls_back = FAILURES[kind]

    def envelope(self):
        return {
            "error": NAMES.get(self.kind, self.kind),
            "message": self.message,
            "status_code": self.status,
            "code": self.code,
            "retryable": self.retryable,
        }


def need(holds, complaint, kind="bad_request"):
    if not holds:
        raise Failure(kind, f"Validation failed: {complaint}.")


def parse_json(data):
    def unique(pairs):
        need(len(dict(pairs)) == len(pairs), "duplicate key")
        return dict(pairs)

    def refuse(text):
        raise ValueError(text)

    try:
        value = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as ex:
        raise Failure("bad_request", "The body is not strict JSON.") from ex
    need(isinstance(value, dict), "the body must be a JSON object")
    return value


def model_of(body):
    model = body.get("model_id")
    need(isinstance(model, str) and model.strip(), "'model_id' is required")
    need(len(model) <= 256, "'model_id' is too long")
    return model


def messages_of(fields, at=""):
    given, data = fields.get("messages"), fields.get("input_data")
    need((given is None) != (data is None), f"exactly one of '{at}messages' and '{at}input_data' is required")  # fmt: skip
    if given is None:
        given, at = from_input_data(data, at), f"{at}input_data"
    else:
        at = f"{at}messages"
    need(isinstance(given, list) and given, f"'{at}' must be a non-empty array")
    return [message_of(message, f"{at}[{n}]") for n, message in enumerate(given)]


def from_input_data(data, at):
    if isinstance(data, dict) and data.get("messages") is not None:
        return data["messages"]
    if isinstance(data, list) and all(
        isinstance(m, dict) and "role" in m for m in data
    ):
        return data
    if isinstance(data, dict):
        data = next((t for t in map(data.get, ("text", "prompt")) if isinstance(t, str) and t), data)  # fmt: skip
    need(data != "", f"'{at}input_data' must not be empty")
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return [{"role": "user", "content": text}]


def message_of(message, at):
    need(isinstance(message, dict), f"'{at}' must be an object")
    role, content = message.get("role"), message.get("content")
    need(role in ("system", "user", "assistant", "tool"), f"'{at}.role' is unknown")
    if isinstance(content, list) and content:
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            need(isinstance(kind, str), f"'{at}.content' has a part without a type")
            need(kind in ("text", "input_text"), f"'{at}.content': only text is supported", "validation_error")  # fmt: skip
            need(isinstance(part.get("text"), str), f"'{at}.content' lacks text")
        content = "\n".join(part["text"] for part in content)
    need(isinstance(content, str), f"'{at}.content' must be text")
    return {"role": role, "content": content}


def parameters_of(fields, at=""):
    given = fields.get("parameters")
    need(
        given is None or isinstance(given, dict), f"'{at}parameters' must be an object"
    )
    given = {name: value for name, value in (given or {}).items() if value is not None}
    for name, value in given.items():
        at_name = f"'{at}parameters.{name}'"
        need(name not in FORBIDDEN, f"{at_name} is not allowed")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in RANGES:
            low, high = RANGES[name]
            need(number and low <= value <= high, f"{at_name} must be {low} to {high}")
        if name in ("max_tokens", "top_k", "seed"):
            whole = number and isinstance(value, int)
            need(whole and (name == "seed" or value >= 1), f"{at_name} must be a whole number")  # fmt: skip
        if name == "stop":
            stops = [value] if isinstance(value, str) else value
            good = isinstance(stops, list) and len(stops) <= 8 and all(isinstance(s, str) for s in stops)  # fmt: skip
            need(good, f"{at_name} must be at most 8 strings")
            given[name] = stops
    return given
