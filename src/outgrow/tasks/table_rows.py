"""The questions of a table task: read from files, checked, deduplicated and dealt out to splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import pyarrow as pa

from outgrow.errors import DataError
from outgrow.splits import Size, assign_splits, contradictions, foreign_rows, group_ids, normalise_text
from outgrow.tables.reading import load
from outgrow.tasks.table_config import TableConfig

KEEP_FIRST = ("test", "validation", "known", "supervisor_train", "pool")
"""Which split's file keeps its rows when a group occurs in several files."""


@dataclass(frozen=True)
class Question:
    """One row of a user's file.

    Attributes:
        text: the question.
        choices: its own options, or None where all questions share the classes.
        gold: the gold answer, one of the options or classes.
        group: the group its user declared, or None.
        stratum: what the report breaks down by, or None.
        file: key of its file.
        where: path and line, for messages.
    """

    text: str
    choices: tuple[str, ...] | None
    gold: str
    group: str | None
    stratum: str | None
    file: str
    where: str

    @property
    def key(self) -> tuple[str, tuple[str, ...] | None]:
        """What makes two questions equal: the normal form, and the options whatever their order."""
        return normalise_text(self.text), None if self.choices is None else tuple(sorted(self.choices))


@dataclass(frozen=True)
class Audit:
    """What was found while the questions were dealt out.

    Attributes:
        rows: rows in all files.
        duplicates: rows left out because an equal question was kept.
        contradictory_gold: questions that carry more than one gold answer; the most frequent one is kept.
        shared_between_files: rows left out because their group also occurs in a file of higher priority (the
            test's first).
        unassigned: questions that no split had room for.
    """

    rows: int
    duplicates: int
    contradictory_gold: int
    shared_between_files: int
    unassigned: int


@dataclass(frozen=True)
class Dealt:
    """Questions per split with their `group_id`s, and what was found on the way."""

    splits: dict[str, list[tuple[Question, str]]]
    audit: Audit


def read_questions(config: TableConfig, data_dir: Path) -> list[Question]:
    """All rows of all files.

    Raises:
        DataError: a file is missing or malformed, a column is missing, a text or a label is empty, or the options
            of a question lack its gold answer; the message names file and line.
    """
    return [q for key, name in config.paths().items() for q in _read_file(config, key, data_dir / name)]


def _read_file(config: TableConfig, key: str, path: Path) -> Iterable[Question]:
    texts, choices = config.text_columns(), config.choice_columns()
    extra = [name for name in (config.label, config.group, config.stratum) if name is not None]
    fields = {name: pa.string() for name in (*texts, *choices, *extra)}
    if isinstance(config.choices, str):
        fields[config.choices] = pa.list_(pa.string())
    schema = pa.schema([pa.field(name, kind) for name, kind in fields.items()])
    loaded = load(path, schema, required=list(fields), name="task")
    for number, row in enumerate(loaded.table.to_pylist()):
        where = loaded.where(number)
        text = "\n".join(_filled(row[name], where, name, "question") for name in texts)
        options = _options(config, row, where)
        label = _filled(row[config.label], where, config.label, "gold label")
        group = row[config.group] if config.group else None
        stratum = row[config.stratum] if config.stratum else None
        yield Question(text, options, _gold(config, label, options, where), group, stratum, key, where)


def _filled(value: str | None, where: str, column: str, what: str) -> str:
    if value is None or not value.strip():
        raise DataError(f"{where}, column '{column}': the {what} is empty; fill it in or leave the row out")
    return value.strip()


def _options(config: TableConfig, row: dict[str, object], where: str) -> tuple[str, ...] | None:
    if config.choices is None:
        return None
    if isinstance(config.choices, str):
        found = row[config.choices]
        given: Sequence[object] = found if isinstance(found, list) else []
    else:
        given = [row[name] for name in config.choices if row[name] is not None]  # a question may have fewer options
    options = tuple(str(option).strip() for option in given if option is not None)
    if len(options) < 2 or not all(options):
        raise DataError(f"{where}: a question needs two or more options, this one has {list(options)}")
    if len({normalise_text(option) for option in options}) < len(options):
        raise DataError(f"{where}: two options are the same: {list(options)}")
    return options


def _gold(config: TableConfig, label: str, options: tuple[str, ...] | None, where: str) -> str:
    if options is None:
        if config.classes is not None and label not in config.classes:
            raise DataError(f"{where}: the gold label {label!r} is none of the classes {list(config.classes)}")
        return label
    if config.label_as == "value":
        if label not in options:
            raise DataError(
                f"{where}: the choices {list(options)} lack the gold {label!r}; "
                "if the label is an index or a letter, set label_as: index or label_as: letter"
            )
        return label
    names = [str(i) for i in range(len(options))] if config.label_as == "index" else ascii_uppercase[: len(options)]
    said = label.upper()
    if said not in names:
        raise DataError(
            f"{where}: the gold {config.label_as} {label!r} points at none of the {len(options)} choices "
            f"({names[0]} to {names[-1]})"
        )
    return options[names.index(said)]


def deal(config: TableConfig, questions: Sequence[Question]) -> Dealt:
    """Definition 11: groups over all files, no group in two files or splits, each question once.

    Raises:
        DataError: a split cannot be filled, or a file is left with no question of its own.
    """
    groups = group_ids([q.text for q in questions], [q.group for q in questions])
    dealt = config.dealt()
    priority = [file for split in KEEP_FIRST if split in dealt for file in [dealt[split][0]] if file is not None]
    foreign = foreign_rows(groups, [q.file for q in questions], list(dict.fromkeys(priority)))
    own = [(q, group) for q, group, gone in zip(questions, groups, foreign, strict=True) if not gone]
    kept = _distinct(own)
    splits: dict[str, list[tuple[Question, str]]] = {split: [] for split in dealt}
    unassigned = 0
    for file in config.paths():
        here = [(q, group) for q, group in kept if q.file == file]
        if not here:
            raise DataError(f"file '{file}': every group in it also occurs in a file with priority; nothing is left")
        sizes: dict[str, Size] = {split: size for split, (source, size) in dealt.items() if source == file}
        for pair, chosen in zip(here, assign_splits([g for _, g in here], sizes, config.seed), strict=True):
            if chosen is None:
                unassigned += 1
            else:
                splits[chosen].append(pair)
    audit = Audit(
        rows=len(questions),
        duplicates=len(own) - len(kept),
        contradictory_gold=len(contradictions([q.key for q in questions], [q.gold for q in questions])),
        shared_between_files=sum(foreign),
        unassigned=unassigned,
    )
    return Dealt(splits, audit)


def _distinct(rows: Sequence[tuple[Question, str]]) -> list[tuple[Question, str]]:
    """One row per question: the first that has the question's most frequent gold (the first of equally frequent)."""
    golds: dict[object, Counter[str]] = {}
    for question, _ in rows:
        golds.setdefault(question.key, Counter())[question.gold] += 1
    common = {key: own.most_common(1)[0][0] for key, own in golds.items()}
    kept, seen = [], set()
    for question, group in rows:
        if question.key not in seen and question.gold == common[question.key]:
            seen.add(question.key)
            kept.append((question, group))
    return kept
