"""Time and memory of `outgrow reliability`, beside what people would use instead.

python benchmarks/reliability.py [--questions 1000000] [--answers 10] [--sample 20000] [--shuffled]

The whole command is measured as a user runs it: start, reading Parquet, labelling, writing Parquet. The
pandas loop (one Counter per question) and crowd-kit's MajorityVote label a sample in memory, without
files, and are scaled up; both give less (no entropy, no reliability, no invalid answers).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from outgrow.reliability import agreement

VALUES = ["freshwater marsh", "pine forest", "salt desert", "high tundra", "river delta"]


def make(path: Path, questions: int, answers: int, shuffled: bool) -> pa.Table:
    """Answers of a supervisor that is right with a probability of its own per question; 2 % invalid."""
    rng = np.random.default_rng(0)
    ids = pa.array([f"{i * 2654435761 % 2**64:024x}" for i in range(questions)])
    truth, skill = rng.integers(0, 5, questions), rng.beta(4, 2, questions)
    hit = rng.random((questions, answers)) < skill[:, None]
    value = np.where(hit, truth[:, None], rng.integers(0, 5, (questions, answers))).ravel()
    invalid = rng.random(value.size) < 0.02
    question = np.repeat(np.arange(questions), answers)
    order = rng.permutation(value.size) if shuffled else np.arange(value.size)
    table = pa.table(
        {
            "example_id": ids.take(pa.array(question[order])),
            "value": pa.array(VALUES).take(pa.array(value[order], mask=invalid[order])),
        }
    )
    pq.write_table(table, path)
    return table


def command(path: Path, out: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak GiB of the whole command in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "outgrow", "reliability", str(path), "--out", str(out)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("outgrow reliability failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def in_memory(table: pa.Table) -> float:
    """CPU seconds of `agreement` alone, what the others are compared with."""
    start = time.process_time()
    agreement(table)
    return time.process_time() - start


def pandas_loop(sample: pa.Table) -> float:
    """CPU seconds of one Counter per question."""
    frame = sample.to_pandas()
    start = time.process_time()
    labels = {}
    for example_id, answers in frame.groupby("example_id")["value"]:
        counts = Counter(answers.dropna())
        labels[example_id] = (counts.most_common(1)[0] if counts else None, counts)
    return time.process_time() - start


def crowd_kit(sample: pa.Table) -> float:
    """CPU seconds of MajorityVote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from crowdkit.aggregation import MajorityVote
    frame = sample.to_pandas().dropna().rename(columns={"example_id": "task", "value": "label"})
    frame["worker"] = frame.groupby("task").cumcount()
    start = time.process_time()
    MajorityVote().fit_predict(frame)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=10)
    parser.add_argument("--sample", type=int, default=20_000, help="questions that the other tools label")
    parser.add_argument("--shuffled", action="store_true", help="answers of a question do not stand together")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.parquet"
        table = make(path, given.questions, given.answers, given.shuffled)
        few = set(table.column("example_id").unique()[: given.sample].to_pylist())
        sample = table.filter(pa.array([q in few for q in table.column("example_id").to_pylist()]))
        memory = in_memory(table)
        del table
        wall, cpu, peak = command(path, Path(folder) / "labels.parquet")
        scale = given.questions / len(few)
        rows = [
            ("outgrow reliability, files included", f"{wall:.1f} s wall, {cpu:.1f} s CPU, {peak:.2f} GiB"),
            ("outgrow agreement, in memory", f"{memory:.1f} s CPU"),
            (f"pandas loop, from {len(few):,} questions", f"{pandas_loop(sample) * scale:.1f} s CPU"),
            (f"crowd-kit MajorityVote, from {len(few):,} questions", f"{crowd_kit(sample) * scale:.1f} s CPU"),
        ]
    print(f"{given.questions:,} questions x {given.answers} answers{', shuffled' if given.shuffled else ''}")
    for name, result in rows:
        print(f"  {name:<50} {result}")


if __name__ == "__main__":
    main()
