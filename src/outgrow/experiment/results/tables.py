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
    seeds: Sequence[Seed], test: Split, zero_said: Mapping[str, str], said: Mapping[str, Sequence[Mapping[str, str]]]
) -> pa.Table:
    """Test questions x seeds with what everybody said."""
    columns: dict[str, list[Any]] = {}

    def add(name: str, values: Sequence[Any]) -> None:
        columns.setdefault(name, []).extend(values)

    for index, seed in enumerate(seeds):
        labels = {row["example_id"]: row for row in seed.test.to_pylist()}
        rows = [labels.get(i, UNASKED) for i in test.ids]
        add("example_id", test.ids)
        add("question", test.questions)
        add("choices", test.choices)
        add("gold", [test.gold[i] for i in test.ids])
        add("seed", [seed.seed] * len(test.ids))
        add("supervisor_value", [seed.floor.get(i) for i in test.ids])
        add("votes", [row["votes"] for row in rows])
        add("label", [row["value"] for row in rows])
        add("entropy", [row["entropy"] for row in rows])
        add("reliability", [row["reliability"] for row in rows])
        add("stratum", test.strata)
        add("zero_shot", [zero_said.get(i) for i in test.ids])
        for arm, by_seed in said.items():
            add(f"arm:{arm}", [by_seed[index].get(i) for i in test.ids])
    types = {"votes": pa.map_(pa.string(), pa.int64()), "choices": pa.list_(pa.string()), "seed": pa.int64(),
             "entropy": pa.float64(), "reliability": pa.float64()}  # fmt: skip
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def labels_table(seeds: Sequence[Seed], pool: Split) -> pa.Table:
    """Pool labels of every seed with gold beside them."""
    text = dict(zip(pool.ids, pool.questions, strict=True))
    tables = []
    for seed in seeds:
        ids = seed.pool["example_id"].to_pylist()
        table = seed.pool.append_column("seed", pa.array([seed.seed] * len(ids), pa.int64()))
        table = table.append_column("gold", pa.array([pool.gold[i] for i in ids], pa.string()))
        tables.append(table.append_column("question", pa.array([text[i] for i in ids], pa.string())))
    return pa.concat_tables(tables)


def write_tables(tables: Mapping[str, pa.Table], folder: Path) -> None:
    """Parquet files, each whole or not at all."""
    for name, table in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_table(table, folder / name)
