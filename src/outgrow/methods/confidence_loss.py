"""The auxiliary confidence loss (arXiv 2312.09390, equation 1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.objectives.confidence import Confidence


class ConfidenceLoss(MethodConfig):
    """How much the student is left to itself.

    Attributes:
        alpha: weight of its own hardened prediction once it has risen; the paper has 0.75 for its largest students.
        warmup: share of the steps over which it rises.
        balance: harden to the class shares of the weak labels, where questions share their classes.
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.2
    balance: bool = True
    labels: LabelForm = "auto"


def confidence_loss(lab: Lab, config: ConfidenceLoss) -> Student:
    """Train on weak labels, and more and more on the student's own hardened predictions (arXiv 2312.09390)."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    objective = Confidence(alpha=config.alpha, warmup=config.warmup, balance=config.balance)
    return lab.train(lab.student, weak_rows(answers, config.labels), objective)
