"""The verb `annotators`: who answers well, and whom to be wary of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Answers, Classes, Columns, Known, Normalise, Repeats, check_paths
from outgrow.cli.reading import Tidying, say_read
from outgrow.cli.words import say_path
from outgrow.core.terminal import line, plain_table, show, visible

if TYPE_CHECKING:
    import pyarrow as pa

    from outgrow.reliability.annotators import AnnotatorModel

MOST = 40
LEAST_PAIRED, MOST_PAIRED = 4, 12
"""Annotators whose pairs are shown: of fewer nothing can be told, and more make no table."""


def annotators(
    path: Answers,
    known: Known = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write the table here; the suffix chooses the format.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="auto, majority, weighted_vote, one_coin, dawid_skene, variational_dawid_skene, mace, glad, dirichlet "
            "or robust_dawid_skene. auto: robust_dawid_skene, for free answers one_coin."
        ),
    ] = "auto",
    most: Annotated[int, typer.Option(min=1, help="Rows to print; flagged annotators come first.")] = MOST,
    columns: Columns = None,
    normalise: Normalise = False,
    repeats: Repeats = "merge",
    classes: Classes = None,
) -> None:
    """Who answers well: accuracy of every annotator with its interval, and flags."""
    from outgrow.io import write_table
    from outgrow.io.writing import writable_format
    from outgrow.reliability.annotators import annotator_table, fit_annotators

    if out is not None:
        check_paths(out, path, known)
        writable_format(out)
    tidying = Tidying(columns, normalise, repeats, classes)
    tidied = tidying.read(path, only=(), numbered=False)
    answers = tidied.answers
    gold = tidying.gold(known, answers)
    fitted = fit_annotators(answers, model=model, known=gold, classes=tidying.class_list)
    table = annotator_table(fitted)
    if out is not None:
        write_table(table, out)
    say_read(tidied)
    _say_crowd(answers, fitted, gold)
    show(_table(table, most))
    _say_flags(table)
    _say_pairs(fitted, gold)
    if out is not None:
        say_path(out, table.num_rows, "annotators")


def _say_crowd(answers: pa.Table, model: AnnotatorModel, gold: pa.Table | None) -> None:
    import numpy as np

    votes = model.votes_
    invalid = answers["value"].null_count
    line(
        f"{len(votes.annotators):,} annotators, {len(votes.tasks):,} questions, {answers.num_rows:,} answers "
        f"({invalid:,} invalid), {len(votes.classes):,} different labels"
    )
    bought = "" if gold is None else f", with {gold.num_rows:,} known labels"
    line(f"model: {type(model).__name__}{bought}")
    few = sum(n < 3 for n in np.bincount(votes.task, votes.weight, len(votes.tasks)).round().tolist())
    if gold is None and 2 * few > len(votes.tasks):
        line(
            f"warning: {few:,} questions have fewer than three answers; who of two is right cannot be told from them: "
            "take these numbers for little, or bring known labels (--known)"
        )


def _table(table: pa.Table, most: int) -> Any:
    rows = sorted(
        table.to_pylist(), key=lambda row: (not row["flags"], row["accuracy"] if row["accuracy"] is not None else 2)
    )
    shown = plain_table("annotator", "answers", "agreement", "accuracy", "95 % interval", "over-used label", "flags")
    for column in shown.columns[1:5]:
        column.justify = "right"
    for row in rows[:most]:
        over = (
            ""
            if not row["over_used"] or row["excess"] < 0.05
            else f"{visible(row['over_used'], 24)} +{row['excess']:.0%}"
        )
        interval = "" if row["low"] is None else f"{row['low']:.1%} – {row['high']:.1%}"
        shown.add_row(
            visible(row["annotator"], 40), f"{row['answers']:,}", _percent(row["agreement"]), _percent(row["accuracy"]),
            interval, over, _flags(row),
        )  # fmt: skip
    if len(rows) > most:
        shown.add_row(f"{len(rows) - most:,} more")
    return shown


def _say_pairs(model: AnnotatorModel, known: pa.Table | None) -> None:
    """How often each two of a few annotators differ, and how their errors are correlated."""
    from outgrow.reliability.annotators import correlation_matrix, effective_number, error_correlations

    names = model.votes_.annotators.to_pylist()
    if not LEAST_PAIRED <= len(names) <= MOST_PAIRED:
        return
    pairs = error_correlations(model, known=known)
    if not pairs["correlation"].drop_null():
        return
    rows = {(row["annotator"], row["other"]): row for row in pairs.to_pylist()}
    shown = plain_table("", *(visible(name, 24) for name in names))
    shown.caption = "below the diagonal: answers that differ; above: correlation of errors, estimated without gold"
    for i, name in enumerate(names):
        below = [_pair(rows[other, name], above=False) for other in names[:i]]
        above = [_pair(rows[name, other], above=True) for other in names[i + 1 :]]
        shown.add_row(visible(name, 24), *below, "", *above)
    show(shown)
    worth = effective_number(correlation_matrix(pairs, names))
    most = "at most " if pairs["correlation"].null_count else ""
    line(f"by their errors the {len(names)} annotators are worth {most}{worth:.1f} independent ones")


def _pair(row: dict[str, Any], *, above: bool) -> str:
    if above:
        return "" if row["correlation"] is None else f"{row['correlation']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
    return "" if row["agreement"] is None else f"{1 - row['agreement']:.1%}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _flags(row: dict[str, Any]) -> str:
    copied = f" of {visible(row['copy_of'], 24)} ({row['copy_rate']:.0%})" if row["copy_of"] else ""
    return ", ".join(flag + (copied if flag == "near-copy" else "") for flag in row["flags"])


def _say_flags(table: pa.Table) -> None:
    """How many annotators have each flag, and what it means."""
    meanings = {
        "spammer": "answers that hardly depend on the question",
        "adversarial": "worse than chance; such answers, turned round, would be right more often",
        "near-copy": "repeats another annotator beyond what both could know; the less accurate of two, where votes do "
        "not tell who copies",
        "too few answers": "no verdict",
    }
    for flag, meaning in meanings.items():
        if n := sum(flag in flags for flags in table["flags"].to_pylist()):
            line(f"{flag}: {n:,} ({meaning})")
    if not any(table["flags"].to_pylist()):
        line("no annotator is flagged")
