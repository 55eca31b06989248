"""Beyond imitation: the student's own candidates, ranked by its supervisors (arXiv 2406.03199)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.lab import ONCE, How, Lab, Student
from outgrow.core.tables import ANSWERS, build
from outgrow.methods.bayesian_multi_weak import BayesianMultiWeak, imitation_of_all
from outgrow.methods.crowd import Weight
from outgrow.methods.pairs import of_scores, shuffled
from outgrow.methods.preference_tuning import own_training
from outgrow.methods.texts import in_words
from outgrow.objectives.preference import Dpo

LEAST = 1e-6
"""The least probability of an option that counts."""


class EnsemblePreference(BayesianMultiWeak):
    """The imitation that it begins from, and the stage of preferences.

    Attributes:
        candidates: answers of the student that are ranked for each question: texts of its beam search, or the options
            that it finds most probable.
        ranking: weight of each supervisor's mean log-probability of a token, or log-probability of an option; none
            weighs all the same.
        beta: of DPO, on the difference of summed log-probabilities.
        smoothing: probability that a pair stands the wrong way round (conservative DPO).
        learning_rate: of the stage; the recipe's where it is null.
        epochs: passes over the pool in the stage; the recipe's where it is null.
        pairs: `ranked`, or as a placebo `shuffled`, half of them the other way round.
    """

    candidates: Annotated[int, Field(ge=2)] = 5
    ranking: tuple[Weight, ...] | None = None
    beta: Annotated[float, Field(gt=0)] = 1.0
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    pairs: Literal["ranked", "shuffled"] = "ranked"


def ensemble_preference(lab: Lab, config: EnsemblePreference) -> Student:
    """Conservative DPO on the best against the worst of the student's own answers, as its supervisors rank them."""
    if lab.head != "lm":
        raise ConfigError(
            f"ensemble_preference compares what a student would say; head '{lab.head}' says nothing, take lm"
        )
    student = imitation_of_all(lab, config, stage="imitation")
    if in_words(lab.ask(lab.supervisors[0], lab.pool, variants=1)):
        candidates = _texts(lab, student, config.candidates)
        scores = [_log_means(lab.score(each, *_spoken(candidates))) for each in lab.supervisors]
    else:
        candidates = _options(lab.ask(student, lab.pool, ONCE), config.candidates)
        scores = [_log_shares(lab.ask(each, lab.pool, variants=1), candidates) for each in lab.supervisors]
    pairs = of_scores(candidates, _weighted(scores, config.ranking), "supervisors")
    lab.note(f"{pairs.num_rows} pairs of {lab.pool.num_rows} questions: two candidates that can be read and differ.")
    if not pairs.num_rows:
        raise PrerequisiteError("the student has no two different answers to any question: nothing is to be ranked")
    if config.pairs == "shuffled":
        pairs = shuffled(pairs, lab.seed)
    return lab.train(
        student, pairs, Dpo(beta=config.beta, smoothing=config.smoothing), stage="preference", select="last",
        settings=own_training(config.learning_rate, config.epochs),
    )  # fmt: skip


def _texts(lab: Lab, student: Student, count: int) -> pa.Table:
    """The student's texts to each question, by a beam search."""
    texts = lab.ask(student, lab.pool, How(variants=1, samples=1, temperature=0.0, beams=count))
    return texts.filter(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(texts["text"])), 0))


def _options(answers: pa.Table, count: int) -> pa.Table:
    """The options of each question that the student finds most probable, an answer each."""
    rows = [
        {**row, "sample": rank, "value": value}
        for row in answers.to_pylist()
        for rank, (value, _) in enumerate(sorted(row["probabilities"] or (), key=lambda one: -one[1])[:count])
    ]
    return build(
        ANSWERS, {name: [row[name] for row in rows] for name in ("example_id", "source", "variant", "sample", "value")}
    )


def _spoken(texts: pa.Table) -> tuple[list[str], list[str]]:
    return pc.fill_null(texts["prompt"], "").to_pylist(), texts["text"].to_pylist()


def _log_means(scores: pa.Table) -> Float[np.ndarray, "texts"]:
    """Mean log-probability of a text's tokens, in nats."""
    return np.asarray(scores["logprob"].to_numpy() / scores["n_tokens"].to_numpy())


def _log_shares(answers: pa.Table, candidates: pa.Table) -> Float[np.ndarray, "candidates"]:
    """Log-probability that a supervisor gives each candidate; of hard answers, whether it is theirs."""
    shares = {
        row["example_id"]: dict(row["probabilities"] or [(row["value"], 1.0)])
        for row in answers.select(["example_id", "value", "probabilities"]).to_pylist()
    }
    asked = zip(candidates["example_id"].to_pylist(), candidates["value"].to_pylist(), strict=True)
    return np.log([max(shares.get(example, {}).get(value, 0.0), LEAST) for example, value in asked])


def _weighted(
    scores: Sequence[Float[np.ndarray, "candidates"]], ranking: tuple[float, ...] | None
) -> Float[np.ndarray, "candidates"]:
    """Mean over the supervisors by their weights."""
    weights = (1.0,) * len(scores) if ranking is None else ranking
    if len(weights) != len(scores) or not any(weights):
        raise ConfigError(f"ranking: one weight for each of the {len(scores)} supervisors, not all 0; found {weights}")
    return np.asarray(np.average(scores, axis=0, weights=weights))
