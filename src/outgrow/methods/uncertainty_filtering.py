"""Uncertainty filtering (arXiv 2406.19032; equations 2 and 3 of docs/papers.md)."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow.compute as pc
from pydantic import Field

from outgrow.methods.base import Answered, Form, MethodConfig, Share, Stratify, TrainingSet, tie_notes
from outgrow.methods.rows import answer_rows, imitation_rows
from outgrow.reliability import most_certain, published_filter


class UncertaintyFiltering(MethodConfig):
    """How much to keep, and in which form.

    Attributes:
        keep: share of the questions that have a consensus (corrected form).
        order: what decides between equal entropies before the seeded hash does.
        stratify: `label` keeps the mix of labels.
        form: `corrected`: one row per question, consensus label, identity wording. `published`: every valid
            answer of a kept question in its own wording; kept are the questions with entropy <= the percentile.
        percentile: of the entropy, published form only.
    """

    keep: Share = 0.5
    order: Literal["entropy", "entropy_then_logprob"] = "entropy"
    stratify: Stratify = None
    form: Form = "corrected"
    percentile: Annotated[float, Field(ge=0, le=100)] = 50.0


def uncertainty_filtering(answered: Answered, config: UncertaintyFiltering) -> TrainingSet:
    """Train on the questions whose answers agree most (arXiv 2406.19032)."""
    answers, seed = answered.answers, answered.seed
    labels = answered.repeated_labels("uncertainty_filtering")
    if config.form == "published":
        answered.refuse_several("the published form")
        kept = published_filter(labels, percentile=config.percentile)
        chosen = answers.filter(pc.is_in(answers["example_id"], kept["example_id"].combine_chunks()))
        return TrainingSet(answer_rows(chosen), labels, "raw")
    kept = most_certain(labels, fraction=config.keep, seed=seed, by=config.order, stratify=config.stratify)
    return TrainingSet(imitation_rows(kept, answers), labels, notes=tie_notes(labels, kept, "entropy"))
