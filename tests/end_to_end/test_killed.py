"""Whole runs that are killed, stopped, raced, or whose disk fills up: the bytes are those of an undisturbed run."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.core.errors import RunFailedError
from outgrow.store import Store

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("tiny_run", HERE / "tiny_run.py")
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)
pytestmark = pytest.mark.slow
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and POSIX signals")


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    """A folder with data and two models."""
    folder = tmp_path_factory.mktemp("experiment")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


@pytest.fixture
def end(here, tmp_path):
    def run(mode, count):
        command = [sys.executable, HERE / "killed_runs.py", mode, here, tmp_path, str(count)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@forks
def test_200_sigkills_spread_over_whole_runs_end_with_the_same_bytes(end):
    found = end("kills", 200)
    assert found["kills"] == 200
    assert found["histories"] > 5  # so that every part of a run was come by


@forks
def test_runs_stopped_by_ctrl_c_end_with_the_same_bytes(end):
    assert end("interrupts", 30)["interrupts"] == 30


@forks
def test_two_runs_on_one_store_with_kills_end_with_the_same_bytes(end):
    assert end("two", 30)["kills"] >= 30


@forks
def test_a_clock_that_is_set_back_changes_nothing(end):
    assert end("clock", 3) == {"runs": 3}


def results_of(folder):
    return (folder / "results.json").read_bytes()


def test_a_disk_that_is_full_for_a_whole_run_and_then_is_not(here, small_disk, tmp_path):
    undisturbed = results_of(tiny.run(here, tmp_path / "store", tmp_path / "out").folder)
    store = small_disk / "store"
    room = (
        r"no space left on the disk of .*nothing was committed|checkpoint .* cannot be written: .*; free space and run"
    )
    with pytest.raises(RunFailedError, match=f"StoreError: .*({room})"):  # whatever is written when it is full
        tiny.run(here, store, tmp_path / "full")
    assert not (tmp_path / "full" / "results.json").exists()
    opened = Store(store, unsealed=True)
    assert all(opened.open(manifest["key"]) for manifest in opened.steps())  # what is there is sound
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert results_of(tiny.run(here, store, tmp_path / "full").folder) == undisturbed
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert results_of(tiny.run(here, store, tmp_path / "again").folder) == undisturbed  # a read-only store is read
    with pytest.raises(RunFailedError, match=r"StoreError: the store .* cannot be written: .*Read-only file system"):
        tiny.run(here, store, tmp_path / "more", seeds=[5])
