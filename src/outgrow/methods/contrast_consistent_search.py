"""Baseline without weak labels: contrast-consistent search (arXiv 2212.03827)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import ONCE, Lab, Probe, Student
from outgrow.methods.base import StatesConfig
from outgrow.methods.rows import weak_rows


class ContrastConsistentSearch(StatesConfig):
    """Which states are read, and how far weights are held back.

    Attributes:
        c: inverse strength of the L2 penalty.
    """

    c: Annotated[float, Field(gt=0)] = 1.0


def contrast_consistent_search(lab: Lab, config: ContrastConsistentSearch) -> Student:
    """A probe of the untrained student's states, read behind each option, whose probabilities are consistent and sure.

    Nothing is trained. Of two options the untrained student's own answers say which side is the true one.
    """
    rows = weak_rows(lab.ask(lab.student, lab.pool, ONCE), "hard")
    return lab.derive(lab.student, rows, Probe("contrast_consistent", config.layer, config.pool, config.c))
