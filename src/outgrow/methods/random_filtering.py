"""Control: as many consensus labels as a filter keeps, drawn at random."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, Stratify, all_answers_of
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, at_random


class RandomFiltering(MethodConfig):
    """Which share of the questions to keep, and whether to keep the label mix."""

    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    stratify: Stratify = None


def random_filtering(lab: Lab, config: RandomFiltering) -> Student:
    """Control: train on the consensus labels of a random share of the questions, redrawn per seed."""
    answers = all_answers_of(lab)
    labels = agreement(answers, seed=lab.seed)
    kept = at_random(labels, fraction=config.keep, seed=lab.seed, stratify=config.stratify)
    return lab.train(lab.student, imitation_rows(kept, answers))
