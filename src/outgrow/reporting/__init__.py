"""The report of a run: figures, tables, coded checks, one self-contained page and its Markdown twin."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outgrow.reporting.checks import Check, run_checks
    from outgrow.reporting.terminal import summary_table, summary_text
    from outgrow.reporting.write import ReportFiles, write_report

__all__ = ["Check", "ReportFiles", "run_checks", "summary_table", "summary_text", "write_report"]

_HOMES = {
    "Check": "checks",
    "ReportFiles": "write",
    "run_checks": "checks",
    "summary_table": "terminal",
    "summary_text": "terminal",
    "write_report": "write",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing this room costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
