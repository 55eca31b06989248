"""Filtering by the supervisor's own probability: K times cheaper than asking K times."""

from __future__ import annotations

from outgrow.core.errors import PrerequisiteError
from outgrow.methods.base import Answered, MethodConfig, Share, Stratify, TrainingSet, tie_notes
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, most_certain, with_consensus


class ConfidenceFiltering(MethodConfig):
    """Which share of the questions to keep, and whether to keep the label mix."""

    keep: Share = 0.5
    stratify: Stratify = None


def confidence_filtering(answered: Answered, config: ConfidenceFiltering) -> TrainingSet:
    """Train on the questions whose one answer has the highest option probability."""
    answers = answered.first
    labels = agreement(answers, seed=answered.seed, estimator="probability")
    if lacking := labels.filter(with_consensus(labels))["reliability"].null_count:
        raise PrerequisiteError(
            f"confidence_filtering needs the option probabilities of each question's first answer; {lacking:,} of "
            f"{labels.num_rows:,} have none. Give answers a column 'probabilities' (a 'logprob' is not enough), or "
            "choose uncertainty_filtering, which goes by agreement"
        )
    kept = most_certain(labels, fraction=config.keep, seed=answered.seed, by="reliability", stratify=config.stratify)
    return TrainingSet(imitation_rows(kept, answers), labels, notes=tie_notes(labels, kept, "reliability"))
