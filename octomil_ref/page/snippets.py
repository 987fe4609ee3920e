"""Commands and code that call this API: curl and the SDKs. Pure."""

import json
import shlex
from collections.abc import Mapping

NEWLINE = "-s -w '\\n'"  # flags of curl for a response without a line end

CONTENT_TYPE = "-H 'Content-Type: application/json'"


def curl(
    url: str,
    authorization: str = "",
    body: Mapping[str, object] | None = None,
    flags: str = NEWLINE,
    between: str = " ",
) -> str:
    """`authorization` is a quoted word of the shell. Without a body the request is a GET."""
    parts = [f"curl {flags} {url}"]
    if authorization:
        parts.append(f"-H {authorization}")
    if body is not None:
        parts += [CONTENT_TYPE, f"-d {quoted(body)}"]
    return between.join(parts)


def quoted(body: Mapping[str, object]) -> str:
    """A body as one word of the shell."""
    return shlex.quote(json.dumps(body))


def python_sdk(url: str, api_key: str, model: str) -> str:
    """`url` is without `/api/v1`; `api_key` is a Python expression."""
    return _PYTHON.format(url=url, api_key=api_key, model=model)


_PYTHON = """\
import os
os.environ["OCTOMIL_API_BASE"] = "{url}/api/v1"  # before the import
from octomil import OctomilClient, OrgApiKeyAuth
auth = OrgApiKeyAuth(api_key={api_key}, org_id="demo", api_base="{url}/api/v1")
for token in OctomilClient(auth=auth).stream_predict("{model}", "Name three fruits."):
    print(token.token, end="", flush=True)"""


def sdks(url: str, model: str) -> list[tuple[str, str, str]]:
    """Name, base URL and code for each SDK."""
    auth = f'auth: {{type: "org_api_key", apiKey, orgId, serverUrl: "{url}"}}'
    python = python_sdk(url, 'os.environ["TOKEN"]', model)
    node = f"new OctomilClient({{{auth}, telemetry: false}})"
    browser = f'new OctomilClient({{{auth}, model: "any", telemetry: false}})'
    ios = f'serverURL: "{url}"  // CloudStreamingClient: "{url}/api/v1"'
    return [
        ("Python", f"{url}/api/v1", python),
        ("Node", url, node),
        ("Browser", url, browser),
        ("iOS", url, ios),
    ]
