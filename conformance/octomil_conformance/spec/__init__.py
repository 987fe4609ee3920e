"""The spec as data. The sentences of requirements are in cloud-inference.md and nowhere else."""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent
PROSE = FOLDER / "cloud-inference.md"
VERSION = "1.1"

PROFILES = ("infer", "stream", "batch", "embed", "health", "auth")
LEVELS = ("wire", "server", "gateway")
ORIGINS = {
    "doc": "a published page says it",
    "sdk": "a published SDK needs it",
    "ours": "decided by this spec",
}

REQUIREMENT = re.compile(
    r"^\*\*\[(?P<id>[A-Z]+-\d\d)\]\*\* (?P<force>MUST|SHOULD) "
    r"\*\((?P<profiles>[a-z, ]+), level (?P<level>\d), (?P<provenance>doc|sdk|ours)\)\*: (?P<text>.+)$"
)


@dataclass(frozen=True)
class Requirement:
    id: str
    force: Literal["MUST", "SHOULD"]
    profiles: tuple[str, ...]
    level: int
    """0 wire, 1 server, 2 gateway."""
    provenance: Literal["doc", "sdk", "ours"]
    text: str
    breaks: str = ""
    """The client that breaks without it, and how."""
    untestable: str = ""
    """Why there is no check."""
    section: str = ""
    """Its heading."""

    @property
    def place(self) -> str:
        return f"{PROSE.name}#{self.id}"


@cache
def requirements() -> dict[str, Requirement]:
    """The requirements by id, in the order of the text."""
    return parse(PROSE.read_text("utf-8"))


def parse(prose: str) -> dict[str, Requirement]:
    found: dict[str, dict[str, Any]] = {}
    current: dict[str, Any] = {}
    section = ""
    for line in prose.splitlines():
        if match := REQUIREMENT.match(line):
            current = match.groupdict()
            current["level"] = int(current["level"])
            current["profiles"] = tuple(current["profiles"].split(", "))
            current["section"] = section
            if current["id"] in found:
                raise ValueError(f"{current['id']} is twice in the spec")
            found[current["id"]] = current
        elif line.startswith("**["):
            raise ValueError(f"not a requirement: {line}")
        elif line.startswith("## "):
            section = line.removeprefix("## ")
        else:
            key, colon, rest = line.removeprefix("> ").partition(": ")
            if colon and key in ("Breaks", "Untestable"):
                current[key.lower()] = rest
    return {name: Requirement(**fields) for name, fields in found.items()}


@cache
def highest_level(profile: str) -> int:
    """The highest level of the profile's requirements that have a check."""
    return max(
        each.level
        for each in requirements().values()
        if profile in each.profiles and not each.untestable
    )


@cache
def additions() -> dict[str, list[str]]:
    """The ids of the requirements that each version adds, by version in their order."""
    found = {}
    for path in sorted(FOLDER.glob("required-*.toml")):
        version = path.stem.removeprefix("required-")
        found[version] = tomllib.loads(path.read_text("utf-8"))["requirements"]
    return found


@cache
def ids_in(version: str) -> frozenset[str]:
    """The requirements of this version: those that it adds, and those of the versions before."""
    versions = [*additions()]
    before = versions[: versions.index(version) + 1]
    return frozenset(name for each in before for name in additions()[each])


@cache
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_bytes())
    return document
