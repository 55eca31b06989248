"""Columns as users name them: in any case, and by the words that other tools have for the same thing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.names import unknown

IDS = (
    "task_id", "item_id", "question_id", "doc_id", "sample_id", "unit_id", "document_id", "record_id", "task", "item",
    "unit", "example", "uid", "id",
)  # fmt: skip
VALUES = (
    "label", "answer", "annotation", "prediction", "response", "choice", "category", "class", "judgement", "judgment",
    "rating", "preference", "output", "completion",
)  # fmt: skip
SOURCES = (
    "worker", "worker_id", "annotator", "annotator_id", "rater", "rater_id", "labeler", "labeler_id", "labeller",
    "coder", "reviewer", "agent", "user", "user_id", "completed_by", "generator", "model", "model_name",
)  # fmt: skip
QUESTIONS = ("question", "prompt", "instruction", "sentence", "input", "query")
ANSWER_COLUMNS = {"example_id": (*IDS, *QUESTIONS), "value": VALUES, "source": SOURCES, "prompt": QUESTIONS}
"""For tables of answers, what else each of our columns may be called, the likeliest first."""
QUESTION_COLUMNS = {"example_id": IDS, "question": (*QUESTIONS[1:], "text"), "label": VALUES}
GIVEN_COLUMNS = {"example_id": (*IDS, *QUESTIONS), "label": ("value", *VALUES[1:], "gold", "truth", "target")}
GOLD_COLUMNS = {
    "example_id": (*IDS, *QUESTIONS),
    "value": ("gold", "truth", "true_label", "gold_label", "target", "correct", *VALUES),
}

Synonyms = Mapping[str, Sequence[str]]


def plain(name: str) -> str:
    """A column's name without case, spaces and marks: "Worker ID" and "worker_id" are one."""
    return re.sub(r"[\W_]+", "", name).casefold()


def recognise(
    present: Sequence[str], wanted: Sequence[str], synonyms: Synonyms, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Which column of a file is which of ours.

    Args:
        present: the file's columns.
        wanted: ours.
        synonyms: what ours may be called otherwise, the likeliest first.
        given: ours to theirs, as the user says; these are taken first.

    Returns:
        Ours to theirs. A column of theirs is taken once: by its exact name, else by its name in another case, else by
        a synonym. Those that nothing fits are left out.
    """
    taken = {ours: theirs for ours, theirs in (given or {}).items() if ours in wanted}
    by_plain: dict[str, str] = {}
    for name in present:
        by_plain.setdefault(plain(name), name)
    exact = [name for name in wanted if name in present and name not in taken and name not in taken.values()]
    taken |= {name: name for name in exact}
    for further in ({}, synonyms):
        for ours in wanted:
            for name in (ours, *further.get(ours, ())):
                theirs = by_plain.get(plain(name))
                if ours not in taken and theirs is not None and theirs not in taken.values():
                    taken[ours] = theirs
    return taken


def parse_columns(given: Sequence[str] | None, wanted: Sequence[str]) -> dict[str, str]:
    """`ours=theirs`, one or several with commas between, as a mapping; the other way round is understood, too.

    Raises:
        ConfigError: not of this form, or neither side is a column of ours.
    """
    columns = {}
    for part in (part.strip() for each in given or () for part in each.split(",")):
        ours, equals, theirs = part.partition("=")
        if not equals or not ours or not theirs:
            raise ConfigError(
                f"--columns {part!r}: write OURS=THEIRS, such as value=team; ours are {', '.join(wanted)}"
            )
        if ours not in wanted and theirs in wanted:
            ours, theirs = theirs, ours
        if ours not in wanted:
            raise ConfigError(f"--columns {part!r}: {unknown('column', ours, wanted)}")
        columns[ours] = theirs
    return columns


def check_given(path: object, present: Sequence[str], given: Mapping[str, str] | None) -> None:
    """Refuse columns that the user names and the file has not.

    Raises:
        DataError: names them, and those that are there.
    """
    if missing := [theirs for theirs in (given or {}).values() if theirs not in present]:
        raise DataError(f"{path}: --columns names {missing}, and the file has {list(present)}")
