"""Runs in the SDK's own environment: lets the real Python SDK read answers, and prints what it makes of each as JSON.

Standard input: {"servers": [[base URL, [name of a call…]]…], "token": …, "bodies": {"stream": …, "embed": …}}.
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
"""All servers at once would keep some of them waiting for longer than their timeout."""


def main():
    given = json.load(sys.stdin)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reading = [
            pool.submit(
                read, url, given["token"], {n: given["bodies"][n] for n in called}
            )
            for url, called in given["servers"]
        ]
    print("MADE " + json.dumps([each.result() for each in reading]), flush=True)


def read(url, token, bodies):
    """The result of each call, and what it read, in words that may be compared with those of another server."""
    auth = OrgApiKeyAuth(api_key=token, org_id="test", api_base=f"{url}/api/v1")
    client = OctomilClient(auth=auth)
    return {name: CALLS[name](client, body) for name, body in bodies.items()}


def stream(client, body):
    tokens = []

    def call():
        # Tokens that came before an exception stay in the list.
        tokens.extend(client.stream_predict(body["model_id"], body["input_data"]))

    raised = limited(call)
    texts = [each.token for each in tokens if each.token]
    done = [each.done is True for each in tokens]
    count = counted(texts, "token")
    if raised:
        result = f"{raised} after {count}" if texts else raised
    else:
        result = f"{count} and {'`done`' if done[-1:] == [True] else 'no `done`'}"
    facts = {
        "text": repr("".join(map(str, texts))),
        "number of `done`": str(done.count(True)),
    }
    if tokens:
        facts["`provider`"] = kind(tokens[0].provider)
        facts["`latency_ms`"] = kind(tokens[-1].latency_ms)
        facts["`session_id`"] = kind(tokens[-1].session_id)
    return {"raised": bool(raised), "result": result, "read": facts}


def embed(client, body):
    answers = []
    raised = limited(
        lambda: answers.append(client.embed(body["model_id"], body["input"]))
    )
    if raised:
        return {"raised": True, "result": raised, "read": {}}
    [answer] = answers
    vectors = answer.embeddings
    fields = {"embeddings": vectors, "model": answer.model, **vars(answer.usage)}
    facts = {f"`{name}`": repr(value) for name, value in fields.items()}
    facts["number of vectors"] = str(len(vectors))
    return {"raised": False, "result": counted(vectors, "vector"), "read": facts}


CALLS = {"stream": stream, "embed": embed}


def limited(call):
    """The exception of a call in words, empty without one."""
    raised = []
    thread = threading.Thread(target=attempt, args=(call, raised), daemon=True)
    thread.start()
    thread.join(LIMIT)
    return "hangs" if thread.is_alive() else "".join(raised)


def attempt(call, raised):
    try:
        call()
    except httpx.HTTPStatusError as error:
        wait = error.response.headers.get("Retry-After")
        said = f"raises `HTTPStatusError` {error.response.status_code}"
        raised.append(f"{said} with Retry-After {wait}" if wait else said)
    except Exception as error:  # noqa: BLE001 - whatever a client may have to catch
        raised.append(f"raises `{type(error).__name__}`")


def counted(values, name):
    return f"{len(values)} {name}" + "s" * (len(values) != 1)


def kind(value):
    """Numbers and ids differ between two calls, but their kinds do not."""
    if isinstance(value, int | float) and value >= 0:
        return "a number"
    return "text" if isinstance(value, str) else repr(value)


if __name__ == "__main__":
    main()
