"""How many requests may wait for a model at once."""

from contextlib import ExitStack

import pytest

from octomil_ref.admission import Admission
from octomil_ref.errors import Overloaded


def test_one_more_than_the_bound_is_told_to_come_again():
    admission = Admission(2)

    with (
        admission.place(),
        admission.place(),
        pytest.raises(Overloaded) as caught,
        admission.place(),
    ):
        pass

    assert caught.value.headers == {"Retry-After": "1"}


def test_a_place_is_free_again_when_its_request_has_ended():
    admission = Admission(1)

    for _ in range(3):
        with admission.place():
            pass


def test_a_place_is_free_again_when_its_request_has_failed():
    admission = Admission(1)

    with pytest.raises(ZeroDivisionError), admission.place():
        raise ZeroDivisionError

    with admission.place():
        pass


def test_a_request_that_was_turned_away_frees_no_place():
    admission = Admission(1)

    with admission.place():
        for _ in range(2):
            with pytest.raises(Overloaded), admission.place():
                pass


def test_without_a_bound_all_are_let_in():
    admission = Admission(None)

    with ExitStack() as held:
        for _ in range(100):
            held.enter_context(admission.place())
