"""Behind a real nginx, with the configuration in `deploy/`: two servers, prompt streams, visible cuts, errors with an envelope."""

import json
import os
import signal
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from octomil_conformance.backend.scripts import NDJSON, OLLAMA, says, stream
from processes import ServerProcess, free_port, serve
from reference import (
    ASK,
    MAX_WAIT,
    RUNNER_DIED,
    Events,
    Reference,
    client_of,
    http_request,
    reference,
    talks_until_hangup,
)

from octomil_ref.errors import BadRequest

pytestmark = pytest.mark.machine

NGINX = Path("/usr/sbin/nginx")
SITE = Path(__file__).parents[2] / "deploy" / "nginx.conf"

WRAPPER = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
"""Makes a whole configuration of the site, which any user may run."""


@dataclass
class Site:
    """nginx and the two servers behind it, which take turns."""

    url: str
    client: httpx.Client
    servers: list[Reference]

    def on(self, path, script):
        for server in self.servers:
            server.ollama.on(path, script)


@contextmanager
def running(kind, folder):
    with ExitStack() as stack:
        servers = [stack.enter_context(reference(serve, kind)) for _ in range(2)]
        port = free_port()
        config = folder / "nginx.conf"
        config.write_text(configuration(folder, port, servers))
        stack.enter_context(running_nginx(config))
        url = f"http://127.0.0.1:{port}"
        wait_until_accepted(port)
        yield Site(url, stack.enter_context(client_of(url)), servers)


@pytest.fixture(scope="module", params=["waitress", "gunicorn"])
def shared_site(request, tmp_path_factory):
    with running(request.param, tmp_path_factory.mktemp("nginx")) as site:
        yield site


@pytest.fixture
def site(shared_site):
    """A site for all tests; leave its servers alive."""
    yield shared_site
    for server in shared_site.servers:
        server.start_over()


@pytest.fixture
def mortal_site(tmp_path):
    """A site for this test alone, which may end its servers. nginx is the same in front of either kind."""
    with running("gunicorn", tmp_path) as site:
        yield site


def configuration(folder, port, servers):
    """The site with the ports of this test."""
    block = SITE.read_text("utf-8")
    for written, real in zip(("8000", "8001"), servers, strict=True):
        assert f"server 127.0.0.1:{written};" in block
        block = block.replace(f"127.0.0.1:{written};", f"127.0.0.1:{real.port};")
    assert "listen 8080;" in block
    block = block.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    return WRAPPER.format(folder=folder, site=block)


def running_nginx(config):
    if not NGINX.exists():
        raise RuntimeError(f"no {NGINX}: apt-get install nginx-light")
    return ServerProcess([str(NGINX), "-p", str(config.parent), "-c", str(config)])


def wait_until_accepted(port):
    for _ in range(int(MAX_WAIT / 0.05)):
        try:
            socket.create_connection(("127.0.0.1", port), MAX_WAIT).close()
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
        else:
            return
    raise TimeoutError("nginx does not listen")


def test_a_token_passes_nginx_before_the_next_one_exists(site):
    gate = threading.Event()
    site.on("/api/chat", says("Good", " morning", gate=gate))

    with site.client.stream("POST", "/inference/stream", json=ASK) as response:
        events = Events(response)
        first = events.next()
        gate.set()
        events.rest()

    assert first["token"] == "Good"
    assert events.text() == "Good morning"
    assert events.seen[-1]["done"] is True


def test_a_cut_stream_is_seen_as_broken_through_nginx(site):
    site.on("/api/chat", stream(NDJSON, OLLAMA.token("Good"), RUNNER_DIED))

    with site.client.stream("POST", "/inference/stream", json=ASK) as response:
        events = Events(response)
        with pytest.raises(httpx.RemoteProtocolError):
            events.rest()

    assert events.seen[-1]["error"]["code"] == "stream_interrupted"


