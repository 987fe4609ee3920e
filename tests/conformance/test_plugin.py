"""The plugin, which runs the checks in a user's own pytest."""

import pytest
from canned_server import EMBEDDINGS, canned

pytest_plugins = ["pytester"]

NO_USAGE = (200, "application/json", EMBEDDINGS.replace(b'"usage"', b'"used"'))


@pytest.fixture
def session(pytester, monkeypatch):
    """Runs a session of pytest with these options of the plugin; without `--octomil-` before each."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*options):
        given = [f"--octomil-{each}" for each in options]
        plugin = ["-p", "octomil_conformance.plugin", "--pyargs"]
        return pytester.runpytest_inprocess(
            *plugin, "octomil_conformance.checks", *given
        )

    return run


def test_each_check_is_a_test(session):
    with canned() as url:
        result = session(f"url={url}", "profile=stream@0", "profile=embed@0")

    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 36
    result.stdout.fnmatch_lines(["Conformant: 33 passed, 3 warned, in *"])


def test_a_broken_requirement_fails_its_test_with_what_was_got_and_wanted(session):
    with canned({"/api/v1/embeddings": NO_USAGE}) as url:
        result = session(f"url={url}", "profile=embed@0", "strict")

    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "*EMBED-06*usage is counted*",
            "got  (missing)",
            "want an integer prompt_tokens",
            "FAIL  EMBED-06 *",
        ]
    )


@pytest.mark.parametrize(
    "options, exit_code",
    [
        ([], pytest.ExitCode.INTERRUPTED),
        (["url=ftp://x"], pytest.ExitCode.USAGE_ERROR),
        (["url=http://x", "timeout-factor=0"], pytest.ExitCode.USAGE_ERROR),
        (["url=http://127.0.0.1:1"], 3),
    ],
)
def test_a_session_cannot_pass_without_having_run(options, exit_code, session):
    assert session(*options).ret == exit_code
