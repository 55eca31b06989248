"""Training on every answer in its own wording: is it the permutations that help?"""

from __future__ import annotations

from outgrow.methods.base import Answered, MethodConfig, TrainingSet
from outgrow.methods.rows import answer_rows


class AllAnswers(MethodConfig):
    """Nothing to set."""


def all_answers(answered: Answered, config: AllAnswers) -> TrainingSet:
    """Fine-tune on all K valid answers of every question, each with its own wording and weight 1."""
    return TrainingSet(answer_rows(answered.answers))
