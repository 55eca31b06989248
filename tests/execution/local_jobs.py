"""Run by test_local.py in a process of its own: made-up jobs in real processes, which die, fail and hang.

`python local_jobs.py MODE FOLDER`. What a job does stands in its name. Its processes import this
file too, because the recipe holds something of it.
"""

import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import outgrow.execution.local
import outgrow.execution.outcome
from outgrow.core.errors import DataError
from outgrow.core.events import Event
from outgrow.core.progress import Progress
from outgrow.execution import Graph, run_jobs
from outgrow.execution.local import Processes
from outgrow.execution.overview import Overview
from outgrow.experiment.graph import Done, Job


def made_up(recipe, store, job, sink):
    """Instead of `carry_out`."""
    sink(Event("step", f"{job.label}: at work", 0, 1))
    attempts = recipe.folder / f"{job.arm}-{os.getpid()}"
    attempts.touch()
    if job.arm.startswith("dies"):
        so_far = len(list(recipe.folder.glob(f"{job.arm}-*")))
        if so_far <= int(job.arm.removeprefix("dies")):
            os.kill(os.getpid(), signal.SIGKILL)
    if job.arm == "fails":
        raise DataError("words.csv, line 3: no label")
    if job.arm == "exits":
        os._exit(3)
    if job.arm == "hangs":
        time.sleep(600)
    return Done(job, notes=(os.environ["OMP_NUM_THREADS"], os.environ["MALLOC_TOP_PAD_"]))


outgrow.execution.outcome.carry_out = made_up
outgrow.execution.local.look_up = lambda *_: None  # nothing of it is in a store


def main(mode, folder):
    arms = {"mixed": ["fine", "dies2", "dies9", "fails", "exits", "fine too"], "hang": ["hangs", "hangs"]}[mode]
    jobs = [Job(seed, arm) for seed, arm in enumerate(arms)]
    after = Job(9, "fine")
    graph = Graph({**dict.fromkeys(jobs, ()), after: (jobs[-1],)})
    recipe = SimpleNamespace(threads=1, folder=folder, made_up=made_up)
    with Processes(recipe, str(folder / "store"), 2) as processes:
        found = run_jobs(graph, processes, Overview(graph, Progress(io.StringIO(), live=False)))
    print(
        json.dumps(
            {
                "done": sorted(item.job.label for item, _ in found),
                "notes": [item.notes for item, _ in found],
                "failures": [[failure.job, failure.error, failure.message] for failure in graph.failures],
                "attempts": {arm: len(list(folder.glob(f"{arm}-*"))) for arm in ("dies2", "dies9", "fails")},
            }
        )
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in background
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(130)
