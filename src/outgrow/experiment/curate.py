"""A cleaned, weighted training set out of any answers table, without training a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float
from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.names import did_you_mean
from outgrow.core.tables import LABELS, PROBABILITIES
from outgrow.io.questions import look_up, prompts_of
from outgrow.methods.relabel import Relabelled, relabel
from outgrow.methods.rows import answer_rows, imitation_rows, normalise_weights
from outgrow.methods.weights import Weights, check_weights, class_mix, settle_weights
from outgrow.reliability import (
    Estimator,
    agreement,
    at_random,
    label_mix,
    mean_probabilities,
    most_certain,
)
from outgrow.reliability.selection import Stratify

Method = Literal[
    "majority_vote",
    "all_answers",
    "confidence_filtering",
    "uncertainty_filtering",
    "reliability_reweighting",
    "soft_labels",
    "random_filtering",
    "relabel",
]
WEIGHTED = ("reliability_reweighting",)
FILTERS = ("confidence_filtering", "uncertainty_filtering", "random_filtering")
ALIKE = (LABELS.field("votes"), LABELS.field("entropy"), LABELS.field("reliability"))
CURATED = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("prompt", pa.string()),
        pa.field("target", pa.string(), nullable=False),
        pa.field("probabilities", PROBABILITIES),  # soft_labels only; sums to 1
        pa.field("weight", pa.float64(), nullable=False),
        *(ALIKE[i] for i in (2, 1, 0)),
        pa.field("given", pa.string()),  # relabel only: the label that was there before
    ]
)
MIN_RELIABILITY = 0.9


@dataclass(frozen=True)
class Summary:
    """What a curation did: counts, and the share of each label before and after (of the weight, where rows differ)."""

    method: str
    questions: int
    with_consensus: int
    kept: int
    rows: int
    answers: int
    invalid_answers: int
    removed_rows: int  # of weight 0
    mix_before: Mapping[str, float]
    mix_after: Mapping[str, float]
    weights: str | None = None  # what became of them, where the user said so
    left_out: int = 0  # rows that resampling did not draw, or lighter than `min_weight`
    relabelled: Relabelled | None = None


@dataclass(frozen=True)
class Curated:
    """Training rows (`CURATED`) and the summary of how they came about."""

    rows: pa.Table
    summary: Summary


def curate(
    answers: pa.Table,
    *,
    method: Method | str,
    keep: float = 0.5,
    seed: int = 0,
    temperature: float = 0.2,
    stratify: Stratify = None,
    target: Literal["value", "text"] | str = "value",
    weights: Weights | str | None = None,
    min_weight: float | int | None = None,
    given: pa.Table | None = None,
    min_reliability: float | int | None = None,
    questions: pa.Table | None = None,
) -> Curated:
    """Training rows from the answers of one source.

    Methods: `majority_vote` (each question's consensus), `all_answers` (every valid answer with its own prompt),
    `uncertainty_filtering` (consensus of the questions with the least entropy, arXiv 2406.19032),
    `confidence_filtering` (each question's first answer, those with the highest option probability, else
    log-probability), `random_filtering` (as many questions, drawn at random: the control), `reliability_reweighting`
    (consensus, weight = reliability scaled to mean 1), `soft_labels` (mean option probabilities, else vote shares),
    `relabel` (given labels, replaced by the consensus where it is reliable).

    Args:
        answers: answers table of one source (`records.ANSWERS`).
        method: one of the above.
        keep: share of questions with a consensus that a filtering method keeps, above 0 up to 1.
        seed: of ties, of the random draw and of resampling.
        temperature: T of the softmax reliability.
        stratify: "label" keeps the label mix when filtering.
        target: train on the canonical `value`, or on the `text` of the first answer that gave it.
        weights: what to do with a weighted method's weights: "resample", "threshold" or "keep-unused" (the rows stay
            as they are); see `curation.settle_weights`.
        min_weight: with "threshold", the least weight to keep; 1 is the mean.
        given: for `relabel`: `example_id` and `label`; by default the labels of `questions`.
        min_reliability: for `relabel`: the least reliability at which the consensus replaces a label; default 0.9.
        questions: `example_id`, `question`, `choices`: prompts for rows whose answers have none.

    Returns:
        Rows with the prompt of the question's first answer (lowest variant, then sample; with target `text`, of the
        first that gave the consensus), and a summary.

    Raises:
        ConfigError: unknown method, target, stratify or weights, or a setting without meaning for the method.
        DataError: no question or given label belongs to an answered question.
        PrerequisiteError: several sources, `keep` out of range, questions asked once where agreement is needed,
            no given labels for `relabel`, or neither probabilities nor log-probabilities for `confidence_filtering`.
    """
    _check_settings(method, target, stratify, weights, min_weight, min_reliability)
    given = _given(method, given, questions)
    first = first_answers(answers)
    labels = agreement(answers, seed=seed, temperature=temperature)
    before, said, relabelled = labels, answers, None
    if method == "confidence_filtering":
        labels, said = most_confident(first, keep=keep, seed=seed, stratify=stratify), first
    elif method == "uncertainty_filtering":
        labels = most_certain(labels, fraction=keep, seed=seed, stratify=stratify)
    elif method == "random_filtering":
        labels = at_random(labels, fraction=keep, seed=seed, stratify=stratify)
    elif method == "soft_labels":
        labels = mean_probabilities(answers, labels)
    elif given is not None:
        least = MIN_RELIABILITY if min_reliability is None else min_reliability
        relabelled = relabel(labels, given, min_reliability=least)
        labels = relabelled.labels
    if method == "all_answers":
        rows = answer_rows(said if target == "text" else _without_text(said))
    else:
        measure = _reliability(labels) if method in WEIGHTED else None
        rows = imitation_rows(labels, said if target == "text" else None, weights=measure)
    weighted = normalise_weights(rows)
    asked = _that_said(answers, labels) if target == "text" else first
    built = _with_measures(weighted.rows, labels, asked, soft=method == "soft_labels")
    if questions is not None:
        built = with_prompts(built, questions)
    if relabelled is not None:
        built = _set(built, "given", look_up(built.column("example_id"), relabelled.labels, relabelled.given))
    values = _values(built, answers if method == "all_answers" else labels, each=method == "all_answers")
    settled = settle_weights(built.append_column("value", values), weights, seed=seed, min_weight=min_weight)
    built, values = settled.rows.drop_columns(["value"]), settled.rows.column("value")
    summary = Summary(
        method=method,
        questions=before.num_rows,
        with_consensus=before.num_rows - before.column("value").null_count,
        kept=pc.count_distinct(built.column("example_id")).as_py(),
        rows=built.num_rows,
        answers=answers.num_rows,
        invalid_answers=answers.column("value").null_count,
        removed_rows=weighted.removed,
        mix_before=label_mix(before if relabelled is None else pa.table({"value": relabelled.given})),
        mix_after=class_mix(values, np.asarray(built.column("weight").to_numpy()), used=weights != "keep-unused"),
        weights=weights,
        left_out=settled.left_out,
        relabelled=relabelled,
    )
    return Curated(built, summary)


def _check_settings(
    method: str,
    target: str,
    stratify: Stratify,
    weights: str | None,
    min_weight: float | int | None,
    min_reliability: float | int | None,
) -> None:
    if method not in get_args(Method):
        raise ConfigError(
            f"unknown method '{method}'{did_you_mean(method, get_args(Method)) or '.'} "
            f"Known to curate: {', '.join(get_args(Method))}; other methods of `outgrow methods` need a recipe and "
            "`outgrow run`"
        )
    if target not in ("value", "text"):
        raise ConfigError(f"unknown target {target!r}; choose 'value' or 'text'")
    if stratify is not None and method not in FILTERS:
        raise ConfigError(f"stratify has no meaning for {method}; it belongs to {', '.join(FILTERS)}")
    check_weights(weights, min_weight)
    if weights is not None and method not in WEIGHTED:
        raise ConfigError(
            f"weights has no meaning for {method}, whose rows weigh the same; it belongs to {WEIGHTED[0]}"
        )
    if min_reliability is not None and method != "relabel":
        raise ConfigError(f"min_reliability has no meaning for {method}; it belongs to relabel")
    if min_reliability is not None and math.isnan(min_reliability):
        raise ConfigError("min_reliability must be a number, not nan")


def _given(method: str, given: pa.Table | None, questions: pa.Table | None) -> pa.Table | None:
    """The given labels `relabel` works on; None for other methods."""
    if method != "relabel":
        if given is not None:
            raise ConfigError(f"given labels have no meaning for {method}; they belong to relabel")
        return None
    if given is None and questions is not None and questions.column("label").null_count < questions.num_rows:
        given = questions.select(["example_id", "label"])
    if given is None:
        raise PrerequisiteError(
            "relabel needs the labels that may be wrong: --given FILE with the columns example_id and label, "
            "or a column label in the file of --questions"
        )
    return given


def first_answers(answers: pa.Table) -> pa.Table:
    """Each question's answer with the lowest variant, then sample, valid or not."""
    question = encode(answers.column("example_id")).codes
    order = np.lexsort((answers.column("sample").to_numpy(), answers.column("variant").to_numpy(), question))
    new = np.diff(question[order], prepend=-1) > 0
    return answers.take(pa.array(np.sort(order[new])))


