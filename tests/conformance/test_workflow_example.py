"""The workflow for GitHub Actions in the suite's README: its commands exist. `test_packaging.py` checks it by GitHub's schema."""

import argparse
import re
import shlex
from pathlib import Path

from octomil_conformance.commands import COMMANDS
from ruamel.yaml import YAML

README = Path(__file__).parents[2] / "conformance" / "README.md"
[TEXT] = re.findall(r"```yaml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
*_, JUDGING, KEEPING = YAML(typ="safe").load(TEXT)["jobs"]["server"]["steps"]


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
