"""outgrow: train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher.

The names below are imported when they are first used, so that `import outgrow` is instant.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "accuracy_from_votes": "outgrow.reliability:accuracy_from_votes",
    "agreement": "outgrow.reliability:agreement",
    "as_answers": "outgrow.io:as_answers",
    "as_one_source": "outgrow.io:as_one_source",
    "calibrate": "outgrow.reliability:calibrate",
    "label": "outgrow.experiment.label:label",
    "load_recipe": "outgrow.recipe.recipe:load_recipe",
    "load_task": "outgrow.tasks:load",
    "most_certain": "outgrow.reliability:most_certain",
    "read_answers": "outgrow.io:read_answers",
    "read_table": "outgrow.io:read_table",
    "register": "outgrow.core.registry:register",
    "run": "outgrow.execution.run:run_recipe",
    "write_explorer": "outgrow.reporting.explore:write_explorer",
    "write_report": "outgrow.reporting:write_report",
    "write_rows": "outgrow.io.export:write_rows",
    "write_table": "outgrow.io:write_table",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """The public object of that name, imported now."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'outgrow' has no attribute '{name}'; it has {', '.join(__all__)}")
    from outgrow.core.names import import_attr

    return import_attr(_PUBLIC[name])


def __dir__() -> list[str]:
    """The public names."""
    return __all__
