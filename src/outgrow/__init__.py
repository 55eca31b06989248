"""outgrow: train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher.

The names below are imported when they are first used, so that `import outgrow` is instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from outgrow.core.errors import OutgrowError as OutgrowError
    from outgrow.core.lab import Lab as Lab
    from outgrow.core.registry import register as register
    from outgrow.experiment.curate import curate as curate
    from outgrow.experiment.label import label as label
    from outgrow.experiment.pairs import pairs as pairs
    from outgrow.experiment.planning.plan import plan as plan
    from outgrow.experiment.score import score as score
    from outgrow.io import (
        as_answers as as_answers,
        as_one_source as as_one_source,
        leave_out as leave_out,
        read_answers as read_answers,
        read_gold as read_gold,
        read_pairs as read_pairs,
        read_table as read_table,
        tidy as tidy,
        write_table as write_table,
    )
    from outgrow.io.export import write_rows as write_rows
    from outgrow.io.questions import read_questions as read_questions
    from outgrow.models.doctor import doctor as doctor
    from outgrow.models.show import show as show
    from outgrow.recipe import Recipe as Recipe, load_recipe as load_recipe
    from outgrow.recipe.lists import (
        list_methods as list_methods,
        list_recipes as list_recipes,
        list_tasks as list_tasks,
    )
    from outgrow.reliability import (
        accuracy_from_votes as accuracy_from_votes,
        agreement as agreement,
        calibrate as calibrate,
        label_answers as label_answers,
        most_certain as most_certain,
    )
    from outgrow.reliability.annotators import annotators as annotators, fit_annotators as fit_annotators
    from outgrow.reporting.explore import write_explorer
    from outgrow.reporting.result import Result as Result, load_run as load_run, run as run
    from outgrow.reporting.trained import export as export
    from outgrow.reporting.write import write_report
    from outgrow.store.status import status as status
    from outgrow.studies import study as study
    from outgrow.tasks import load

    explore, load_task, report = write_explorer, load, write_report

_HOMES = {
    "Lab": "core.lab",
    "OutgrowError": "core.errors",
    "Recipe": "recipe",
    "Result": "reporting.result",
    "accuracy_from_votes": "reliability",
    "agreement": "reliability",
    "annotators": "reliability.annotators.estimators",
    "as_answers": "io",
    "as_one_source": "io",
    "calibrate": "reliability",
    "curate": "experiment.curate",
    "doctor": "models.doctor",
    "explore": "reporting.explore:write_explorer",
    "export": "reporting.trained",
    "fit_annotators": "reliability.annotators.estimators",
    "label": "experiment.label",
    "label_answers": "reliability",
    "leave_out": "io",
    "list_methods": "recipe.lists",
    "list_recipes": "recipe.lists",
    "list_tasks": "recipe.lists",
    "load_recipe": "recipe",
    "load_run": "reporting.result",
    "load_task": "tasks:load",
    "most_certain": "reliability",
    "pairs": "experiment.pairs",
    "plan": "experiment.planning.plan",
    "read_answers": "io",
    "read_gold": "io",
    "read_pairs": "io",
    "read_questions": "io.questions",
    "read_table": "io",
    "register": "core.registry",
    "report": "reporting.write:write_report",
    "run": "reporting.result",
    "score": "experiment.score",
    "show": "models.show",
    "status": "store.status",
    "study": "studies",
    "tidy": "io",
    "write_rows": "io.export",
    "write_table": "io",
}
"""Each public name's module, and after a colon what it is called there if not the same."""

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """The public object of that name, imported now."""
    if name not in _HOMES:
        raise AttributeError(f"module 'outgrow' has no attribute '{name}'; it has {', '.join(__all__)}")
    from outgrow.core.names import import_attr

    module, _, attribute = _HOMES[name].partition(":")
    return import_attr(f"outgrow.{module}:{attribute or name}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
