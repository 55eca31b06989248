"""Control: the weights of reliability re-weighting, given to the wrong questions."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, all_answers_of, require_repeats
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, with_consensus
from outgrow.reliability.agreement import as_floats
from outgrow.reliability.hashing import hash_order


class ShuffledReweighting(MethodConfig):
    """Temperature of the softmax over vote shares, as in reliability re-weighting."""

    temperature: Annotated[float, Field(gt=0)] = 0.2


def shuffled_reweighting(lab: Lab, config: ShuffledReweighting) -> Student:
    """Control: the weights of reliability re-weighting, permuted over the questions."""
    answers = all_answers_of(lab)
    labels = agreement(answers, seed=lab.seed, temperature=config.temperature)
    labels = require_repeats(labels, "shuffled_reweighting").filter(with_consensus(labels))
    weights = as_floats(labels["softmax_reliability"])
    ids = labels["example_id"].to_pylist()
    giver, taker = (hash_order(("shuffled_reweighting", side, lab.seed), ids) for side in ("giver", "taker"))
    shuffled = np.empty_like(weights)
    shuffled[taker] = weights[giver]  # by id on both sides, so that the order of rows does not matter
    return lab.train(lab.student, imitation_rows(labels, answers, weights=shuffled))
