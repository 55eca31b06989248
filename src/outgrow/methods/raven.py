"""Weights of supervisors learnt together with the student (RAVEN, arXiv 2510.21332)."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.core.tables import WEAK_TOKENS
from outgrow.methods.annotators import crowd_rows
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import LabelForm
from outgrow.objectives.raven import EASY, Raven, RavenTokens


class RavenConfig(MethodConfig):
    """How the weights are learnt.

    Attributes:
        rate: of their steps.
        start: share of the steps in which they stay and only questions on which all supervisors agree are learnt.
        labels: `soft` probabilities of options or of the words of texts, `hard` answers, or soft where there are any
            (`auto`).
        beams: of texts, how many a supervisor's search keeps; 1 is greedy.
    """

    rate: Annotated[float, Field(ge=0)] = 1e-3
    start: Annotated[float, Field(ge=0, le=1)] = 0.5
    labels: LabelForm = "auto"
    beams: Annotated[int, Field(ge=1)] = 1


def raven(lab: Lab, config: RavenConfig) -> Student:
    """Train on all supervisors' labels, each weighted by how easily the student learns them (arXiv 2510.21332)."""
    crowd = crowd_rows(lab, "raven", form=config.labels, beams=config.beams)
    counts = crowd.answers.group_by("example_id").aggregate([("value", "count_distinct")])
    agreed = counts.filter(pc.equal(counts["value_count_distinct"], 1))["example_id"].combine_chunks()
    easy = pc.is_in(crowd.answers["example_id"], value_set=agreed).cast(pa.float64())
    loss = RavenTokens if WEAK_TOKENS.name in crowd.rows.column_names else Raven
    objective = loss(annotators=crowd.annotators, rate=config.rate, start=config.start)
    return lab.train(lab.student, crowd.rows.append_column(EASY, easy), objective, select=crowd.checks)
