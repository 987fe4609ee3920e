"""Turns the status and the words of an upstream's failure into an UpstreamError (spec sections 9 and 10). Pure.

One table serves both dialects, error responses, and errors inside a response with status 200. Servers do not agree on
statuses, so many rows go by words. The first row that matches decides; `RANKED` in errors.py decides between backends.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from octomil_ref import json_codec
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
    TimedOut,
    UpstreamError,
)

MAX_RETRY_AFTER = 86400  # the most seconds in `Retry-After`: a day

HIDDEN = "(not shown)"

MESSAGES: dict[type[UpstreamError], str] = {
    TimedOut: "The {provider} backend did not answer in time.",
    RateLimited: "The {provider} backend has too many requests.",
    Busy: "The {provider} backend is overloaded or still starting.",
    NoSuchPath: "The {provider} backend does not know the path: check its base URL.",
    ModelNotFound: "The {provider} backend does not have this model.",
    KeyRefused: "The {provider} backend did not accept this server's credentials.",
    Broken: "The {provider} backend failed {how}.",
    ContextTooLong: "The prompt is too long for the model: {reason}",
    BatchTooLarge: "The request is too large for the {provider} backend: {reason}",
    ModalityRefused: "The {provider} backend cannot do this: {reason}",
    RequestRefused: "The {provider} backend refused the request: {reason}",
}
"""The messages for clients. Only those about faults of a request quote the upstream."""


@dataclass(frozen=True)
class Row:
    """A failure with one of `statuses` whose reason or codes contain `words` has this `meaning`."""

    meaning: type[UpstreamError]
    statuses: Collection[int]
    words: str
    """A regular expression; case does not matter."""
    who: str
    """The servers that say so."""


ANY = range(1000)
REQUEST = range(400, 500)
SERVER = range(500, 600)
REDIRECTS = (301, 302, 303, 307, 308)

MODALITY = r"(?<![\w/.:-])(image|audio|video|vision|multi-?modal|speech|chat|completion|generat|embed)\w*"
"""Matches a whole word only, because names of models and parameters may contain such words."""

WEB_PAGE, PLAIN_TEXT = "web page", "plain text"
"""The last code of a body that is not JSON. Such a body is mostly from a server in front of the model's."""

