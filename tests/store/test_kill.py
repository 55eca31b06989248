"""Processes that are killed, raced and suspended: the bytes are those of an undisturbed run, and never half there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and POSIX signals")


def run(mode, folder):
    script = Path(__file__).with_name("store_processes.py")
    command = [sys.executable, str(script), mode, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_sigkill_before_any_call_that_touches_the_store_leaves_nothing_half_written(tmp_path):
    outcome = run("every_point", tmp_path)
    assert outcome["points"] > 40  # lease, journal, files, manifest, sweeping: each call was a place to die
    assert outcome["resumed"] > 10  # of these, after the journal was begun
    assert outcome["committed"] > 3  # and after the commit


def test_sigkill_at_random_moments_ends_with_the_bytes_of_an_undisturbed_run(tmp_path):
    outcome = run("random", tmp_path)
    assert outcome["kills"] == 25
    assert outcome["looks"] >= 25


def test_processes_that_race_for_one_key_commit_one_result(tmp_path):
    outcome = run("race", tmp_path)
    assert outcome["runs"] == 1
    assert len(outcome["attempts"]) == 1
    assert outcome["results"] == [f"{outcome['attempts'][0]} 4"] * 5


def test_a_suspended_process_is_replaced_and_returns_the_others_result_when_it_wakes(tmp_path):
    outcome = run("suspended", tmp_path)
    assert outcome == {"code": 0, "same": True, "attempts": True, "resumed": True, "work": []}
