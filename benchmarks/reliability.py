"""Reliability of ten million answers: time and memory of labelling, beside what people would use instead.

python benchmarks/reliability.py [--questions 1000000] [--answers 10] [--sample 20000] [--shuffled]

In turns, processor seconds in memory: our `agreement` and crowd-kit's MajorityVote on all answers; a pandas loop (one
Counter per question, as public code has it) on a sample, scaled up. Both others give less (no entropy, no
reliability, no invalid answers). The whole command `outgrow reliability` is measured as a user runs it: start, reading
Parquet, labelling, writing Parquet.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import Contestant, Report

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


def processor_seconds(work: Callable[[], Any], scale: float = 1.0) -> Callable[[], float]:
    """Measures processor time instead of wall time, scaled to all questions."""

    def run() -> float:
        start = time.process_time()
        work()
        return (time.process_time() - start) * scale

    return run


def pandas_loop(frame: Any) -> dict[str, Any]:
    """One Counter per question."""
    labels = {}
    for example_id, answers in frame.groupby("example_id")["value"]:
        counts = Counter(answers.dropna())
        labels[example_id] = (counts.most_common(1)[0] if counts else None, counts)
    return labels


def crowd_kit(frame: Any) -> Any:
    """MajorityVote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from crowdkit.aggregation import MajorityVote
    return MajorityVote().fit_predict(frame)


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=10)
    parser.add_argument("--sample", type=int, default=20_000, help="questions that the pandas loop labels")
    parser.add_argument("--shuffled", action="store_true", help="answers of a question do not stand together")
    options = parser.parse_args()
    harness.start(options)
    if options.quick:
        options.questions, options.sample = 2000, 500
    report = Report("reliability", "Reliability of answers", options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.parquet"
        table = make(path, options.questions, options.answers, options.shuffled)
        few = set(table.column("example_id").unique()[: options.sample].to_pylist())
        frame = table.filter(pa.array([q in few for q in table.column("example_id").to_pylist()])).to_pandas()
        scale = options.questions / len(few)
        crowd = table.to_pandas().dropna().rename(columns={"example_id": "task", "value": "label"})
        crowd["worker"] = crowd.groupby("task").cumcount()
        crowd_kit(crowd.head(1000))  # imports
        times = harness.in_turns(
            [
                Contestant("ours", processor_seconds(lambda: agreement(table))),
                Contestant("pandas loop", processor_seconds(lambda: pandas_loop(frame), scale)),
                Contestant("crowd-kit MajorityVote", processor_seconds(lambda: crowd_kit(crowd))),
            ],
            rounds=min(options.rounds, 3),
            seconds=options.seconds,
        )
        what = f"{options.questions * options.answers:,} answers to {options.questions:,} questions"
        for name, target in (("pandas loop", 50.0), ("crowd-kit MajorityVote", 3.0)):
            report.add(harness.compare(what, times, "ours", name, target=target, unit="s of processor time"))
        del table, crowd
        out = str(Path(folder) / "labels.parquet")
        whole = machine.spent(sys.executable, "-m", "outgrow", "reliability", str(path), "--out", out)
        report.add(harness.value("outgrow reliability, the whole command", whole["wall"], unit="s"))
        report.note(f"The whole command, files and start included: {whole['cpu']:.1f} s of processor time, "
                    f"{whole['memory'] / 2**30:.2f} GiB.")  # fmt: skip
        report.note(f"The pandas loop labelled {len(few):,} questions; its time is scaled by {scale:g}.")
    report.write()


if __name__ == "__main__":
    main()
