"""What an installation holds: every package of this repository."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_in_the_wheel():
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    listed = settings["options"]["packages"].split()

    assert sorted(listed) == sorted([*packages(ROOT), *packages(ROOT / "conformance")])


def packages(folder):
    """Of the projects in a folder, with a dot before each part of their path but the first."""
    for file in folder.glob("octomil_*/**/__init__.py"):
        yield ".".join(file.parent.relative_to(folder).parts)
