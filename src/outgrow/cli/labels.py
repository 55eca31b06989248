"""The verbs `reliability` and `curate`: labels and training sets without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.options import Plugin
from outgrow.cli.words import (
    check_paths,
    console,
    line,
    say_accuracy,
    say_counts,
    say_ignored,
    say_levels,
    say_mix,
    say_path,
    warn_one_class,
)

if TYPE_CHECKING:
    from rich.console import Console

    from outgrow.experiment.curate import Summary

CROWD = "crowd"
Answers = Annotated[Path, typer.Argument(help="Answers: .jsonl, .csv or .parquet with example_id and value.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write; the suffix chooses the format.")]
Seed = Annotated[int, typer.Option(help="Breaks ties; the same seed gives the same file.")]
Temperature = Annotated[float, typer.Option(help="T of the softmax reliability, above 0.")]
Estimator = Annotated[
    str, typer.Option(help="Column 'reliability': softmax, vote_share, mean_logprob, margin or probability.")
]
PerSource = Annotated[bool, typer.Option("--one-label-per-source", help="Label each source apart.")]
Together = Annotated[
    bool, typer.Option("--together", help="Take the answers of all sources (workers) for one crowd's.")
]
Method = Annotated[str, typer.Option(help="One of `outgrow methods` that only chooses rows, or relabel.")]
Keep = Annotated[float | None, typer.Option(help="Share of questions a filtering method keeps, above 0 up to 1.")]
StratifyBy = Annotated[str | None, typer.Option("--stratify", help="'label' keeps the label mix when filtering.")]
Softness = Annotated[float | None, typer.Option("--temperature", help="T of the softmax reliability, above 0.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting that `outgrow methods METHOD` shows."),
]
Target = Annotated[
    str | None,
    typer.Option(
        help="'value': the parsed answer; 'text': as it was written. By default the text, if it was generated."
    ),
]
Form = Annotated[
    str,
    typer.Option(
        "--format",
        help="rows (our own columns), trl, trl-chat, trl-messages, llamafactory-alpaca, llamafactory-sharegpt, "
        "axolotl or openai.",
    ),
]
WhatOfWeights = Annotated[
    str | None,
    typer.Option("--weights", help="Where a trainer ignores weights: resample, threshold or keep-unused."),
]
MinWeight = Annotated[float | None, typer.Option(help="With --weights threshold: keep this weight or more; mean is 1.")]
Given = Annotated[Path | None, typer.Option(help="Labels that may be wrong, for relabel: example_id and label.")]
MinReliability = Annotated[
    float | None, typer.Option(help="For relabel: replace a label where the consensus is this reliable; default 0.9.")
]
Questions = Annotated[
    Path | None, typer.Option(help="Prompts for answers without: example_id, question, and maybe choices, label.")
]
Known = Annotated[
    Path | None, typer.Option(help="Gold of a few questions, example_id and value: rates labels by P(correct).")
]
Calibrate = Annotated[str, typer.Option(help="With --known: platt, beta or isotonic.")]
Options = Annotated[
    int | None, typer.Option(min=2, help="Options per question: estimates from the votes how many labels are right.")
]


def reliability(
    path: Answers,
    out: Out,
    seed: Seed = 0,
    temperature: Temperature = 0.2,
    estimator: Estimator = "softmax",
    one_label_per_source: PerSource = False,
    together: Together = False,
    known: Known = None,
    calibrate: Calibrate = "platt",
    options: Options = None,
) -> None:
    """One label per question: the consensus, its votes, entropy and reliability."""
    import pyarrow.compute as pc

    from outgrow import reliability as room
    from outgrow.io import as_one_source, read_answers, read_gold, table_format, write_table

    for each in (path, known):
        check_paths(each, out)
    table_format(out)
    answers = read_answers(path, columns=("logprob", "probabilities"), numbered=False)
    if together:
        answers = as_one_source(answers, CROWD)
    labels = room.agreement(
        answers,
        seed=seed,
        temperature=temperature,
        estimator=estimator,
        one_label_per_source=one_label_per_source,
    )
    bought = None if known is None else read_gold(known)
    if bought is not None:
        mine = labels.filter(pc.is_in(labels["example_id"], bought["example_id"].combine_chunks()))
        labels = room.calibrate(labels, mine, bought, kind=calibrate, seed=seed)
    about = None if options is None else room.accuracy_from_votes(labels, options=options, seed=seed)
    write_table(labels, out)
    shown = console()
    say_ignored(shown, answers)
    say_counts(shown, answers, labels)
    if bought is not None:
        line(shown, f"reliability is P(correct), learnt from {bought.num_rows:,} known gold labels ({calibrate})")
    if about is not None:
        say_accuracy(shown, about)
    if labels["reliability"].null_count == labels.num_rows:
        line(shown, f"warning: no label has a reliability; the estimator {estimator} finds nothing in these answers")
    say_levels(shown, labels)
    mix = room.label_mix(labels)
    say_mix(shown, {"share": mix})
    warn_one_class(shown, mix)
    say_path(shown, out, labels.num_rows)


def curate(
    path: Answers,
    out: Out,
    method: Method = "uncertainty_filtering",
    keep: Keep = None,
    seed: Seed = 0,
    temperature: Softness = None,
    stratify: StratifyBy = None,
    settings: Settings = None,
    target: Target = None,
    form: Form = "rows",
    weights: WhatOfWeights = None,
    min_weight: MinWeight = None,
    known: Known = None,
    given: Given = None,
    min_reliability: MinReliability = None,
    questions: Questions = None,
    together: Together = False,
    plugin: Plugin = None,
) -> None:
    """A training set: the rows a method chooses, in the form a trainer reads."""
    from outgrow.experiment import curate as room
    from outgrow.io import as_one_source, export, read_answers, read_gold
    from outgrow.io.export.formats import check_weights_fit
    from outgrow.io.questions import read_given, read_questions
    from outgrow.recipe.yaml import apply_overrides

    for each in (path, known, given, questions):
        check_paths(each, out)
    export.check_out(out, form)
    reader = export.find_format(form)
    check_weights_fit(reader, weights, weighted=room.find_method(method).weighted)
    options = {"keep": keep, "temperature": temperature, "stratify": stratify, "min_reliability": min_reliability}
    options = apply_overrides({name: value for name, value in options.items() if value is not None}, settings or [])
    answers = read_answers(path)
    if together:
        answers = as_one_source(answers, CROWD)
    curated = room.curate(
        answers,
        method=method,
        seed=seed,
        known=None if known is None else read_gold(known),
        given=None if given is None else read_given(given),
        questions=None if questions is None else read_questions(questions),
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
    shown = console()
    say_ignored(shown, answers)
    _say_curated(shown, summary)
    if rows.column("prompt").null_count:
        line(
            shown,
            f"note: {rows.column('prompt').null_count:,} rows have no prompt; the answers gave none "
            "(a trainer needs them: column 'prompt', or --questions FILE)",
        )
    say_mix(shown, {"before": summary.mix_before, "after": summary.mix_after})
    warn_one_class(shown, summary.mix_before)
    say_path(shown, out, rows.num_rows)
    for other in written[1:]:
        line(shown, f"added the entry '{out.stem}' to {other}")
    if reader.hint:
        line(shown, f"{reader.reader}: {reader.hint_for(out)}")


def _say_curated(shown: Console, summary: Summary) -> None:
    line(shown, f"{summary.answers:,} answers, {summary.invalid_answers:,} of them invalid")
    for note in summary.notes:
        line(shown, note)
    line(
        shown,
        f"{summary.method} kept {summary.kept:,} of {summary.labelled:,} questions with a label "
        f"({summary.questions:,} in all), as {summary.rows:,} rows",
    )
    if summary.removed_rows:
        line(shown, f"{summary.removed_rows:,} rows of weight 0 were removed")
    if summary.weights == "resample":
        line(shown, f"resampled in proportion to weight: {summary.left_out:,} rows were not drawn, others repeat")
    elif summary.weights == "threshold":
        line(shown, f"{summary.left_out:,} lighter rows were left out; the others weigh the same now")
    elif summary.weights == "keep-unused":
        line(shown, "note: the weights are written, but the trainer will not use them")
