"""Run by test_killed.py in a process of its own: forks whole runs of the tiny experiment, and ends them early.

`python killed_runs.py MODE FOLDER BASE COUNT`: models and data lie in FOLDER, everything else goes below BASE. To fork
is cheap because this process imports everything once. It computes nothing: after training, its forks could not train.
"""

import importlib
import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path

import tiny_run

from outgrow.store import Store

SMALL = {
    "seeds": [0],
    "methods": ["naive", {"name": "uncertainty_filtering", "keep": 0.5}, "strong_ceiling"],
    "primary": None,
    "evaluation": {"checkpoints": True},
}


def fork(action, log):
    """A child that does something, and leaves its words and its traceback in `log`."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with log.open("a") as file:
                os.dup2(file.fileno(), 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            action()
            code = 0
        except KeyboardInterrupt:
            code = 130
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(n):
    """Kill this process when it is about to make its n-th call that touches the store's files."""
    count = 0

    def hook(event, args):
        nonlocal count
        if event in ("os.link", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and "store-" in str(args):
            count += 1
            if count == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


class Runs:
    """Runs of the experiment below `base`, compared to an undisturbed one."""

    def __init__(self, folder, base):
        self.folder, self.base, self.log = folder, base, base / "log.txt"
        modules = base / "modules.json"

        def look():
            self.run("first")
            modules.write_text(json.dumps(sorted(sys.modules)))

        assert wait(fork(look, self.log)) == 0, self.log.read_text()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in json.loads(modules.read_text()):
                with suppress(Exception):
                    importlib.import_module(name)
        begun = time.monotonic()
        assert wait(fork(lambda: self.run("second"), self.log)) == 0, self.log.read_text()
        self.seconds = time.monotonic() - begun
        self.expected = self.bytes_of("first")
        assert self.bytes_of("second") == self.expected

    def run(self, name, *, out=None):
        tiny_run.run(self.folder, self.base / f"store-{name}", self.base / (out or name), **SMALL)

    def bytes_of(self, name):
        return {file: (self.base / name / file).read_bytes() for file in ("results.json", "answers.parquet")}

    def check(self, name, *, out=None):
        """An undisturbed run ends with the expected bytes and leaves no work behind; every result is sound."""
        assert wait(fork(lambda: self.run(name, out=out), self.log)) == 0, self.log.read_text()[-3000:]
        assert self.bytes_of(out or name) == self.expected
        store = Store(self.base / f"store-{name}", unsealed=True)
        keys = [manifest["key"] for manifest in store.steps()]
        assert all(store.open(key) for key in keys)
        assert {path.name for path in store.path.iterdir()} == {*keys, "work"}  # nothing in quarantine
        assert not list((store.path / "work").glob("*/*"))


def kills(runs, count):
    """SIGKILL at random moments, and before random calls that touch the store, until `count` runs were killed."""
    chance = random.Random(3)
    done, histories = 0, 0
    while done < count:
        histories += 1
        name = f"kill-{histories}"
        code = None
        while code != 0 and done < count:
            if chance.random() < 0.5:
                n = chance.randrange(1, 60)
                code = wait(fork(lambda n=n, name=name: (die_at(n), runs.run(name)), runs.log))
            else:
                pid = fork(lambda name=name: runs.run(name), runs.log)
                time.sleep(chance.uniform(0, runs.seconds / 2))
                os.kill(pid, signal.SIGKILL)
                code = wait(pid)
            assert code in (0, -signal.SIGKILL), runs.log.read_text()[-3000:]
            done += code != 0
        runs.check(name)
    return {"kills": done, "histories": histories}


def interrupts(runs, count):
    """SIGINT at random moments."""
    chance = random.Random(4)
    done, histories = 0, 0
    while done < count:
        histories += 1
        name = f"int-{histories}"
        code = None
        while code != 0 and done < count:
            pid = fork(lambda name=name: runs.run(name), runs.log)
            time.sleep(chance.uniform(0.05, runs.seconds / 2))
            os.kill(pid, signal.SIGINT)
            code = wait(pid)
            assert code in (0, 130, -signal.SIGINT), runs.log.read_text()[-3000:]
            done += code != 0
        runs.check(name)
    return {"interrupts": done, "histories": histories}


def two(runs, count):
    """Two runs on one store at a time, each killed at random moments and begun again."""
    chance = random.Random(5)
    done, histories = 0, 0
    while done < count:
        histories += 1
        name = f"two-{histories}"
        ended = {}
        while len(ended) < 2 and done < count:
            pids = {side: fork(lambda s=side, n=name: runs.run(n, out=f"{n}-{s}"), runs.log) for side in "ab"}
            time.sleep(chance.uniform(0, runs.seconds))
            for side, pid in pids.items():
                os.kill(pid, signal.SIGKILL)
                code = wait(pid)
                assert code in (0, -signal.SIGKILL), runs.log.read_text()[-3000:]
                done += code != 0
                if code == 0:
                    ended[side] = True
        for side in "ab":
            runs.check(name, out=f"{name}-{side}")
    return {"kills": done, "histories": histories}


def clock(runs, count):
    """The clock goes back by a day in the middle of a run, and files seem to come from the future."""
    now = time.time
    for number in range(count):
        calls = iter(range(10**9))
        name = f"clock-{number}"

        def back(calls=calls, number=number):
            return now() - (86_400 if next(calls) > 20 * number else 0)

        def doomed(name=name, back=back):
            time.time = back
            runs.run(name)

        pid = fork(doomed, runs.log)
        time.sleep(runs.seconds / 2)
        os.kill(pid, signal.SIGKILL)
        assert wait(pid) in (0, -signal.SIGKILL)
        for path in (runs.base / f"store-{name}").rglob("*"):
            os.utime(path, (now() + 86_400, now() + 86_400))
        runs.check(name)
    return {"runs": count}


def main():
    mode, folder, base, count = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "This process .* multi-threaded")  # of libraries that were only imported
    os.fsync = lambda handle: None  # a kill loses nothing that was written
    modes = {"kills": kills, "interrupts": interrupts, "two": two, "clock": clock}
    print(json.dumps(modes[mode](Runs(folder, base), count)))


if __name__ == "__main__":
    main()
