"""The workflow for GitHub Actions that the suite's README shows: as GitHub's schema wants it, with commands that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from octomil_conformance import cli, run_cli
from ruamel.yaml import YAML

README = Path(__file__).parents[2] / "conformance" / "README.md"
[TEXT] = re.findall(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def checked(text, folder):
    """What GitHub's own schema, as check-jsonschema brings it, says of a workflow."""
    file = folder / "workflow.yml"
    file.write_text(text, "utf-8")
    schema = ["--builtin-schema", "vendor.github-workflows"]
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, file],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_is_a_workflow(tmp_path):
    said = checked(TEXT, tmp_path)

    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("right, wrong", [("runs-on:", "run-on:"), ("steps:", "step:"), ("uses: actions/checkout@v6", "use: actions/checkout@v6")])  # fmt: skip
def test_a_slip_in_it_would_be_found(right, wrong, tmp_path):
    assert right in TEXT

    assert checked(TEXT.replace(right, wrong), tmp_path).returncode == 1


def steps(job):
    return YAML(typ="safe").load(TEXT)["jobs"][job]["steps"]


def test_the_command_that_judges_is_one_that_the_suite_takes(monkeypatch):
    [command] = [
        each["run"] for each in steps("server") if each.get("name") == "Judge it"
    ]
    given = []
    monkeypatch.setattr(run_cli, "run", lambda options: given.append(options) or 0)

    assert cli.main(shlex.split(command)[1:]) == 0
    assert given[0].profiles == ["stream@1", "embed@1"]
    assert str(given[0].markdown) == "$GITHUB_STEP_SUMMARY"


def test_its_exit_code_is_the_gate_and_the_reports_are_kept_nevertheless():
    judging, keeping = steps("server")[-2:]

    assert "continue-on-error" not in judging
    assert not re.search(r"\|\||;|&", judging["run"])
    assert keeping["if"] == "always()"
    assert all(f" {keeping['with']['path']}{name}" in judging["run"] for name in ("junit.xml", "report.html", "report.json"))  # fmt: skip
