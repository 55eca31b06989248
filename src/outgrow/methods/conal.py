"""Student and annotators learnt together, with confusions that annotators share (CoNAL, arXiv 2012.13052)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.annotators import ItemConfig, crowd_rows
from outgrow.objectives import annotators


class Conal(ItemConfig):
    """How annotators are learnt.

    Attributes:
        apart: weight of the penalty that keeps annotators' matrices apart from the shared one.
    """

    apart: Annotated[float, Field(ge=0)] = 1e-5


def conal(lab: Lab, config: Conal) -> Student:
    """Train on everybody's answers through a shared matrix or the annotator's own, by question (arXiv 2012.13052)."""
    crowd = crowd_rows(lab, "conal", config)
    objective = annotators.CoNal(annotators=crowd.annotators, rate=config.rate, items=crowd.items, apart=config.apart)
    return lab.train(lab.student, crowd.rows, objective, select=crowd.checks)
