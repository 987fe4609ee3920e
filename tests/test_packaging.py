"""What a distribution contains, and the workflows that make one."""

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import octomil_conformance

import octomil_ref

ROOT = Path(__file__).parents[1]


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
    """Those of this project, and the example in the suite's README."""
    readme = (ROOT / "conformance" / "README.md").read_text("utf-8")
    [text] = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    example = tmp_path / "example.yml"
    example.write_text(text, "utf-8")
    files = [*ROOT.glob(".github/workflows/*"), example]
    schema = ["--builtin-schema", "vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, *files]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert len(files) > 1
    assert checked.returncode == 0, checked.stdout
