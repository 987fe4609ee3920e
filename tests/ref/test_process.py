"""A serving process takes a core and settles its memory."""

import gc
import os

import pytest

from octomil_ref import process


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 6})


def test_the_core_with_the_fewest_others_is_free(cores):
    assert process.free_core([1, 4, 6, 6, 1]) == 4


def test_processes_that_know_nothing_of_each_other_begin_elsewhere(cores, monkeypatch):
    chosen = []

    for pid in (6, 7, 8):
        monkeypatch.setattr(os, "getpid", lambda pid=pid: pid)
        chosen.append(process.free_core())

    assert chosen == [1, 4, 6]


def test_a_system_that_knows_no_cores_has_none_free(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")

    assert process.free_core() is None


def test_a_process_stays_on_its_core(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda *args: asked.append(args))

    process.stay_on(3)
    process.stay_on(None)

    assert asked == [(0, {3})]


def test_memory_that_is_settled_is_not_collected_again():
    process.settle_memory()
    frozen = gc.get_freeze_count()
    gc.unfreeze()

    assert frozen > 10_000
