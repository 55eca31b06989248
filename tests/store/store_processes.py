"""Run by test_store_kill.py in a process of its own: forks children that make one step, and kills them.

Forking is cheap here because this process starts no thread and imports once. Nobody waits for the disk: what a
process has written before SIGKILL is in the system's memory, and only a loss of power would need more.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import pyarrow as pa

from outgrow.store import Step, Store, environment

STEP = Step("parts", 1, {"parts": 4})


def maker(work, pause=0.0):
    """Four parts, each journalled; a file written piece by piece; a table."""
    journal = work.journal("parts")
    for i in range(len(journal), 4):
        time.sleep(pause)
        journal.append({"i": i, "squares": [j * j for j in range(300 * i)], "x": 0.1 * i})
    with (work.out / "pieces.bin").open("wb") as file:
        for record in journal:
            file.write(bytes([record["i"]]) * 10_000)
            file.flush()
            time.sleep(pause)
    work.save_table(pa.table({"x": [record["x"] for record in journal]}))
    work.save_json([len(record["squares"]) for record in journal], "lengths.json")


def fork(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def wait(pid):
    """The exit status of a child; a negative signal number if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def look(store):
    """What a reader finds: None, or the bytes of every file."""
    artefact = store.get(STEP)
    return None if artefact is None else {name: artefact.path(name).read_bytes() for name in artefact.files}


def expect_result(root, expected):
    """An undisturbed run ends with the expected bytes and leaves nothing else behind."""
    assert wait(fork(lambda: Store(root).make(STEP, maker))) == 0
    assert look(Store(root)) == expected
    assert sorted(path.name for path in root.iterdir()) == sorted([STEP.key, "work"]), list(root.iterdir())
    assert list((root / "work").iterdir()) == [], list((root / "work").rglob("*"))
    assert sorted(path.name.split("-")[0] for path in (root / STEP.key).iterdir()) == ["attempt", "manifest.json"]


def die_at(n):
    """Kill this process when it is about to make its n-th call that touches the store's files."""
    count = 0

    def step():
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, args):
        if event in ("open", "os.link", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate") and any(
            "store-" in os.fsdecode(arg) for arg in args if isinstance(arg, str | os.PathLike)
        ):
            step()

    sys.addaudithook(hook)
    os.fsync = lambda handle: step()


def every_point(base, expected):
    """SIGKILL before the n-th call that touches the store, for every n; then again, at two places in one history."""
    n, committed, resumed = 0, 0, 0
    while True:
        n += 1
        root = base / f"store-{n}"

        def doomed(n=n, root=root):
            die_at(n)
            Store(root).make(STEP, maker)

        code = wait(fork(doomed))
        found = look(Store(root))
        assert found in (None, expected), f"half a result is visible after dying at call {n}"
        committed += found is not None
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        resumed += (root / "work" / STEP.key / "parts.jsonl").exists()
        if n % 5 == 0:  # dies while it takes up what the first one left
            wait(fork(lambda root=root: (die_at(12), Store(root).make(STEP, maker))))
            assert look(Store(root)) in (None, expected)
        expect_result(root, expected)
    return {"points": n - 1, "committed": committed, "resumed": resumed}


def random_moments(base, expected, kills):
    """SIGKILL at random moments, on one store, until a child gets through; a reader looks all the time."""
    chance = random.Random(5)
    begun = time.monotonic()
    wait(fork(lambda: Store(base / "store-timed").make(STEP, lambda work: maker(work, pause=0.005))))
    undisturbed = time.monotonic() - begun
    done, histories, looks = 0, 0, 0
    while done < kills:
        histories += 1
        root = base / f"store-random-{histories}"
        while True:
            pid = fork(lambda root=root: Store(root).make(STEP, lambda work: maker(work, pause=0.005)))
            end = time.monotonic() + chance.uniform(0.0, 1.2 * undisturbed)
            while True:
                assert look(Store(root)) in (None, expected)
                looks += 1
                if time.monotonic() > end:
                    break
                time.sleep(0.001)
            os.kill(pid, signal.SIGKILL)
            code = wait(pid)
            assert code in (0, -signal.SIGKILL), code
            done += code != 0
            if look(Store(root)) is not None or done >= kills:
                break
        expect_result(root, expected)
    return {"kills": done, "histories": histories, "looks": looks}


def race(base, n):
    """n processes want the same key at the same moment."""
    root = base / "store-race"
    start = time.time() + 0.2

    def racing(work):
        with (base / "runs").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.1)
        maker(work)

    def child():
        time.sleep(max(0.0, start - time.time()))
        artefact = Store(root).make(STEP, racing)
        with (base / "results").open("a") as file:
            file.write(f"{artefact.manifest['attempt']} {len(artefact.table())}\n")

    assert [wait(pid) for pid in [fork(child) for _ in range(n)]] == [0] * n
    return {
        "runs": len((base / "runs").read_text().splitlines()),
        "results": (base / "results").read_text().splitlines(),
        "attempts": [path.name for path in (root / STEP.key).glob("attempt-*")],
    }


def suspended(base, expected):
    """A process is stopped longer than its lease, another takes over, then the first one wakes up."""
    root = base / "store-suspended"
    ready, go = base / "ready", base / "go"

    def first(work):
        work.journal("parts").append({"i": 0, "squares": [], "x": 0.0})
        ready.touch()
        while not go.exists():
            time.sleep(0.005)
        maker(work)

    pid = fork(lambda: Store(root, lease_seconds=0.3).make(STEP, first))
    while not ready.exists():
        time.sleep(0.005)
    os.kill(pid, signal.SIGSTOP)
    second = Store(root, lease_seconds=0.3).make(STEP, maker)
    result = look(Store(root))
    go.touch()
    os.kill(pid, signal.SIGCONT)
    code = wait(pid)
    attempts = [path.name for path in (root / STEP.key).glob("attempt-*")]
    return {
        "code": code,
        "same": result == look(Store(root)) == expected,
        "attempts": attempts == [second.folder.name],
        "resumed": second.manifest["resumed"],
        "work": [str(path) for path in (root / "work").rglob("*")],
    }


def main():
    warnings.simplefilter("error")  # a kill is no damage: nobody may be warned
    os.fsync = lambda handle: None
    environment()  # looked up once here, not in every child
    pa.table({"x": [0.0]})  # imports pandas where it is installed
    mode, base = sys.argv[1], Path(sys.argv[2])
    undisturbed = base / "store-undisturbed"
    assert wait(fork(lambda: Store(undisturbed).make(STEP, maker))) == 0
    expected = look(Store(undisturbed))
    if mode == "every_point":
        outcome = every_point(base, expected)
    elif mode == "random":
        outcome = random_moments(base, expected, kills=25)
    elif mode == "race":
        outcome = race(base, 5)
    else:
        outcome = suspended(base, expected)
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