def most_confident(first: pa.Table, *, keep: float, seed: int, stratify: Stratify = None) -> pa.Table:
    """Labels of the questions whose one answer the source itself found most probable.

    Uses the option probability of the answer if every valid answer has one, else its log-probability.

    Raises:
        PrerequisiteError: some valid answer has neither.
    """
    valid = first.filter(first.column("value").is_valid())
    measures: dict[str, Estimator] = {"probabilities": "probability", "logprob": "mean_logprob"}
    for name, estimator in measures.items():
        if valid.column(name).null_count == 0:
            labels = agreement(first, seed=seed, estimator=estimator)
            return most_certain(labels, fraction=keep, seed=seed, by="reliability", stratify=stratify)
    raise PrerequisiteError(
        "confidence_filtering needs 'probabilities' or 'logprob' for the first answer of every question; "
        f"of {valid.num_rows} answers {valid.column('probabilities').null_count} lack the one and "
        f"{valid.column('logprob').null_count} the other"
    )


def _reliability(labels: pa.Table) -> Float[np.ndarray, "questions"]:
    weight = np.asarray(labels.column("reliability").to_numpy(), dtype=np.float64)
    once = int(np.isnan(weight).sum())
    if once:
        raise PrerequisiteError(
            f"reliability_reweighting needs several answers per question; {once} of {len(weight)} questions have one"
        )
    return weight


