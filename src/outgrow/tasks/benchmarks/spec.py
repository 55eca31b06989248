"""What a benchmark is: where its rows are, how a row becomes a question, and in which words it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from outgrow.tasks.benchmarks.answers import Answer, Choice
from outgrow.tasks.benchmarks.cells import Row
from outgrow.tasks.questions import Question
from outgrow.tasks.splits import Size


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub.

    Attributes:
        id: `owner/name`.
        configs: names of its configurations, all of which are read; (None,) for the only one.
        revision: a commit, or a branch of the hub's own Parquet copy; None where none was read from a source.
    """

    id: str
    configs: tuple[str | None, ...] = (None,)
    revision: str | None = None


@dataclass(frozen=True)
class FileSplit:
    """One split as the set itself has it.

    Attributes:
        rows: how many rows a source says there are; None where none was found.
        names: other names of it in the set's files.
    """

    rows: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """One public set.

    Attributes:
        name: of the task; part of the example ids.
        hub: where it is on the hub; None where its text form is on none.
        files: the set's own labelled splits.
        columns: what every row must have.
        read: a row as a question.
        splits: our splits: which of `files` and how much of it.
        prompts: per form of question its templates; the first is the identity. Placeholders: `{text}`, `{options}`
            (one line each), `{words}` (the answers in a row), and the question's own fields.
        answer: how answers are said and read.
        max_new_tokens: enough for a generated answer.
        limit: rows read of each file where a recipe says nothing else.
        headers: columns of CSV files that have no header.
        keywords: words that tell this set's files from others in one folder.
    """

    name: str
    hub: Hub | None
    files: Mapping[str, FileSplit]
    columns: tuple[str, ...]
    read: Callable[[Row], Question]
    splits: Mapping[str, tuple[str, Size]]
    prompts: Mapping[str, tuple[str, ...]]
    answer: Answer = field(default_factory=Choice)
    max_new_tokens: int = 32
    limit: int | None = None
    headers: tuple[str, ...] | None = None
    keywords: tuple[str, ...] = ()


HALVES: Mapping[str, tuple[str, Size]] = {
    "supervisor_train": ("train", 0.5),
    "validation": ("train", 0.1),
    "pool": ("train", "rest"),
    "test": ("test", "rest"),
}
"""Half of the training file for the supervisor; of the other half a fifth to validate, the rest is the pool."""

HALVES_AND_VALIDATION: Mapping[str, tuple[str, Size]] = {**HALVES, "test": ("validation", "rest")}
"""The same for a set whose test labels are not public: its validation file is the test (as paper 03's code does)."""
