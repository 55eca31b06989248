"""A reward model of pairs, and the best of several answers by it (arXiv 2009.01325, 2112.09332)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student
from outgrow.methods.distillation import distilled
from outgrow.methods.preference_tuning import PairsFrom, named_source, pairs_of
from outgrow.objectives import Imitation


class RewardModel(PairsFrom):
    """Who judges, and among how many answers.

    Attributes:
        judge: the base model that becomes the reward model: one of the recipe's models; without a name the student.
        samples: answers that the student gives to each question, the first of them greedily.
        temperature: of sampling.
        distil: train the student on the best answers to the pool; otherwise it goes on answering several times.
    """

    judge: str | None = None
    samples: Annotated[int, Field(ge=2)] = 8
    temperature: Annotated[float, Field(gt=0)] = 1.0
    distil: bool = False


def reward_model(lab: Lab, config: RewardModel) -> Student:
    """Train a reward model on pairs, and answer with what it likes best among several answers of the student."""
    if lab.head != "lm":
        raise PrerequisiteError(
            f"reward_model chooses among answers that a language model gives, and this student has head '{lab.head}'"
        )
    judge = lab.train(
        named_source(lab, config.judge, lab.student), pairs_of(lab, config), stage="reward model",
        settings=config.training, select="last", head="reward",
    )  # fmt: skip
    best = lab.best_of(
        lab.student, judge, samples=config.samples, temperature=config.temperature, stage=f"best of {config.samples}"
    )
    return distilled(lab, best, Imitation()) if config.distil else best
