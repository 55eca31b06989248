"""Beyond imitation: the student's own candidates, ranked by its supervisors (arXiv 2406.03199)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.lab import How, Lab, Student
from outgrow.methods.bayesian_multi_weak import BayesianMultiWeak, imitation_of_all
from outgrow.methods.pairs import of_scores, shuffled
from outgrow.methods.texts import in_words
from outgrow.objectives.preference import Dpo

Weight = Annotated[float, Field(ge=0)]


class EnsemblePreference(BayesianMultiWeak):
    """The imitation that it begins from, and the stage of preferences.

    Attributes:
        candidates: texts of the student's beam search that are ranked for each question.
        ranking: weight of each supervisor's mean log-probability of a token; none weighs all the same.
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
    """Conservative DPO on the best against the worst of the student's own texts, as its supervisors rank them."""
    student = imitation_of_all(lab, config, stage="imitation")
    beams = How(variants=1, samples=1, temperature=0.0, beams=config.candidates)
    texts = lab.ask(student, lab.pool, beams)
    if not in_words(texts):
        raise PrerequisiteError(
            "ensemble_preference ranks texts that the student writes, and these questions are answered by choosing; "
            "take a task without options"
        )
    texts = texts.filter(pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(texts["text"])), 0))
    pairs = of_scores(texts, _ranks(lab, texts, config.ranking), "supervisors")
    lab.note(f"{pairs.num_rows} pairs of {lab.pool.num_rows} questions: two candidates that can be read and differ.")
    if not pairs.num_rows:
        raise PrerequisiteError(
            "the student writes no two different texts to any question, so there is nothing to rank"
        )
    if config.pairs == "shuffled":
        pairs = shuffled(pairs, lab.seed)
    given = {"learning_rate": config.learning_rate, "epochs": config.epochs}
    return lab.train(
        student, pairs, Dpo(beta=config.beta, smoothing=config.smoothing), stage="preference", select="last",
        settings={name: value for name, value in given.items() if value is not None},
    )  # fmt: skip


def _ranks(lab: Lab, texts: pa.Table, ranking: tuple[float, ...] | None) -> Float[np.ndarray, "texts"]:
    """Weighted mean over the supervisors of the mean log-probability of a text's tokens, in nats."""
    weights = (1.0,) * len(lab.supervisors) if ranking is None else ranking
    if len(weights) != len(lab.supervisors) or not any(weights):
        raise ConfigError(
            f"ranking: one weight for each of the {len(lab.supervisors)} supervisors, not all 0; found {weights}"
        )
    total = np.zeros(texts.num_rows)
    for source, weight in zip(lab.supervisors, weights, strict=True):
        scores = lab.score(source, pc.fill_null(texts["prompt"], "").to_pylist(), texts["text"].to_pylist())
        total += weight / sum(weights) * (scores["logprob"].to_numpy() / scores["n_tokens"].to_numpy())
    return total
