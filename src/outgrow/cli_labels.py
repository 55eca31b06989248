"""The verbs `reliability` and `curate`: labels and training sets without training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from outgrow.curate import Summary

Answers = Annotated[Path, typer.Argument(help="Answers: .jsonl, .csv or .parquet with example_id and value.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write; the suffix chooses the format.")]
Seed = Annotated[int, typer.Option(help="Breaks ties; the same seed gives the same file.")]
Temperature = Annotated[float, typer.Option(help="T of the softmax reliability, above 0.")]
Estimator = Annotated[
    str, typer.Option(help="Column 'reliability': softmax, vote_share, mean_logprob, margin or probability.")
]
PerSource = Annotated[bool, typer.Option("--one-label-per-source", help="Label each source apart.")]
Method = Annotated[
    str,
    typer.Option(
        help="majority_vote, all_answers, confidence_filtering, uncertainty_filtering, reliability_reweighting, "
        "soft_labels, random_filtering or relabel."
    ),
]
Keep = Annotated[float, typer.Option(help="Share of questions a filtering method keeps, above 0 up to 1.")]
StratifyBy = Annotated[str | None, typer.Option("--stratify", help="'label' keeps the label mix when filtering.")]
Target = Annotated[str, typer.Option(help="Train on the parsed 'value', or on the 'text' that gave it.")]
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


def reliability(
    path: Answers,
    out: Out,
    seed: Seed = 0,
    temperature: Temperature = 0.2,
    estimator: Estimator = "softmax",
    one_label_per_source: PerSource = False,
) -> None:
    """One label per question: the consensus, its votes, entropy and reliability."""
    from outgrow import reliability as room
    from outgrow.tables import read_answers, table_format, write_table

    _check_paths(path, out)
    table_format(out)
    answers = read_answers(path, columns=("logprob", "probabilities"), numbered=False)
    labels = room.agreement(
        answers,
        seed=seed,
        temperature=temperature,
        estimator=estimator,
        one_label_per_source=one_label_per_source,
    )
    write_table(labels, out)
    console = _console()
    _say_ignored(console, answers)
    _say_counts(console, answers, labels)
    _say_levels(console, labels)
    mix = room.label_mix(labels)
    _say_mix(console, {"share": mix})
    _warn_one_class(console, mix)
    _say_path(console, out, labels.num_rows)


def curate(
    path: Answers,
    out: Out,
    method: Method = "uncertainty_filtering",
    keep: Keep = 0.5,
    seed: Seed = 0,
    temperature: Temperature = 0.2,
    stratify: StratifyBy = None,
    target: Target = "value",
    form: Form = "rows",
    weights: WhatOfWeights = None,
    min_weight: MinWeight = None,
    given: Given = None,
    min_reliability: MinReliability = None,
    questions: Questions = None,
) -> None:
    """A training set: the rows a method keeps, in the form a trainer reads."""
    from outgrow import curate as room
    from outgrow import export
    from outgrow.curation import read_given, read_questions
    from outgrow.export.formats import check_weights_fit, soft_refusal
    from outgrow.tables import read_answers

    for each in (path, given, questions):
        _check_paths(each, out)
    export.check_out(out, form)
    reader = export.find_format(form)
    check_weights_fit(reader, weights, weighted=method in room.WEIGHTED)
    if method == "soft_labels" and reader.row is not None:
        raise ConfigError(soft_refusal(reader))
    answers = read_answers(path)
    curated = room.curate(
        answers,
        method=method,
        keep=keep,
        seed=seed,
        temperature=temperature,
        stratify=stratify,
        target=target,
        weights=weights,
        min_weight=min_weight,
        given=None if given is None else read_given(given),
        min_reliability=min_reliability,
        questions=None if questions is None else read_questions(questions),
    )
    rows, summary = curated.rows, curated.summary
    for name in ("probabilities", "given"):
        if rows.column(name).null_count == rows.num_rows:
            rows = rows.drop_columns([name])
    written = export.write_rows(rows, out, format=form, keep_weights=weights == "keep-unused")
    console = _console()
    _say_ignored(console, answers)
    _say_curated(console, summary)
    if rows.column("prompt").null_count:
        _line(
            console,
            f"note: {rows.column('prompt').null_count:,} rows have no prompt; the answers gave none "
            "(a trainer needs them: column 'prompt', or --questions FILE)",
        )
    _say_mix(console, {"before": summary.mix_before, "after": summary.mix_after})
    _warn_one_class(console, summary.mix_before)
    _say_path(console, out, rows.num_rows)
    for other in written[1:]:
        _line(console, f"added the entry '{out.stem}' to {other}")
    if reader.hint:
        _line(console, f"{reader.reader}: {reader.hint_for(out)}")


def _say_curated(console: Console, summary: Summary) -> None:
    _line(console, f"{summary.answers:,} answers, {summary.invalid_answers:,} of them invalid")
    found = summary.relabelled
    if found is not None:
        _line(
            console,
            f"{found.changed:,} of {found.labels.num_rows:,} given labels were replaced by the consensus "
            f"({found.changed / found.labels.num_rows:.1%})",
        )
        if found.without_answers:
            _line(console, f"{found.without_answers:,} given labels have no answers and were kept")
        if found.without_given:
            _line(console, f"{found.without_given:,} answered questions have no given label and were left out")
    else:
        _line(
            console,
            f"{summary.method} kept {summary.kept:,} of {summary.with_consensus:,} questions with a consensus "
            f"({summary.questions:,} asked), as {summary.rows:,} rows",
        )
    if summary.removed_rows:
        _line(console, f"{summary.removed_rows:,} rows of weight 0 were removed")
    if summary.weights == "resample":
        _line(console, f"resampled in proportion to weight: {summary.left_out:,} rows were not drawn, others repeat")
    elif summary.weights == "threshold":
        _line(console, f"{summary.left_out:,} lighter rows were left out; the others weigh the same now")
    elif summary.weights == "keep-unused":
        _line(console, "note: the weights are written, but the trainer will not use them")


def _check_paths(path: Path | None, out: Path) -> None:
    if path is not None and out.exists() and path.exists() and out.samefile(path):
        raise ConfigError(f"--out {out} is the input itself; choose another file")


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def _line(console: Console, text: str) -> None:
    console.print(text, markup=False)


def _say_ignored(console: Console, answers: pa.Table) -> None:
    ignored = json.loads((answers.schema.metadata or {}).get(b"ignored_columns", b"[]"))
    if ignored:
        _line(console, f"note: columns not used: {', '.join(map(visible, ignored))}")


def _say_counts(console: Console, answers: pa.Table, labels: pa.Table) -> None:
    invalid = answers.column("value").null_count
    _line(
        console,
        f"{labels.num_rows:,} questions, {answers.num_rows:,} answers, "
        f"{invalid:,} invalid ({invalid / answers.num_rows:.1%})",
    )
    if labels.column("value").null_count:
        _line(console, f"{labels.column('value').null_count:,} questions have no valid answer and get no label")


def _say_levels(console: Console, labels: pa.Table, most: int = 12) -> None:
    import numpy as np
    from rich.table import Table

    entropy = np.asarray(labels.column("entropy").to_numpy())
    once = int(np.isnan(entropy).sum())
    if once:
        _line(console, f"{once:,} questions were asked once: they have no entropy and no agreement")
    levels, counts = np.unique(np.round(entropy[~np.isnan(entropy)], 4), return_counts=True)
    if not len(levels):
        return
    table = Table("entropy", "questions", "share", title="Agreement (0: all answers equal)")
    for column in table.columns:
        column.justify = "right"
    for level, count in list(zip(levels, counts, strict=True))[:most]:
        table.add_row(f"{level:.4f}", f"{count:,}", f"{count / labels.num_rows:.1%}")
    if len(levels) > most:
        rest = int(counts[most:].sum())
        table.add_row(f"{len(levels) - most} more", f"{rest:,}", f"{rest / labels.num_rows:.1%}")
    console.print(table)


def _say_mix(console: Console, mixes: Mapping[str, Mapping[str, float]], most: int = 20) -> None:
    from rich.markup import escape
    from rich.table import Table

    first = next(iter(mixes.values()))
    table = Table("label", *mixes, title="Label mix")
    for name in list(first)[:most]:
        table.add_row(escape(visible(name)), *(f"{mix.get(name, 0.0):.1%}" for mix in mixes.values()))
    if len(first) > most:
        rest = list(first)[most:]
        shares = (sum(mix.get(name, 0.0) for name in rest) for mix in mixes.values())
        table.add_row(f"{len(rest)} more", *(f"{share:.1%}" for share in shares))
    console.print(table)


def _warn_one_class(console: Console, mix: Mapping[str, Any]) -> None:
    if len(mix) == 1:
        _line(
            console,
            f"warning: every label is {visible(next(iter(mix)))}; with fewer than two classes "
            "reliability tells nothing about which labels are right",
        )


def _say_path(console: Console, out: Path, rows: int) -> None:
    _line(console, f"wrote {rows:,} rows to {out}")


def visible(text: str, length: int = 60) -> str:
    """Text of a file as a terminal may show it: control characters escaped, long text cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return shown if len(shown) <= length else shown[: length - 1] + "…"
