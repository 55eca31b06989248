"""Start-up: processor seconds of `outgrow --help` beside `trl --help` and `lm_eval --help`.

python benchmarks/startup.py [--quick]

Each command runs in a process of its own, in turns; user and system time of the process and its children count.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import harness
from harness import Contestant, Report

COMMANDS = ("outgrow", "trl", "lm_eval")


def processor_seconds(command: str) -> float:
    """Of `command --help`, installed beside this Python."""
    entry = Path(sys.executable).parent / command
    call = [sys.executable, "-m", "outgrow"] if command == "outgrow" else [str(entry)]
    process = subprocess.Popen([*call, "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} --help failed")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    options = harness.parser(__doc__).parse_args()
    harness.start(options)
    report = Report("startup", "Start-up", options)
    for command in COMMANDS:
        processor_seconds(command)  # files are in the cache after this
    times = harness.in_turns(
        [Contestant(command, lambda own=command: processor_seconds(own)) for command in COMMANDS],
        rounds=options.rounds,
        seconds=options.seconds,
    )
    for command in COMMANDS[1:]:
        report.add(harness.compare("--help", times, "outgrow", command, target=1.0, unit="s of processor time"))
    report.write()


if __name__ == "__main__":
    main()
