"""Deadlines and durations on the monotonic clock."""

import pytest

from octomil_ref.clock import Deadline, stopwatch


def test_a_deadline_knows_the_seconds_left(clock):
    deadline = Deadline(30)

    clock.advance(10.5)
    assert deadline.remaining() == 19.5
    deadline.renew(3)
    assert deadline.remaining() == 3


@pytest.mark.parametrize("seconds, remaining", [(1, 1), (10, 10), (60, 20)])
def test_a_deadline_can_be_shortened_but_not_extended(clock, seconds, remaining):
    deadline = Deadline(30)

    clock.advance(10)
    deadline.shorten(seconds)

    assert deadline.remaining() == remaining


def test_a_stopwatch_returns_milliseconds_to_three_places_on_each_call(clock):
    elapsed_ms = stopwatch()

    clock.advance(0.5)
    first = elapsed_ms()
    clock.advance(0.0123456789)
    second = elapsed_ms()

    assert (first, second) == (500.0, 512.346)
