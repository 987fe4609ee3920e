"""Points and spans on the monotonic clock."""

import pytest
from builders import Clock

from octomil_ref import clock


@pytest.fixture
def time(monkeypatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(clock, "time", fake)
    return fake


def test_a_deadline_tells_the_seconds_that_are_left(time):
    deadline = clock.Deadline(30)

    time.advance(10.5)

    assert deadline.remaining() == 19.5


@pytest.mark.parametrize("late, remaining", [(0, 0), (0.5, -0.5)])
def test_nothing_remains_when_a_deadline_has_passed(time, late, remaining):
    deadline = clock.Deadline(2)

    time.advance(2 + late)

    assert deadline.remaining() == remaining


def test_a_deadline_that_is_renewed_counts_from_then_on(time):
    deadline = clock.Deadline(2)

    time.advance(5)
    deadline.renew(3)

    assert deadline.remaining() == 3


@pytest.mark.parametrize("seconds, remaining", [(1, 1), (10, 10), (60, 20)])
def test_a_deadline_can_be_brought_forward_but_not_put_off(time, seconds, remaining):
    deadline = clock.Deadline(30)

    time.advance(10)
    deadline.shorten(seconds)

    assert deadline.remaining() == remaining


def test_a_stopwatch_tells_milliseconds_each_time_it_is_asked(time):
    elapsed_ms = clock.stopwatch()

    time.advance(0.5)
    first = elapsed_ms()
    time.advance(1.0)
    second = elapsed_ms()

    assert (first, second) == (500.0, 1500.0)


def test_a_stopwatch_rounds_to_microseconds(time):
    elapsed_ms = clock.stopwatch()

    time.advance(0.0123456789)

    assert elapsed_ms() == 12.346
