"""Student and annotators learnt together, by a table for each annotator and question (MaDL, arXiv 2304.02539)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.annotators import ItemConfig, crowd_rows
from outgrow.objectives import annotators


class Madl(ItemConfig):
    """How annotators are learnt.

    Attributes:
        accuracy: of every annotator at the start.
        gamma: how near annotators have to be to count as alike and share their weight; 0 weighs all the same.
    """

    accuracy: Annotated[float, Field(gt=0, lt=1)] = 0.8
    gamma: Annotated[float, Field(ge=0)] = 1.0


def madl(lab: Lab, config: Madl) -> Student:
    """Train on everybody's answers through a table of confusions by annotator and question (arXiv 2304.02539)."""
    crowd = crowd_rows(lab, "madl", config)
    objective = annotators.Madl(
        annotators=crowd.annotators, rate=config.rate, items=crowd.items, accuracy=config.accuracy, gamma=config.gamma
    )
    return lab.train(lab.student, crowd.rows, objective, select=crowd.checks)
