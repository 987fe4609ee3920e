"""The reference page: its contents, its links, its security policy and its accessibility."""

import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from octomil_conformance import spec

from octomil_ref import errors
from octomil_ref.errors import ApiError
from octomil_ref.page import reference_page
from octomil_ref.page.snippets import curl, sdks
from octomil_ref.payloads import parse_batch, parse_completion, parse_embeddings
from octomil_ref.settings import Settings

README = Path(__file__).parents[2] / "README.md"
VOID = {"meta", "link", "input"}


class Parsed(HTMLParser):
    """A page: its elements in order, the texts of each tag, and the tags that were not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def values(self, attribute: str) -> list[str]:
        return [a[attribute] for _, a in self.elements if attribute in a]


DOCUMENT = reference_page(Settings())
PAGE = Parsed(DOCUMENT.data.decode())
TEXT = " ".join(" ".join(PAGE.texts["html"]).split())
POLICY = dict(
    part.strip().split(" ", 1)
    for part in DOCUMENT.headers["Content-Security-Policy"].split(";")
)
READERS = {
    "/api/v1/inference": parse_completion,
    "/api/v1/inference/stream": parse_completion,
    "/api/v1/inference/batch": lambda body: parse_batch(body, 256),
    "/api/v1/embeddings": lambda body: parse_embeddings(body, 512),
}


def plain(sentence: str) -> str:
    return sentence.replace("`", "")


def error_classes(parent: type[ApiError]) -> list[type[ApiError]]:
    """All subclasses of `parent` that have an envelope."""
    found = [
        each
        for child in parent.__subclasses__()
        for each in (child, *error_classes(child))
    ]
    return [each for each in found if hasattr(each, "status")]


def test_the_page_is_complete_html():
    names = PAGE.values("id")

    assert PAGE.open == []
    assert len(names) == len({*names})
    assert DOCUMENT.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize("path, methods", spec.openapi()["paths"].items())
def test_every_endpoint_has_a_section_and_a_form(path, methods):
    [(method, operation)] = methods.items()
    forms = [attributes for tag, attributes in PAGE.elements if tag == "form"]

    [form] = [form for form in forms if form.get("data-path") == f"/api/v1{path}"]
    assert form["data-method"] == method.upper()
    assert operation["operationId"] in PAGE.values("id")
    assert plain(operation["description"]) in TEXT


def test_every_requirement_of_the_spec_is_at_its_anchor():
    ids = Counter(PAGE.values("id"))

    for each in spec.requirements().values():
        assert ids[each.id] == 1
        assert f"{each.id} {each.force} {plain(each.text)}" in TEXT
        assert plain(each.breaks) in TEXT


def test_requirements_of_the_openapi_document_are_linked_and_every_link_has_a_target():
    text = json.dumps(spec.openapi())
    named = {
        name
        for names in re.findall(r'"x-requirements": \[(.*?)\]', text)
        for name in json.loads(f"[{names}]")
    }

    links = {link[1:] for link in PAGE.values("href") if link.startswith("#")}
    assert len(named) >= 80
    assert named <= links <= {*PAGE.values("id")}


def test_every_named_field_is_explained():
    fields = {
        name
        for schema in spec.openapi()["components"]["schemas"].values()
        for name, inner in schema.get("properties", {}).items()
        if inner != {"type": "null"}
    }

    shown = {re.split(r"[.\[\]]+", text.split()[0])[-1] for text in PAGE.texts["dt"]}
    assert fields <= shown
    assert all(text.strip() for text in PAGE.texts["dd"])


FIELDS = [
    "model_id string (1 to 256 characters, not blank) required",
    "messages array of 1 or more objects, or null",
    "messages[].content string, or array of 1 or more objects required",
    "messages[].content[].type text or input_text required",
    'input_data any JSON value but ""',
    "parameters.temperature number (0 to 2) or null",
    "parameters.top_k integer or null",
    "parameters.stop string or null, or array of at most 8 strings",
    "output any JSON value but null always present",
    "input string (not empty), or array of 1 or more strings (not empty) required",
    "embeddings array of arrays of numbers",
    "status ok, degraded or unavailable always present",
    "error.code",
]


def test_a_field_has_its_whole_path_and_its_type_in_words():
    assert {*FIELDS} <= {" ".join(text.split()) for text in PAGE.texts["dt"]}


def test_the_fields_of_a_shared_schema_are_listed_once_and_linked_elsewhere():
    rows = dict(zip(PAGE.texts["dt"], PAGE.texts["dd"], strict=True))
    [parameters] = [text for text in rows if text.startswith("inputs[].parameters ")]

    assert [text for text in rows if ".temperature " in text] == [
        "parameters.temperature number (0 to 2) or null"
    ]
    assert "More at Parameters." in rows[parameters]
    assert "#Parameters" in PAGE.values("href")
    assert "Rejected: model, messages, input, " in TEXT


def test_its_failures_are_the_error_classes_of_this_server():
    listed = spec.openapi()["components"]["responses"]["Failure"]["x-failures"]

    shown = {(f["status"], f["error"], f["code"], f["retryable"]) for f in listed}
    assert shown == {
        (k.status, errors.ERROR_BY_STATUS[k.status], k.code, k.retryable)
        for k in error_classes(ApiError)
    }
    assert len(shown) == len(listed)
    for failure in listed:
        assert plain(failure["description"]) in TEXT


@pytest.mark.parametrize(
    "settings, sentence",
    [
        (Settings(batch_max_inputs=7), "This server accepts at most 7."),
        (Settings(embeddings_max_inputs=8), "This server accepts at most 8."),
        (Settings(batch_max_concurrency=9), "uses 4 by default and at most 9."),
        (Settings(max_body_bytes=10_000), "at most 10,000 bytes"),
    ],
    ids=["inputs", "texts", "concurrency", "body"],
)
def test_it_shows_the_limits_of_this_server(settings, sentence):
    page = reference_page(settings)

    assert sentence in page.data.decode()
    assert page.etag != DOCUMENT.etag


@pytest.mark.parametrize("anonymous", [False, True])
def test_it_says_whether_a_token_is_needed(anonymous):
    page = reference_page(Settings(allow_anonymous=anonymous)).data.decode()

    assert ("This server needs no API token." in page) is anonymous
    assert ("Send your API token" in page) is not anonymous


def test_it_lists_what_sdks_call_unless_a_setting_removes_that():
    without = reference_page(Settings(sdk_endpoints=False)).data.decode()

    assert "POST /v1/chat/completions" in TEXT
    assert "clients" in PAGE.values("id") and "list-models" in PAGE.values("id")
    assert "/v1/" not in without.partition("<script>")[0].replace("/api/v1/", "")
    assert 'id="list-models"' not in without


@pytest.mark.parametrize("path", READERS)
def test_the_body_of_a_curl_command_is_valid(path):
    lines = [shlex.split(text) for text in PAGE.texts["code"] if "curl" in text]
    url = f"http://127.0.0.1:8000{path}"

    [words] = [words for words in lines if url in words]

    body = json.loads(words[words.index("-d") + 1])
    assert READERS[path](body).model_id in ("phi-4-mini", "nomic-embed-text")
    assert "Authorization: Bearer $TOKEN" in words


def test_a_body_is_quoted_for_the_shell():
    body = {"input_data": "it's $HOME"}

    words = shlex.split(curl("http://h/x", '"Authorization: Bearer t"', body, "-N"))

    assert json.loads(words[-1]) == body
    assert words[:4] == ["curl", "-N", "http://h/x", "-H"]


def test_the_base_urls_of_the_sdks_are_those_of_the_readme():
    rows = re.findall(
        r"^\| (\w+) \| `\$URL(.*?)`", README.read_text("utf-8"), re.MULTILINE
    )

    assert [(name, base) for name, base, _ in sdks("", "m")] == rows


def test_the_python_code_is_valid():
    [(_, _, lines), *_] = sdks("http://127.0.0.1:8000", "phi-4-mini")

    assert lines in PAGE.texts["code"]
    compile(lines, "page", "exec")


def test_the_parts_that_the_reader_can_replace_are_marked():
    marks = Counter(attributes.get("class") for _, attributes in PAGE.elements)

    assert marks["origin"] and marks["model"] and marks["embed-model"]
    assert all("hidden" in a for _, a in PAGE.elements if a.get("class") == "copy")
    assert re.findall("<code>[^<]*http://127", DOCUMENT.data.decode()) == []


def test_it_loads_nothing_from_other_servers():
    sources = PAGE.values("href") + PAGE.values("src")
    outside = [each for each in sources if not each.startswith(("#", "data:image/"))]

    assert outside == ["/openapi.json"]
    assert "@import" not in TEXT and "url(" not in TEXT


@pytest.mark.parametrize("kind", ["script", "style"])
def test_the_policy_has_the_hashes_of_its_script_and_style(kind):
    digest = hashlib.sha256(PAGE.texts[kind][0].encode()).digest()

    assert POLICY[f"{kind}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_the_policy_allows_nothing_else():
    others = {name: value for name, value in POLICY.items() if "sha256" not in value}

    assert others == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


def test_every_input_has_a_label():
    inputs = {
        attributes["id"]
        for tag, attributes in PAGE.elements
        if tag in ("input", "textarea")
    }

    assert inputs == {a["for"] for tag, a in PAGE.elements if tag == "label"}


def test_the_token_is_hidden_and_not_remembered():
    [field] = [a for tag, a in PAGE.elements if a.get("id") == "token"]

    assert (field["type"], field["autocomplete"]) == ("password", "off")
    assert "name" not in field


def test_it_has_landmarks_and_headings_in_order():
    tags = [tag for tag, _ in PAGE.elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]

    assert [tags.count(tag) for tag in ("header", "nav", "main", "h1")] == [1] * 4
    assert all(after - before <= 1 for before, after in pairwise(levels))
    titled = [a["aria-labelledby"] for tag, a in PAGE.elements if tag == "section"]
    assert {*titled} <= {*PAGE.values("id")}
