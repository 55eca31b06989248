"""The tables of how it was run: budget, splits, models, steps; `time_tables` has where the time went."""

from __future__ import annotations

import math

from outgrow.reporting.checks import say_pair
from outgrow.reporting.formatting import (
    NO_DATA,
    count,
    counts,
    duration,
    listed,
    plural,
)
from outgrow.reporting.schema import Provenance, Results
from outgrow.reporting.schema.results import Audit
from outgrow.reporting.views import Cell, TableView, columns, row


def budget_table(results: Results) -> TableView:
    """What every arm was given."""
    bought = any(any(arm.known) for arm in results.arms)
    rows = [
        row(
            Cell(arm.name, badge="" if arm.kind == "method" else arm.kind),
            counts(arm.rows),
            counts(arm.questions),
            counts(arm.removed_rows),
            counts(arm.steps),
            listed(arm.chosen_step),
            counts(arm.asked),
            *([counts(arm.known)] if bought else []),
            tone=arm.kind,
        )
        for arm in results.arms
    ]
    return TableView(
        key="budget",
        title="Budget",
        caption="Per seed; a range where seeds differ. Rows of weight 0 are removed before training. Every arm takes "
        "S optimiser steps, smaller sets repeat their rows; the chosen step is the checkpoint kept, one per seed. The "
        "last columns are what the labels cost: answers the supervisor was asked for"
        + (", and gold labels that the method bought." if bought else "."),
        columns=columns(
            *("Arm", "Rows", "Questions", "Removed", "Steps S", "Chosen step", "Asked of supervisor"),
            *(["Gold bought"] if bought else []),
        ),
        rows=tuple(rows),
    )


def _audited(audit: Audit | None) -> list[str]:
    """Rows of the files that are in no split, and why."""
    if audit is None:
        return []
    left_out = {
        "equal to another": audit.duplicates,
        "of a group that another file has": audit.shared_between_files,
        "whose answer cannot be judged alone": audit.not_posed,
        "thinned out to balance classes": audit.downsampled,
        "that no split had room for": audit.unassigned,
    }
    parts = [f"{count(number)} {why}" for why, number in left_out.items() if number]
    return [f"Of {plural(audit.rows, 'row')} read, left out: {', '.join(parts)}."] if parts else []


def splits_table(results: Results) -> TableView | None:
    """Sizes of the splits, their mix of question kinds, and what they share."""
    task = results.task
    if not task.splits:
        return None
    mix = task.mix or {}
    kinds = sorted({kind for split in mix.values() for kind in split})
    kinds = kinds if len(kinds) <= 8 else []
    shared = [f"{say_pair(pair)} ({count(n)})" for pair, n in task.overlap.items() if n]
    said = f"Questions shared between splits: {', '.join(shared)}." if shared else "No question is in two splits."
    found = [said for said in (*_audited(task.audit), *(task.audit.notes if task.audit else ())) if said]
    audited = f" {' '.join(found)}" if found else ""
    doubt = plural(task.contradictory_gold, "question has", "questions have")
    return TableView(
        key="splits",
        title="Splits",
        caption=f"Groups are never split apart. {said if task.overlap else ''} {doubt} contradictory gold.{audited}",
        columns=columns("Split", "Questions", "Groups", *kinds),
        rows=tuple(
            row(
                name.replace("_", " "),
                count(size.questions),
                count(size.groups),
                *[count(mix[name][kind]) if kind in mix.get(name, {}) else NO_DATA for kind in kinds],
            )
            for name, size in task.splits.items()
        ),
    )


def models_table(provenance: Provenance) -> TableView | None:
    """The models by name and content hash."""
    if not provenance.models:
        return None
    return TableView(
        key="models",
        title="Models",
        caption="The hash covers configuration, weights and tokenizer.",
        columns=columns("Role", "Model", "Parameters", "Hash", text=(0, 1, 3)),
        rows=tuple(
            row(m.name, m.model, NO_DATA if m.parameters is None else count(m.parameters), (m.hash or NO_DATA)[:16])
            for m in provenance.models
        ),
    )


def usage_table(provenance: Provenance) -> TableView | None:
    """What servers charged for answers; each asking once, however many arms shared it."""
    if not provenance.usage:
        return None
    return TableView(
        key="usage",
        title="Answers from servers",
        caption="Requests include retries. Cost is tokens times the recipe's prices; without prices it is not known. "
        "Latency is the time of one answering request, median and 95 % quantile.",
        columns=columns(
            "Asking", "Answers", "Requests", "Retries", "Prompt tokens", "Answer tokens", "Cost", "Latency"
        ),
        rows=tuple(
            row(
                each.about,
                count(each.answers),
                count(each.requests),
                count(each.retries),
                count(each.prompt_tokens),
                count(each.completion_tokens),
                NO_DATA if math.isnan(each.cost) else f"{each.cost:,.4f}",
                NO_DATA
                if math.isnan(each.latency_p50)
                else Cell(duration(each.latency_p50), duration(each.latency_p95)),
            )
            for each in provenance.usage
        ),
    )


def steps_table(provenance: Provenance) -> TableView | None:
    """Every step with its key."""
    if not provenance.steps:
        return None
    return TableView(
        key="steps",
        title=f"All {count(len(provenance.steps))} steps",
        caption="Keys are the store's: the same key is the same result.",
        columns=columns("Step", "About", "Time", "Key", "Environment", text=(0, 1, 3, 4)),
        rows=tuple(
            row(
                step.name,
                step.detail,
                Cell(duration(step.seconds), "from the store" if step.cached else ""),
                step.key[:12],
                step.environment or NO_DATA,
            )
            for step in provenance.steps
        ),
    )


def facts(results: Results, provenance: Provenance) -> list[tuple[str, str]]:
    """Where, when and with what it was run, as label and text."""
    hardware = [f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
                for key, value in provenance.hardware.items() if value not in ([], None, "")]  # fmt: skip
    told = [
        ("Command", " ".join(provenance.command)),
        ("Recipe", provenance.recipe_path or ""),
        ("Seeds", ", ".join(str(seed) for seed in results.seeds)),
        ("Started", provenance.started or ""),
        ("Took", "" if math.isnan(provenance.seconds) else duration(provenance.seconds)),
        ("Git revision", provenance.git or ""),
        ("Python", provenance.python or ""),
        ("Platform", provenance.platform or ""),
        ("Hardware", "; ".join(hardware)),
        ("Versions", ", ".join(f"{name} {version}" for name, version in provenance.versions.items())),
    ]
    return [(name, text) for name, text in told if text]
