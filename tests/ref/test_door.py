"""How many clients are let in, and the pause when descriptors run out."""

import errno
import resource
import sys

import pytest
from builders import Clock

from octomil_ref import clock
from octomil_ref.servers.door import Door, client_connections

ENDLESS = resource.RLIM_INFINITY


@pytest.fixture
def limits(monkeypatch):
    """A function that sets the limits which the system tells, and gives the list of those that were asked for."""

    def limits(soft: int, hard: int) -> list[tuple[int, int]]:
        asked: list[tuple[int, int]] = []
        monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda which, new: asked.append(new))
        return asked

    return limits


@pytest.mark.parametrize(
    ("soft", "hard", "raised_to"),
    [
        (1024, 20_000, [(2264, 20_000)]),
        (1024, ENDLESS, [(2264, ENDLESS)]),
        (ENDLESS, ENDLESS, []),
        (5000, 20_000, []),
    ],
)
def test_2000_are_let_in_where_the_system_allows_it(limits, soft, hard, raised_to):
    asked = limits(soft, hard)

    assert client_connections(100) == 2000
    assert asked == raised_to


def test_with_fewer_descriptors_those_for_the_upstreams_are_left_over(limits):
    asked = limits(512, 1024)

    assert client_connections(100) == 1024 - 264
    assert asked == [(1024, 1024)]


def test_with_very_few_half_are_for_clients(limits):
    limits(100, 100)

    assert client_connections(100) == 50


def test_a_system_without_limits_is_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(resource, "getrlimit")

    assert client_connections(100) == 2000


@pytest.fixture
def time(monkeypatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "time", fake)
    return fake


FULL = OSError(errno.EMFILE, "Too many open files")


def test_a_door_is_shut_for_a_second_after_a_failure(time):
    door = Door(list[str]().append)
    before = door.is_open()

    door.nobody_came(FULL)
    shut = door.is_open()
    time.advance(1)

    assert (before, shut, door.is_open()) == (True, False, True)


def test_it_complains_once_until_somebody_came():
    said: list[str] = []
    door = Door(said.append)

    door.nobody_came(FULL)
    door.nobody_came(FULL)
    once = len(said)
    door.somebody_came()
    door.nobody_came(FULL)

    assert (once, len(said)) == (1, 2)
    assert "Too many open files" in said[0]


def test_a_failure_of_another_kind_is_not_borne():
    with pytest.raises(OSError, match="Bad file"):
        Door(print).nobody_came(OSError(errno.EBADF, "Bad file descriptor"))