def _that_said(answers: pa.Table, labels: pa.Table) -> pa.Table:
    """Each question's first answer that gave its consensus: a text belongs to the prompt it answered."""
    label = look_up(answers.column("example_id"), labels, labels.column("value"))
    return first_answers(answers.filter(pc.equal(answers.column("value"), label)))


def _without_text(answers: pa.Table) -> pa.Table:
    place = answers.column_names.index("text")
    return answers.set_column(place, "text", pa.nulls(answers.num_rows, pa.string()))


def _with_measures(rows: pa.Table, labels: pa.Table, first: pa.Table, *, soft: bool) -> pa.Table:
    """Rows with their question's prompt, votes, entropy and reliability."""
    at = pc.index_in(rows.column("example_id"), value_set=labels.column("example_id"))
    asked = pc.index_in(rows.column("example_id"), value_set=first.column("example_id"))
    label = labels.take(at)
    columns = {name: rows.column(name) for name in ("row_id", "example_id", "target", "weight")}
    columns |= {field.name: label.column(field.name) for field in ALIKE}
    columns["prompt"] = pc.coalesce(rows.column("prompt"), first.column("prompt").take(asked))
    columns["probabilities"] = (
        imitation_rows(label, soft=True).column("probabilities") if soft else pa.nulls(rows.num_rows, PROBABILITIES)
    )
    columns["given"] = pa.nulls(rows.num_rows, pa.string())
    return pa.table([columns[field.name] for field in CURATED], schema=CURATED)


def with_prompts(rows: pa.Table, questions: pa.Table) -> pa.Table:
    """Rows or answers, those without a prompt with that of their question.

    Raises:
        DataError: no row is about one of the questions.
    """
    found = look_up(rows.column("example_id"), questions, prompts_of(questions))
    if not pc.any(pc.is_in(rows.column("example_id"), value_set=questions.column("example_id"))).as_py():
        ids = [repr(each) for each in questions.column("example_id").to_pylist()[:3]]
        raise DataError(
            f"no question belongs to an answer: the questions' ids are like {', '.join(ids)}, the answers' like "
            f"{rows.column('example_id')[0].as_py()!r}"
        )
    return _set(rows, "prompt", pc.coalesce(rows.column("prompt"), found))


def _values(rows: pa.Table, said: pa.Table, *, each: bool) -> pa.ChunkedArray:
    """The canonical label of every row: its own answer's for `each`, else its question's."""
    if each:
        return said.column("value").drop_null()  # one row per valid answer, in their order
    return look_up(rows.column("example_id"), said, said.column("value"))


def _set(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), CURATED.field(name), values)
