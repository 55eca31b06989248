"""Training: a step on short answers (8 rows of 130 tokens, 5 of them answer), and on five wordings of each question.

python benchmarks/training.py [--quick] [--shapes gpt2-124m microworld/base] [--types float32 bfloat16] [--device cuda]

Ours (`fit`) in turns with TRL's `SFTTrainer` (completion_only_loss), `transformers.Trainer` (labels -100 on the prompt;
of these two the faster counts) and that Trainer as a careful user writes it, with the head at answer places only. All:
AdamW, gradients clipped, no dropout, no checkpointing, no accumulation, equal rows (their lengths are equal, so packing
and padding-free batches would save nothing). A step is measured inside each loop, from the end of the step before, data
loading and optimiser included; the first of a call is left out. Peak memory: a process for each, libraries and weights
included.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import contestants
import harness
import machine
import shapes
from harness import Contestant, Report

PRODUCT = "matrix product"
NAMES = {
    "ours": "ours", "trl": "TRL SFTTrainer", "trainer": "transformers.Trainer", "careful": "Trainer, head at answers",
}  # fmt: skip
AS_SHIPPED = ("trl", "trainer")
ANSWER = 4  # tokens; the end of the text is the fifth


def rows_of(questions: int, wordings: int, known: int) -> list[tuple[str, str]]:
    """(prompt, target): the first `wordings` wordings of each question, 125 tokens and 4."""
    import random

    asked = shapes.questions(questions, known=known, question=45)
    draw = random.Random(1)
    rows = []
    for start in range(0, len(asked.prompts), len(shapes.ORDERS)):
        target = " ".join(f"w{draw.randrange(known)}" for _ in range(ANSWER))
        rows += [(prompt, target) for prompt in asked.prompts[start : start + wordings]]
    return rows


def measure(report: Report, name: str, folder: Path, size: shapes.Shape, kind: contestants.Kind, wordings: int) -> None:
    """One comparison: time of a step, equality of losses, peak memory."""
    options = report.options
    questions = 2 if name == "tiny" else 8 if wordings == 1 else 4
    rows = rows_of(questions, wordings, size.words)
    what = f"{name}, {kind.label}" + (f", {wordings} wordings of {questions} questions" if wordings > 1 else "")
    steps = 3 if wordings == 1 else 2
    runners = {key: contestants.make(key, folder, rows, kind, options.device) for key in NAMES}
    losses = {key: runner(2).losses for key, runner in runners.items()}  # warm-up, and the check
    agree(report, what, losses, kind)
    times = harness.in_turns(
        [
            Contestant(NAMES[key], lambda own=runner: statistics.median(own(steps).seconds[1:]))
            for key, runner in runners.items()
        ]
        + [Contestant(PRODUCT, lambda: machine.product(kind.dtype, options.device, quick=options.quick))],
        rounds=options.rounds,
        seconds=options.seconds,
    )
    faster = min(AS_SHIPPED, key=lambda key: statistics.median(times[NAMES[key]]))
    targets = {faster: 1.4 if wordings == 1 else 2.0, "careful": 1.0}
    for key in (*AS_SHIPPED, "careful"):
        report.add(harness.compare(what, times, "ours", NAMES[key], target=targets.get(key), unit="s per step"))
    if wordings == 1 and not kind.lora:
        _fraction(report, what, len(rows), size, statistics.median(times["ours"]), times[PRODUCT])


def agree(report: Report, what: str, losses: dict[str, list[float]], kind: contestants.Kind) -> None:
    """The first step's loss on the same rows; with all weights also the second's, after one update."""
    count = 1 if kind.lora else 2
    worst = max(abs(a - b) for key in losses for a, b in zip(losses[key][:count], losses["ours"][:count], strict=True))
    bound = 1e-4 if kind.dtype == "float32" else 5e-2
    report.add(harness.value(
        f"{what}: largest difference between the losses of the first {count} step(s)", worst, unit="nats",
        target=f"<= {bound:g}", met=worst <= bound,
    ))  # fmt: skip


def _fraction(report: Report, what: str, rows: int, size: shapes.Shape, seconds: float, products: list[float]) -> None:
    """Useful operations per second: a backward pass is twice a forward pass; the head at answer places only."""
    length = 125 + ANSWER
    flops = 3 * rows * size.forward_flops(length, length * (length + 1) / 2, ANSWER + 1)
    report.add(harness.share(what, flops / seconds / 1e9, products, target=0.6 if "gpt2-124m" in what else None))
    report.ceiling()


def memory(report: Report, name: str, folder: Path, size: shapes.Shape, kind: contestants.Kind) -> None:
    """Peak memory of each in a process of its own."""
    what = f"{name}, {kind.label}: peak memory, all in all"
    rows = rows_of(2 if name == "tiny" else 8, 1, size.words)
    found = {key: _peak(report, folder, rows, kind, key) for key in NAMES}
    leaner = min(AS_SHIPPED, key=lambda key: found[key])
    for key in (*AS_SHIPPED, "careful"):
        row = harness.at_most(what, found["ours"], found[key], against=NAMES[key], target=1.0, unit="MiB")
        report.add(row if key in (leaner, "careful") else {**row, "target": None, "met": None})


def _peak(report: Report, folder: Path, rows: list[tuple[str, str]], kind: contestants.Kind, key: str) -> float:
    job = {"folder": str(folder), "key": key, "dtype": kind.dtype, "lora": kind.lora, "rows": rows}
    return harness.peak(__file__, job, report.options)


def _in_process(job: dict[str, Any], device: str) -> None:
    from machine import PeakMemory

    kind = contestants.Kind(job["dtype"], job["lora"])
    runner = contestants.make(job["key"], Path(job["folder"]), job["rows"], kind, device)
    peak = PeakMemory(device)
    runner(3)
    print(peak.mib())


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--shapes", nargs="*", default=["gpt2-124m", "pythia-70m", *shapes.MICROWORLD])
    parser.add_argument("--types", nargs="*", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--wordings", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--lora", type=int, nargs="*", default=[0, 1], help="0: all weights, 1: an adapter")
    parser.add_argument("--peak", type=json.loads, help="(used by itself: peak memory of one contestant)")
    options = parser.parse_args()
    harness.start(options)
    if options.peak:
        _in_process(options.peak, options.device)
        return
    report = Report("training", "A training step", options)
    report.ceiling()
    types = report.types()
    for name in ["tiny"] if options.quick else options.shapes:
        with tempfile.TemporaryDirectory() as temporary:
            folder, size = shapes.make(name, Path(temporary))
            for dtype in types:
                for lora in options.lora:
                    kind = contestants.Kind(dtype, bool(lora))
                    first = name in ("gpt2-124m", "tiny")
                    if lora and (not first or dtype != "float32"):
                        continue
                    measure(report, name, folder, size, kind, 1)
                    if first and dtype == "float32":
                        memory(report, name, folder, size, kind)
                    if 5 in options.wordings and first and not lora and dtype == "float32":
                        measure(report, name, folder, size, kind, 5)
    assert all(math.isfinite(row["ours"]) for row in report.rows)
    report.write()


if __name__ == "__main__":
    main()
