"""Do the intervals hold what they claim? Simulated experiments whose truth is known.

python benchmarks/coverage.py [--worlds 2000] [--questions 1000]

Every world draws questions of many difficulties in groups of one to three, and seeds that move each arm; the truth is
the mean over all questions and seeds there could be. Printed per number of seeds, spread of seeds and size of the gap:
how often the 95 % interval holds the truth, how wide it is, how often a difference of 4 points is found (power) and one
that is not there (false positives), and how often PGR is called defined.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import norm

from outgrow.evaluation.intervals import Joint
from outgrow.evaluation.ranking import auroc, auroc_contributions

SEEDS = (2, 3, 5, 10)
SPREADS = {"none": 0.0, "moderate": 0.03, "large": 0.07}
"""Standard deviation over seeds of each arm's accuracy."""
GAPS = {"none": 0.0, "small": 0.08, "large": 0.35}
"""Ceiling minus floor."""
FLOOR, RECOVERED = 0.55, 0.6
DIFFERENCE = 0.04
DIFFICULTY = 1.0  # spread of questions, in probits
LEAST_GAP = 0.02


@dataclass
class Tally:
    """How often intervals held the truth, and how wide they were."""

    held: list[bool] = field(default_factory=list)
    width: list[float] = field(default_factory=list)

    def add(self, low: float, high: float, truth: float) -> None:
        """Count one interval."""
        self.held.append(low <= truth <= high)
        self.width.append(high - low)

    def __str__(self) -> str:
        return f"{np.mean(self.held):.3f} ({np.median(self.width):.3f})" if self.held else "-"


class Worlds:
    """Simulated results of arms with known accuracies.

    Args:
        questions: in each world.
        n_seeds: of each experiment.
        spread: of the arms' accuracies over seeds.
        seed: of the simulation.
    """

    def __init__(self, questions: int, n_seeds: int, spread: float, seed: int) -> None:
        self.questions, self.n_seeds = questions, n_seeds
        self.rng = np.random.default_rng(seed)
        self.moved = spread / norm.pdf(0) * np.sqrt(1 + DIFFICULTY**2)  # probits, where accuracy is about one half

    def groups(self) -> np.ndarray:
        """Group codes: one to three questions each."""
        sizes = self.rng.integers(1, 4, size=self.questions)
        return np.repeat(np.arange(self.questions), sizes)[: self.questions]

    def difficulty(self, groups: np.ndarray) -> np.ndarray:
        """Of each question; half its variance is its group's."""
        shared = self.rng.normal(size=groups.max() + 1)[groups]
        return DIFFICULTY * np.sqrt(0.5) * (shared + self.rng.normal(size=len(groups)))

    def shift(self, accuracy: float) -> float:
        """The mean, in probits, of an arm with this accuracy over all questions and seeds."""
        return float(norm.ppf(accuracy) * np.sqrt(1 + DIFFICULTY**2 + self.moved**2))

    def draw(self, accuracies: dict[str, float]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Right or wrong per arm, seed and question, and the groups; half of a seed's shift is common to all arms."""
        groups = self.groups()
        difficulty, common = self.difficulty(groups), self.rng.normal(size=self.n_seeds)
        arms = {}
        for name, accuracy in accuracies.items():
            seeds = self.moved * np.sqrt(0.5) * (common + self.rng.normal(size=self.n_seeds))
            chance = norm.cdf(self.shift(accuracy) + difficulty + seeds[:, None])
            arms[name] = (self.rng.random(chance.shape) < chance).astype(float)
        return arms, groups

    def ranked(self) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
        """Scores and truths per seed, of labels that are right seven times in ten, in four levels of reliability."""
        groups = self.groups()
        difficulty = self.difficulty(groups)
        found = []
        for seed in self.moved * self.rng.normal(size=self.n_seeds):
            right = self.rng.random(len(groups)) < norm.cdf(self.shift(0.7) + difficulty + seed)
            told = (1 + 0.5 * seed) * difficulty + self.rng.normal(size=len(groups))
            found.append((np.digitize(told, [-1.0, 0.0, 1.0]).astype(float), right))
        return found, groups


def auroc_truth(spread: float) -> float:
    """The mean AUROC over all seeds there could be, by simulation."""
    worlds = Worlds(4000, 600, spread, 99)
    return float(np.mean([auroc(score, right) for score, right in worlds.ranked()[0]]))


def study(worlds: int, questions: int, seeds: Sequence[int] = SEEDS) -> Iterator[dict[str, Any]]:
    """A row of the table per number of seeds, spread and gap: tallies of intervals, and shares of worlds."""
    for n_seeds in seeds:
        for spread_name, spread in SPREADS.items():
            ranks = Tally()
            truth = auroc_truth(spread)
            for world in range(worlds):
                ranked, groups = Worlds(questions, n_seeds, spread, 10_000 + world).ranked()
                joint = Joint({"auroc": np.stack([auroc_contributions(*one) for one in ranked])}, groups)
                interval = joint.interval({"auroc": 1})
                ranks.add(interval.low, interval.high, truth)
            for gap_name, gap in GAPS.items():
                accuracy, difference, ratio = Tally(), Tally(), Tally()
                power, false, defined = [], [], []
                accuracies = {
                    "floor": FLOOR, "student": FLOOR + RECOVERED * gap, "ceiling": FLOOR + gap,
                    "better": FLOOR + RECOVERED * gap + DIFFERENCE, "equal": FLOOR + RECOVERED * gap,
                }  # fmt: skip
                for world in range(worlds):
                    arms, groups = Worlds(questions, n_seeds, spread, world).draw(accuracies)
                    joint = Joint(arms, groups)
                    own = joint.interval({"student": 1})
                    accuracy.add(own.low, own.high, accuracies["student"])
                    gain = joint.interval({"better": 1, "student": -1})
                    difference.add(gain.low, gain.high, DIFFERENCE)
                    power.append(gain.p < 0.05)
                    false.append(joint.interval({"equal": 1, "student": -1}).p < 0.05)
                    pgr = joint.ratio({"student": 1, "floor": -1}, {"ceiling": 1, "floor": -1})
                    defined.append(pgr.least > LEAST_GAP)
                    if defined[-1]:
                        ratio.add(pgr.low, pgr.high, RECOVERED)
                yield {
                    "seeds": n_seeds, "spread": spread_name, "gap": gap_name, "accuracy": accuracy,
                    "difference": difference, "power": float(np.mean(power)), "false": float(np.mean(false)),
                    "defined": float(np.mean(defined)), "PGR": ratio, "AUROC": ranks,
                }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--questions", type=int, default=1000)
    given = parser.parse_args()
    for i, row in enumerate(study(given.worlds, given.questions)):
        if i == 0:
            print("  ".join(f"{name:>14}" for name in row))
        told = (f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values())
        print("  ".join(f"{text:>14}" for text in told), flush=True)
