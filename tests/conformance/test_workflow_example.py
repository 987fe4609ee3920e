"""The workflow for GitHub Actions in the suite's README: GitHub's schema accepts it, and its commands exist."""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path

from octomil_conformance.commands import COMMANDS
from ruamel.yaml import YAML

README = Path(__file__).parents[2] / "conformance" / "README.md"
[TEXT] = re.findall(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
*_, JUDGING, KEEPING = YAML(typ="safe").load(TEXT)["jobs"]["server"]["steps"]


def test_it_is_a_workflow(tmp_path):
    file = tmp_path / "workflow.yml"
    file.write_text(TEXT, "utf-8")
    schema = ["--builtin-schema", "vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, file]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout


def test_the_command_that_judges_exists():
    parser = argparse.ArgumentParser()
    COMMANDS[0].add_options(parser)

    given = parser.parse_args(shlex.split(JUDGING["run"])[1:])

    assert given.profiles == ["stream@1", "embed@1"]
    assert str(given.markdown) == "$GITHUB_STEP_SUMMARY"


def test_its_exit_code_decides_and_the_reports_are_kept_in_both_cases():
    assert "continue-on-error" not in JUDGING
    assert not re.search(r"\|\||;|&", JUDGING["run"])
    assert KEEPING["if"] == "always()"
    for name in ("junit.xml", "report.html", "report.json"):
        assert f" {KEEPING['with']['path']}{name}" in JUDGING["run"]
