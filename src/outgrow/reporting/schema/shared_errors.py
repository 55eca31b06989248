"""Whose errors come together."""

from __future__ import annotations

import math

from outgrow.reporting.schema.base import Estimate, Number, View


class PairErrors(View):
    """Two annotators on the pool: correlation of their errors by gold, and how often they are wrong together."""

    a: str
    b: str
    answers: int = 0
    correlation: Number = math.nan
    low: Number = math.nan
    high: Number = math.nan
    both_wrong: Number = math.nan
    same_wrong: Number = math.nan
    disagreement: Number = math.nan


class EstimatedCorrelation(Estimate):
    """The same correlation as estimated without gold."""

    a: str = ""
    b: str = ""


class SharedErrors(View):
    """The block `shared_errors` of a cell (`outgrow.experiment.results.shared_errors`).

    `effective_number` and, without gold and if every pair is known, `estimated_number`: how many independent
    annotators they are worth.
    """

    annotators: tuple[str, ...] = ()
    pairs: tuple[PairErrors, ...] = ()
    effective_number: Number = math.nan
    estimates: tuple[EstimatedCorrelation, ...] = ()
    estimated_number: Number = math.nan
    reason: str | None = None
