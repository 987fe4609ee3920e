"""What the demo prints: lines that work when pasted. Pure."""

import json
import shlex

_GUIDE = """
Octomil API on {url}/api/v1   (Ctrl-C ends it)
Token: {token}

One answer:
  {inference}

Token by token:
  {stream}

Several prompts at once:
  {batch}

Embeddings:
  {embeddings}

Health:
  curl {newline} {url}/api/v1/inference/health

The Python SDK (pip install octomil, best in an environment of its own):
  import os
  os.environ["OCTOMIL_API_BASE"] = "{url}/api/v1"  # before the import
  from octomil import OctomilClient, OrgApiKeyAuth
  auth = OrgApiKeyAuth(api_key="{token}", org_id="demo", api_base="{url}/api/v1")
  for token in OctomilClient(auth=auth).stream_predict("{model}", "Name three fruits."):
      print(token.token, end="", flush=True)
"""

NEWLINE = "-s -w '\\n'"
"""curl's flags for an answer that does not end its line by itself."""

_QUESTION = [{"role": "user", "content": "Name three fruits."}]


def guide(url: str, token: str, model: str) -> str:
    """`url` without `/api/v1`."""

    def curl(path: str, body: dict[str, object], flags: str = NEWLINE) -> str:
        authorization = shlex.quote(f"Authorization: Bearer {token}")
        data = shlex.quote(json.dumps({"model_id": model, **body}))
        return (
            f"curl {flags} {url}/api/v1{path} -H {authorization}"
            f" -H 'Content-Type: application/json' -d {data}"
        )

    short = {"max_tokens": 48}
    prompts = [{"input_data": "Say hello."}, {"input_data": "Say goodbye."}]
    return _GUIDE.format(
        url=url,
        token=token,
        model=model,
        newline=NEWLINE,
        inference=curl("/inference", {"messages": _QUESTION, "parameters": short}),
        stream=curl(
            "/inference/stream", {"messages": _QUESTION, "parameters": short}, "-sN"
        ),
        batch=curl("/inference/batch", {"inputs": prompts, "parameters": short}),
        embeddings=curl("/embeddings", {"input": ["apple", "pear"]}),
    )
