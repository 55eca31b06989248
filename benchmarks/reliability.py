"""Reliability of ten million answers: time and memory of labelling, beside what people would use instead.

python benchmarks/reliability.py [--questions 1000000] [--answers 10] [--sample 20000] [--shuffled]

In turns, processor seconds in memory: our `agreement`, polars, DuckDB and crowd-kit's MajorityVote on all answers; a
pandas loop (one Counter per question, as public code has it) on a sample, scaled up. polars and DuckDB give consensus,
entropy and counts of valid and invalid answers, the others the consensus alone; ours gives votes, shares, reliability
and the other measures too. The whole command `outgrow reliability` is measured as a user runs it: start, reading,
labelling, writing Parquet.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import harness
import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import Contestant, Report
from pyarrow.csv import write_csv

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


def polars_query(frame: Any) -> Any:
    """Consensus (ties to the smaller answer), entropy and counts, by polars."""
    import polars as pl

    valid, share = pl.col("value").is_not_null(), pl.col("len") / pl.col("len").sum()
    return (
        frame.lazy()
        .group_by("example_id", "value")
        .len()
        .sort("len", "value", descending=[True, False])
        .group_by("example_id")
        .agg(
            pl.col("value").filter(valid).first(),
            n_valid=pl.col("len").filter(valid).sum(),
            n_invalid=pl.col("len").filter(~valid).sum(),
            entropy=-(share * pl.when(valid).then(share.log()).otherwise(-pl.col("len").sum().log())).sum(),
        )
        .collect()
    )


DUCKDB = """
WITH votes AS (SELECT example_id, value, count(*) AS n FROM answers GROUP BY ALL),
shares AS (SELECT *, sum(n) OVER (PARTITION BY example_id) AS k FROM votes)
SELECT example_id, first(value ORDER BY n DESC, value) FILTER (value IS NOT NULL) AS value,
    coalesce(sum(n) FILTER (value IS NOT NULL), 0) AS n_valid, coalesce(sum(n) FILTER (value IS NULL), 0) AS n_invalid,
    -sum(n / k * CASE WHEN value IS NULL THEN -ln(k) ELSE ln(n / k) END) AS entropy
FROM shares GROUP BY example_id
"""


def databases(table: pa.Table, threads: int) -> list[Contestant]:
    """polars and DuckDB with the answers in their own memory, as far as they are installed."""
    contestants = []
    if find_spec("polars"):
        import polars

        frame = polars.from_arrow(table)
        contestants.append(Contestant("polars", processor_seconds(lambda: polars_query(frame))))
    if find_spec("duckdb"):
        import duckdb

        base = duckdb.connect(config={"threads": threads})
        base.register("given", table)
        base.execute("CREATE TABLE answers AS SELECT * FROM given")
        contestants.append(Contestant("DuckDB", processor_seconds(lambda: base.sql(DUCKDB).to_arrow_table())))
    return contestants


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
        others = databases(table, options.threads)
        times = harness.in_turns(
            [
                Contestant("ours", processor_seconds(lambda: agreement(table))),
                Contestant("pandas loop", processor_seconds(lambda: pandas_loop(frame), scale)),
                Contestant("crowd-kit MajorityVote", processor_seconds(lambda: crowd_kit(crowd))),
                *others,
            ],
            rounds=min(options.rounds, 3),
            seconds=options.seconds,
        )
        what = f"{options.questions * options.answers:,} answers to {options.questions:,} questions"
        targets = {"pandas loop": 50.0, "crowd-kit MajorityVote": 3.0}
        for name in (*targets, *(other.name for other in others)):
            goal = targets.get(name)
            report.add(harness.compare(what, times, "ours", name, target=goal, unit="s of processor time"))
        csv = Path(folder) / "answers.csv"
        million = table.slice(0, 1_000_000)
        write_csv(million, csv)
        del table, crowd, others
        out = str(Path(folder) / "labels.parquet")
        whole = machine.spent(sys.executable, "-m", "outgrow", "reliability", str(path), "--out", out)
        report.add(harness.value("outgrow reliability, the whole command", whole["wall"], unit="s"))
        text = machine.spent(sys.executable, "-m", "outgrow", "reliability", str(csv), "--out", out)
        report.add(harness.value(
            f"outgrow reliability on CSV, {million.num_rows:,} answers", text["cpu"], unit="s of processor time",
            target="<= 3", met=text["cpu"] <= 3,
        ))  # fmt: skip
        report.note(f"The whole command, files and start included: {whole['cpu']:.1f} s of processor time, "
                    f"{whole['memory'] / 2**30:.2f} GiB.")  # fmt: skip
        report.note(f"The pandas loop labelled {len(few):,} questions; its time is scaled by {scale:g}.")
    report.write()


if __name__ == "__main__":
    main()
