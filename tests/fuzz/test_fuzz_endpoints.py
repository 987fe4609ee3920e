"""The application answers requests that openapi.json allows, and refuses those that it does not allow, at every endpoint.

This also tests the schemas: if server and schema disagree about a request, one of them is wrong.
"""

import json

import falcon.testing
import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from octomil_conformance import schemas, spec, sse
from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.wire.common import json_fault
from schemathesis import GenerationMode

from octomil_ref.app import create_app
from octomil_ref.settings import Settings

TOKEN = "a-token-of-the-fuzz-tests"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def with_short_arrays(schema):
    """A copy in which no array has more than two items. Longer ones take seconds to make and find nothing more."""
    if isinstance(schema, list):
        return [with_short_arrays(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    bound = {"maxItems": 2} if schema.get("type") == "array" else {}
    return bound | {name: with_short_arrays(each) for name, each in schema.items()}


API = schemathesis.openapi.from_dict(with_short_arrays(spec.openapi()))
PROFILES = {
    path: methods["post"]["operationId"]
    for path, methods in spec.openapi()["paths"].items()
    if "post" in methods
}
KINDS = {"valid": GenerationMode.POSITIVE, "spoilt": GenerationMode.NEGATIVE}


@pytest.fixture(scope="module")
def app():
    """The application, in front of an Ollama and a fallback that are well."""
    with ScriptedBackend(("127.0.0.1", 0), ("127.0.0.1", 0)) as backend:
        yield create_app(
            Settings(
                ollama_base_url=backend.ollama_url,
                openai_api_endpoint=backend.openai_url,
                api_keys=(TOKEN,),
                log_level="ERROR",
            )
        )


def is_valid(component, answer):
    """True if the body that the server got was JSON that matches the schema."""
    body = answer.request.body or b""
    data = body.encode() if isinstance(body, str) else body
    try:
        assert json_fault(data) == ""
    except AssertionError:
        return False
    return schemas.complaint(component, json.loads(data)) == ""


def assert_is_a_refusal(answer):
    envelope = json.loads(answer.content)

    assert schemas.complaint("Error", envelope) == ""
    assert envelope["status_code"] == answer.status_code < 500
    assert [envelope["request_id"]] == answer.headers["x-request-id"]


def assert_is_an_answer(profile, answer):
    values = [answer.content]
    component = schemas.ANSWERS.get(profile, "StreamEvent")
    if profile == "stream":
        frames = sse.parse(answer.content)
        values = [frame.payload for frame in frames]
        assert json.loads(values[-1])["done"] is True
    for value in values:
        assert json_fault(value) == ""
        assert schemas.complaint(component, json.loads(value)) == ""


def the_backend_refused(answer):
    """True if the backend refused a parameter that the server does not check."""
    message = json.loads(answer.content)["message"]
    return answer.status_code == 400 and "backend refused the request" in message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", PROFILES)
def test_what_the_schema_allows_is_answered_and_nothing_else_is(app, path, kind):
    profile = PROFILES[path]
    component = schemas.REQUESTS[profile]

    @settings(max_examples=settings.default.max_examples // 5)  # each takes long
    @given(API[path]["POST"].as_strategy(generation_mode=KINDS[kind]))
    def ask(case):
        if schemas.complaint(component, case.body) == "":
            case.body["model_id"] = "conf-echo"

        answer = case.call(headers=AUTHORIZED, app=app)

        valid = is_valid(component, answer)
        told = answer.request.body, answer.content
        if answer.status_code == 200:
            assert valid, told
            assert_is_an_answer(profile, answer)
        else:
            assert not valid or the_backend_refused(answer), told
            assert_is_a_refusal(answer)

    ask()


# Requests that no schema describes


HEADER_CHARACTERS = st.characters(codec="latin-1", exclude_categories=["Cc"])
HEADER_TEXT = st.text(HEADER_CHARACTERS, max_size=40).map(str.strip)
"""The characters that gunicorn and waitress accept in a header."""

PAGES = ["/health", "/", "/openapi.json"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
PATHS = [*(f"/api/v1{path}" for path in spec.openapi()["paths"]), *PAGES]


@given(
    method=st.sampled_from(METHODS),
    path=st.one_of(
        st.sampled_from(PATHS),
        st.text(st.characters(exclude_characters="?")).map("/{}".format),
    ),
    query=st.text(st.characters(codec="ascii", exclude_categories=["Cc"])).map(
        "q={}".format
    ),
    headers=st.dictionaries(
        st.sampled_from(
            [
                *("Authorization", "X-API-Key", "X-Request-Id", "Content-Type"),
                *("Accept", "Origin", "Range", "If-Match", "Date"),
                *("Transfer-Encoding", "Expect", "Cookie", "X-Forwarded-For", "Host"),
            ]
        ),
        st.one_of(st.sampled_from([*AUTHORIZED.values(), "5", "*/*"]), HEADER_TEXT),
    ),
    body=st.binary(max_size=200),
)
def test_nothing_that_arrives_is_answered_by_a_5xx(
    app, method, path, query, headers, body
):
    # Without a server: an exception that the application does not catch is raised here.
    client = falcon.testing.TestClient(app)
    sent = {"query_string": query, "headers": headers, "body": body}
    answer = client.simulate_request(method, path, **sent)

    assert answer.status_code < 500
    if answer.status_code >= 400 and method != "HEAD":
        envelope = json.loads(answer.content)
        assert schemas.complaint("Error", envelope) == ""
        assert envelope["request_id"] == answer.headers["x-request-id"]
