"""What a scenario is."""

from collections.abc import Callable
from dataclasses import dataclass

from octomil_conformance.backend.reply import Reply
from octomil_conformance.backend.stage import Pace

Act = Callable[[Reply, Pace], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    sentence: str
    act: Act
