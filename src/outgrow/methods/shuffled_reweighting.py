"""Control: the weights of reliability re-weighting, given to the wrong questions."""

from __future__ import annotations

import numpy as np

from outgrow.methods.base import Answered, MethodConfig, Temperature, TrainingSet
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import with_consensus
from outgrow.reliability.agreement import as_floats
from outgrow.reliability.hashing import hash_order


class ShuffledReweighting(MethodConfig):
    """Temperature of the softmax over vote shares, as in reliability re-weighting."""

    temperature: Temperature = 0.2


def shuffled_reweighting(answered: Answered, config: ShuffledReweighting) -> TrainingSet:
    """Control: the weights of reliability re-weighting, permuted over the questions."""
    every = answered.repeated_labels("shuffled_reweighting", temperature=config.temperature)
    labels = every.filter(with_consensus(every))
    weights = as_floats(labels[answered.measure()])
    ids = labels["example_id"].to_pylist()
    giver, taker = (hash_order(("shuffled_reweighting", side, answered.seed), ids) for side in ("giver", "taker"))
    shuffled = np.empty_like(weights)
    shuffled[taker] = weights[giver]  # by id on both sides, so that the order of rows does not matter
    return TrainingSet(imitation_rows(labels, answered.answers, weights=shuffled), every)
