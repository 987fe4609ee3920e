"""What a distribution contains, and the workflows that make one."""

import argparse
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import octomil_conformance
from octomil_conformance.commands import COMMANDS
from ruamel.yaml import YAML

import octomil_ref

ROOT = Path(__file__).parents[1]
SUITES_README = ROOT.joinpath("conformance", "README.md").read_text("utf-8")
[EXAMPLE] = re.findall(r"```yaml\n(.*?)```", SUITES_README, re.DOTALL)
"""The workflow for GitHub Actions in the suite's README."""


def test_every_package_is_in_the_wheel():
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = settings["options"]["packages"].split()

    assert sorted(listed) == sorted([*packages(ROOT), *packages(ROOT / "conformance")])


def packages(folder):
    """The dotted names of the projects' packages in a folder."""
    for file in folder.glob("octomil_*/**/__init__.py"):
        yield ".".join(file.parent.relative_to(folder).parts)


def test_the_suite_has_the_version_of_the_server():
    assert octomil_conformance.__version__ == octomil_ref.__version__


def test_the_workflows_match_githubs_schema(tmp_path):
    example = tmp_path / "example.yml"
    example.write_text(EXAMPLE, "utf-8")
    files = [*ROOT.glob(".github/workflows/*"), example]
    schema = ["--builtin-schema", "vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, *files]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert len(files) > 1
    assert checked.returncode == 0, checked.stdout


def test_the_example_judges_keeps_its_reports_and_lets_the_exit_code_decide():
    *_, judging, keeping = YAML(typ="safe").load(EXAMPLE)["jobs"]["server"]["steps"]
    parser = argparse.ArgumentParser()
    COMMANDS[0].add_options(parser)

    given = parser.parse_args(shlex.split(judging["run"])[1:])

    assert given.profiles == ["stream@1", "embed@1"]
    assert str(given.markdown) == "$GITHUB_STEP_SUMMARY"
    assert "continue-on-error" not in judging
    assert not re.search(r"\|\||;|&", judging["run"])
    assert keeping["if"] == "always()"
    for name in ("junit.xml", "report.html", "report.json"):
        assert f" {keeping['with']['path']}{name}" in judging["run"]