TABLE = (
    Row(TimedOut, [408], "", "OpenRouter, LiteLLM"),
    Row(KeyRefused, [401, 407], "", "all"),
    Row(RateLimited, [429], "", "all"),
    Row(
        ModelNotFound,
        [503],
        "model_not_found|无可用渠道",
        "new-api; One API in Chinese only",
    ),
    Row(Busy, [503, 529], "", "all; 529: Anthropic"),
    Row(Busy, [498], "", "Groq's flex tier: capacity exceeded"),
    Row(
        Broken,
        SERVER,
        "unknown model architecture|(error|failed to|could not) load(ing)? model|fork/exec|no route to host",
        "Ollama, LocalAI 500, proxies in Go 502: their own files, processes and connections",
    ),
    Row(
        NoSuchPath,
        ANY,
        r"unexpected endpoint or method|unknown[ _](request )?url|invalid url|no route|could not route"
        r"|http request to an https server|api version not supported"
        r"|^(application |resource )?not found(\n|$)",
        "LM Studio 200, Groq 404, OpenAI 404, Cloudflare 400 and 404, FastAPI 404, Azure 400, Railway 404",
    ),
    Row(
        ModelNotFound,
        ANY,
        r"model[ _]?not[ _]?(found|exist|supported|available)|model.{0,100}(not found|not exist|n't exist|not (available|loaded)|decommissioned)"
        r"|not found the model|no such model|(unknown|invalid|unsupported|unavailable)[ _]?model|model is required|not a valid model"
        r"|^model \S+ is not supported|unable to find .{0,100}model"
        r"|unable to access (\S+ )?model|on-demand throughput|allowed now, your model|could not find real modelid"
        r"|llm provider not provided|invalid provider|not supported for task|模型不存在"
        r"|model (name|id|identifier).{0,60}(invalid|not valid|unknown)|no models? (are currently )?loaded"
        r"|model (is|has) not (been )?loaded"
        r"|requested model.{0,100}not supported|no endpoints (found for|available for this model)|deployment.{0,60}not (exist|found)"
        r"|(not|n't) (have access to|allowed to access).{0,40}model",
        "DeepSeek, LiteLLM, OpenRouter, LM Studio, Mistral, Cloudflare, Bedrock, Groq, Together, TabbyAPI, FastChat, llama-swap, llama.cpp, Z.ai, watsonx, DashScope, Ray Serve, GitHub 400; Cortex 409; OpenAI, LiteLLM 403; Ollama 400 where"
        " a name cannot be one of its own (`@cf/…`, `accounts/x/models/y`)",
    ),
    # Messages about refused parameters also say "does not support". Only a named modality counts.
    Row(
        ModalityRefused,
        ANY,
        rf"(not|n't) support[^.:]{{0,30}}{MODALITY}|{MODALITY}(\s\w+){{0,2}}\s(not |un)(support|implement)"
        r"|not a chat model|is an embedding model|no endpoints found that support image"
        r"|operation does not work with the specified model|provide a chat template"
        r"|not allowed to (sample|generate embeddings) from",
        "Ollama 400, vLLM 400, Azure 400, llama.cpp 500 and 501, SGLang's router 501, OpenAI 403 and 404, OpenRouter 404",
    ),
    Row(
        RateLimited,
        ANY,
        r"rate[ _-]?limit|too many (concurrent )?requests|request limit|^token limit(\n|$)|(tokens|requests) per (second|min|day)"
        r"|resource[ _]?exhausted|throttl|quota.{0,20}exceed|exceed.{0,30}quota",
        "Groq 413 (tokens per minute), LiteLLM, Baidu and MiniMax inside 200, Gemini 403, Azure 400",
    ),
    Row(
        RequestRefused,
        REQUEST,
        r"moderation|content[ _]?(filter|policy|management)|flagged|data_inspection"
        r"|content exists risk|responsible ?ai|guardrail|usage guidelines|censorship|max_tokens` must be",
        "OpenRouter 403, xAI 403, Azure 400, DeepSeek 400, DashScope 400, StepFun 451; Groq 400: max_tokens, which names the context window",
    ),
    Row(
        NoSuchPath,
        [404],
        rf"^$|\n({WEB_PAGE}|{PLAIN_TEXT})$|chat/completions|/embeddings|(file|path|route|url|endpoint)\b.{{0,80}}not found",
        "TGI, nginx, Ollama, Kubernetes, ngrok: no JSON; Fastify, Spring: our path; llama.cpp, ollama.com",
    ),
    Row(NoSuchPath, [405, *REDIRECTS], "", "nginx, FastAPI: a path above the API"),
    Row(
        KeyRefused,
        ANY,
        r"api(%20|[ _-])?key|no connected db|no_db_connection|unauthori[sz]ed|authentication|access denied"
        r"|permission.{0,3}denied|invalid (access|auth\w*|bearer|proxy server) token"
        r"|authorization header|insufficient.{0,12}(balance|credit|fund)|budget.{0,20}exceeded|spending limit"
        r"|balance is too low|(account|organization)\b.{0,80}(deactivated|disabled|restricted|suspended)"
        r"|terms acceptance|must be verified|location is not supported",
        "Gemini 400, xAI 400, LiteLLM 400, Groq 400, OpenAI 400, Anthropic 400, Fireworks 412",
    ),
    Row(KeyRefused, [402, 403], "", "all; 402: DeepSeek, OpenRouter"),
    Row(ModelNotFound, [404, 410], "", "all; 410: Hugging Face"),
    Row(
        BatchTooLarge,
        ANY,
        r"(allowed|maximum|max) batch size|batch size (is|of|limit|exceed|must|should)|too many inputs"
        r"|in one batch|more batches|(number of|at most \d+) (inputs|texts|items)"
        r"|(input|messages)\W.{0,80}array (too long|length)"
        r"|tokens (in batch|per (submitted batch|request))|instance\(s\) is allowed|maximum item count|数组最大",
        "TEI 413, Gemini 400, Mistral 400, DashScope 400, Azure 400, Cohere 400, OpenAI 400, Voyage 400, NIM 422, Vertex 400, Bedrock 400, Z.ai 400",
    ),
    Row(
        ContextTooLong,
        ANY,
        r"context[ _](length|size|window|limit)|maximum context|exceed_context_size|too large to process"
        r"|(prompt|input)s? .{0,60}(too long|too large|exceed|longer than|larger than)|too many (input )?tokens"
        r"|(maximum|max) (prompt length|number of tokens)|must have less than \d+ tokens"
        r"|(input|prompt|content)(\[\d+\])?\W{1,4}string too long"
        r"|inputs`? tokens \+|reduce the length of the|max_tokens must be at least 1, got -"
        r"|prompt length .{0,20}greater than|token count.{0,40} supports|range of input length|model token limit"
        r"|supported sequence length|less than max_seq_len|超长",
        "all; llama.cpp 500, TGI 422, SGLang inside 200, vLLM's negative max_tokens",
    ),
    Row(BatchTooLarge, [413], "", "nginx, Cloudflare: a web page"),
    Row(
        Busy,
        SERVER,
        r"overloaded|busy|loading|at capacity|no (healthy|available) \w+|try again later",
        "Ollama 500 while a model loads, Together 500, OpenRouter 502",
    ),
    Row(RequestRefused, [500], r'option \\?"', "Ollama, for the type of an option"),
    Row(
        Broken,
        REQUEST,
        "degraded function|model has crashed|model (is )?unloaded|failed to load model"
        "|no healthy deployments|capacity exceeded|fetch failed|failed to get response|engine is not loaded"
        "|(internal|internal server|network|channel|prediction)[ _-]error",
        "NIM, LM Studio, LiteLLM, Mistral, FastChat, Jan 400",
    ),
    Row(Broken, [400], f"\n{WEB_PAGE}$", "nginx, ALB: a proxy, mostly http for https"),
    Row(RequestRefused, [400, 416, 422], "", "all; 416: Scaleway"),
    Row(
        Broken,
        ANY,
        "",
        "all; TGI 424: generation failed; Ollama 499: the connection behind it was closed; ALB 464 and other statuses of proxies: how we ask, not what",
    ),
)


