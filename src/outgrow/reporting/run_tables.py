"""The tables of how it was run: budget, splits, models, steps; `time_tables` has where the time went."""

from __future__ import annotations

import math

from outgrow.reporting.checks import say_pair
from outgrow.reporting.formatting import NO_DATA, count, counts, duration, listed, plural
from outgrow.reporting.result_tables import arm_cell
from outgrow.reporting.schema import Arm, Provenance, Results
from outgrow.reporting.schema.provenance import Usage
from outgrow.reporting.schema.results import Audit
from outgrow.reporting.views import Cell, TableView, columns, row, table


def budget_table(results: Results) -> TableView:
    """What every arm was given."""
    bought = any(any(arm.known) for arm in results.arms)
    return table(
        "budget",
        "Budget",
        "Per seed; a range where seeds differ. Rows of weight 0 are removed before training. Every arm takes "
        "S optimiser steps, smaller sets repeat their rows; an arm of several trainings has the steps of all, and rows "
        "and chosen step of its last. The chosen step is the checkpoint kept, one per seed. The last columns are "
        "what the labels cost: answers the supervisor was asked for"
        + (", and gold labels that the method bought." if bought else "."),
        results.arms,
        ("Arm", arm_cell),
        ("Rows", lambda arm: counts(arm.rows)),
        ("Questions", lambda arm: counts(arm.questions)),
        ("Removed", lambda arm: counts(arm.removed_rows)),
        ("Steps S", lambda arm: counts(arm.all_steps)),
        ("Chosen step", lambda arm: listed(arm.chosen_step)),
        ("Asked of supervisor", lambda arm: counts(arm.asked)),
        *([("Gold bought", _gold_bought)] if bought else []),
        tone=lambda arm: arm.kind,
    )


def _gold_bought(arm: Arm) -> str:
    return counts(arm.known)


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
    overlap = f"Questions shared between splits: {', '.join(shared)}." if shared else "No question is in two splits."
    notes = [note for note in (*_audited(task.audit), *(task.audit.notes if task.audit else ())) if note]
    audited = f" {' '.join(notes)}" if notes else ""
    doubt = plural(task.contradictory_gold, "question has", "questions have")
    return TableView(
        "splits",
        "Splits",
        f"Groups are never split apart. {overlap if task.overlap else ''} {doubt} contradictory gold.{audited}",
        columns(["Split", "Questions", "Groups", *kinds]),
        tuple(
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
    return table(
        "models",
        "Models",
        "The hash covers configuration, weights and tokenizer.",
        provenance.models,
        ("Role", lambda model: model.name),
        ("Model", lambda model: model.model),
        ("Parameters", lambda model: NO_DATA if model.parameters is None else count(model.parameters)),
        ("Hash", lambda model: (model.hash or NO_DATA)[:16]),
        words=(0, 1, 3),
    )


def usage_table(provenance: Provenance) -> TableView | None:
    """What servers charged for answers; each asking once, however many arms shared it."""
    if not provenance.usage:
        return None
    return table(
        "usage",
        "Answers from servers",
        "Requests include retries. Cost is tokens times the recipe's prices; without prices it is not known. "
        "Latency is the time of one answering request, median and 95 % quantile.",
        provenance.usage,
        ("Asking", lambda used: used.about),
        ("Answers", lambda used: count(used.answers)),
        ("Requests", lambda used: count(used.requests)),
        ("Retries", lambda used: count(used.retries)),
        ("Prompt tokens", lambda used: count(used.prompt_tokens)),
        ("Answer tokens", lambda used: count(used.completion_tokens)),
        ("Cost", lambda used: NO_DATA if math.isnan(used.cost) else f"{used.cost:,.4f}"),
        ("Latency", _latency),
    )


def _latency(used: Usage) -> Cell | str:
    return NO_DATA if math.isnan(used.latency_p50) else Cell(duration(used.latency_p50), duration(used.latency_p95))


def steps_table(provenance: Provenance) -> TableView | None:
    """Every step with its key."""
    if not provenance.steps:
        return None
    return table(
        "steps",
        f"All {count(len(provenance.steps))} steps",
        "Keys are the store's: the same key is the same result.",
        provenance.steps,
        ("Step", lambda step: step.name),
        ("About", lambda step: step.detail),
        ("Time", lambda step: Cell(duration(step.seconds), "from the store" if step.cached else "")),
        ("Key", lambda step: step.key[:12]),
        ("Environment", lambda step: step.environment or NO_DATA),
        words=(0, 1, 3, 4),
    )


def facts(results: Results, provenance: Provenance) -> list[tuple[str, str]]:
    """Where, when and with what it was run, as label and text."""
    hardware = [f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
                for key, value in provenance.hardware.items() if value not in ([], None, "")]  # fmt: skip
    lines = [
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
    return [(name, text) for name, text in lines if text]
