"""The tables a run leaves beside its results: what everybody said, and the pool's labels with gold beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.experiment.results.views import Seed, Split
from outgrow.io import write_table

UNASKED: Mapping[str, Any] = {"votes": None, "value": None, "entropy": None, "reliability": None}


def answers_table(
    seeds: Sequence[Seed],
    test: Split,
    zero_answers: Mapping[str, str],
    arm_answers: Mapping[str, Sequence[Mapping[str, str]]],
) -> pa.Table:
    """Test questions x seeds with what everybody said."""
    rows = []
    for k, seed in enumerate(seeds):
        labels = {row["example_id"]: row for row in seed.test.to_pylist()}
        for i, question, choices, stratum in zip(test.ids, test.questions, test.choices, test.strata, strict=True):
            label = labels.get(i, UNASKED)
            rows.append(
                {
                    "example_id": i,
                    "question": question,
                    "choices": choices,
                    "gold": test.gold[i],
                    "seed": seed.seed,
                    "supervisor_value": seed.floor.get(i),
                    "votes": label["votes"],
                    "label": label["value"],
                    "entropy": label["entropy"],
                    "reliability": label["reliability"],
                    "stratum": stratum,
                    "zero_shot": zero_answers.get(i),
                    **{f"arm:{arm}": answers[k].get(i) for arm, answers in arm_answers.items()},
                }
            )
    types = {"votes": pa.map_(pa.string(), pa.int64()), "choices": pa.list_(pa.string()), "seed": pa.int64(),
             "entropy": pa.float64(), "reliability": pa.float64()}  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema=schema)


def labels_table(seeds: Sequence[Seed], pool: Split) -> pa.Table:
    """Pool labels of every seed with gold beside them."""
    questions = dict(zip(pool.ids, pool.questions, strict=True))
    tables = []
    for seed in seeds:
        ids = seed.pool["example_id"].to_pylist()
        table = seed.pool.append_column("seed", pa.array([seed.seed] * len(ids), pa.int64()))
        table = table.append_column("gold", pa.array([pool.gold[i] for i in ids], pa.string()))
        tables.append(table.append_column("question", pa.array([questions[i] for i in ids], pa.string())))
    return pa.concat_tables(tables)


def write_tables(tables: Mapping[str, pa.Table], folder: Path) -> None:
    """Parquet files, each whole or not at all."""
    for name, table in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_table(table, folder / name)
