"""How the verbs about labels read answers, and what they say of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.cli.options import CROWD
from outgrow.cli.words import say_ignored
from outgrow.core.terminal import line, visible

if TYPE_CHECKING:
    import pyarrow as pa

    from outgrow.io.tidy import Audit, Tidied

MOST = 5


@dataclass(frozen=True)
class Tidying:
    """What the user asked for, of options that several verbs share."""

    columns: Sequence[str] | None = None
    normalise: bool = False
    repeats: str = "merge"
    classes: str | None = None
    without: Path | None = None
    together: bool = False

    @property
    def class_list(self) -> list[str] | None:
        """The classes, if there are any given."""
        return None if self.classes is None else [each for each in self.classes.split(",") if each.strip()]

    def read(self, path: Path, *, only: Sequence[str] | None = None, numbered: bool = True) -> Tidied:
        """Answers looked over."""
        from outgrow.core.tables import ANSWERS
        from outgrow.io import as_one_source, leave_out, read_answers
        from outgrow.io.columns import parse_columns
        from outgrow.io.tidy import tidy

        columns = parse_columns(self.columns, ANSWERS.names)
        answers = read_answers(path, columns=columns, only=only, numbered=numbered)
        tidied = tidy(answers, normalise=self.normalise, repeats=self.repeats, classes=self.class_list)
        if self.without is not None:
            tidied = replace(tidied, answers=leave_out(tidied.answers, self.without))
        return replace(tidied, answers=as_one_source(tidied.answers, CROWD)) if self.together else tidied

    def like(self, table: pa.Table | None, column: str, answers: pa.Table, what: str) -> pa.Table | None:
        """A table of labels as the answers write them, if asked for; else it is told that some are not so."""
        from outgrow.core.tables import with_column
        from outgrow.io.tidy import in_writing_of

        if table is None or not table.num_rows:
            return table
        labels, n = in_writing_of(table[column], answers["value"])
        if n and self.normalise:
            line(f"note: {n:,} {what} were written otherwise than the answers' and are written alike now")
        elif n:
            line(f"warning: {n:,} {what} differ from the answers' in writing alone; --normalise makes them one")
        return with_column(table, column, labels) if n and self.normalise else table

    def gold(self, path: Path | None, answers: pa.Table) -> pa.Table | None:
        """Known labels of a file, if there is one, as `like`."""
        from outgrow.io import read_gold

        gold = None if path is None else read_gold(path, columns=taken_columns(answers))
        return self.like(gold, "value", answers, "known labels")


def say_read(tidied: Tidied) -> None:
    """Columns that were taken for ours, those that were not used, and what the audit saw."""
    say_taken(tidied.answers)
    say_ignored(tidied.answers)
    say_audit(tidied.audit)
    metadata = tidied.answers.schema.metadata or {}
    if left_out := json.loads(metadata.get(b"left_out", b"[]")):
        names = ", ".join(visible(name, 40) for name in left_out[:MOST])
        more = f" and {len(left_out) - MOST:,} more" if len(left_out) > MOST else ""
        line(f"left out: {len(left_out):,} annotators ({names}{more})")


def taken_columns(answers: pa.Table) -> dict[str, str]:
    """Which columns of the answers' file were taken for ours: ours to theirs."""
    columns: dict[str, str] = json.loads((answers.schema.metadata or {}).get(b"taken_columns", b"{}"))
    return columns


def say_taken(answers: pa.Table) -> None:
    """What the file was taken for, and which of its columns for which of ours."""
    metadata = answers.schema.metadata or {}
    if b"form" in metadata:
        line(f"read as {metadata[b'form'].decode()}")
    if taken := taken_columns(answers):
        line("columns: " + ", ".join(f"{visible(theirs, 60)} is {ours}" for ours, theirs in taken.items()))


def say_audit(audit: Audit) -> None:
    """What is wrong with the answers, and what was or may be done."""
    from outgrow.io.tidy import COLUMNS

    for name, groups in audit.variants.items():
        n = sum(sum(list(ways.values())[1:]) for ways in groups)
        examples = "; ".join(_ways(ways) for ways in groups[:MOST])
        more = f"; and {len(groups) - MOST:,} more" if len(groups) > MOST else ""
        what = "made one" if audit.merged else "taken for different things; --normalise makes them one"
        line(
            f"{_tag(audit.merged)}: {len(groups):,} {COLUMNS[name]} are written in several ways ({n:,} answers in a "
            f"rarer one), {what}: {examples}{more}"
        )
    if audit.empty_like:
        labels = ", ".join(f"{visible(repr(label), 30)} ({n:,})" for label, n in list(audit.empty_like.items())[:MOST])
        what = "counted as invalid" if audit.merged else "taken for labels; --normalise counts them as invalid"
        line(f"{_tag(audit.merged)}: labels that say there is none, {what}: {labels}")
    if audit.repeats:
        what = "kept" if audit.kept_repeats else "counted once (--repeats keep counts each)"
        line(f"note: {audit.repeats:,} answers repeat what the same annotator said of the same question; {what}")
    if audit.conflicts:
        line(f"note: {audit.conflicts:,} times an annotator answered the same question differently")
    if audit.once:
        labels = ", ".join(visible(repr(label), 30) for label in audit.once[:MOST])
        more = f" and {len(audit.once) - MOST:,} more" if len(audit.once) > MOST else ""
        line(f"warning: {len(audit.once):,} labels occur once, a mistake perhaps: {labels}{more}")
    if audit.outside:
        line(f"note: {audit.outside:,} answers are none of the classes, and count as invalid")


def _tag(merged: bool) -> str:
    return "note" if merged else "warning"


def _ways(ways: Mapping[str, int]) -> str:
    return " / ".join(f"{visible(repr(way), 40)} ({n:,})" for way, n in list(ways.items())[:4]) + (
        " / …" if len(ways) > 4 else ""
    )
