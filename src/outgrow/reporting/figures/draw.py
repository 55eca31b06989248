"""Every figure of a report. Importing this module imports matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from outgrow.reporting.figures.arms import draw_accuracy, draw_recovered
from outgrow.reporting.figures.deception import (
    draw_deception,
    draw_deception_cells,
    draw_deception_curve,
    draw_deception_growth,
)
from outgrow.reporting.figures.drawn import Drawn
from outgrow.reporting.figures.families import FAMILIES, draw_agreement, draw_family
from outgrow.reporting.figures.labels import draw_label_mix
from outgrow.reporting.figures.ladder import draw_agreement as draw_ladder_agreement
from outgrow.reporting.figures.ladder import draw_chain, draw_ladder, draw_ladder_elicited, draw_ladder_pgr
from outgrow.reporting.figures.pairs import draw_pair_ladder, draw_pair_monitors, draw_pair_theory
from outgrow.reporting.figures.reliability import draw_by_entropy, draw_heat, draw_risk_coverage
from outgrow.reporting.figures.strata import draw_strata
from outgrow.reporting.figures.style import house_style
from outgrow.reporting.figures.training import draw_loss, draw_validation
from outgrow.reporting.schema import Results

DRAWINGS: dict[str, Callable[[Results], Drawn | None]] = {
    "arms": draw_accuracy,
    "pgr": draw_recovered,
    "strata": draw_strata,
    "by_entropy": draw_by_entropy,
    "risk_coverage": draw_risk_coverage,
    "heat": draw_heat,
    "label_mix": draw_label_mix,
    "loss": draw_loss,
    "validation": draw_validation,
    "agreement": draw_agreement,
    "pair_ladder": draw_pair_ladder,
    "pair_theory": draw_pair_theory,
    "pair_monitors": draw_pair_monitors,
    "deception": draw_deception,
    "deception_curve": draw_deception_curve,
    "deception_growth": draw_deception_growth,
    **{family.key: partial(draw_family, family=family) for family in FAMILIES},
}


LADDER: dict[str, Callable[[Sequence[Results]], Drawn | None]] = {
    "ladder": draw_ladder,
    "ladder_pgr": draw_ladder_pgr,
    "ladder_elicited": draw_ladder_elicited,
    "ladder_agreement": draw_ladder_agreement,
    "ladder_chain": draw_chain,
    "deception_cells": draw_deception_cells,
}
"""The figures of a run of several cells."""


def draw_all(results: Results) -> dict[str, Drawn]:
    """Every figure that the results have data for, by key. The same results give the same bytes."""
    with house_style():
        return {key: drawn for key, draw in DRAWINGS.items() if (drawn := draw(results)) is not None}


def draw_ladders(cells: Sequence[Results]) -> dict[str, Drawn]:
    """The same of the figures about all cells."""
    with house_style():
        return {key: drawn for key, draw in LADDER.items() if (drawn := draw(cells)) is not None}
