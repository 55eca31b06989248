"""Questions with gold, and how they are dealt out to splits: what every task that reads files shares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.tables import EXAMPLES, GOLD, SPLITS, build, make_example_id
from outgrow.tasks.splits import (
    Size,
    assign_splits,
    contradictions,
    foreign_rows,
    group_ids,
    normalise_text,
)

KEEP_FIRST = ("test", "validation", "known", "supervisor_train", "pool")
"""Which split's file keeps its rows when a group occurs in several files."""


UNLABELLED = ""
"""The gold of a question that has none; no answer is empty."""


@dataclass(frozen=True)
class Question:
    """One row of a file.

    Attributes:
        text: the question.
        choices: its own options, or None where all questions share the classes or the answer is free text.
        gold: the gold answer: one of the options or classes, a canonical free answer, or `UNLABELLED`.
        group: the group declared for it, or None.
        stratum: what the report breaks down by, or None.
        file: key of its file.
        where: path and line, for messages.
        form: which of a task's templates it is put into words with.
        fields: further parts of its template, by placeholder.
        solution: a worked answer that ends in the gold, or None.
        id: the user's own id, or None.
    """

    text: str
    choices: tuple[str, ...] | None
    gold: str
    group: str | None
    stratum: str | None
    file: str
    where: str
    form: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    solution: str | None = None
    id: str | None = None

    @cached_property
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
        not_posed: questions left out because a single candidate of theirs cannot be judged alone.
        downsampled: rows left out to make a split's classes equally frequent.
        notes: what else a reader should know, for instance an unexpected number of rows.
    """

    rows: int
    duplicates: int
    contradictory_gold: int
    shared_between_files: int
    unassigned: int
    not_posed: int = 0
    downsampled: int = 0
    notes: tuple[str, ...] = ()


Rows = list[tuple[Question, str]]
"""Questions, each with its `group_id`."""


@dataclass(frozen=True)
class Dealt:
    """Questions per split with their `group_id`s, and what was found on the way."""

    splits: dict[str, Rows]
    audit: Audit


def deal(questions: Sequence[Question], sources: Mapping[str, tuple[str | None, Size]], seed: int) -> Dealt:
    """Definition 11: groups over all files, no group in two files or splits, each question once.

    Args:
        questions: the rows of all files.
        sources: split to the key of its file and its size.
        seed: of the order in which groups are dealt out.

    Raises:
        DataError: a split cannot be filled, or a file is left with no question of its own.
    """
    groups = group_ids([q.text for q in questions], [q.group for q in questions])
    priority = [file for split in KEEP_FIRST if split in sources for file in [sources[split][0]] if file is not None]
    foreign = foreign_rows(groups, [q.file for q in questions], list(dict.fromkeys(priority)))
    own = [(q, group) for q, group, gone in zip(questions, groups, foreign, strict=True) if not gone]
    kept = _distinct(own)
    splits: dict[str, list[tuple[Question, str]]] = {split: [] for split in sources}
    unassigned = 0
    for file in dict.fromkeys(q.file for q in questions):
        here = [(q, group) for q, group in kept if q.file == file]
        if not here:
            raise DataError(f"file '{file}': every group in it also occurs in a file with priority; nothing is left")
        sizes: dict[str, Size] = {split: size for split, (source, size) in sources.items() if source == file}
        for pair, chosen in zip(here, assign_splits([g for _, g in here], sizes, seed), strict=True):
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


def question_id(task: str, question: Question) -> str:
    """The `example_id`: the user's own, or made of the task's name, the question and its choices."""
    return question.id or make_example_id(task, question.text, question.choices)


def examples_table(task: str, rows: Rows) -> pa.Table:
    """The examples table of dealt questions; `meta` holds the stratum, sealed."""
    return build(
        EXAMPLES,
        {
            "example_id": [question_id(task, q) for q, _ in rows],
            "group_id": [group for _, group in rows],
            "question": [q.text for q, _ in rows],
            "choices": [q.choices for q, _ in rows],
            "meta": [None if q.stratum is None else json.dumps({"stratum": q.stratum}) for q, _ in rows],
        },
    )


def gold_table(task: str, rows: Rows) -> pa.Table:
    """The gold table of dealt questions; empty where they have none."""
    labelled = [q for q, _ in rows if q.gold != UNLABELLED]
    ids = [question_id(task, q) for q in labelled]
    return build(GOLD, {"example_id": ids, "objective": ["truth"] * len(ids), "value": [q.gold for q in labelled]})


class DealtTask:
    """What tasks that read files share: a name, and questions that were dealt out to splits.

    Args:
        name: what reports and example ids call the task.
        dealt: its questions.

    Attributes:
        public_meta: nothing; the stratum is for the report alone.
    """

    public_meta: tuple[str, ...] = ()

    def __init__(self, name: str, dealt: Dealt) -> None:
        self.name = name
        self._dealt = dealt

    @property
    def audit(self) -> Audit:
        """Duplicates, contradictory gold, rows left out, unexpected numbers of rows."""
        return self._dealt.audit

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have questions."""
        return tuple(split for split in SPLITS if self._dealt.splits.get(split))

    def examples(self, split: str) -> pa.Table:
        """Questions of a split in file order; empty for a split the configuration does not have."""
        return examples_table(self.name, self._dealt.splits.get(split, []))

    def gold(self, split: str) -> pa.Table:
        """Canonical gold answers of a split."""
        return gold_table(self.name, self._dealt.splits.get(split, []))
