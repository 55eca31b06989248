"""Training on the supervisor's mean option probabilities."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, all_answers_of
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, mean_probabilities


class SoftLabels(MethodConfig):
    """Nothing to set."""


def soft_labels(lab: Lab, config: SoftLabels) -> Student:
    """Train on the option probabilities averaged over wordings and samples; vote shares where there are none."""
    answers = all_answers_of(lab)
    labels = mean_probabilities(answers, agreement(answers, seed=lab.seed))
    return lab.train(lab.student, imitation_rows(labels, answers, soft=True))