def error_of_response(
    provider: str, status: int, body: bytes, retry_after: str | None = None
) -> UpstreamError:
    """The error that a response with this `status` means."""
    how = f"with status {status}"
    return _failure(provider, status, how, json_or_text(body), retry_after)


def error_in_answer(provider: str, body: Any) -> UpstreamError:
    """The error that is reported inside a response with status 200, given as JSON. It may have a status of its own."""
    return _failure(provider, _status_in(body), "while it answered", body, None)


def has_error(body: dict[str, Any]) -> bool:
    """True if the body of a response with status 200 is an error.

    Most have `error`, older vLLM `object`, Cloudflare `errors`, MiniMax a code other than 0.
    """
    error, minimax = body.get("error"), body.get("base_resp")
    if isinstance(error, dict):  # Go servers may send all fields of an error, empty
        error = any(error.values())
    return bool(
        error
        or body.get("object") == "error"
        or body.get("errors")
        or (isinstance(minimax, dict) and minimax.get("status_code"))
    )


def reason_and_codes(body: Any) -> str:
    """The upstream's reason in one line, followed by its codes, one per line."""
    codes = (code[:MAX_CODE] for code in _codes(body)[:MAX_CODES])
    words = "\n".join([_reason(body)[:MAX_REASON], *codes])
    return words.encode("utf-8", "replace").decode()  # JSON may hold half a character