def test_a_client_that_leaves_is_gone_for_the_upstream_through_nginx(site):
    left, over = threading.Event(), threading.Event()

    site.on("/api/chat", talks_until_hangup(left, over))

    with site.client.stream("POST", "/inference/stream", json=ASK) as response:
        Events(response).next()
    left.set()

    assert over.wait(MAX_WAIT)


def test_a_server_that_is_killed_costs_only_its_own_streams(mortal_site):
    killed, other = mortal_site.servers
    gate = threading.Event()
    mortal_site.on("/api/chat", says("Good", " morning", gate=gate))

    with ExitStack() as stack:
        streams = {
            server: stack.enter_context(a_stream_of(mortal_site, server))
            for server in mortal_site.servers
        }
        os.killpg(killed.process.pid, signal.SIGKILL)
        killed.wait_until_refused()
        with pytest.raises(httpx.RemoteProtocolError):
            streams[killed].rest()
        mortal_site.on("/api/chat", says("Good", " morning"))
        answers = [mortal_site.client.post("/inference", json=ASK) for _ in range(6)]
        gate.set()
        streams[other].rest()

    assert streams[killed].text() == "Good"
    assert streams[other].text() == "Good morning"
    assert streams[other].seen[-1]["done"] is True
    assert [answer.status_code for answer in answers] == [200] * 6


@contextmanager
def a_stream_of(site, server):
    """A stream of this server, after its first token. nginx takes turns, so it may take several requests to get one."""
    with ExitStack() as stack:
        for _ in range(10):
            asked = len(server.ollama.requests)
            sent = site.client.stream("POST", "/inference/stream", json=ASK)
            events = Events(stack.enter_context(sent))
            events.next()
            if len(server.ollama.requests) > asked:
                yield events
                return
    raise TimeoutError("nginx asks the other one only")


def test_slow_senders_wait_in_nginx_and_take_no_thread(site):
    more_than_threads = 150
    host, port = site.url.removeprefix("http://").split(":")
    slow = http_request("/inference", json.dumps(ASK).encode())[:-1]

    with ExitStack() as stack:
        for _ in range(more_than_threads):
            client = socket.create_connection((host, int(port)), MAX_WAIT)
            stack.enter_context(client).sendall(slow)
        answer = site.client.post("/inference", json=ASK)
        client.sendall(b"}")
        late = client.recv(12)

    assert answer.status_code == 200
    assert late == b"HTTP/1.1 200"


def test_errors_pass_nginx_with_their_envelope(site):
    headers = {"X-Request-Id": "an-id-of-the-client"}
    headers |= {"Content-Type": "application/json"}
    too_large = json.dumps(ASK).ljust(8 * 1024 * 1024 + 1)

    answers = [
        site.client.post("/inference", content="{}", headers=headers),
        site.client.post("/inference", content=too_large, headers=headers),
        site.client.get("/no-such-path", headers=headers),
    ]

    assert [answer.status_code for answer in answers] == [400, 413, 404]
    ids = {answer.json()["request_id"] for answer in answers}
    assert ids == {"an-id-of-the-client"}


def test_errors_of_nginx_itself_have_an_envelope_too(mortal_site):
    headers = {"X-Request-Id": "an-id/of=the:client", "Accept": "text/html"}
    too_large = mortal_site.client.post("/inference", content=b" " * 9_500_000)
    for server in mortal_site.servers:
        server.process.terminate()
        server.process.wait()

    no_server = mortal_site.client.get("/inference/health", headers=headers)
    quoted = mortal_site.client.get("/inference/health", headers={"X-Request-Id": '"'})

    assert [too_large.status_code, no_server.status_code] == [413, 502]
    assert no_server.json()["request_id"] == headers["X-Request-Id"]
    for answer in (too_large, no_server, quoted):
        envelope = answer.json()
        assert envelope["status_code"] == answer.status_code
        assert envelope["request_id"] == answer.headers["X-Request-Id"]
        assert set(envelope) == {*BadRequest("").envelope(), "request_id"}
        assert answer.headers["Content-Type"] == "application/json"
