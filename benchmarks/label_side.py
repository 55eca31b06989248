"""Labels without a student: is P(correct) calibrated, and is the estimate of their accuracy right?

python benchmarks/label_side.py [--recipe ignorance ...] [--seeds 20] [--store FOLDER] [key=value ...]

Per seed the recipe's supervisor is tuned, answers the pool and 200 known questions, and the pool again with decoys.
Gold of the pool meets the numbers at the very end. Everything asked is kept in the store, so a second run only counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pyarrow as pa

from outgrow.core.errors import PrerequisiteError
from outgrow.evaluation.calibration import ece
from outgrow.experiment.lab import gold_values
from outgrow.experiment.step_runner import StepRunner
from outgrow.models.machine import threads
from outgrow.recipe.recipe import Recipe, load_recipe
from outgrow.reliability import (
    AccuracyEstimate,
    DecoyQuestions,
    accuracy_from_decoys,
    accuracy_from_votes,
    agreement,
    calibrate,
    with_decoys,
)
from outgrow.store import Store

KINDS = ("platt", "beta", "isotonic")
# A label-side run tests no student, so its questions go to the pool. For an interval narrower than .10 the votes need
# about 2,000 questions, the decoys about 1,200 (each asked again four times).
QUESTIONS = "task.questions={supervisor_train: 500, pool: 2000, validation: 100, test: 100, known: 200}"
WITH_DECOYS = 1200  # the pool is in random order, so its first questions are a random part


@dataclass(frozen=True)
class Seed:
    """What one seed gave."""

    seed: int
    truth: float  # share of right consensus labels among those with a value
    ece: dict[str, float]  # debiased, by kind of calibration
    votes: AccuracyEstimate | None  # None where the votes do not fit its model
    decoys: AccuracyEstimate


class LabelBench(StepRunner):
    """A bench with one more split: the pool with decoys."""

    def examples(self, split: str) -> pa.Table:
        """Examples of a split."""
        return self.decoys.examples if split == "decoys" else super().examples(split)

    @cached_property
    def decoys(self) -> DecoyQuestions:
        """A part of the pool with decoys, drawn once for all seeds, as the pool is."""
        return with_decoys(super().examples("pool").slice(0, WITH_DECOYS), seed=0)


def load(recipe: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe with the questions of a label-side run."""
    return load_recipe(None if str(recipe) == "demo" else recipe, [QUESTIONS, *overrides])


def run(recipe: Recipe, store: Path, seeds: Sequence[int], *, show: bool = True) -> list[Seed]:
    """Every seed's numbers."""
    threads(recipe.threads)
    bench = LabelBench(recipe, Store(store, unsealed=True))
    pool = bench.examples("pool")
    groups = dict(zip(pool["example_id"].to_pylist(), pool["group_id"].to_pylist(), strict=True))
    options = {row["example_id"]: len(row["choices"]) for row in pool.to_pylist()}
    known = bench.examples("known")
    known_groups = dict(zip(known["example_id"].to_pylist(), known["group_id"].to_pylist(), strict=True))
    found = []
    for seed in seeds:
        source = bench.tune_supervisor(0, seed)
        labels, known_labels, decoy_labels = (
            agreement(bench.answer(source, split, seed=seed, full=True), seed=seed)
            for split in ("pool", "known", "decoys")
        )
        try:
            votes = accuracy_from_votes(labels, options=options, groups=groups, seed=seed)
        except PrerequisiteError:
            votes = None
        decoys = accuracy_from_decoys(decoy_labels, bench.decoys.key)
        rated = {
            kind: calibrate(labels, known_labels, bench.gold("known"), kind=kind, seed=seed, groups=known_groups)
            for kind in KINDS
        }
        gold = gold_values(bench.gold("pool"))
        pairs = zip(labels["example_id"].to_pylist(), labels["value"].to_pylist(), strict=True)
        right = np.array([gold[i] == value for i, value in pairs])
        errors = {k: ece(t["reliability"].to_numpy(), right, draws=1).debiased for k, t in rated.items()}
        truth = float(right[labels["value"].is_valid().to_numpy()].mean())
        found.append(Seed(seed, truth, errors, votes, decoys))
        if show:
            print(line(found[-1]), flush=True)
    return found


def line(s: Seed) -> str:
    """One row of the table."""
    cells = [f"{s.seed:4d}  {s.truth:.3f}"]
    for e in (s.votes, s.decoys):
        if e is None:
            cells.append(f"{'refused':21} ")
            continue
        missed = " " if e.low <= s.truth <= e.high else "*"
        cells.append(f"{e.estimate:.3f} [{e.low:.3f}, {e.high:.3f}]{missed}")
    return "  ".join([*cells, *(f"{s.ece[k]:8.3f}" for k in KINDS)])


def summary(found: Sequence[Seed]) -> str:
    """Coverage, widths and errors of both estimates, and the mean debiased ECE of each calibration."""
    lines = []
    for name in ("votes", "decoys"):
        every = [(own, s.truth) for s in found if (own := getattr(s, name)) is not None]
        if not every:
            lines.append(f"{name}: refused by all {len(found)}")
            continue
        covered = sum(e.low <= truth <= e.high for e, truth in every)
        width = np.array([e.high - e.low for e, _ in every])
        error = np.array([e.estimate - truth for e, truth in every])
        refused, spread = len(found) - len(every), error.std(ddof=1 if len(error) > 1 else 0)
        lines.append(
            f"{name}: covers {covered} of {len(every)}, {refused} refused; width {width.mean():.3f} (widest "
            f"{width.max():.3f}); estimate minus truth {error.mean():+.3f}, SD {spread:.3f}; {every[0][0].answers} "
            "answers"
        )
    means = ", ".join(f"{k} {np.mean([s.ece[k] for s in found]):.3f}" for k in KINDS)
    return "\n".join([*lines, f"debiased ECE, mean of {len(found)} seeds: {means}"])


def main() -> None:
    """Print one table per recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", nargs="+", default=["ignorance", "demo"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--store", type=Path, default=Path(gettempdir()) / "outgrow_label_side")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    arguments = parser.parse_intermixed_args()
    for name in arguments.recipe:
        recipe = load(name, arguments.overrides)
        print(f"\n{recipe.name}: pool {recipe.task.questions.pool}, known {recipe.task.questions.known}, ", end="")
        print(f"{recipe.ask.variants} wordings; * the interval misses the truth")
        print(
            f"seed  truth  {'from votes':23}  {'from decoys':23}  " + "  ".join(f"{'ECE ' + k[:4]:>8}" for k in KINDS)
        )
        print(summary(run(recipe, arguments.store, range(arguments.seeds))), flush=True)


if __name__ == "__main__":
    main()
