"""Naive fine-tuning on weak labels (arXiv 2312.09390)."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows


class Naive(MethodConfig):
    """Nothing to set."""


def naive(lab: Lab, config: Naive) -> Student:
    """Fine-tune on the supervisor's answer to the identity wording of every question (arXiv 2312.09390)."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    return lab.train(lab.student, answer_rows(answers))
