"""Control: as many consensus labels as a filter keeps, drawn at random."""

from __future__ import annotations

from outgrow.methods.base import Answered, MethodConfig, Share, Stratify, TrainingSet
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import at_random


class RandomFiltering(MethodConfig):
    """Which share of the questions to keep, and whether to keep the label mix."""

    keep: Share = 0.5
    stratify: Stratify = None


def random_filtering(answered: Answered, config: RandomFiltering) -> TrainingSet:
    """Control: train on the consensus labels of a random share of the questions, redrawn per seed."""
    labels = answered.labels()
    kept = at_random(labels, fraction=config.keep, seed=answered.seed, stratify=config.stratify)
    return TrainingSet(imitation_rows(kept, answered.answers), labels)
