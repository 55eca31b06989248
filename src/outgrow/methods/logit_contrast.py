"""The difference of two weak models, added to the student's own scores (arXiv 2607.26246, 2405.19262)."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.distillation import distilled
from outgrow.methods.preference_tuning import named_source


class LogitContrast(MethodConfig):
    """Which models, and what becomes of their difference.

    Attributes:
        plus: the better model: a supervisor, or one of the recipe's models; without a name the last supervisor.
        minus: the worse one; without a name the first supervisor.
        alpha: how much of their difference is added.
        distil: train the student on what it says with the difference added; otherwise the difference stays part of it.
    """

    plus: str | None = None
    minus: str | None = None
    alpha: float = 1.0
    distil: bool = False


def logit_contrast(lab: Lab, config: LogitContrast) -> Student:
    """Add what a better weak model says more than a worse one to the student's own scores; maybe distil it."""
    plus = named_source(lab, config.plus, lab.supervisors[-1])
    minus = named_source(lab, config.minus, lab.supervisors[0])
    whole = lab.contrast(plus, minus, base=lab.student, alpha=config.alpha, stage="contrast")
    return distilled(lab, whole) if config.distil else whole
