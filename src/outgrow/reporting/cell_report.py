"""The report of one cell: a self-contained page, where nothing is fetched and no script but its own can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from outgrow.reporting import (
    annotator_tables,
    confidence_tables,
    floor_tables,
    result_tables,
    run_tables,
    summary,
    time_tables,
)
from outgrow.reporting import formatting as forms
from outgrow.reporting.answers import answers_payload
from outgrow.reporting.checks import Check
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.markdown import render_markdown
from outgrow.reporting.page import Pages, figure_context, packed, render_page
from outgrow.reporting.run import RunFolder


def build_pages(
    run: RunFolder, checks: Sequence[Check], figures: Mapping[str, Shown], data: Mapping[str, bytes]
) -> Pages:
    """The page and its Markdown twin, in which figures are links to `figures/<key>.svg` and answers are left out.

    Args:
        run: a finished run.
        checks: outcomes of the coded checks.
        figures: drawn figures by key.
        data: each figure's CSV file by key, offered for download inside the page.
    """
    context = {**_shared_context(run, checks), "drawn": figures}
    payload = None if run.answers is None else answers_payload(run.answers, run.results)
    page = {
        **context,
        **figure_context(figures, data),
        "wide": {key for key, each in figures.items() if each.wide},
        "answers": None if payload is None else packed(payload),
        "answers_left_out": 0 if payload is None else payload["left_out"],
    }
    html = render_page("report.html.j2", page, scripts=("report.js", "shared.js", "answers.js"))
    return Pages(html, render_markdown("report.md.j2", context))


def _shared_context(run: RunFolder, checks: Sequence[Check]) -> dict[str, Any]:
    """What both forms of the report are filled with: words, tables and provenance."""
    results, provenance = run.results, run.provenance
    tables = [
        result_tables.arms_table(results),
        floor_tables.supervisors_table(results),
        floor_tables.recovered_table(results),
        floor_tables.differences_table(results),
        result_tables.comparisons_table(results),
        result_tables.metrics_table(results),
        result_tables.slot_types_table(results),
        result_tables.strata_table(results),
        result_tables.pairs_table(results),
        result_tables.deception_table(results),
        result_tables.learning_table(results),
        result_tables.quality_table(results),
        annotator_tables.shared_errors_table(results),
        confidence_tables.confidence_table(results),
        confidence_tables.out_of_distribution_table(results),
        run_tables.budget_table(results),
        run_tables.splits_table(results),
    ]
    if provenance is not None:
        tables += [
            run_tables.models_table(provenance),
            run_tables.usage_table(provenance),
            time_tables.time_table(provenance),
            time_tables.jobs_table(provenance),
            run_tables.steps_table(provenance),
        ]
    return {
        "results": results,
        "provenance": provenance,
        "checks": sorted(checks, key=lambda check: not check.fired),
        "fired": [check for check in checks if check.fired],
        "paragraphs": summary.in_words(results, checks),
        "tiles": summary.tiles(results),
        "formula": summary.formula(results),
        "tables": {table.key: table for table in tables if table is not None},
        "teachers": summary.teachers_by_model(results.supervisor),
        "student": results.student.model or summary.model_name(results.recipe.get("student")),
        "notes": [(arm.name, note) for arm in results.arms for note in arm.notes],
        "recipe_resolved": as_yaml(results.recipe),
        "recipe_given": None if provenance is None else as_yaml(provenance.recipe_given),
        "facts": [] if provenance is None else run_tables.facts(results, provenance),
        "forms": forms,
    }


def as_yaml(mapping: Mapping[str, Any]) -> str:
    """A recipe as a person would write it."""
    return yaml.safe_dump(dict(mapping), sort_keys=False, allow_unicode=True, width=100)
