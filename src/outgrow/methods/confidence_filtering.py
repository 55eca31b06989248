"""Filtering by the supervisor's own probability: K times cheaper than asking K times."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, Stratify
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, most_certain


class ConfidenceFiltering(MethodConfig):
    """Which share of the questions to keep, and whether to keep the label mix."""

    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    stratify: Stratify = None


def confidence_filtering(lab: Lab, config: ConfidenceFiltering) -> Student:
    """Train on the questions whose one answer has the highest option probability."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    labels = agreement(answers, seed=lab.seed, estimator="probability")
    kept = most_certain(labels, fraction=config.keep, seed=lab.seed, by="reliability", stratify=config.stratify)
    return lab.train(lab.student, imitation_rows(kept, answers))
