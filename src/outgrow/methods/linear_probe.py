"""Linear probes of hidden states, frozen or fine-tuned, on weak labels and on gold (arXiv 2312.09390, figure 11)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Probe, Student
from outgrow.methods.base import StatesConfig
from outgrow.methods.rows import LabelForm, gold_rows, weak_rows


class LinearProbe(StatesConfig):
    """Which states are read, and how far weights are held back.

    Attributes:
        c: inverse strength of the L2 penalty.
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    c: Annotated[float, Field(gt=0)] = 1.0
    labels: LabelForm = "auto"

    def probe(self) -> Probe:
        """How states are read."""
        return Probe("logistic", self.layer, self.pool, self.c)


def linear_probe(lab: Lab, config: LinearProbe) -> Student:
    """Logistic regression on the untrained student's hidden states, fitted to weak labels; nothing is trained."""
    rows = weak_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1), config.labels)
    return lab.derive(lab.student, rows, config.probe())


def linear_probe_gold(lab: Lab, config: LinearProbe) -> Student:
    """Oracle: logistic regression on the untrained student's hidden states, fitted to gold of the same questions."""
    return lab.derive(lab.student, gold_rows(lab.gold(lab.pool)), config.probe())


def finetuned_probe_gold(lab: Lab, config: LinearProbe) -> Student:
    """Oracle: train on weak labels, then fit a probe of the trained student's states to gold: what it still knows."""
    rows = weak_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1), "hard")
    student = lab.train(lab.student, rows, stage="weak labels", select="weak")
    return lab.derive(student, gold_rows(lab.gold(lab.pool)), config.probe(), stage="probe")
