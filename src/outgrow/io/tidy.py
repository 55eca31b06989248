"""Answers looked over before anything is made of them: labels written in several ways, empty-like ones, repeats."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError
from outgrow.core.tables import with_column
from outgrow.io.answers import joined, numbers_within

Repeats = Literal["merge", "keep"]
EMPTY_LIKE = {
    "",
    "-",
    "--",
    "?",
    "n/a",
    "na",
    "n.a.",
    "none",
    "null",
    "nan",
    "nil",
    "missing",
    "unknown",
    "#n/a",
    "undefined",
}
WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")
COLUMNS = {"value": "labels", "example_id": "ids", "source": "annotators"}
"""Columns that are looked over, and what their cells are called."""


@dataclass(frozen=True)
class Audit:
    """What was seen in the answers.

    Attributes:
        variants: of `value`, `example_id` and `source`, the ways in which one thing is written: for each thing written
            in several, its ways with their numbers of answers, the commonest first. They differ by case, white space,
            Unicode form, invisible characters or as 1 and 1.0 do.
        merged: whether they were made one (`normalise`).
        empty_like: labels such as "N/A" that mean no answer, with their numbers.
        repeats: answers that an annotator gave to a question again, the same ones.
        conflicts: questions that an annotator answered differently.
        kept_repeats: whether repeats were kept.
        once: labels that occur once, where others occur often.
        outside: answers whose label is none of the classes asked for; they are invalid now.
        dropped: rows that were left out.
    """

    variants: Mapping[str, Sequence[Mapping[str, int]]] = field(default_factory=dict)
    merged: bool = False
    empty_like: Mapping[str, int] = field(default_factory=dict)
    repeats: int = 0
    conflicts: int = 0
    kept_repeats: bool = False
    once: Sequence[str] = ()
    outside: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Tidied:
    """Answers, and what was seen in them."""

    answers: pa.Table
    audit: Audit


def tidy(
    answers: pa.Table,
    *,
    normalise: bool = False,
    repeats: Repeats | str = "merge",
    classes: Sequence[str] | None = None,
) -> Tidied:
    """Look over answers, and put right what is asked for.

    Args:
        answers: answers table (`read_answers`).
        normalise: write what is the same in one way, the commonest, without stray white space (labels, ids and
            annotators), and count empty-like labels as invalid, unless they are among the classes.
        repeats: what to do where one of several annotators gave the same answer to a question more than once, in a
            table that numbers neither wordings nor samples: `merge` counts it once, `keep` as often as it stands there.
        classes: the labels there are. Others count as invalid, but for those that differ from a class in writing alone.

    Raises:
        ConfigError: unknown value of `repeats`, fewer than two classes, or two that differ in writing alone.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.io import as_answers
        >>> said = ["Yes", "yes ", "no", "no"]
        >>> answers = as_answers(pa.table({"task": [*"pppq"], "worker": [*"abcc"], "label": said}))
        >>> tidy(answers).audit.variants["value"]
        [{'Yes': 1, 'yes ': 1}]
        >>> tidy(answers, normalise=True).answers["value"].to_pylist()
        ['Yes', 'Yes', 'no', 'no']
    """
    if repeats not in get_args(Repeats):
        raise ConfigError(f"repeats: {repeats!r} is unknown; choose {' or '.join(get_args(Repeats))}")
    fixed = None if classes is None else _classes(classes)
    before = answers.num_rows
    variants = {}
    for name in COLUMNS:
        ways = _ways(answers[name])
        if several := [dict(group) for group in ways.values() if len(group) > 1]:
            variants[name] = sorted(several, key=lambda group: -sum(group.values()))
        if normalise or (fixed is not None and name == "value"):
            answers = _rewritten(answers, name, ways, fixed if name == "value" else None, normalise)
    empty_like = _empty_like(answers["value"], set(fixed or {}))
    if normalise and empty_like:
        nothing = pc.is_in(answers["value"], value_set=pa.array(list(empty_like), pa.string()))
        answers = with_column(answers, "value", pc.if_else(nothing, pa.scalar(None, pa.string()), answers["value"]))
    outside = 0
    if fixed is not None:
        inside = pc.is_in(answers["value"], value_set=pa.array(list(fixed.values()), pa.string()))
        outside = answers.num_rows - answers["value"].null_count - int(pc.sum(inside).as_py() or 0)
        answers = with_column(answers, "value", pc.if_else(inside, answers["value"], pa.scalar(None, pa.string())))
    answers, again, conflicts = _repeats(answers, keep=repeats == "keep")
    counts = _counts(answers["value"])
    often = sum(n >= 10 for n in counts.values())
    audit = Audit(
        variants=variants,
        merged=normalise,
        empty_like=empty_like,
        repeats=again,
        conflicts=conflicts,
        kept_repeats=repeats == "keep",
        once=[label for label, n in counts.items() if n == 1] if often >= 2 and often * 2 > len(counts) else (),
        outside=outside,
        dropped=before - answers.num_rows,
    )
    return Tidied(answers, audit)


def in_writing_of(labels: pa.ChunkedArray, answers: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """Labels as the answers write them, where the two differ in writing alone; and how many did.

    Args:
        labels: given or known labels.
        answers: values of answers.

    Examples:
        >>> import pyarrow as pa
        >>> labels, n = in_writing_of(pa.chunked_array([["Yes ", "no", "perhaps"]]), pa.chunked_array([["yes", "no"]]))
        >>> labels.to_pylist(), n
        (['yes', 'no', 'perhaps'], 1)
    """
    ways = _ways(answers)
    encoded = encode(labels)
    names = encoded.names.to_pylist()
    as_is = {text for group in ways.values() for text, _ in group}
    one = [name if name in as_is or folded(name) not in ways else ways[folded(name)][0][0] for name in names]
    changed = np.array([a != b for a, b in zip(names, one, strict=True)] + [False])
    column = pa.array(one, pa.string()).take(pa.array(encoded.codes, mask=encoded.codes < 0))
    return pa.chunked_array([column]), int(changed[encoded.codes].sum())


def folded(text: str) -> str:
    """What is the same in all ways of writing it: without case, white space at the ends, invisible characters.

    Examples:
        >>> folded("  Bil\u200bling\u00a0Team ") == folded("billing team")
        True
        >>> folded("1.0"), folded("01")
        ('1', '01')
    """
    text = unicodedata.normalize("NFKC", cleaned(text)).casefold()
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


def cleaned(text: str) -> str:
    """The text without invisible characters, each white space one blank, none at its ends."""
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(visible.split())


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    counts = column.drop_null().value_counts()
    return dict(zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True))


def _ways(column: pa.ChunkedArray) -> dict[str, list[tuple[str, int]]]:
    """For each thing its ways of writing with their counts, the commonest first."""
    ways: dict[str, list[tuple[str, int]]] = {}
    for text, n in _counts(column).items():
        ways.setdefault(folded(text), []).append((text, n))
    return {key: sorted(group, key=lambda way: (-way[1], way[0])) for key, group in ways.items()}


def _classes(classes: Sequence[str]) -> dict[str, str]:
    """The classes by what is the same in all ways of writing them."""
    fixed: dict[str, str] = {}
    for name in (cleaned(each) for each in classes):
        if (other := fixed.setdefault(folded(name), name)) != name:
            raise ConfigError(f"classes: {other!r} and {name!r} differ in writing alone; name one of them")
    if len(fixed) < 2:
        raise ConfigError(f"classes: {len(fixed)} given; there must be at least two")
    return fixed


def _rewritten(
    answers: pa.Table,
    name: str,
    ways: Mapping[str, Sequence[tuple[str, int]]],
    fixed: Mapping[str, str] | None,
    normalise: bool,
) -> pa.Table:
    """The column with every way of writing replaced by one: the class, else the commonest, cleaned."""
    one: dict[str, str] = {}
    for key, group in ways.items():
        to = fixed.get(key) if fixed else None
        if to is None and normalise:
            to = cleaned(group[0][0]) or group[0][0]
        one |= {text: text if to is None else to for text, _ in group}
    if all(text == to for text, to in one.items()):
        return answers
    encoded = encode(answers[name])
    names = pa.array([one[text] for text in encoded.names.to_pylist()], pa.string())
    column = names.take(pa.array(encoded.codes, mask=encoded.codes < 0))
    return with_column(answers, name, pa.chunked_array([column]))


def _empty_like(column: pa.ChunkedArray, classes: set[str]) -> dict[str, int]:
    return {text: n for text, n in _counts(column).items() if folded(text) in EMPTY_LIKE - classes}


def _repeats(answers: pa.Table, *, keep: bool) -> tuple[pa.Table, int, int]:
    """Without an annotator's equal answers to a question; how many these are, and on how many they contradict."""
    numbered = (answers.schema.metadata or {}).get(b"numbered") == b"true"
    if not numbered or pc.count_distinct(answers["source"]).as_py() < 2:
        return answers, 0, 0
    unit = joined(encode(answers["example_id"]).codes, encode(answers["source"]).codes)
    if len(np.unique(unit)) == len(unit):
        return answers, 0, 0
    value = encode(answers["value"]).codes + 1
    _, first = np.unique(joined(unit, value), return_index=True)
    again = len(unit) - len(first)
    valid = first[value[first] > 0]
    _, different = np.unique(unit[valid], return_counts=True)
    if keep or not again:
        return answers, again, int((different > 1).sum())
    kept = np.sort(first)
    answers = answers.take(pa.array(kept))
    answers = with_column(answers, "sample", pa.chunked_array([pa.array(numbers_within(unit[kept]))]))
    return answers, again, int((different > 1).sum())
