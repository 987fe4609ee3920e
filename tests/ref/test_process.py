"""A serving process takes a core and settles its memory."""

import gc
import os

import pytest

from octomil_ref.servers import process


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 6})


def test_the_core_with_the_fewest_others_is_free(cores):
    assert process.free_core([1, 4, 6, 6, 1]) == 4


STAT = "77 (a) name) S 1 77 77 0" + " 9" * 31 + " %d 0 0\n"
"""As proc_pid_stat(5) has it; the core is its 39th field."""


def test_of_several_free_cores_it_is_the_one_on_which_the_process_runs(
    cores, monkeypatch, tmp_path
):
    monkeypatch.setattr(process, "STAT", tmp_path / "stat")
    process.STAT.write_text(STAT % 4)

    assert process.free_core() == 4
    assert process.free_core([1, 6, 4]) == 4
    assert process.free_core([1, 4]) == 6


@pytest.mark.parametrize("told", ["7", ""], ids=["another core", "nothing"])
def test_where_the_own_core_is_not_to_be_had_any_free_one_will_do(
    cores, monkeypatch, tmp_path, told
):
    monkeypatch.setattr(process, "STAT", tmp_path / "stat")
    if told:
        process.STAT.write_text(STAT % int(told))

    assert process.free_core() == 1


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
