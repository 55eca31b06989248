"""Training on consensus labels."""

from __future__ import annotations

from outgrow.methods.base import Answered, MethodConfig, TrainingSet
from outgrow.methods.rows import imitation_rows


class MajorityVote(MethodConfig):
    """Nothing to set."""


def majority_vote(answered: Answered, config: MajorityVote) -> TrainingSet:
    """Fine-tune on the consensus of the supervisor's answers to every question, one row per question."""
    labels = answered.labels()
    return TrainingSet(imitation_rows(labels, answered.answers), labels)
