"""What a distribution contains, and the workflows that make one."""

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import octomil_conformance
import pytest

import octomil_ref

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*"))


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


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_the_workflows_match_githubs_schema(file):
    schema = ["--builtin-schema", "vendor.github-workflows"]
    command = [sys.executable, "-m", "check_jsonschema", *schema, file]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout
