"""Training on the supervisor's mean option probabilities."""

from __future__ import annotations

from outgrow.methods.base import Answered, MethodConfig, TrainingSet
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import mean_probabilities


class SoftLabels(MethodConfig):
    """Nothing to set."""


def soft_labels(answered: Answered, config: SoftLabels) -> TrainingSet:
    """Train on the option probabilities averaged over wordings and samples; vote shares where there are none."""
    labels = answered.labels()
    if answered.posterior is None:
        labels = mean_probabilities(answered.answers, labels)
    return TrainingSet(imitation_rows(labels, answered.answers, soft=True), labels)
