"""What the command prints about a run: findings, notes, and how to repeat a request."""

from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.config import Config, base_url
from octomil_conformance.report.console import lines
from octomil_conformance.runner import judge
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, served
from runs import exchange, run_of, verdict

TOKEN = "token"


def judged(mutant, claims, *only):
    """A run of some requirements against a mutant."""
    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout=0.5) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url, 0.5)
        with serving(served(upstreams, TOKEN, all_mutants()[mutant])) as url:
            config = Config(base_url(url), claims, TOKEN, backend_timeout=0.5)
            return judge(config, only=only, backend=backend)


def test_the_last_response_that_matches_no_schema_is_shown():
    run = judged("data_is_missing", {"embed": 1}, "EMBED-14", "HTTP-25")

    rejection, schema = run.verdicts
    assert (rejection.outcome, schema.outcome) == ("pass", "fail")
    assert [each.status for each in rejection.exchanges] == [200, 400]
    assert [each.status for each in schema.exchanges][-1] == 200


def test_requests_to_unknown_paths_of_an_upstream_are_reported():
    probes = {"ollama": "/api/foo", "openai": "/models"}
    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout=0.5) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url, 0.5, probes)
        with serving(served(upstreams)) as url:
            config = Config(base_url(url), {"health": 2}, backend_timeout=0.5)
            run = judge(config, only=["HEALTH-07"], backend=backend)

    words = "the server called GET /api/foo, which the scripted backend does not have"
    assert words in lines(run)


def test_the_report_says_what_each_upstream_plays():
    run = judged("no_fallback_on_redirects", {"embed": 2}, "FALLBACK-05")

    said = "\n".join(lines(run))
    assert (
        "plays   ollama: 302: a redirect to its root, like one to a login page.\n"
        in said
    )
    assert f"{'':14}openai: The prompt, word by word; " in said


def test_a_plain_request_that_fails_is_named_with_its_message():
    claims = {"infer": 2, "embed": 2}
    run = judged("messages_are_refused", claims, "INFER-01", "EMBED-21")

    said = "\n".join(lines(run))
    assert "a plain request to infer gets 400 {" in said
    assert "a plain request to embed gets" not in said
    assert '      seen    400 "' in said


def test_a_server_that_ends_during_the_run_is_named():
    broken = exchange(
        status=0, problem="the connection was closed before the status line"
    )
    gone = exchange(status=0, problem="ConnectionRefusedError: [Errno 111]")
    run = run_of(verdict(exchanges=(broken,)), *[verdict(exchanges=(gone,))] * 2)

    [note] = run.notes()
    assert note.startswith("the server was not there in 2 checks: it ended during")
    assert note.endswith(": STREAM-05 (every event ends with a blank line)")


def test_cases_of_a_check_that_got_the_same_share_a_line():
    run = run_of(
        *(verdict(check=f"a check ({each})") for each in ("one", "two", "three")),
        verdict(check="a check (four)", got="more"),
        verdict(check="another check"),
    )

    assert [each for each in lines(run) if each.startswith("      also")] == [
        "      also    stream: a check (two, three)",
        "      also    stream: another check",
        "      also    stream: a check (four): got more",
    ]


def test_a_request_in_chunks_is_repeated_by_curl_which_makes_them():
    run = judged("chunks_are_not_read", {"embed": 1}, "HTTP-23")

    [command] = [each for each in lines(run) if "repro" in each]
    body = '{"model_id": "conf-echo", "input": "Name a fruit."}'
    assert command.endswith(f"-H 'Transfer-Encoding: chunked' -d '{body}'")


def test_a_finding_says_which_upstreams_were_asked():
    run = judged("accepts_missing_vectors", {"embed": 2}, "EMBED-21[openai]")

    assert "      asked   ollama, openai" in lines(run)


def test_a_request_that_needs_the_scripted_backend_says_so():
    run = judged("buffers_stream", {"stream": 2}, "STREAM-20")

    said = "\n".join(lines(run))
    assert f"curl -N -X POST {run.config.url}/inference/stream" in said
    assert "# needs octomil-conformance backend behind the server; the suite's" in said
