"""Run by test_store_s3.py in a process of its own: forks children that make one step on a store behind a URL.

`python store_url_processes.py MODE FOLDER URL`; the environment says how to reach the URL.
"""

import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import store_processes
from store_processes import wait

import outgrow.store.lease
from outgrow.store import Step, Store, environment

STEP = Step("parts", 1, {"parts": 4})
BASE, URL = Path(sys.argv[2]), sys.argv[3]


def maker(work):
    journal = work.journal("parts")
    for i in range(len(journal), 4):
        journal.append({"i": i})
    work.save_json(list(journal), "parts.json")


def fork(action, host=None):
    """A child; with `host`, one that seems to run elsewhere."""

    def elsewhere():
        os.environ["OUTGROW_CACHE"] = str(BASE / f"cache-{host or 'here'}")
        if host:
            outgrow.store.lease.host = lambda: host
        action()

    return store_processes.fork(elsewhere)


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def race():
    """Five processes, each with a cache of its own, want the same key."""

    def child(n):
        def racing(work):
            (BASE / f"run-{n}").touch()
            maker(work)

        artefact = Store(URL).make(STEP, racing)
        (BASE / f"result-{n}").write_text(f"{artefact.manifest['attempt']} {artefact.json('parts.json')[3]['i']}")

    pids = [fork(lambda n=n: child(n), f"host{n}") for n in range(5)]
    assert [wait(pid) for pid in pids] == [0] * 5
    return {
        "runs": len(list(BASE.glob("run-*"))),
        "results": sorted(path.read_text() for path in BASE.glob("result-*")),
    }


def killed(host, seconds):
    """An owner is killed in the middle of its work; another process goes on with what it has saved."""
    ready = BASE / "ready"

    def doomed(work):
        journal = work.journal("parts")
        journal.append({"i": 0})
        journal.append({"i": 1})
        ready.touch()
        while True:
            time.sleep(1)

    pid = fork(lambda: Store(URL, lease_seconds=seconds).make(STEP, doomed), host)
    until(ready.exists)
    if host:
        found = Store(URL)._place.objects
        until(lambda: any("/saved-" in name for name in found.sizes("work")))
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    assert wait(pid) == -signal.SIGKILL
    made = Store(URL, lease_seconds=600).make(STEP, maker)
    return {
        "seconds": time.monotonic() - begun,
        "resumed": made.manifest["resumed"],
        "parts": made.json("parts.json"),
    }


def suspended():
    """An owner is stopped longer than its lease, another takes over, then the first one wakes up."""
    ready, go = BASE / "ready", BASE / "go"

    def first(work):
        ready.touch()
        until(go.exists)
        work.save_json("late", "parts.json")  # no journal, no check: the commit itself has to notice

    pid = fork(lambda: Store(URL, lease_seconds=1.0).make(STEP, first), "elsewhere")
    until(ready.exists)
    os.kill(pid, signal.SIGSTOP)
    second = Store(URL, lease_seconds=1.0).make(STEP, maker)
    go.touch()
    os.kill(pid, signal.SIGCONT)
    return {"code": wait(pid), "parts": second.json("parts.json"), "attempt": second.manifest["attempt"]}


def main():
    warnings.simplefilter("error")  # a kill is no damage: nobody may be warned
    environment()  # looked up once here, not in every child
    mode = sys.argv[1]
    if mode == "race":
        outcome = race()
    elif mode == "killed-elsewhere":
        outcome = killed("elsewhere", 1.0)
    elif mode == "killed-here":
        outcome = killed(None, 600)
    else:
        outcome = suspended()
    print(json.dumps({**outcome, "objects": sorted(Store(URL)._place.objects.sizes())}))


if __name__ == "__main__":
    os.environ["OUTGROW_CACHE"] = str(BASE / "cache-here")
    main()
