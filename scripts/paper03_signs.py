"""What arXiv 2312.09390 reports, seen in two runs: each sign with its interval, agreeing or not.

python scripts/paper03_signs.py LADDER_RUN KIND_RUN

The folders are those that `outgrow run ladder` and `outgrow run paper03_kind` wrote. Questions count as independent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from outgrow.evaluation import Interval, Joint
from outgrow.experiment.cells import cell_folder

Right = np.ndarray  # seeds x questions, 1 where the answer is the truth
CEILING = "arm:strong_ceiling"


@dataclass(frozen=True)
class Sign:
    """One statement of the paper, and the number of ours that is above 0 if it holds."""

    says: str
    ours: str
    found: Interval

    @property
    def verdict(self) -> str:
        """Whether the interval lies on the paper's side of 0."""
        if self.found.low > 0:
            return "agrees"
        return "disagrees" if self.found.high < 0 else "not told from 0"


def read(folder: Path) -> dict[str, dict[str, Right]]:
    """Per cell of a run which answers are right: `floor` and `arm:` with the arm's name."""
    cells = {}
    for cell in json.loads((folder / "results.json").read_text(encoding="utf-8"))["cells"]:
        table = pq.read_table(folder / cell_folder(cell["name"]) / "answers.parquet")
        seeds = len(set(table["seed"].to_pylist()))
        gold = np.array(table["gold"].to_pylist(), dtype=object)
        said = {name: name for name in table.column_names if name.startswith("arm:")} | {"floor": "supervisor_value"}
        cells[cell["name"] or "all"] = {
            name: (np.array(table[column].to_pylist(), dtype=object) == gold).astype(float).reshape(seeds, -1)
            for name, column in said.items()
        }
    return cells


def recovered(cell: Mapping[str, Right], arm: str) -> Right:
    """What each answer contributes to the arm's PGR, to first order; the mean is the PGR."""
    above, gap = cell[f"arm:{arm}"] - cell["floor"], cell[CEILING] - cell["floor"]
    pgr = above.mean() / gap.mean()
    return np.asarray(pgr + (above - pgr * gap) / gap.mean())


def difference(a: Right, b: Right) -> Interval:
    """The mean of `a` minus that of `b`, paired by question and seed."""
    return Joint({"a": a, "b": b}, np.arange(a.shape[1])).interval({"a": 1, "b": -1})


def of_ladder(cells: Mapping[str, Mapping[str, Right]]) -> list[Sign]:
    """PGR by the supervisor's size, and what the confidence loss gains by the gap."""
    by_weak = {name.removesuffix(" to base"): cell for name, cell in cells.items() if name.endswith(" to base")}
    naive = {weak: recovered(cell, "naive") for weak, cell in by_weak.items()}
    gain = {weak: recovered(cell, "confidence_loss") - naive[weak] for weak, cell in by_weak.items()}
    signs = [
        Sign("PGR grows with the supervisor's size", f"PGR of naive, {a} minus {b}, base as student",
             difference(naive[a], naive[b]))
        for a, b in (("small", "nano"), ("mini-a", "nano"), ("small", "mini-a"))
    ]  # fmt: skip
    signs += [
        Sign("the confidence loss helps large gaps", f"PGR, loss minus naive, {name}",
             difference(recovered(cell, "confidence_loss"), recovered(cell, "naive")))
        for name, cell in cells.items()
    ]  # fmt: skip
    least = difference(gain["nano"], gain["small"])
    return [*signs, Sign("and small gaps less", "that gain, nano to base minus small to base", least)]


def of_kind(cell: Mapping[str, Right]) -> list[Sign]:
    """Stopping, and which errors are left behind; in accuracy."""
    last, weak, gold = (cell[f"arm:{name}"] for name in ("early_stopping by=last", "naive", "early_stopping_gold"))
    errors = {name: cell[f"arm:error_structure errors={name}"] for name in ("random", "simulable")}
    return [
        Sign("gold stop beats weak stop", "accuracy, gold stop minus weak stop", difference(gold, weak)),
        Sign("weak stop beats none", "accuracy, weak stop minus last checkpoint", difference(weak, last)),
        Sign("gold stop beats none", "accuracy, gold stop minus last checkpoint", difference(gold, last)),
        Sign("random flips are left behind, real errors less", "accuracy, random errors minus the supervisor's own",
             difference(errors["random"], last)),
        Sign("and simulable errors least", "accuracy, random errors minus simulable ones",
             difference(errors["random"], errors["simulable"])),
    ]  # fmt: skip


def main() -> None:
    """Print a table."""
    ladder, kind = map(Path, sys.argv[1:])
    print("| paper | here | value | |\n|---|---|--:|---|")
    for sign in [*of_ladder(read(ladder)), *of_kind(read(kind)["all"])]:
        low, value, high = sign.found.low, sign.found.value, sign.found.high
        print(f"| {sign.says} | {sign.ours} | {value:+.3f} [{low:+.3f}, {high:+.3f}] | {sign.verdict} |")


if __name__ == "__main__":
    main()
