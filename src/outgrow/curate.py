"""A cleaned, weighted training set out of any answers table, without training a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from outgrow.errors import ConfigError, PrerequisiteError
from outgrow.methods.rows import answer_rows, imitation_rows, normalise_weights
from outgrow.records import LABELS, PROBABILITIES
from outgrow.reliability import Estimator, agreement, at_random, label_mix, mean_probabilities, most_certain
from outgrow.reliability.selection import Stratify
from outgrow.reliability.votes import encode

Method = Literal[
    "majority_vote",
    "all_answers",
    "confidence_filtering",
    "uncertainty_filtering",
    "reliability_reweighting",
    "soft_labels",
    "random_filtering",
]
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
    ]
)


@dataclass(frozen=True)
class Summary:
    """What a curation did: counts, and the share of each label before and after."""

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
) -> Curated:
    """Training rows from the answers of one source.

    Methods: `majority_vote` (each question's consensus), `all_answers` (every valid answer with its own prompt),
    `uncertainty_filtering` (consensus of the questions with the least entropy, arXiv 2406.19032),
    `confidence_filtering` (each question's first answer, those with the highest option probability, else
    log-probability), `random_filtering` (as many questions, drawn at random: the control), `reliability_reweighting`
    (consensus, weight = reliability scaled to mean 1), `soft_labels` (mean option probabilities, else vote shares).

    Args:
        answers: answers table of one source (`records.ANSWERS`).
        method: one of the above.
        keep: share of questions with a consensus that a filtering method keeps, above 0 up to 1.
        seed: of ties and of the random draw.
        temperature: T of the softmax reliability.
        stratify: "label" keeps the label mix when filtering.
        target: train on the canonical `value`, or on the `text` of the first answer that gave it.

    Returns:
        Rows with the prompt of the question's first answer (lowest variant, then sample), and a summary.

    Raises:
        ConfigError: unknown method, target or stratify.
        PrerequisiteError: several sources, `keep` out of range, questions asked once where agreement is needed,
            or neither probabilities nor log-probabilities for `confidence_filtering`.
    """
    if method not in get_args(Method):
        raise ConfigError(f"unknown method {method!r}; choose one of {', '.join(get_args(Method))}")
    if target not in ("value", "text"):
        raise ConfigError(f"unknown target {target!r}; choose 'value' or 'text'")
    if stratify is not None and method not in FILTERS:
        raise ConfigError(f"stratify has no meaning for {method}; it belongs to {', '.join(FILTERS)}")
    first = first_answers(answers)
    labels = agreement(answers, seed=seed, temperature=temperature)
    before, said = labels, answers
    if method == "confidence_filtering":
        labels, said = most_confident(first, keep=keep, seed=seed, stratify=stratify), first
    elif method == "uncertainty_filtering":
        labels = most_certain(labels, fraction=keep, seed=seed, stratify=stratify)
    elif method == "random_filtering":
        labels = at_random(labels, fraction=keep, seed=seed, stratify=stratify)
    elif method == "soft_labels":
        labels = mean_probabilities(answers, labels)
    if method == "all_answers":
        rows = answer_rows(said if target == "text" else _without_text(said))
    else:
        weights = _reliability(labels) if method == "reliability_reweighting" else None
        rows = imitation_rows(labels, said if target == "text" else None, weights=weights)
    weighted = normalise_weights(rows)
    built = _with_measures(weighted.rows, labels, first, soft=method == "soft_labels")
    summary = Summary(
        method=method,
        questions=before.num_rows,
        with_consensus=before.num_rows - before.column("value").null_count,
        kept=pc.count_distinct(built.column("example_id")).as_py(),
        rows=built.num_rows,
        answers=answers.num_rows,
        invalid_answers=answers.column("value").null_count,
        removed_rows=weighted.removed,
        mix_before=label_mix(before),
        mix_after=label_mix(answers.filter(answers.column("value").is_valid()) if method == "all_answers" else labels),
    )
    return Curated(built, summary)


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
    return pa.table([columns[field.name] for field in CURATED], schema=CURATED)
