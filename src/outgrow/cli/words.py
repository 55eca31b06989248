"""What the verbs about labels say in the terminal, each thing in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgrow.core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from outgrow.reliability import AccuracyEstimate


def check_paths(path: Path | None, out: Path) -> None:
    """Refuse to write over an input."""
    if path is not None and out.exists() and path.exists() and out.samefile(path):
        raise ConfigError(f"--out {out} is the input itself; choose another file")


def console() -> Console:
    """Where verbs write: nothing coloured, nothing wrapped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def line(shown: Console, text: str) -> None:
    """One line as it is."""
    shown.print(text, markup=False)


def say_ignored(shown: Console, answers: pa.Table) -> None:
    """Columns of the file that were not used."""
    ignored = json.loads((answers.schema.metadata or {}).get(b"ignored_columns", b"[]"))
    if ignored:
        line(shown, f"note: columns not used: {', '.join(map(visible, ignored))}")


def say_counts(shown: Console, answers: pa.Table, labels: pa.Table) -> None:
    """Questions, answers, and those that could not be parsed."""
    invalid = answers.column("value").null_count
    line(
        shown,
        f"{labels.num_rows:,} questions, {answers.num_rows:,} answers, "
        f"{invalid:,} invalid ({invalid / answers.num_rows:.1%})",
    )
    if labels.column("value").null_count:
        line(shown, f"{labels.column('value').null_count:,} questions have no valid answer and get no label")


def say_accuracy(shown: Console, found: AccuracyEstimate) -> None:
    """How many labels are right, as far as votes can tell, and what that assumes."""
    line(
        shown,
        f"about {found.estimate:.1%} of the labels are right [{found.low:.1%}, {found.high:.1%}], "
        f"estimated from the votes of {found.questions:,} questions",
    )
    line(shown, f"this assumes: {found.assumptions}")


def say_levels(shown: Console, labels: pa.Table, most: int = 12) -> None:
    """How many questions have each entropy."""
    import numpy as np
    from rich.table import Table

    entropy = np.asarray(labels.column("entropy").to_numpy())
    once = int(np.isnan(entropy).sum())
    if once:
        line(shown, f"{once:,} questions were asked once: they have no entropy and no agreement")
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
    shown.print(table)


def say_mix(shown: Console, mixes: Mapping[str, Mapping[str, float]], most: int = 20) -> None:
    """Shares of the labels, one column per mix."""
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
    shown.print(table)


def warn_one_class(shown: Console, mix: Mapping[str, Any]) -> None:
    """A warning where all labels are the same."""
    if len(mix) == 1:
        line(
            shown,
            f"warning: every label is {visible(next(iter(mix)))}; with fewer than two classes "
            "reliability tells nothing about which labels are right",
        )


def say_path(shown: Console, out: Path, rows: int) -> None:
    """What was written where."""
    line(shown, f"wrote {rows:,} rows to {out}")


def visible(text: str, length: int = 60) -> str:
    """Text of a file as a terminal may show it: control characters escaped, long text cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"
