"""Runs in the SDK's own environment: lets the real Python SDK read answers, and prints the result of each call as JSON.

Standard input: {"urls": [base URL…], "token": …, "bodies": {"stream": …, "embed": …}}.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
from octomil import OctomilClient, OrgApiKeyAuth

LIMIT = 90.0
"""Seconds after which a call counts as hanging: more than any answer lasts, less than the SDK's own 120 for a stream."""
AT_ONCE = 12


def main():
    given = json.load(sys.stdin)
    token, bodies = given["token"], given["bodies"]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(lambda url: read(url, token, bodies), given["urls"]))
    print("MADE " + json.dumps(made), flush=True)


def read(url, token, bodies):
    auth = OrgApiKeyAuth(api_key=token, org_id="test", api_base=f"{url}/api/v1")
    client = OctomilClient(auth=auth)
    return {
        "stream": limited(lambda made: stream(client, bodies["stream"], made)),
        "embed": limited(lambda made: embed(client, bodies["embed"], made)),
    }


def stream(client, body, made):
    made["tokens"] = tokens = []
    for each in client.stream_predict(body["model_id"], body["input_data"]):
        tokens.append([each.token, each.done, each.provider, each.latency_ms, each.session_id])  # fmt: skip


def embed(client, body, made):
    answer = client.embed(body["model_id"], body["input"])
    made["vectors"] = answer.embeddings
    made["rest"] = [answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens]


def limited(call):
    made = {}
    thread = threading.Thread(target=attempt, args=(call, made), daemon=True)
    thread.start()
    thread.join(LIMIT)
    return {**made, "hangs": thread.is_alive()}


def attempt(call, made):
    try:
        call(made)
    except httpx.HTTPStatusError as error:
        made["raised"] = f"HTTPStatusError {error.response.status_code}"
    except Exception as error:  # noqa: BLE001 - whatever a client may have to catch
        made["raised"] = type(error).__name__


if __name__ == "__main__":
    main()