def json_or_text(body: bytes) -> Any:
    """The JSON value in the body, or its text if it has none."""
    try:
        return json_codec.decode(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _failure(
    provider: str, status: int, how: str, body: Any, retry_after: str | None
) -> UpstreamError:
    words = reason_and_codes(body)
    if body and isinstance(body, str):
        words += f"\n{WEB_PAGE if _WEB_PAGE.search(body) else PLAIN_TEXT}"
    meaning = next(
        row.meaning
        for row in TABLE
        if status in row.statuses and re.search(row.words, words, re.IGNORECASE)
    )
    # Mostly from a proxy: HAProxy 503, nginx 413.
    is_page = words.endswith(f"\n{WEB_PAGE}")
    no_reason = "it sent a web page" if is_page else "it gave no reason"
    reason = _SECRET.sub(HIDDEN, words.partition("\n")[0]) or no_reason
    message = MESSAGES[meaning].format(provider=provider, how=how, reason=reason)
    later = {"Retry-After": _seconds(retry_after or _wait(words))}
    failure = meaning(message, later if meaning in (RateLimited, Busy) else None)
    failure.detail = message if meaning is NoSuchPath else reason
    if status in SERVER and meaning is not RequestRefused:
        # Whatever it says, a 5xx is a failure of the upstream: the next one may do better.
        failure.falls_back = True
    return failure


MAX_REASON = 2000  # characters of a reason that are read
MAX_CODES, MAX_CODE = 20, 100  # codes that are read, and characters of each
MAX_DEPTH = 8  # levels of nesting in which a reason is looked for

_PLACES = (
    # OpenRouter: what the provider behind it said. It says more than OpenRouter's own message.
    *("metadata", "raw"),
    # A body may have several of these. `error` often says the least (`"error": "Bad Request", "message": …`).
    *("message", "detail", "errors", "msg", "errormessage", "errormsg"),
    *("errordescription", "description", "error", "title", "reason"),
    *("baseresp", "statusmsg", "externalmodelerror"),
)
"""Names of fields as `_fields` spells them."""


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    """The fields by names in lower case without `_`: AWS has `Message`, Baidu `error_msg`, Lambda `errorMessage`."""
    return {name.replace("_", "").lower(): each for name, each in value.items()}


_WEB_PAGE = re.compile(
    r"<\s*(!doctype|html|head|body|title|center|h1|p|div)\b", re.IGNORECASE
)


def _reason(value: Any, depth: int = MAX_DEPTH) -> str:
    """The first line of text in one of the known places. For a traceback, the last line."""
    if not depth:
        return ""
    if isinstance(value, str):
        return _first_line(value, depth)
    if isinstance(value, list):
        found = [_reason(item, depth - 1) for item in value[:4]]
        return "; ".join(filter(None, found))
    if isinstance(value, dict):
        fields = _fields(value)
        found = [_reason(fields[key], depth - 1) for key in _PLACES if key in fields]
        first = next(filter(None, found), "")
        return f"{_location(value)}{first}" if first else ""
    return ""


def _first_line(text: str, depth: int) -> str:
    text = text.strip()
    if _WEB_PAGE.search(text):
        return ""
    if text.startswith(("{", "[")):  # JSON in a string: OpenRouter's `raw`
        inner = json_or_text(text.encode("utf-8", "replace"))
        if not isinstance(inner, str):
            return _reason(inner, depth - 1)
    lines = text.splitlines() or [""]
    return lines[-1] if lines[0].startswith("Traceback (most recent") else lines[0]


def _location(error: dict[str, Any]) -> str:
    """The field that FastAPI's `{"loc": ["body", "top_k"], "msg": …}` is about."""
    loc = error.get("loc")
    path = [str(each) for each in loc if each != "body"] if type(loc) is list else []
    return f"{'.'.join(path)}: " if path else ""


_CODES = (
    *("code", "type", "status", "errortype", "errorcode", "reason", "param"),
    *("statuscode", "rawstatuscode", "retrydelay"),
)
_NESTED = ("error", "errors", "details", "message", "detail", "baseresp")


def _codes(value: Any, depth: int = MAX_DEPTH) -> list[str]:
    """The codes beside a reason, outermost first."""
    if isinstance(value, list) and depth:
        return [code for item in value[:4] for code in _codes(item, depth - 1)]
    if not isinstance(value, dict) or not depth:
        return []
    fields = _fields(value)
    own = [str(fields[key]) for key in _CODES if type(fields.get(key)) in (str, int)]
    own += filter(None, [_location(value)])
    inner = [_codes(fields[key], depth - 1) for key in _NESTED if key in fields]
    return own + [code for codes in inner for code in codes]


def _status_in(value: Any) -> int:
    """The status that an error inside a 200 gives itself: a number, or text with LiteLLM. 500 if it has none."""
    codes = _codes(value)
    for code in codes:
        if re.fullmatch("[45][0-9][0-9]", code):
            return int(code)
    about_request = re.search("invalid_request|BadRequest|validation", " ".join(codes))
    return 400 if about_request else 500


_SECRET = re.compile(
    r"(?<=bearer )\S+|\b\w{2,20}://\S+|\barn:\S+"
    r"|\b(host|address|port)=\S+|(\blocalhost\b|(?<!\w)::1\b)(:\d+)?|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?"
    r"|\[[\da-f]{0,4}:[\da-f]{0,4}:[\da-f:.]*\](:\d+)?|(?<![\w.-])[\w-]{1,63}(\.[\w-]{1,63}){1,8}:\d{2,5}\b"
    r"|[^\s*]{0,99}\*{2,}\S*"  # xAI: na***ys
    r"|[\w-]{2,99}(\.{3}|…)[\w-]+"  # LiteLLM: sk-...abcd
    r'|File "[^"]+", line \d+|/[\w./-]+\.(py|js|ts|go|rs|rb|java|php)\b(:\d+)*'
    r"|/(app|etc|home|mnt|opt|root|srv|tmp|usr|var|workspace)/\S+|\b[a-z]:\\\S+"
    r"|\b(sk|pk|gsk|xai|hf|nvapi|pplx|csk|fw|r8|tgp)[_-][\w.-]{4,}|\bAIza[\w-]{8,}",
    re.IGNORECASE,
)
"""Matches addresses, paths of files, and keys. Masked keys too, because they show a part of the key."""

_WAIT = re.compile(
    r"(?:^|(?:try again|retry) in |retry after |wait )(?:(\d{1,5})h)?(?:(\d{1,5})m)?(\d{1,9}(?:\.\d+)?) ?s",
    re.IGNORECASE | re.MULTILINE,
)
"""Matches a time to wait. Gemini: a code "39s". Groq: "try again in 7m12.5s". Azure: "retry after 7 seconds". GitHub: "wait 12 seconds"."""


def _wait(words: str) -> str | None:
    """The seconds to wait that the upstream's words name, if they do."""
    found = _WAIT.search(words)
    if not found:
        return None
    hours, minutes, seconds = (float(each or 0) for each in found.groups())
    return str(hours * 3600 + minutes * 60 + seconds)


_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def _seconds(retry_after: str | None) -> str:
    """The upstream's own Retry-After in whole seconds, rounded up, at most a day; 1 if there is none."""
    given = retry_after or ""
    seconds = float(given) if _NUMBER.fullmatch(given) else 1
    return str(math.ceil(min(seconds, MAX_RETRY_AFTER)))
