"""The gate of each family: is there something to elicit, and room for it?

A family is shipped when the student is near chance before it is trained, the supervisor above chance, the ceiling far
above the supervisor, and one training short. Settings are chosen on a development world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ZERO_SHOT = 0.05  # most above chance before training
SUPERVISOR = 0.1  # least above chance
ROOM = 0.2  # least between supervisor and ceiling
SECONDS = 20.0  # most of one core for one training
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Gate:
    """How a family is measured.

    Attributes:
        chance: the metric's value for guesses, or for answers that say nothing.
        metric: what is measured.
        head: of supervisor and student.
        task: further settings of the task.
        supervisor: how the supervisor is tuned.
        train: how students are.
        objective: which gold.
    """

    chance: float
    metric: str = "accuracy"
    head: str = "lm"
    task: Mapping[str, Any] = field(default_factory=dict)
    supervisor: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    objective: str | None = None


TUNED: Mapping[str, Any] = {"epochs": 24, "learning_rate": 3.0e-4, "batch_size": 16, "checkpoints": 1, "lora": None}
TRAINED: Mapping[str, Any] = {"epochs": 6, "learning_rate": 5.0e-4, "batch_size": 16, "checkpoints": 1, "lora": None}
"""Gently, for large steps undo what copies names: mini tuned on claims with 2e-3 had .61 where 3e-4 gave .88."""

GATES: Mapping[str, Gate] = {
    "choice": Gate(0.25, supervisor={"epochs": 12, "learning_rate": 6.0e-4}, train={"learning_rate": 1.0e-3}),
    "kind": Gate(
        0.125, head="classifier", supervisor={"epochs": 12, "learning_rate": 2.0e-3}, train={"learning_rate": 1.0e-3}
    ),
    "claim": Gate(0.5),
    "two_hop": Gate(0.125),
    "slots": Gate(
        0.0, supervisor={"epochs": 12, "learning_rate": 5.0e-4}, train={"epochs": 3, "learning_rate": 1.0e-3}
    ),
    "telling": Gate(0.5, "statement_utility", supervisor={"epochs": 28, "learning_rate": 1.5e-4}, train={"epochs": 4}),
    "conflict": Gate(0.5, train={"epochs": 4, "learning_rate": 7.0e-4}, objective="harmless"),
    "safety": Gate(0.5),
    "legal": Gate(0.5, "balanced_accuracy"),
    "toxicity": Gate(0.5),
}


@dataclass(frozen=True)
class Measured:
    """The family's metric on the test split, means over seeds; AUROC of agreement; seconds of the longest training."""

    family: str
    zero_shot: float
    weak: float
    naive: float
    ceiling: float
    auroc: float
    seconds: float

    def faults(self, *, timed: bool = True) -> list[str]:
        """Which marks the family misses, the one of time only if `timed`; empty when it passes.

        What a classifier says before it is trained is its head's draw, one for all seeds, and no mark.
        """
        gate = GATES[self.family]
        chance = gate.chance
        marks = {
            f"before training {self.zero_shot:.3f}, at most {chance + ZERO_SHOT:.3f}": gate.head == "lm"
            and self.zero_shot > chance + ZERO_SHOT,
            f"supervisor {self.weak:.3f}, at least {chance + SUPERVISOR:.3f}": self.weak < chance + SUPERVISOR,
            f"ceiling {self.ceiling:.3f}, at least {self.weak + ROOM:.3f}": self.ceiling < self.weak + ROOM,
            f"one training {self.seconds:.0f} s, at most {SECONDS:.0f} s": timed and self.seconds > SECONDS,
        }
        return [mark for mark, missed in marks.items() if missed]


def recipe(family: str, models: str, world: int, seeds: Sequence[int], variants: int = 5) -> dict[str, Any]:
    """The experiment of a gate.

    Args:
        family: of questions.
        models: what stands before the names of the ladder: `microworld2/`, or a folder with a slash.
        world: the world's seed.
        seeds: repetitions.
        variants: wordings the supervisor is asked.
    """
    gate = GATES[family]
    return {
        "name": f"gate_{family}",
        "task": {"kind": "microworld2", "family": family, "world": world, **gate.task},
        "supervisors": [{"model": f"{models}mini-a", "head": gate.head, "train": {**TUNED, **gate.supervisor}}],
        "ask": {"variants": variants},
        "student": {"model": f"{models}base", "head": gate.head},
        "train": {**TRAINED, **gate.train},
        "methods": ["naive", "strong_ceiling"],
        "seeds": list(seeds),
        "evaluation": {"metrics": [] if gate.metric == "accuracy" else [gate.metric]},
        **({} if gate.objective is None else {"objective": gate.objective}),
    }


def few_shot(models: str, world: int, store: Path, shots: int) -> float:
    """Accuracy of `base`, not tuned, on `two_hop` behind so many worked questions."""
    import outgrow

    asked = recipe("two_hop", models, world, (0,))
    asked["task"]["questions"] = {"supervisor_train": 50, "pool": 50, "validation": 20, "test": 500}
    asked |= {
        "name": f"few_shot_{shots}",
        "supervisors": [{"model": f"{models}base", "train": None}],
        "ask": {"variants": 1, "demonstrations": shots},
        "train": {**TRAINED, "epochs": 1},
        "methods": ["strong_ceiling"],
        "jobs": 1,
    }
    return float(outgrow.run(asked, store=store, report=False).results.supervisor.floor.value)


def measure(
    family: str, models: str, world: int, store: Path, *, seeds: Sequence[int] = SEEDS, jobs: int = 1
) -> Measured:
    """Run a family's gate; what is in the store already is not made again."""
    import outgrow
    from outgrow.reporting.run import read_folder

    result = outgrow.run({**recipe(family, models, world, seeds), "jobs": jobs}, store=store, report=False)
    results, metric = result.results, GATES[family].metric
    provenance = read_folder(result.folder).provenance
    times = [step.seconds for step in provenance.steps if step.name == "train"] if provenance else []
    auroc = float("nan") if results.reliability is None else results.reliability.auroc.value
    if metric == "accuracy":
        before, weak = results.zero_shot, results.supervisor.floor
        arms: Mapping[str, Any] = {name: arm.accuracy for name, arm in result.arms.items()}
    else:
        facts = next(facts for facts in results.metrics if facts.name == metric)
        before, weak, arms = facts.zero_shot, facts.floor, facts.arms
    zero_shot = float("nan") if before is None else before.value
    naive, ceiling = (arms[name].value for name in ("naive", "strong_ceiling"))
    return Measured(family, zero_shot, weak.value, naive, ceiling, auroc, max(times, default=float("nan")))
