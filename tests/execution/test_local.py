"""Jobs in processes of this machine: death, failure, Ctrl-C."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from outgrow.core.errors import ConfigError, Failure
from outgrow.execution import failures, local
from outgrow.execution.job_graph import Graph
from outgrow.execution.outcome import Finished
from outgrow.experiment.graph import Done, Job
from outgrow.recipe.recipe import load_recipe

SCRIPT = Path(__file__).with_name("local_jobs.py")


def test_a_process_that_dies_costs_nobody_else_anything(tmp_path):
    command = [sys.executable, str(SCRIPT), "mixed", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["done"] == ["seed 0: fine", "seed 1: dies2", "seed 5: fine too", "seed 9: fine"]
    assert found["attempts"] == {"dies2": 3, "dies9": 3, "fails": 1}
    again = "tried 3 times. A process that is killed often needs more memory"
    assert sorted(found["failures"]) == [
        ["seed 2: dies9", "WorkerDied", f"its process was ended by SIGKILL; {again}"],
        ["seed 3: fails", "DataError", "words.csv, line 3: no label"],
        ["seed 4: exits", "WorkerDied", f"its process ended with status 3; {again}"],
    ]
    assert found["notes"] == [["1", local.MALLOC["MALLOC_TOP_PAD_"]]] * 4  # set before the process began


UNGUARDED = """
from types import SimpleNamespace
from outgrow.execution.local import Processes
from outgrow.execution.outcome import Finished
from outgrow.experiment.graph import Done, Job
from outgrow.recipe.recipe import load_recipe

print("begun", flush=True)
with Processes(SimpleNamespace(threads=1), "store", 1) as processes:
    processes.begin(Job(0, "naive"), wait=False)
    news = []
    while len(news) < 2:
        news += processes.news(10.0)
print([type(each).__name__ for each in news])
"""


def test_a_script_without_a_guard_is_not_run_again_by_its_processes(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    ended = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["begun", "['Told', 'Failed']"]  # there is no such recipe


def test_jobs_that_are_in_the_store_need_no_process(monkeypatch, tmp_path):
    """Until something has to be made; from then on every job is a process's."""
    looked_for = []

    def look_up(recipe, store, job):
        looked_for.append(job.seed)
        return Finished(job, Done(job), 0.5) if job.seed != 2 else None

    monkeypatch.setattr(local, "look_up", look_up)
    with local.Processes(load_recipe(), str(tmp_path), 2) as processes:
        monkeypatch.setattr(processes, "_start", lambda place: processes._workers.__setitem__(place, worker) or worker)
        here, there = multiprocessing.Pipe()
        worker = local._Worker(SimpleNamespace(kill=here.close, join=int, close=int), here)
        for seed in (0, 1):
            processes.begin(Job(seed, "naive"), wait=False)
        assert processes._workers == [None, None]
        news = list(processes.news(0.0))
        assert [type(each).__name__ for each in news] == ["Told", "Finished", "Told", "Finished"]
        assert [each.job.seed for each in news] == [0, 0, 1, 1]
        for seed in (2, 3):
            processes.begin(Job(seed, "naive"), wait=True)
            assert there.recv() == (Job(seed, "naive"), True)
            there.send(Finished(worker.job, Done(worker.job), 1.0))
            assert [each.job.seed for each in processes.news(1.0)] == [seed]
    assert looked_for == [0, 1, 2]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Unreadable:
    """What a recipe is whose plugin fails in the worker."""

    def __reduce__(self):
        return fail, ()


def fail():
    raise ConfigError("plugin 'mine.py' cannot be loaded: OSError: no disk")


def test_a_recipe_that_a_worker_cannot_read_fails_its_jobs_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(local.signal, "signal", lambda *_: None)
    monkeypatch.setattr(local, "_follow_parent", lambda: None)
    here, there = multiprocessing.Pipe()
    worker = threading.Thread(target=local._work, args=(there, pickle.dumps(Unreadable()), str(tmp_path)))
    worker.start()
    for seed in (0, 1):
        here.send((Job(seed, "naive"), True))
        assert here.recv() == local.Told(Job(seed, "naive"))
        failed = here.recv()
        assert (failed.job, failed.failure.error) == (Job(seed, "naive"), "ConfigError")
        assert failed.failure.message == "plugin 'mine.py' cannot be loaded: OSError: no disk"
    here.close()
    worker.join(10)
    assert not worker.is_alive()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_or_a_kill_leaves_no_process(tmp_path, how):
    """Ctrl-C reaches the whole group, as a terminal sends it; SIGKILL the run alone."""
    command = [sys.executable, str(SCRIPT), "hang", str(tmp_path)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    run = subprocess.Popen(command, start_new_session=True, **pipes)
    deadline = time.monotonic() + 300
    while len(workers := [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("hangs-*")]) < 2:
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(run.pid, how)
    else:
        run.send_signal(how)
    _, said = run.communicate(timeout=120)
    assert run.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in said
    while how == signal.SIGKILL and any(map(alive, workers)):  # they notice by themselves
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not any(map(alive, workers))


def test_failures_that_say_the_same_are_told_once(tmp_path):
    jobs = [Job(seed, "naive") for seed in range(7)]
    graph = Graph({**dict.fromkeys(jobs, ()), Job(9, "vote"): (jobs[0],)})
    for job in jobs:
        graph.fail(job, Failure(job.label, "PrerequisiteError", "no server at http://x", "Traceback ...", 2))
    error = failures.write(tmp_path / "out", graph)
    names = ", ".join(f"seed {seed}: naive" for seed in range(5))
    assert str(error).splitlines() == [
        "7 of 8 jobs failed",
        f"  {names} and 2 more: PrerequisiteError: no server at http://x",
        "not begun, because they need a job that failed: 1",
        f"where each came from: {tmp_path / 'out' / 'failures.json'}",
        "what was made is in the store: the same command does the rest",
    ]
    assert error.exit_code == 2
    told = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert told["not_begun"] == ["seed 9: vote"]
    assert told["failures"][0]["traceback"] == "Traceback ..."


def test_one_failure_that_is_not_the_users_makes_the_exit_status_1(tmp_path):
    jobs = [Job(seed, "naive") for seed in range(2)]
    graph = Graph(dict.fromkeys(jobs, ()))
    graph.fail(jobs[0], Failure("a", "DataError", "x", "", 2))
    graph.fail(jobs[1], Failure("b", "TrainingError", "y", "", 1))
    assert failures.write(tmp_path, graph).exit_code == 1


def test_cards_are_named_as_the_environment_names_them(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert local.cards() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, 5")
    assert local.cards() == ["GPU-a", "5"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert local.cards() == []
