"""Streams, and streams that are cut, in clients outside Python: node's fetch and curl."""

import json

import pytest
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from processes import ServerProcess, found
from reference import ASK, MAX_WAIT, RUNNER_DIED, TOKEN

pytestmark = pytest.mark.machine

CUT = stream(NDJSON, OLLAMA.token("Good"), RUNNER_DIED)

FETCH = """
const [url, token, body] = process.argv.slice(1);
const headers = {"Authorization": `Bearer ${token}`, "Content-Type": "application/json"};
try {
  const response = await fetch(url, {method: "POST", headers, body});
  console.log("status", response.status);
  const decoder = new TextDecoder();
  for await (const chunk of response.body) console.log(decoder.decode(chunk, {stream: true}));
  console.log("complete");
} catch (error) {
  console.log("rejected:", error.message);
}
"""


def fetch(server):
    command = [found("node", "nodejs"), "--input-type=module", "-e", FETCH, "--"]
    url = f"{server.api}/inference/stream"
    return ServerProcess([*command, url, TOKEN, json.dumps(ASK)])


def curl(server, *options):
    """The command of the README."""
    command = [found("curl", "curl"), "-sS", "-N", f"{server.api}/inference/stream"]
    headers = ["-H", f"Authorization: Bearer {TOKEN}"]
    headers += ["-H", "Content-Type: application/json"]
    return ServerProcess([*command, *headers, "-d", json.dumps(ASK), *options])


def test_clients_notice_that_a_stream_is_cut(server):
    server.ollama.on("/api/chat", CUT)

    with fetch(server) as fetching, curl(server) as copying:
        codes = fetching.wait(MAX_WAIT), copying.wait(MAX_WAIT)

    assert fetching.lines[-1].startswith("rejected:")
    assert codes == (0, 18)
    assert any('"code":"stream_interrupted"' in line for line in copying.lines)


def test_over_http_1_0_only_the_missing_done_shows_that_a_stream_is_cut(server):
    server.ollama.on("/api/chat", CUT, says("Good", " morning"))

    with curl(server, "--http1.0") as cut:
        cut_code = cut.wait(MAX_WAIT)
    with curl(server, "--http1.0") as whole:
        whole_code = whole.wait(MAX_WAIT)

    assert (cut_code, whole_code) == (0, 0)
    assert any('"token":"Good"' in line for line in cut.lines)
    assert not any('"done":true' in line for line in cut.lines)
    assert any('"done":true' in line for line in whole.lines)
