"""Any predictions against any gold, by any metric, without an experiment."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from outgrow.core.errors import DataError
from outgrow.evaluation import METRICS, Interval, Metric, PairedScores, judges_slots
from outgrow.evaluation.slot_metrics import TypeF1, f1_by_type
from outgrow.io.reading import Loaded
from outgrow.io.text import clip
from outgrow.io.values import Given, columns_in, load_values
from outgrow.tasks.parsing import slots_in_order


@dataclass(frozen=True)
class Scored:
    """How good predictions are.

    Attributes:
        metrics: each metric's value with its 95 % interval over questions; NaN where nothing defines it.
        questions: that have gold; each counts once.
        groups: of questions that are not independent of each other; as many as questions where no group is given.
        missing: questions with gold and without a prediction, which counts as an invalid answer.
        invalid: predictions that are empty.
        unreadable: predictions that are no slots, where a metric judges slots; they count as invalid.
        first_unreadable: where the first of them stands, and what it is; "" where there is none.
        without_gold: predictions that are not scored.
        types: F1 of each type of slots, where a metric judges slots.
        taken: of the files "predictions" and "gold", which columns were taken for ours: ours to theirs.
    """

    metrics: Mapping[str, Interval]
    questions: int
    groups: int
    missing: int
    invalid: int
    unreadable: int
    first_unreadable: str
    without_gold: int
    types: Sequence[TypeF1]
    taken: Mapping[str, Mapping[str, str]]

    def numbers(self) -> dict[str, Any]:
        """Everything as plain values for JSON; None where a number is undefined."""
        metrics = {
            name: {part: None if math.isnan(each[part]) else each[part] for part in ("value", "se", "low", "high")}
            for name, each in asdict(self)["metrics"].items()
        }
        types = [{**each._asdict(), "f1": each.f1} for each in self.types]
        return {**asdict(self), "metrics": metrics, "types": types}


def score(
    predictions: Given,
    gold: Given,
    *,
    metrics: Sequence[str] = ("accuracy",),
    columns: Mapping[str, str] | None = None,
) -> Scored:
    """How good predictions are, by one or several metrics, with 95 % intervals over questions.

    Both sides have `example_id` and `value`, by these or other names, and are joined by it. Where one of them has
    `group_id` (gold's is preferred), questions of a group are not counted as independent. The interval is that of these
    very predictions: how far another seed of the model that made them would differ, they do not tell.

    Metrics of slots read what `tasks.parsing.slots_in_order` reads, in order and with repeats: texts with JSON in them,
    or lists of type and filler, as SLURP's gold has them. Other metrics compare values as they are written.

    Args:
        predictions: a file, an Arrow table or a data frame.
        gold: the same; no value may be empty.
        metrics: names of `outgrow.evaluation.METRICS`.
        columns: ours to theirs, such as `{"value": "slots"}`, on whichever side has such a column.

    Raises:
        ConfigError: an unknown metric.
        DataError: a file or table is wrong, with file, line, column and value; no prediction has gold; or a metric is
            not defined for such values.

    Examples:
        >>> import pyarrow as pa
        >>> gold = pa.table({"id": ["p", "q"], "slots": ['{"time": "nine am"}', "[]"]})
        >>> guesses = pa.table({"id": ["p"], "slots": ['[{"type": "time", "filler": "nine"}]']})
        >>> scored = score(guesses, gold, metrics=["slu_f1"])
        >>> round(float(scored.metrics["slu_f1"].value), 4), scored.missing
        (0.6829, 1)
    """
    chosen = {name: METRICS.require(name) for name in dict.fromkeys(metrics)}
    columns = columns or {}
    there = sorted({*columns_in(predictions), *columns_in(gold)})
    if absent := [theirs for theirs in columns.values() if theirs not in there]:
        raise DataError(f"neither predictions nor gold have the columns {absent}; together they have {there}")
    guesses, truth = load_values(predictions, "predictions", columns), load_values(gold, "gold", columns)
    values, gold_values = _values(guesses), _values(truth)
    questions = list(gold_values)
    missing = sum(question not in values for question in questions)
    if missing == len(questions):
        raise DataError(
            f"no prediction belongs to a question with gold; ids of predictions are like {next(iter(values))!r}, of "
            f"gold like {questions[0]!r}"
        )
    judged = {False: (values, _complete(truth, gold_values, "have a value for every question"))}
    types, unreadable = list[TypeF1](), list[int]()
    if any(map(judges_slots, chosen.values())):
        slots, true = ({i: slots_in_order(value or "") for i, value in side.items()} for side in (values, gold_values))
        true_slots = _complete(truth, true, 'hold slots as JSON, such as [{"type": "time", "filler": "nine"}]')
        judged[True] = slots, true_slots
        types = f1_by_type([slots.get(question) for question in questions], list(true_slots.values()))
        mute = {question for question, value in values.items() if value is not None and slots[question] is None}
        unreadable = [row for row, question in enumerate(values) if question in mute & gold_values.keys()]
    groups = _groups(questions, truth, guesses)
    return Scored(
        metrics={
            name: _interval(metric, groups, questions, *judged[judges_slots(metric)]) for name, metric in chosen.items()
        },
        questions=len(questions),
        groups=int(groups.max()) + 1,
        missing=missing,
        invalid=sum(question in gold_values and value is None for question, value in values.items()),
        unreadable=len(unreadable),
        first_unreadable="".join(_place(guesses, row) for row in unreadable[:1]),
        without_gold=sum(question not in gold_values for question in values),
        types=types,
        taken={"predictions": _taken(guesses), "gold": _taken(truth)},
    )


def _values(loaded: Loaded) -> dict[str, str | None]:
    """Question to its value; None where that is blank."""
    ids, values = (loaded.table[name].to_pylist() for name in ("example_id", "value"))
    return {i: value if value and value.strip() else None for i, value in zip(ids, values, strict=True)}


def _taken(loaded: Loaded) -> dict[str, str]:
    columns: dict[str, str] = json.loads((loaded.table.schema.metadata or {}).get(b"taken_columns", b"{}"))
    return columns


def _place(loaded: Loaded, row: int) -> str:
    value = clip(repr(loaded.table["value"][row].as_py()), 80)
    return f"{loaded.where(row)}, column '{_taken(loaded).get('value', 'value')}': {value}"


def _complete(gold: Loaded, values: Mapping[str, str | None], rule: str) -> dict[str, str]:
    """The values of gold, none of which may be missing.

    Raises:
        DataError: names the first that is, and the rule.
    """
    wrong = [row for row, value in enumerate(values.values()) if value is None]
    if wrong:
        raise DataError(f"{_place(gold, wrong[0])}; gold must {rule} ({len(wrong)} of {len(values)} do not)")
    return {question: value for question, value in values.items() if value is not None}


def _groups(questions: Sequence[str], *sides: Loaded) -> Int[np.ndarray, "questions"]:
    """The group of each question by the first side that has groups; those without one are groups of their own."""
    for side in sides:
        ids, groups = (side.table[name].to_pylist() for name in ("example_id", "group_id"))
        of = {i: group for i, group in zip(ids, groups, strict=True) if group is not None}
        if of:
            break
    keys = [("group", of[question]) if question in of else ("question", question) for question in questions]
    codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
    return np.array([codes[key] for key in keys], np.int64)


def _interval(
    metric: Metric,
    groups: Int[np.ndarray, "questions"],
    questions: Sequence[str],
    predicted: Mapping[str, str | None],
    gold: Mapping[str, str],
) -> Interval:
    paired = PairedScores.of(metric, groups, questions, {"predictions": [predicted]}, gold)
    if np.isnan(paired.per_seed("predictions")[0]):
        return Interval(np.nan, np.nan, np.nan, np.nan, np.nan)
    return paired.joint.question_interval({"predictions": 1})
