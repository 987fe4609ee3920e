"""The text that the demo prints: commands to paste. Pure."""

import json
import shlex
import textwrap
from collections.abc import Mapping

from octomil_ref.page.snippets import NEWLINE, curl, python_sdk

_GUIDE = """
Octomil API on {url}/api/v1   (press Ctrl-C to stop)
Token: {token}
{page}
For the commands of the README:
  export URL={url} TOKEN={quoted}

One answer:
  {inference}

Token by token:
  {stream}

Several prompts at once:
  {batch}

Embeddings:
  {embeddings}

Health:
  {health}

The Python SDK (pip install octomil, best in an environment of its own):
{python}
"""

_QUESTION = [{"role": "user", "content": "Name three fruits."}]


def guide(url: str, token: str, model: str, page: bool) -> str:
    """`url` is without `/api/v1`; `page` is true if the server has its reference page."""

    def asking(path: str, body: Mapping[str, object], flags: str = NEWLINE) -> str:
        authorization = shlex.quote(f"Authorization: Bearer {token}")
        body = {"model_id": model, **body}
        return curl(f"{url}/api/v1{path}", authorization, body, flags)

    short = {"max_tokens": 48}
    question = {"messages": _QUESTION, "parameters": short}
    prompts = [{"input_data": "Say hello."}, {"input_data": "Say goodbye."}]
    to_try = f"In a browser, to read and to try: {url}/?model={model}\n"
    return _GUIDE.format(
        url=url,
        token=token,
        quoted=shlex.quote(token),
        page=to_try if page else "",
        inference=asking("/inference", question),
        stream=asking("/inference/stream", question, "-sN"),
        batch=asking("/inference/batch", {"inputs": prompts, "parameters": short}),
        embeddings=asking("/embeddings", {"input": ["apple", "pear"]}),
        health=curl(f"{url}/api/v1/inference/health"),
        python=textwrap.indent(python_sdk(url, json.dumps(token), model), "  "),
    )
