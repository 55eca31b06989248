"""Training on consensus labels."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, all_answers_of
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement


class MajorityVote(MethodConfig):
    """Nothing to set."""


def majority_vote(lab: Lab, config: MajorityVote) -> Student:
    """Fine-tune on the consensus of the supervisor's answers to every question, one row per question."""
    answers = all_answers_of(lab)
    return lab.train(lab.student, imitation_rows(agreement(answers, seed=lab.seed), answers))
