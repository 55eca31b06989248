"""What the verbs about labels say in the terminal, each thing in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgrow.core.terminal import line, plain_table, show, visible

if TYPE_CHECKING:
    import pyarrow as pa

    from outgrow.io.export import Format
    from outgrow.reliability import AccuracyEstimate


def say_ignored(answers: pa.Table, but: Sequence[str] = ()) -> None:
    """Columns of the file that were not used, `but` those that were, elsewhere."""
    ignored = json.loads((answers.schema.metadata or {}).get(b"ignored_columns", b"[]"))
    if ignored := [name for name in ignored if name not in but]:
        line(f"note: columns not used: {', '.join(visible(name, 60) for name in ignored)}")


def say_counts(answers: pa.Table, labels: pa.Table) -> None:
    """Questions, answers, and those that could not be parsed."""
    invalid = answers.column("value").null_count
    line(
        f"{labels.num_rows:,} questions, {answers.num_rows:,} answers, "
        f"{invalid:,} invalid ({invalid / answers.num_rows:.1%})",
    )
    if labels.column("value").null_count:
        line(f"{labels.column('value').null_count:,} questions have no valid answer and get no label")


def say_accuracy(accuracy: AccuracyEstimate) -> None:
    """How many labels are right, as far as votes can tell, and what that assumes."""
    line(
        f"about {accuracy.estimate:.1%} of the labels are right [{accuracy.low:.1%}, {accuracy.high:.1%}], "
        f"estimated from the votes of {accuracy.questions:,} questions",
    )
    line(f"this assumes: {accuracy.assumptions}")


def say_levels(labels: pa.Table, most: int = 12) -> None:
    """How many questions have each entropy."""
    import numpy as np

    entropy = np.asarray(labels.column("entropy").to_numpy())
    once = int(np.isnan(entropy).sum())
    if once:
        line(f"{once:,} questions were asked once: they have no entropy and no agreement")
    levels, counts = np.unique(np.round(entropy[~np.isnan(entropy)], 4), return_counts=True)
    if not len(levels):
        return
    table = plain_table("entropy", "questions", "share", title="Agreement (0: all answers equal)")
    for column in table.columns:
        column.justify = "right"
    for level, count in list(zip(levels, counts, strict=True))[:most]:
        table.add_row(f"{level:.4f}", f"{count:,}", f"{count / labels.num_rows:.1%}")
    if len(levels) > most:
        rest = int(counts[most:].sum())
        table.add_row(f"{len(levels) - most} more", f"{rest:,}", f"{rest / labels.num_rows:.1%}")
    show(table)


BOUNDS = (0.99, 0.95, 0.9, 0.8, 0.6, 0.0)


def say_certainty(labels: pa.Table) -> None:
    """How many labels are how probably right."""
    import numpy as np

    p = np.asarray(labels.column("reliability").to_numpy())[labels.column("value").is_valid().to_numpy()]
    table = plain_table("P(correct)", "questions", "share", title="How sure the labels are")
    for column in table.columns:
        column.justify = "right"
    above = 1.0 + 1e-9
    for bound in BOUNDS:
        n = int(((p >= bound) & (p < above)).sum())
        table.add_row(f"{bound:.2f} – {min(above, 1):.2f}", f"{n:,}", f"{n / max(len(p), 1):.1%}")
        above = bound
    show(table)
    line(f"expected share of right labels: {float(p.mean()):.1%}")


def say_mix(mixes: Mapping[str, Mapping[str, float]], most: int = 20) -> None:
    """Shares of the labels, one column per mix."""
    first = next(iter(mixes.values()))
    table = plain_table("label", *mixes, title="Label mix")
    for name in list(first)[:most]:
        table.add_row(visible(name, 60), *(f"{mix.get(name, 0.0):.1%}" for mix in mixes.values()))
    if len(first) > most:
        rest = list(first)[most:]
        shares = (sum(mix.get(name, 0.0) for name in rest) for mix in mixes.values())
        table.add_row(f"{len(rest)} more", *(f"{share:.1%}" for share in shares))
    show(table)


def warn_one_class(mix: Mapping[str, Any]) -> None:
    """A warning where all labels are the same."""
    if len(mix) == 1:
        line(
            f"warning: every label is {visible(next(iter(mix)), 60)}; with fewer than two classes "
            "reliability tells nothing about which labels are right",
        )


def warn_shift(before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """A warning where a choice of rows leaves out most of a class."""
    lost = [label for label, share in before.items() if share >= 0.01 and after.get(label, 0.0) < share / 2]
    if lost:
        shown = ", ".join(
            f"{visible(label, 60)} ({before[label]:.1%} to {after.get(label, 0.0):.1%})" for label in lost[:5]
        )
        more = f" and {len(lost) - 5:,} more" if len(lost) > 5 else ""
        line(f"warning: the rows hold less than half the share of {shown}{more}; --stratify label keeps the mix")


def say_weights(weights: str | None, left_out: int, what: str = "rows") -> None:
    """What became of weights that a trainer does not use."""
    if weights == "resample":
        line(f"resampled in proportion to weight: {left_out:,} {what} were not drawn, others repeat")
    elif weights == "threshold":
        line(f"{left_out:,} lighter {what} were left out; the others weigh the same now")
    elif weights == "keep-unused":
        line("note: the weights are written, but the trainer will not use them")


def say_written(written: Sequence[Path], rows: pa.Table, reader: Format, what: str = "rows") -> None:
    """Missing prompts, the files, and what their reader has to be told."""
    out = written[0]
    if missing := rows.column("prompt").null_count:
        line(
            f"note: {missing:,} {what} have no prompt; the answers gave none "
            "(a trainer needs them: column 'prompt', or --questions FILE)",
        )
    say_path(out, rows.num_rows, what)
    for other in written[1:]:
        line(f"added the entry '{out.stem}' to {other}")
    if reader.hint:
        line(f"{reader.reader}: {reader.hint_for(out)}")


def say_path(out: Path, rows: int, what: str = "rows") -> None:
    """What was written where."""
    line(f"wrote {rows:,} {what} to {out}")
