"""The methods: one file each, a choice of rows or a function of a lab. `METHODS` is where recipes look up names."""

from outgrow.core.registry import Registry
from outgrow.methods.all_answers import AllAnswers, all_answers
from outgrow.methods.base import Answered, MethodConfig, MethodSpec, TrainingSet
from outgrow.methods.calibrated import (
    CalibratedFiltering,
    CalibratedReweighting,
    calibrated_filtering,
    calibrated_reweighting,
)
from outgrow.methods.confidence_filtering import ConfidenceFiltering, confidence_filtering
from outgrow.methods.majority_vote import MajorityVote, majority_vote
from outgrow.methods.naive import Naive, naive
from outgrow.methods.oracle_filtering import OracleFiltering, oracle_filtering
from outgrow.methods.own_gold import OwnGold, own_gold
from outgrow.methods.random_filtering import RandomFiltering, random_filtering
from outgrow.methods.reliability_reweighting import ReliabilityReweighting, reliability_reweighting
from outgrow.methods.shuffled_reweighting import ShuffledReweighting, shuffled_reweighting
from outgrow.methods.soft_labels import SoftLabels, soft_labels
from outgrow.methods.strong_ceiling import StrongCeiling, strong_ceiling
from outgrow.methods.uncertainty_filtering import UncertaintyFiltering, uncertainty_filtering

_OURS = (
    MethodSpec.choosing("naive", Naive, naive, variants=1),
    MethodSpec.choosing("majority_vote", MajorityVote, majority_vote),
    MethodSpec.choosing("all_answers", AllAnswers, all_answers),
    MethodSpec.choosing("confidence_filtering", ConfidenceFiltering, confidence_filtering, variants=1),
    MethodSpec.choosing("uncertainty_filtering", UncertaintyFiltering, uncertainty_filtering),
    MethodSpec.choosing("reliability_reweighting", ReliabilityReweighting, reliability_reweighting, weighted=True),
    MethodSpec.choosing("soft_labels", SoftLabels, soft_labels),
    MethodSpec.choosing("calibrated_filtering", CalibratedFiltering, calibrated_filtering, needs="known"),
    MethodSpec.choosing(
        "calibrated_reweighting", CalibratedReweighting, calibrated_reweighting, needs="known", weighted=True
    ),
    MethodSpec.choosing("random_filtering", RandomFiltering, random_filtering, control=True),
    MethodSpec.choosing("shuffled_reweighting", ShuffledReweighting, shuffled_reweighting, weighted=True, control=True),
    MethodSpec("oracle_filtering", OracleFiltering, oracle_filtering, uses_gold=True, control=True),
    MethodSpec("own_gold", OwnGold, own_gold, uses_gold=True, control=True),
    MethodSpec("strong_ceiling", StrongCeiling, strong_ceiling, uses_gold=True, control=True),
)

METHODS = Registry("method", MethodSpec, {spec.name: spec for spec in _OURS})

__all__ = ["METHODS", "Answered", "MethodConfig", "MethodSpec", "TrainingSet"]
