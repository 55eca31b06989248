"""Small experiments that ship: each needs no model and ends in a table and a figure within a minute."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.core.registry import Registry
from outgrow.studies.base import Study, StudySpec

_OURS = {
    "simulable_errors": StudySpec("simulable_errors", f"{__name__}.simulable_errors:simulable_errors", seeds=8),
    "delta_theory": StudySpec("delta_theory", f"{__name__}.delta_theory:delta_theory", seeds=20),
    "crowds": StudySpec("crowds", f"{__name__}.crowds:crowds", seeds=20),
}

STUDIES = Registry("study", StudySpec, _OURS)


def study(name: str, *, seeds: Sequence[int] | None = None) -> Study:
    """Carry out a small experiment that ships or was registered; `Study.write` keeps its table and figure.

    Args:
        name: one of `STUDIES`.
        seeds: of the repetitions; None takes as many as the study needs.

    Raises:
        ConfigError: there is none of that name.
    """
    return STUDIES.require(name).run(seeds)


__all__ = ["STUDIES", "Study", "StudySpec", "study"]
