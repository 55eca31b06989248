"""Naive training on the labels of several supervisors at once (arXiv 2406.03199)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.crowd import Mixing, mixed_rows, validation_labels
from outgrow.methods.rows import LabelForm
from outgrow.methods.texts import token_objective


class NaiveMultiWeak(MethodConfig):
    """How supervisors are mixed.

    Attributes:
        weights: `uniform`, `estimated` without gold, or numbers: one for each supervisor, or by
            their names, 0 for who is not named.
        labels: `soft` probabilities of options or of the words of texts, `hard` answers, or soft where there are any
            (`auto`).
        beams: of texts, how many a supervisor's search keeps; 1 is greedy.
    """

    weights: Mixing = "uniform"
    labels: LabelForm = "auto"
    beams: Annotated[int, Field(ge=1)] = 1


def naive_multi_weak(lab: Lab, config: NaiveMultiWeak) -> Student:
    """Cross-entropy against every supervisor's label, which is that against their weighted mean (arXiv 2406.03199)."""
    rows = mixed_rows(lab, config.weights, config.labels, config.beams)
    return lab.train(lab.student, rows, token_objective(rows), select=validation_labels(lab))
