"""The verb `curate`: a training set of labels, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import (
    Answers,
    Classes,
    Columns,
    Estimator,
    Known,
    MinWeight,
    Normalise,
    Out,
    Plugin,
    Repeats,
    TieBreak,
    Together,
    Weights,
    Without,
    check_paths,
)
from outgrow.cli.reading import Tidying, say_read, taken_columns
from outgrow.cli.words import say_mix, say_weights, say_written, warn_one_class, warn_shift
from outgrow.core.terminal import line

if TYPE_CHECKING:
    from outgrow.experiment.curate import Summary


def curate(
    path: Answers,
    out: Out,
    method: Annotated[
        str, typer.Option(help="One of `outgrow methods` that only chooses rows, or relabel.")
    ] = "uncertainty_filtering",
    keep: Annotated[
        float | None, typer.Option(help="Share of questions a filtering method keeps, above 0 up to 1.")
    ] = None,
    seed: TieBreak = 0,
    temperature: Annotated[float | None, typer.Option(help="T of the softmax reliability, above 0.")] = None,
    stratify: Annotated[str | None, typer.Option(help="'label' keeps the label mix when filtering.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting that `outgrow methods METHOD` shows."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="'value': the parsed answer; 'text': as it was written. By default the text, if it was generated."
        ),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="rows (our own columns), trl, trl-chat, trl-messages, llamafactory-alpaca, llamafactory-sharegpt, "
            "axolotl or openai.",
        ),
    ] = "rows",
    weights: Weights = None,
    min_weight: MinWeight = None,
    known: Known = None,
    given: Annotated[
        Path | None, typer.Option(help="Labels that may be wrong, for relabel: example_id and label.")
    ] = None,
    min_reliability: Annotated[
        float | None,
        typer.Option(help="For relabel: replace a label where the consensus is this reliable; default 0.9."),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(help="Prompts for answers without: example_id, question, and maybe choices, label."),
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Questions kept or dropped by hand: the file that the page of `outgrow explore` saves."),
    ] = None,
    estimator: Estimator = None,
    without: Without = None,
    together: Together = False,
    columns: Columns = None,
    normalise: Normalise = False,
    repeats: Repeats = "merge",
    classes: Classes = None,
    plugin: Plugin = None,
) -> None:
    """A training set: the rows a method chooses, in the form a trainer reads."""
    from outgrow.experiment import curate as room
    from outgrow.io import export
    from outgrow.io.export.formats import check_weights_fit
    from outgrow.io.questions import read_decisions, read_given, read_questions
    from outgrow.recipe.yaml import apply_overrides

    check_paths(out, path, known, given, questions, without, decisions)
    export.check_out(out, form)
    reader = export.find_format(form)
    check_weights_fit(reader, weights, weighted=room.find_method(method).weighted)
    options: dict[str, Any] = {"keep": keep, "temperature": temperature, "stratify": stratify}
    options["min_reliability"] = min_reliability
    options = apply_overrides({name: value for name, value in options.items() if value is not None}, settings or [])
    tidying = Tidying(columns, normalise, repeats, classes, without, together)
    tidied = tidying.read(path)
    taken = taken_columns(tidied.answers)
    asked = None if questions is None else read_questions(questions, columns=taken)
    labels = None if given is None else read_given(given, columns=taken)
    curated = room.curate(
        tidied.answers,
        method=method,
        estimator=estimator,
        decisions=None if decisions is None else read_decisions(decisions),
        seed=seed,
        known=tidying.gold(known, tidied.answers),
        given=tidying.like(labels, "label", tidied.answers, "given labels"),
        questions=tidying.like(asked, "label", tidied.answers, "labels of questions"),
        target=target,
        weights=weights,
        min_weight=min_weight,
        **options,
    )
    rows, summary = curated.rows, curated.summary
    for name in ("probabilities", "given"):
        if rows.column(name).null_count == rows.num_rows:
            rows = rows.drop_columns([name])
    written = export.write_rows(rows, out, format=form, keep_weights=weights == "keep-unused")
    say_read(tidied)
    _say_curated(summary)
    say_mix({"before": summary.mix_before, "after": summary.mix_after})
    warn_one_class(summary.mix_before)
    if stratify is None and "stratify" in room.find_method(method).config.model_fields:
        warn_shift(summary.mix_before, summary.mix_after)
    say_written(written, rows, reader)


def _say_curated(summary: Summary) -> None:
    line(f"{summary.answers:,} answers, {summary.invalid_answers:,} of them invalid")
    for note in summary.notes:
        line(note)
    line(
        f"{summary.method} kept {summary.kept:,} of {summary.labelled:,} questions with a label "
        f"({summary.questions:,} in all), as {summary.rows:,} rows",
    )
    if summary.removed_rows:
        line(f"{summary.removed_rows:,} rows of weight 0 were removed")
    say_weights(summary.weights, summary.left_out)
