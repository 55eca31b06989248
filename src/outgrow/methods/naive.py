"""Naive fine-tuning on weak labels (arXiv 2312.09390)."""

from __future__ import annotations

from outgrow.methods.base import Answered, MethodConfig, TrainingSet
from outgrow.methods.rows import answer_rows


class Naive(MethodConfig):
    """Nothing to set."""


def naive(answered: Answered, config: Naive) -> TrainingSet:
    """Fine-tune on the supervisor's answer to the identity wording of every question (arXiv 2312.09390)."""
    return TrainingSet(answer_rows(answered.first))
