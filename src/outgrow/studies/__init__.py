"""Small experiments that ship: each needs no model and ends in a table and a figure within a minute."""

from outgrow.core.registry import Registry
from outgrow.studies.base import Study, StudySpec

_OURS = {"simulable_errors": StudySpec("simulable_errors", f"{__name__}.simulable_errors:simulable_errors", seeds=5)}

STUDIES = Registry("study", StudySpec, _OURS)

__all__ = ["STUDIES", "Study", "StudySpec"]
