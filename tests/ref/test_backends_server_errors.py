"""Each error of a real server means what its users expect, and so do answers to probes. What servers said is shortened."""

import pytest
import responses
from builders import OLLAMA, OPENAI, asking, encoded

from octomil_ref.backends.ollama import OllamaBackend
from octomil_ref.backends.openai import OpenAIBackend
from octomil_ref.errors import (
    BatchTooLarge,
    Broken,
    Busy,
    ContextTooLong,
    KeyRefused,
    ModalityRefused,
    ModelNotFound,
    NoSuchPath,
    RateLimited,
    RequestRefused,
    UpstreamError,
)

ERRORS: list[tuple[str, int, object, type[UpstreamError]]] = [
    # The model is missing
    ("DeepSeek", 400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error", "param": None, "code": "invalid_request_error"}}, ModelNotFound),
    ("LiteLLM", 400, {"error": {"message": "/chat/completions: Invalid model name passed in model=foo. Call `/v1/models` to view available models for your key.", "type": "invalid_request_error", "param": "model", "code": "400"}}, ModelNotFound),
    ("OpenRouter", 400, {"error": {"message": "foo is not a valid model ID", "code": 400}, "user_id": "user_1"}, ModelNotFound),
    ("OpenRouter", 404, {"error": {"message": "No endpoints found for foo/bar.", "code": 404}}, ModelNotFound),
    ("LM Studio", 400, {"error": {"message": "Invalid model identifier \"foo\". Please specify a valid downloaded model (e.g., bar).", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}}, ModelNotFound),
    ("LM Studio", 400, {"error": "No models loaded. Please load a model in the developer page or use the 'lms load' command."}, ModelNotFound),
    ("vLLM", 404, {"error": {"message": "The model `foo-chat` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}, ModelNotFound),
    ("OpenAI", 403, {"error": {"message": "Project `proj_x` does not have access to model `gpt-4`", "code": "model_not_found"}}, ModelNotFound),
    ("Gemini", 404, [{"error": {"code": 404, "message": "models/foo is not found for API version v1main, or is not supported for generateContent.", "status": "NOT_FOUND"}}], ModelNotFound),
    ("Azure", 404, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}}, ModelNotFound),
    ("NIM", 404, {"status": 404, "title": "Not Found", "detail": "Function '23d4': Not found for account 'Qawm'"}, ModelNotFound),
    ("Cloudflare", 400, {"success": False, "errors": [{"code": 5007, "message": "AiError: No such model @cf/foo or task"}], "result": None}, ModelNotFound),
    ("Bedrock", 400, {"message": "The provided model identifier is invalid."}, ModelNotFound),
    ("Hugging Face", 400, {"error": {"message": "The requested model 'foo-chat' is not supported by any provider you have enabled.", "code": "model_not_supported"}}, ModelNotFound),
    ("Moonshot", 404, {"error": {"message": "Not found the model foo or Permission denied", "type": "resource_not_found_error"}}, ModelNotFound),
    ("Hugging Face", 410, {"error": "The requested model is deprecated"}, ModelNotFound),
    ("Groq", 400, {"error": {"message": "The model `llama2` has been decommissioned and is no longer supported.", "type": "invalid_request_error", "code": "model_decommissioned"}}, ModelNotFound),
    ("Together", 400, {"error": {"message": "Unable to access non-serverless model foo. Please visit", "type": "invalid_request_error", "code": "model_not_available"}}, ModelNotFound),
    ("Bedrock", 400, {"message": "Invocation of model ID foo with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile"}, ModelNotFound),
    ("LiteLLM", 403, {"error": {"message": "key not allowed to access model. This key can only access models=['a']. Tried to access foo", "type": "key_model_access_denied", "param": "model", "code": "403"}}, ModelNotFound),
    ("Cortex", 409, {"message": "Model has not been loaded, please load model into cortex.llamacpp"}, ModelNotFound),
    ("llama.cpp", 400, {"error": {"code": 400, "message": "model is not loaded", "type": "invalid_request_error"}}, ModelNotFound),
    ("llama-swap", 400, {"error": "could not find real modelID for foo"}, ModelNotFound),
    ("TabbyAPI", 400, {"detail": {"error": {"message": "No models are currently loaded."}}}, ModelNotFound),
    ("FastChat", 400, {"object": "error", "message": "Only bar allowed now, your model foo", "code": 40301}, ModelNotFound),
    ("LiteLLM", 400, {"error": {"message": "litellm.BadRequestError: LLM Provider NOT provided. Pass in the LLM provider you are trying to call. You passed model=foo", "code": "400"}}, ModelNotFound),
    ("Hugging Face", 400, {"error": {"message": "Model foo is not supported for task conversational and provider novita. Supported task: text-generation."}}, ModelNotFound),
    ("Z.ai", 400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}, ModelNotFound),
    # The path is wrong
    ("Azure", 400, {"error": {"code": "BadRequest", "message": "API version not supported"}}, NoSuchPath),
    ("FastAPI", 404, {"detail": "Not Found"}, NoSuchPath),
    ("FastAPI", 405, {"detail": "Method Not Allowed"}, NoSuchPath),
    ("Ollama", 404, "404 page not found", NoSuchPath),
    ("llama.cpp", 404, {"error": {"code": 404, "message": "File Not Found", "type": "not_found_error"}}, NoSuchPath),
    ("OpenAI", 404, {"error": {"message": "Invalid URL (POST /v1/v1/chat/completions)", "type": "invalid_request_error"}}, NoSuchPath),
    ("Groq", 404, {"error": {"message": "Unknown request URL: POST /chat/completions. Please check the URL for typos.", "code": "unknown_url"}}, NoSuchPath),
    ("Azure", 404, {"error": {"code": "404", "message": "Resource not found"}}, NoSuchPath),
    ("Cloudflare", 404, {"result": None, "success": False, "errors": [{"code": 7003, "message": "Could not route to /client/v4/accounts/x/ai/v1/chat/completions, perhaps your object identifier is invalid?"}], "messages": []}, NoSuchPath),
    ("Kong", 404, {"message": "no Route matched with those values"}, NoSuchPath),
    ("TGI", 404, "", NoSuchPath),
    ("OpenRouter", 404, "<!DOCTYPE html><html><title>Model not found</title></html>", NoSuchPath),
    ("LM Studio", 200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, NoSuchPath),
    ("nginx", 301, "<html>", NoSuchPath),
    ("Go", 400, "Client sent an HTTP request to an HTTPS server.\n", NoSuchPath),
    ("nginx", 400, "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>", Broken),
    # Our key
    ("Gemini", 400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}], KeyRefused),
    ("xAI", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: na***ys. You can obtain an API key from https://console.x.ai."}, KeyRefused),
    ("LiteLLM", 400, {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}}, KeyRefused),
    ("LiteLLM", 200, {"error": {"message": "Authentication Error, Invalid proxy server token passed. Received API Key = sk-...1234", "type": "auth_error", "code": "401"}}, KeyRefused),
    ("MiniMax", 200, {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, KeyRefused),
    ("Anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}}, KeyRefused),
    ("LiteLLM", 400, {"error": {"message": "Budget has been exceeded! Current cost: 1.1, Max budget: 1.0", "type": "budget_exceeded", "param": None, "code": "400"}}, KeyRefused),
    ("Groq", 400, {"error": {"message": "The model `foo` requires terms acceptance. Please have the org admin accept the terms", "code": "model_terms_required"}}, KeyRefused),
    ("OpenAI", 400, {"error": {"message": "Your organization must be verified to stream this model.", "type": "invalid_request_error", "param": "stream", "code": "unsupported_value"}}, KeyRefused),
    ("Gemini", 400, [{"error": {"code": 400, "message": "Missing or invalid Authorization header.", "status": "INVALID_ARGUMENT"}}], KeyRefused),
    ("Gemini", 400, [{"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}], KeyRefused),
    ("Fireworks", 412, {"error": {"message": "Account foo is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."}}, KeyRefused),
    ("DeepSeek", 402, {"error": {"message": "Insufficient Balance"}}, KeyRefused),
    ("SiliconFlow", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient"}, KeyRefused),
    # The client's fault
    ("OpenRouter", 403, {"error": {"code": 403, "message": "openai/gpt-4 requires moderation on OpenAI. Your input was flagged for \"violence\".", "metadata": {"reasons": ["violence"], "flagged_input": "…"}}}, RequestRefused),
    ("Azure", 400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", "code": "content_filter"}}, RequestRefused),
    ("DeepSeek", 400, {"error": {"message": "Content Exists Risk", "code": "invalid_request_error"}}, RequestRefused),
    # Too many requests
    ("Groq", 413, {"error": {"message": "Request too large for model `llama-3.1-8b-instant` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your message size and try again.", "type": "tokens", "code": "rate_limit_exceeded"}}, RateLimited),
    ("Gemini", 403, [{"error": {"code": 403, "message": "Quota exceeded for quota metric", "status": "PERMISSION_DENIED"}}], RateLimited),
    ("MiniMax", 200, {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, RateLimited),
    ("Anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Busy),
    ("Groq", 498, {"error": {"message": "Flex tier capacity exceeded"}}, Busy),
    ("Ollama", 500, {"error": "llm server loading model"}, Busy),
    # Too long
    ("llama.cpp", 500, {"error": {"code": 500, "message": "input (992 tokens) is too large to process. increase the physical batch size (current batch size: 512)", "type": "server_error"}}, ContextTooLong),
    ("llama.cpp", 400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error"}}, ContextTooLong),
    ("OpenAI", 400, {"error": {"message": "no", "code": "context_length_exceeded"}}, ContextTooLong),
    ("vLLM", 400, {"object": "error", "message": "max_tokens must be at least 1, got -186.", "type": "BadRequestError", "param": None, "code": 400}, ContextTooLong),
    ("TGI", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 8740 `inputs` tokens and 500 `max_new_tokens`", "error_type": "validation"}, ContextTooLong),
    ("TEI", 413, {"error": "`inputs` must have less than 512 tokens. Given: 600", "error_type": "Validation"}, ContextTooLong),
    ("Gemini", 400, [{"error": {"code": 400, "message": "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}], ContextTooLong),
    ("xAI", 400, {"error": "This model's maximum prompt length is 131072 but the request contains 200000 tokens."}, ContextTooLong),
    ("OpenRouter", 400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": "{\"type\":\"error\",\"error\":{\"message\":\"prompt is too long: 210000 tokens > 200000 maximum\"}}", "provider_name": "Anthropic"}}}, ContextTooLong),
    ("Vertex", 400, [{"error": {"code": 400, "message": "Unable to submit request because the input token count is 40000 but model only supports up to 32768.", "status": "INVALID_ARGUMENT"}}], ContextTooLong),
    ("DashScope", 400, {"error": {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 129024]"}}, ContextTooLong),
    ("Moonshot", 400, {"error": {"message": "Invalid request: Your request exceeded model token limit: 8192", "type": "invalid_request_error"}}, ContextTooLong),
    ("SambaNova", 400, {"error": {"message": "Requested generation length 1000 is not possible! The provided prompt is 9000 long, but the maximum supported sequence length is just 8192!"}}, ContextTooLong),
    ("ExLlama", 400, {"detail": "Prompt length 9000 is greater than max_seq_len 8192"}, ContextTooLong),
    ("MLC", 400, {"object": "error", "message": "Request prompt has 9000 tokens in total, larger than the model input length limit 8192.", "code": 400}, ContextTooLong),
    ("Voyage", 400, {"detail": "Request to model 'foo' failed. The max allowed tokens per submitted batch is 120000."}, BatchTooLarge),
    ("OpenAI", 400, {"error": {"message": "Requested 400000 tokens, max 300000 tokens per request", "code": "max_tokens_per_request"}}, BatchTooLarge),
    ("nginx", 413, "<html><h1>413 Request Entity Too Large</h1></html>", BatchTooLarge),
    # Not what the model can do
    ("Ollama", 400, {"error": "\"all-minilm\" does not support chat"}, ModalityRefused),
    ("OpenAI", 404, {"error": {"message": "This is not a chat model and thus not supported in the v1/chat/completions endpoint.", "type": "invalid_request_error"}}, ModalityRefused),
    ("OpenRouter", 404, {"error": {"message": "No endpoints found that support image input", "code": 404}}, ModalityRefused),
    ("OpenRouter", 400, {"error": {"message": "nvidia/embed is an embedding model and cannot be used with the chat/completions endpoint. Use the /embeddings endpoint instead."}}, ModalityRefused),
    ("Azure", 400, {"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation does not work with the specified model, text-embedding-ada-002. Please choose different model and try again."}}, ModalityRefused),
    ("vLLM", 400, {"object": "error", "message": "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one.", "type": "BadRequestError", "code": 400}, ModalityRefused),
    ("llama.cpp", 501, {"error": {"code": 501, "message": "This server does not support embeddings. Start it with `--embeddings`", "type": "not_supported_error"}}, ModalityRefused),
    ("llama.cpp", 500, {"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"}}, ModalityRefused),
    ("Ollama", 400, {"error": "\"llama-vision\" does not support thinking"}, RequestRefused),
    # The upstream's own
    ("TGI", 424, {"error": "Request failed during generation: Server error: index 1 is out of bounds", "error_type": "generation"}, Broken),
    ("Envoy", 426, "Upgrade Required", Broken),
    ("a proxy", 415, {"error": "Unsupported Media Type"}, Broken),
    ("Ollama", 499, {"error": "context canceled"}, Broken),
    ("NIM", 400, {"status": 400, "title": "Bad Request", "detail": "Function id '87ea': DEGRADED function cannot be invoked"}, Broken),
    ("LM Studio", 400, {"error": "The model has crashed without additional information. (Exit code: null)"}, Broken),
    ("LM Studio", 400, {"error": "Model unloaded."}, Broken),
    ("LiteLLM", 400, {"error": {"message": "There are no healthy deployments for this model. Passed model=foo", "code": "400"}}, Broken),
    ("LM Studio", 400, {"error": {"message": "Failed to load model \"foo\". Error: Model loading was stopped due to insufficient system resources", "type": "invalid_request_error", "param": "model", "code": None}}, Broken),
    ("OpenRouter", 200, {"error": {"message": "Internal Server Error", "code": 500}}, Broken),
    ("Pollinations", 200, {"error": {"message": "something"}}, Broken),
    ("a gateway", 200, {"error": {"message": "bad role", "type": "invalid_request_error", "code": None}}, RequestRefused),
]  # fmt: skip
"""Server, status, body, meaning."""

REASONS: list[tuple[str, object, str]] = [
    ("OpenAI", {"error": {"message": "why"}}, "why"),
    ("Ollama", {"error": "why"}, "why"),
    ("vLLM", {"object": "error", "message": "why", "code": 400}, "why"),
    ("Gemini", [{"error": {"code": 400, "message": "why"}}], "why"),
    ("Cloudflare", {"success": False, "errors": [{"message": "why"}, {"message": "because"}]}, "why; because"),
    ("FastAPI", {"detail": "why"}, "why"),
    ("FastAPI", {"detail": [{"type": "x", "loc": ["body", "top_z"], "msg": "why", "input": "the prompt"}]}, "top_z: why"),
    ("Mistral", {"object": "error", "message": {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "why"}]}}, "messages.0.role: why"),
    ("NestJS", {"message": ["why", "because"], "error": "Bad Request", "statusCode": 400}, "why; because"),
    ("NIM", {"status": 400, "title": "Bad Request", "detail": "why"}, "why"),
    ("OpenRouter", {"error": {"message": "Provider returned error", "metadata": {"raw": "{\"error\":{\"message\":\"why\"}}"}}}, "why"),
    ("a proxy", "why\nand more", "why"),
]  # fmt: skip
"""Server, body of a 400, the reason in it."""

OLLAMA_ERRORS: list[tuple[str, int, object, type[UpstreamError]]] = [
    ("an id of Cloudflare's", 400, {"error": "invalid model name"}, ModelNotFound),
    ("an id of Fireworks'", 400, {"error": "model is required"}, ModelNotFound),
    ("an unknown model", 404, {"error": "model \"foo\" not found, try pulling it first"}, ModelNotFound),
    ("a connection that was closed behind it", 499, {"error": "context canceled"}, Broken),
    ("a wrong type", 500, {"error": "option \"seed\" must be of type integer"}, RequestRefused),
    ("a full queue", 503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, Busy),
    ("a base URL that ends with /v1", 404, "404 page not found", NoSuchPath),
    ("ollama.com without a key", 401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect"}, KeyRefused),
]  # fmt: skip

PROBES: list[tuple[str, int, object, bool]] = [
    ("OpenAI", 200, {"data": []}, False),
    ("Together", 200, [{"id": "m", "object": "model"}], False),
    ("Azure", 404, {"error": {"code": "404", "message": "Resource not found"}}, True),
    ("Perplexity", 404, "", True),
    ("Cloudflare", 405, {"errors": [{"message": "Method not allowed"}]}, True),
    ("a gateway", 400, {"error": "a header is missing"}, False),
    ("a busy gateway", 429, {}, False),
    ("LM Studio", 200, {"error": "Unexpected endpoint or method. (GET /models)"}, True),
    ("a web server", 200, "<!doctype html>", True),
]  # fmt: skip
"""Server, status and body of `/models`, whether there is a hint. All can be asked."""

FAILING_PROBES: list[tuple[str, int, object, type[UpstreamError]]] = [
    ("OpenAI", 401, {"error": {"message": "Incorrect API key provided"}}, KeyRefused),
    ("Cloudflare", 403, {"errors": [{"code": 10000, "message": "Authentication error"}]}, KeyRefused),
    ("Gemini", 400, [{"error": {"message": "API key not valid."}}], KeyRefused),
    ("llama.cpp", 503, {"error": {"message": "Loading model"}}, Busy),
    ("nginx", 502, "<html>", Broken),
]  # fmt: skip

CHAT = f"{OPENAI}/chat/completions"


def backend() -> OpenAIBackend:
    return OpenAIBackend(OPENAI, "a-key", 20, {})


def failure() -> UpstreamError:
    """The failure of a whole answer."""
    with pytest.raises(UpstreamError) as caught:
        backend().complete(asking())
    return caught.value


def told(error: tuple) -> str:
    server, status, _, meaning = error
    return f"{server} {status}: {meaning.__name__}"


@pytest.mark.parametrize("error", ERRORS, ids=told)
def test_an_error_means_what_it_says_by(error):
    _, status, body, meaning = error
    responses.post(CHAT, status=status, body=encoded(body))

    whole = failure()
    with pytest.raises(UpstreamError) as streamed:
        list(backend().stream(asking()))

    assert type(whole) is type(streamed.value) is meaning
    assert "<h" not in whole.message


@pytest.mark.parametrize("server, body, reason", REASONS)
def test_the_reason_is_found_where_it_is_put_by(server, body, reason):
    responses.post(CHAT, status=400, body=encoded(body))

    assert failure().message == f"The openai backend refused the request: {reason}"


@pytest.mark.parametrize("error", OLLAMA_ERRORS, ids=told)
def test_ollamas_answer_is_understood_to(error):
    _, status, body, meaning = error
    responses.post(f"{OLLAMA}/api/chat", status=status, body=encoded(body))

    with pytest.raises(UpstreamError) as caught:
        OllamaBackend(OLLAMA, 20, {}).complete(asking())

    assert type(caught.value) is meaning


MASKED = [
    "bad key sk-...abcd",
    "bad key na***ys",
    "bad header Bearer abcdef",
    "bad key AIzaSyA1234567890",
    "bad key gsk_abcdef123",
    "bad address http://10.0.0.1:8080/v1",
    "seed is no number at /srv/upstream/seed.py:3",
    'Traceback (most recent call last):\n  File "/srv/seed.py", line 3\nValueError: bad key sk-abcdef123',
]


@pytest.mark.parametrize("message", MASKED)
def test_neither_keys_addresses_nor_places_in_source_are_quoted(message):
    body = {"error": {"message": message.replace("key", "thing")}}
    responses.post(CHAT, status=400, json=body)

    shown = failure().message

    assert shown.endswith("(not shown)")
    assert message.split()[-1] not in shown


BACKENDS = {
    f"{OPENAI}/models": OpenAIBackend(OPENAI, "a-key", 20, {}),
    f"{OLLAMA}/api/version": OllamaBackend(OLLAMA, 20, {}),
}


@pytest.mark.parametrize("url", BACKENDS)
@pytest.mark.parametrize("server, status, body, hints", PROBES)
def test_it_can_be_asked_what_answers_a_probe_like(server, status, body, hints, url):
    responses.get(url, status=status, body=encoded(body))

    hint = BACKENDS[url].probe(1)

    limits = responses.calls[0].request.req_kwargs["timeout"]
    assert limits == pytest.approx((1, 1), abs=0.5)
    assert ("base URL" in (hint or "")) == hints


@pytest.mark.parametrize("server, status, body, meaning", FAILING_PROBES)
def test_it_cannot_be_asked_what_answers_a_probe_like(server, status, body, meaning):
    responses.get(f"{OPENAI}/models", status=status, body=encoded(body))

    with pytest.raises(meaning):
        backend().probe(1)
