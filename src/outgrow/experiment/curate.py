"""A cleaned, weighted training set out of any answers table: what a method chooses, without a lab or a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from outgrow.core.config_errors import report, validate
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.names import unknown
from outgrow.core.tables import LABELS, PROBABILITIES
from outgrow.io.questions import DROP, KEEP, look_up, prompts_of
from outgrow.methods import METHODS, MethodConfig, MethodSpec
from outgrow.methods.base import Answered, Known, TrainingSet
from outgrow.methods.relabel import RELABEL
from outgrow.methods.rows import answer_ids, earliest, first_in_words, imitation_rows, label_ids, normalise_weights
from outgrow.methods.weights import Weights, check_weights, class_mix, settle_weights
from outgrow.reliability import AUTO, for_annotators, label_mix

CURATED = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("target", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),  # the canonical label that the target says
        pa.field("probabilities", PROBABILITIES),  # soft_labels only; sums to 1
        pa.field("weight", pa.float64(), nullable=False),
        *(LABELS.field(name) for name in ("reliability", "entropy", "votes")),
        pa.field("given", pa.string()),  # relabel only: the label that was there before
    ]
)


@dataclass(frozen=True)
class Summary:
    """What a curation did: counts, and the share of each label before and after (of the weight, where rows differ).

    Attributes:
        questions: that the method chose from.
        labelled: how many of them have a label.
        kept: how many of them are among the rows.
        removed_rows: of weight 0.
        weights: what became of them, where the user said so.
        left_out: rows that resampling did not draw, or lighter than `min_weight`.
        notes: what else a reader should know.
    """

    method: str
    questions: int
    labelled: int
    kept: int
    rows: int
    answers: int
    invalid_answers: int
    removed_rows: int
    mix_before: Mapping[str, float]
    mix_after: Mapping[str, float]
    weights: str | None
    left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Curated:
    """Training rows (`CURATED`) and the summary of how they came about."""

    rows: pa.Table
    summary: Summary


def offered() -> dict[str, MethodSpec]:
    """The methods that `curate` runs: those of recipes that only choose rows, and `relabel`."""
    return {name: spec for name, spec in METHODS.loaded()[0].items() if spec.choose} | {RELABEL.name: RELABEL}


def find_method(name: str) -> MethodSpec:
    """The method of that name.

    Raises:
        ConfigError: there is none, or it needs more than answers.
    """
    known = offered()
    if name not in known and name in METHODS:
        why = "uses gold" if METHODS[name].uses_gold else "trains more than once"
        raise ConfigError(f"{name} {why}, so it needs a recipe and `outgrow run`; curate offers {', '.join(known)}")
    if name not in known:
        raise ConfigError(unknown("method", name, known))
    return known[name]


def curate(
    answers: pa.Table,
    *,
    method: str,
    seed: int = 0,
    known: pa.Table | None = None,
    given: pa.Table | None = None,
    questions: pa.Table | None = None,
    estimator: str | None = None,
    decisions: pa.Table | None = None,
    target: str | None = None,
    weights: Weights | str | None = None,
    min_weight: float | int | None = None,
    **settings: Any,
) -> Curated:
    """The rows that a method would train on, given the answers of one source or of several annotators.

    Every method of `outgrow methods` that only chooses rows is offered, with the settings that it has in a recipe, and
    `relabel`, which replaces given labels by the consensus where that is reliable:
    `curate(answers, method="uncertainty_filtering", keep=0.3, stratify="label")`.

    Args:
        answers: answers table (`outgrow.core.tables.ANSWERS`; see `outgrow.read_answers`).
        method: its name.
        seed: of ties, of random draws and of resampling.
        known: for the calibrated methods: gold of some answered questions, columns `example_id` and `value`, written
            as the answers are. These questions teach what to trust; they are not among the rows. For several annotators
            and any method: gold of some questions, which teaches who is right and stays among the rows.
        given: for `relabel`: columns `example_id` and `label`; by default the labels of `questions`.
        questions: `example_id`, `question`, `choices`, `label` (`outgrow.io.questions.QUESTIONS`): prompts for rows
            whose answers have none.
        estimator: for answers of several annotators, the model that makes their labels
            (`outgrow.reliability.annotators.MODELS`, "auto"); by default "auto".
        decisions: made by hand (`example_id`, `decision`): questions to "drop" are not among the rows, and those to
            "keep" are, with their label, whatever the method chooses.
        target: train on the canonical "value", or on the "text" of a generated answer that gave it. By default on the
            text, and on the value where `questions` has choices, as in a lab.
        weights: what to do with a weighted method's weights: "resample", "threshold" or "keep-unused" (the rows stay
            as they are); see `outgrow.methods.weights.settle_weights`.
        min_weight: with "threshold", the least weight to keep; 1 is the mean.
        **settings: of the method; those left out have the method's defaults.

    Returns:
        Rows with the prompt of the answer whose text they train on, else of the question's first answer (lowest
        variant, then sample), and a summary.

    Raises:
        ConfigError: unknown method, setting, target or weights, or something without meaning for the method.
        DataError: no question, given label or known gold belongs to an answered question.
        PrerequisiteError: the method is for one source and there are several, or the answers lack what the method
            goes by: repeated answers, option probabilities, given labels, known gold.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.io import as_answers
        >>> table = pa.table({"example_id": [*"pppqqq"], "value": [*"aab", *"bbb"], "prompt": ["p?"] * 3 + ["q?"] * 3})
        >>> curated = curate(as_answers(table), method="uncertainty_filtering", keep=0.5)
        >>> curated.rows.select(["prompt", "target", "weight"]).to_pylist()
        [{'prompt': 'q?', 'target': 'b', 'weight': 1.0}]
        >>> curated.summary.mix_before, curated.summary.mix_after
        ({'a': 0.5, 'b': 0.5}, {'b': 1.0})
    """
    spec = find_method(method)
    config = _config(spec, settings)
    if target not in (None, "value", "text"):
        raise ConfigError(f"unknown target {target!r}; choose 'value' or 'text'")
    check_weights(weights, min_weight)
    crowd = for_annotators(estimator, answers)
    if estimator is not None and not crowd:
        raise ConfigError(f"estimator: {estimator!r} rates one source, as the methods do; name a model of annotators")
    if not crowd:
        _refuse("known", known, spec, lambda other: other.needs == "known")
    _refuse("given", given, spec, lambda other: other.needs == "given")
    _refuse("weights", weights, spec, lambda other: other.weighted)
    if (
        spec.needs == "given"
        and given is None
        and questions is not None
        and questions["label"].null_count < questions.num_rows
    ):
        given = questions.select(["example_id", "label"])
    spoken = texts_of(answers, target, questions)
    if crowd:
        answered = Answered.by_annotators(spoken, estimator or AUTO, seed=seed, known=known, given=given)
    else:
        answered = _answered(spoken, seed, known, given)
    assert spec.choose is not None
    chosen = spec.choose(answered, config)
    labels = answered.labels() if chosen.labels is None else chosen.labels
    by_hand: tuple[str, ...] = ()
    if decisions is not None:
        chosen, by_hand = _by_hand(chosen, labels, answered.answers, decisions)
    weighted = normalise_weights(chosen.rows, chosen.weights)
    rows = _described(weighted.rows, labels, answered.answers)
    if questions is not None:
        rows = with_prompts(rows, questions)
    settled = settle_weights(rows, weights, seed=seed, min_weight=min_weight)
    rows, before = settled.rows, "given" if "given" in labels.column_names else "value"
    taught: tuple[str, ...] = ()
    if known is not None and not crowd:
        taught = (f"the {known.num_rows:,} questions with known gold are not among the rows",)
    if crowd:
        count = pc.count_distinct(answers["source"]).as_py()
        bought = "" if known is None else f" and {known.num_rows:,} known labels"
        taught = (f"labels by {answered.model} from the answers of {count:,} annotators{bought}",)
    summary = Summary(
        method=method,
        questions=labels.num_rows,
        labelled=labels.num_rows - labels["value"].null_count,
        kept=pc.count_distinct(rows["example_id"]).as_py(),
        rows=rows.num_rows,
        answers=answers.num_rows,
        invalid_answers=answers["value"].null_count,
        removed_rows=weighted.removed,
        mix_before=label_mix(pa.table({"value": labels[before]})),
        mix_after=class_mix(rows["value"], np.asarray(rows["weight"].to_numpy()), used=weights != "keep-unused"),
        weights=weights,
        left_out=settled.left_out,
        notes=(*chosen.notes, *taught, *by_hand),
    )
    return Curated(rows, summary)


def _by_hand(
    chosen: TrainingSet, labels: pa.Table, answers: pa.Table, decisions: pa.Table
) -> tuple[TrainingSet, tuple[str, ...]]:
    """The rows without questions that are dropped by hand, and with those that are kept; and a note of how many.

    Raises:
        DataError: no decision is about a question that has a label, or nothing is left.
    """
    ids = {
        choice: decisions.filter(pc.equal(decisions["decision"], choice))["example_id"].combine_chunks()
        for choice in (KEEP, DROP)
    }
    if not pc.any(pc.is_in(decisions["example_id"], value_set=labels["example_id"].combine_chunks())).as_py():
        raise DataError(
            "no decision is about a labelled question: the decisions' ids are like "
            f"{decisions['example_id'][0].as_py()!r}, the labels' like {labels['example_id'][0].as_py()!r}"
        )
    dropped = pc.is_in(chosen.rows["example_id"], value_set=ids[DROP])
    rows = chosen.rows.filter(pc.invert(dropped))
    lacking = pc.and_(
        pc.is_in(labels["example_id"], value_set=ids[KEEP]),
        pc.invert(pc.is_in(labels["example_id"], value_set=chosen.rows["example_id"].combine_chunks())),
    )
    more = imitation_rows(labels.filter(lacking), answers, soft=rows["target"].null_count == rows.num_rows > 0)
    if not rows.num_rows + more.num_rows:
        raise DataError("the decisions drop every row that the method chose; nothing is left to train on")
    note = f"by hand: rows dropped {pc.sum(dropped).as_py() or 0:,}, added {more.num_rows:,}"
    return replace(chosen, rows=pa.concat_tables([rows, more]), labels=labels), (note,)


def _config(spec: MethodSpec, settings: Mapping[str, Any]) -> MethodConfig:
    fields = spec.config.model_fields
    if strange := [name for name in settings if name not in fields]:
        raise ConfigError(
            f"{spec.name} has no setting {', '.join(map(repr, strange))}; it has {', '.join(fields) or 'none'}"
        )
    try:
        return validate(spec.config, settings)
    except ValidationError as error:
        raise ConfigError(report(error, spec.name, settings)) from None


def _refuse(what: str, value: object, spec: MethodSpec, takes: Callable[[MethodSpec], bool]) -> None:
    if value is not None and not takes(spec):
        names = [name for name, other in offered().items() if takes(other)]
        raise ConfigError(f"{what} has no meaning for {spec.name}; it belongs to {', '.join(names)}")


def texts_of(answers: pa.Table, target: str | None, questions: pa.Table | None) -> pa.Table:
    """Answers whose `text` is null where their value is to be trained on: without it a method takes the value."""
    if target == "text" or (target is None and questions is None):
        return answers
    chosen = answers
    if target is None and questions is not None:
        chosen = questions.filter(pc.greater(pc.list_value_length(questions["choices"]), 0))
    by_value = pc.is_in(answers["example_id"], value_set=chosen["example_id"])
    return _set(answers, "text", pc.if_else(by_value, pa.scalar(None, pa.string()), answers["text"]))


def _answered(answers: pa.Table, seed: int, known: pa.Table | None, given: pa.Table | None) -> Answered:
    """What the method sees; answers to questions with known gold are set apart."""
    if known is None:
        return Answered(answers, seed, given=given)
    bought = pc.is_in(answers["example_id"], value_set=known["example_id"])
    apart, others = answers.filter(bought), answers.filter(pc.invert(bought))
    if not apart.num_rows or not others.num_rows:
        ids = [repr(table["example_id"][0].as_py()) for table in (known, answers)]
        raise DataError(
            f"{'no' if others.num_rows else 'every'} answered question has known gold, and calibration needs some that "
            f"have and some that have not; the gold's ids are like {ids[0]}, the answers' like {ids[1]}"
        )
    return Answered(others, seed, Known(apart, known), given)


def _described(rows: pa.Table, labels: pa.Table, answers: pa.Table) -> pa.Table:
    """Training rows as `CURATED`: with a prompt, and what is known of their question's label."""
    ids = rows["example_id"]
    label = labels.take(pc.index_in(ids, value_set=labels["example_id"]))
    itself = pa.nulls(rows.num_rows, pa.int32())  # the answer, of rows that are one
    if not pc.all(pc.equal(rows["row_id"], label_ids(rows))).as_py():
        itself = pc.index_in(rows["row_id"], value_set=answer_ids(answers))
    place = itself
    if itself.null_count:
        row = pc.index_in(answers["example_id"], value_set=ids).fill_null(-1).to_numpy().astype(np.int64)
        place = pc.coalesce(itself, first_in_words(label, answers), earliest(answers, row, rows.num_rows))
    prompt = answers["prompt"].take(place)
    value = pc.coalesce(answers["value"].take(itself), label["value"])
    given = label["given"] if "given" in label.column_names else pa.nulls(rows.num_rows, pa.string())
    columns = {name: rows[name] for name in ("row_id", "example_id", "probabilities", "weight")}
    columns |= {name: label[name] for name in ("reliability", "entropy", "votes")}
    target = pc.utf8_trim_whitespace(pc.coalesce(rows["target"], value))  # stray white space is nothing to learn
    columns |= {"prompt": pc.coalesce(rows["prompt"], prompt), "target": target}
    columns |= {"value": value, "given": given}
    return pa.table([columns[field.name] for field in CURATED], schema=CURATED)


def with_prompts(rows: pa.Table, questions: pa.Table) -> pa.Table:
    """Rows or answers, those without a prompt with that of their question.

    Raises:
        DataError: no row is about one of the questions.
    """
    prompts = look_up(rows.column("example_id"), questions, prompts_of(questions))
    if not pc.any(pc.is_in(rows.column("example_id"), value_set=questions.column("example_id"))).as_py():
        ids = [repr(each) for each in questions.column("example_id").to_pylist()[:3]]
        raise DataError(
            f"no question belongs to an answer: the questions' ids are like {', '.join(ids)}, the answers' like "
            f"{rows.column('example_id')[0].as_py()!r}"
        )
    return _set(rows, "prompt", pc.coalesce(rows.column("prompt"), prompts))


def _set(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(place), values)
