"""Training on every answer in its own wording: is it the permutations that help?"""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, all_answers_of
from outgrow.methods.rows import answer_rows


class AllAnswers(MethodConfig):
    """Nothing to set."""


def all_answers(lab: Lab, config: AllAnswers) -> Student:
    """Fine-tune on all K valid answers of every question, each with its own wording and weight 1."""
    return lab.train(lab.student, answer_rows(all_answers_of(lab)))
