"""How every benchmark measures: ours and the others in one run, in turns, as a ratio of medians with its spread."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine

RESULTS = Path(__file__).parent / "results"
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "67108864"}
QUIET = {
    "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TQDM_DISABLE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TRL_EXPERIMENTAL_SILENCE": "1",
}  # fmt: skip


@dataclass(frozen=True)
class Contestant:
    """One way to do the work.

    Attributes:
        name: what the page calls it.
        run: does the work once; returns the seconds of one unit where it measures them itself, else None.
        units: how much work one run is; times are per unit.
    """

    name: str
    run: Callable[[], float | None]
    units: float = 1.0


def in_turns(contestants: Sequence[Contestant], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds per unit of each contestant: A B C A B C ..., at least two rounds, until the time is used up."""
    times: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    began = time.perf_counter()
    for done in range(rounds):
        used = time.perf_counter() - began
        if done >= 2 and used + used / done > seconds:
            break
        for contestant in contestants:
            start = time.perf_counter()
            own = contestant.run()
            taken = time.perf_counter() - start
            times[contestant.name].append(taken / contestant.units if own is None else own)
    return times


def compare(
    what: str, times: Mapping[str, Sequence[float]], ours: str, theirs: str, *, target: float | None, unit: str
) -> dict[str, Any]:
    """A row of the page: how many times faster ours is, `theirs / ours`; the spread is over rounds."""
    ratios = [b / a for a, b in zip(times[ours], times[theirs], strict=True)]
    ratio = statistics.median(times[theirs]) / statistics.median(times[ours])
    return {
        "what": what,
        "ours": statistics.median(times[ours]),
        "against": theirs,
        "theirs": statistics.median(times[theirs]),
        "unit": unit,
        "ratio": ratio,
        "spread": [min(ratios), max(ratios)],
        "rounds": len(ratios),
        "target": None if target is None else f">= {target:g}",
        "met": None if target is None else ratio >= target,
    }


def at_most(what: str, ours: float, theirs: float, *, against: str, target: float, unit: str) -> dict[str, Any]:
    """A row of the page for something small: `ours / theirs`, which should not exceed the target."""
    ratio = ours / theirs
    return {
        "what": what, "ours": ours, "against": against, "theirs": theirs, "unit": unit, "ratio": ratio,
        "spread": None, "rounds": 1, "target": f"<= {target:g}", "met": ratio <= target,
    }  # fmt: skip


def share(what: str, rate: float, product: Sequence[float], *, target: float | None) -> dict[str, Any]:
    """A row of the page: useful operations beside matrix products in the same rounds.

    Args:
        what: is measured.
        rate: GFLOP/s of useful operations, at the median time.
        product: seconds of 10^9 operations in each round (`machine.product`).
        target: least share.
    """
    top = 1 / statistics.median(product)
    return value(
        f"{what}: share of matrix products in the same rounds ({rate:,.0f} of {top:,.0f} GFLOP/s)", rate / top, unit="",
        target=None if target is None else f">= {target:g}", met=None if target is None else rate / top >= target,
    )  # fmt: skip


def value(what: str, found: float, *, unit: str, target: str | None = None, met: bool | None = None) -> dict[str, Any]:
    """A row of the page with a number alone."""
    return {
        "what": what, "ours": found, "against": None, "theirs": None, "unit": unit, "ratio": None, "spread": None,
        "rounds": 1, "target": target, "met": met,
    }  # fmt: skip


@dataclass
class Report:
    """What a benchmark found, written as JSON for `write.py`."""

    name: str
    title: str
    options: argparse.Namespace
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ceilings: list[dict[str, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def ceiling(self) -> dict[str, float]:
        """Measure the machine's ceiling once more; the best so far."""
        quick = {"sizes": ((64, 64, 64),), "repeats": 2} if self.options.quick else {}
        self.ceilings.append(machine.ceiling(self.options.device, **quick))
        return machine.highest(self.ceilings)

    def types(self) -> list[str]:
        """The types to measure: no bfloat16 where the processor only emulates it."""
        types, left_out = list(self.options.types), machine.slow_bfloat16(self.options.device)
        if "bfloat16" in types and left_out and not self.options.quick:
            types.remove("bfloat16")
            self.note("bfloat16: left out for time, this processor has no bfloat16 instructions.")
        return types

    def add(self, row: dict[str, Any]) -> None:
        """One more row, shown at once."""
        self.rows.append(row)
        ratio = "" if row["ratio"] is None else f"   {row['ratio']:.2f}x against {row['against']}"
        target = "" if row["target"] is None else f"   target {row['target']}: {'met' if row['met'] else 'missed'}"
        print(f"{row['what']}: {row['ours']:.4g} {row['unit']}{ratio}{target}", flush=True)

    def note(self, text: str) -> None:
        """Something a reader should know."""
        self.notes.append(text)
        print(f"  {text}", flush=True)

    def write(self) -> Path:
        """The JSON file."""
        import platform

        folder: Path = self.options.results
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "benchmark": self.name,
            "title": self.title,
            "rows": self.rows,
            "notes": self.notes,
            "ceiling": machine.highest(self.ceilings) if self.ceilings else None,
            "machine": machine.facts(),
            "versions": machine.versions(),
            "threads": self.options.threads,
            "device": self.options.device,
            "quick": self.options.quick,
            "seconds": round(time.monotonic() - self.began, 1),
            "day": time.strftime("%Y-%m-%d"),
            "python": platform.python_version(),
        }
        file = folder / f"{self.name}.json"
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return file


def peak(script: str, job: dict[str, Any], options: argparse.Namespace) -> float:
    """What a script prints last for `--peak JOB`, in a process of its own: the peak of its memory in MiB."""
    command = [sys.executable, script, "--device", options.device, "--threads", str(options.threads)]
    done = subprocess.run([*command, "--peak", json.dumps(job)], capture_output=True, text=True, env=os.environ)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.splitlines()[-1])


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--quick", action="store_true", help="tiny shapes: shows that it works, measures nothing")
    found.add_argument("--seconds", type=float, default=60.0, help="time for the rounds of one comparison")
    found.add_argument("--rounds", type=int, default=7, help="most rounds of one comparison")
    found.add_argument("--threads", type=int, default=2)
    found.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    found.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
    return found


def start(options: argparse.Namespace) -> None:
    """Begin anew with the environment that a measurement needs, the same for all contestants.

    glibc reads its settings when a process starts. They keep freed memory, which makes all contestants faster.
    """
    wanted = {**MALLOC, **QUIET, "OMP_NUM_THREADS": str(options.threads)}
    if options.device == "cpu":
        wanted |= {"ACCELERATE_USE_CPU": "true", "CUDA_VISIBLE_DEVICES": ""}
    if any(os.environ.get(key) != text for key, text in wanted.items()):
        os.environ.update(wanted)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import torch

    torch.set_num_threads(options.threads)
    if options.quick:
        options.rounds, options.seconds = 2, 0.0
