"""The verbs `reliability` and `curate`: labels without training."""

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
        "soft_labels or random_filtering."
    ),
]
Keep = Annotated[float, typer.Option(help="Share of questions a filtering method keeps, above 0 up to 1.")]
StratifyBy = Annotated[str | None, typer.Option("--stratify", help="'label' keeps the label mix when filtering.")]
Target = Annotated[str, typer.Option(help="Train on the parsed 'value', or on the 'text' that gave it.")]


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
) -> None:
    """A training set: the rows a method keeps, with target, weight, votes and reliability."""
    from outgrow import curate as room
    from outgrow.tables import read_answers, table_format, write_table

    _check_paths(path, out)
    table_format(out)
    answers = read_answers(path)
    curated = room.curate(
        answers,
        method=method,
        keep=keep,
        seed=seed,
        temperature=temperature,
        stratify=stratify,
        target=target,
    )
    rows, summary = curated.rows, curated.summary
    if rows.column("probabilities").null_count == rows.num_rows:
        rows = rows.drop_columns(["probabilities"])
    write_table(rows, out)
    console = _console()
    _say_ignored(console, answers)
    _line(console, f"{summary.answers:,} answers, {summary.invalid_answers:,} of them invalid")
    _line(
        console,
        f"{summary.method} kept {summary.kept:,} of {summary.with_consensus:,} questions with a consensus "
        f"({summary.questions:,} asked), as {summary.rows:,} rows",
    )
    if summary.removed_rows:
        _line(console, f"{summary.removed_rows:,} rows of weight 0 were removed")
    if rows.column("prompt").null_count:
        _line(console, f"note: {rows.column('prompt').null_count:,} rows have no prompt; the answers gave none")
    _say_mix(console, {"before": summary.mix_before, "after": summary.mix_after})
    _warn_one_class(console, summary.mix_before)
    _say_path(console, out, rows.num_rows)


def _check_paths(path: Path, out: Path) -> None:
    if out.exists() and path.exists() and out.samefile(path):
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
