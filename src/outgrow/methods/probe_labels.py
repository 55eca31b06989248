"""Weak labels judged by the untrained student's hidden states: replaced, left out (EleutherAI/w2s), corrected for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.encoding import encode
from outgrow.core.lab import Lab, Student
from outgrow.core.tables import with_column
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows
from outgrow.objectives import noise
from outgrow.reliability.hashing import hash_ranks
from outgrow.reliability.probes import (
    States,
    logistic,
    nearest_centroid,
    neighbour_shares,
    out_of_fold,
    topological_filter,
)


class ProbeRelabelling(MethodConfig):
    """How hidden states say what a label should be.

    Attributes:
        probe: labels of the nearest `neighbours`, or a `logistic` regression or `centroid` fitted to the other folds.
        layer: 0 is the embeddings, negative numbers count from the end.
        pool: `last` token of the prompt, `mean` over its tokens, or what a classifier of the model reads (`auto`).
        k: neighbours.
        folds: of the pool.
    """

    probe: Literal["neighbours", "logistic", "centroid"] = "logistic"
    layer: int = -1
    pool: Literal["auto", "last", "mean"] = "auto"
    k: Annotated[int, Field(ge=1)] = 50
    folds: Annotated[int, Field(ge=2)] = 10


class ProbeFiltering(ProbeRelabelling):
    """How hidden states say which labels to leave out.

    Attributes:
        probe: as for relabelling, or `topological`: a label is kept in the largest connected part of its class.
        drop: share of the labels that is left out, those that the probe finds least probable; not for `topological`.
    """

    probe: Literal["neighbours", "logistic", "centroid", "topological"] = "logistic"  # type: ignore[assignment]
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.1


class ForwardCorrection(ProbeRelabelling):
    """How hidden states say how often a class is labelled another: as for relabelling, but by class means."""

    probe: Literal["neighbours", "logistic", "centroid"] = "centroid"


@dataclass(frozen=True)
class _Read:
    """Rows of weak labels with the hidden states of their questions.

    Attributes:
        rows: one per label.
        states: of the rows' questions.
        label: place of each row's label in `values`.
        values: distinct labels.
        options: which of them the row's question allows.
    """

    rows: pa.Table
    states: States
    label: Int[np.ndarray, "rows"]
    values: pa.Array
    options: Bool[np.ndarray, "rows values"]

    def believed(self, config: ProbeRelabelling, seed: int) -> Float[np.ndarray, "rows values"]:
        """Probability of each value, from labels of other rows."""
        shares = np.eye(len(self.values))[self.label]
        if config.probe == "neighbours":
            found = neighbour_shares(self.states, shares, k=config.k)
        else:
            folds = hash_ranks(["folds", seed], self.rows["example_id"].to_pylist()) % config.folds
            found = out_of_fold(
                nearest_centroid if config.probe == "centroid" else logistic, self.states, shares, folds
            )
        return np.where(self.options, found, -1.0)


def probe_relabelling(lab: Lab, config: ProbeRelabelling) -> Student:
    """Train on the labels that a probe of the untrained student, fitted to the other questions, predicts."""
    read = _read(lab, config)
    labels = read.values.take(pa.array(read.believed(config, lab.seed).argmax(axis=1)))
    changed = float(np.mean(np.asarray(read.values.take(pa.array(read.label))) != np.asarray(labels)))
    lab.note(f"The probe replaced {changed:.1%} of the labels.")
    return lab.train(lab.student, with_column(read.rows, "target", labels))


def probe_filtering(lab: Lab, config: ProbeFiltering) -> Student:
    """Train without the labels that a probe of the untrained student, fitted to the other questions, doubts most."""
    read = _read(lab, config)
    keep: Bool[np.ndarray, "rows"]
    if config.probe == "topological":
        keep = topological_filter(read.states, read.label, k=config.k)
    else:
        trust = read.believed(config, lab.seed)[np.arange(len(read.label)), read.label]
        ids = read.rows["example_id"].to_pylist()
        keep = np.ones(len(ids), dtype=bool)
        keep[np.lexsort((hash_ranks([lab.seed], ids), trust))[: int(config.drop * len(ids) + 0.5)]] = False
    lab.note(f"{int((~keep).sum()):,} of {len(keep):,} labels were left out.")
    return lab.train(lab.student, read.rows.filter(pa.array(keep)))


def forward_correction(lab: Lab, config: ForwardCorrection) -> Student:
    """Train to predict what the supervisor's errors make of the truth (arXiv 1609.03683).

    How often class k is labelled c is counted over the questions that a probe of the untrained student, fitted to the
    labels of other questions, takes for k.
    """
    read = _read(lab, config)
    names, found = read.values.to_pylist(), read.believed(config, lab.seed).argmax(axis=1)
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, (found, read.label), 1.0)
    counts += np.diag(counts.sum(axis=1) == 0)  # a class that the probe never finds is taken to be labelled rightly
    matrix = counts / counts.sum(axis=1, keepdims=True)
    objective = noise.ForwardCorrection(transition=tuple(map(tuple, matrix.tolist())), classes=tuple(names))
    lab.note(f"By the probe {np.trace(counts) / counts.sum():.1%} of the labels are right.")
    return lab.train(lab.student, read.rows, objective)


def _read(lab: Lab, config: ProbeRelabelling) -> _Read:
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    answers = answers.filter(answers["value"].is_valid())
    label = encode(answers["value"])
    states = lab.activations(lab.student, answers.select(["example_id"]), [config.layer], pool=config.pool)[:, 0]
    options = np.ones((answers.num_rows, len(label.names)), dtype=bool)
    names = label.names.to_pylist()
    for i, shares in enumerate(answers["probabilities"].to_pylist()):
        if shares is not None:
            there = dict(shares)
            options[i] = [name in there for name in names]
    return _Read(answer_rows(answers), states, label.codes, label.names, options)
