"""The methods: one file each, a choice of rows or a function of a lab. `METHODS` is where recipes look up names."""

from outgrow.core.registry import Registry
from outgrow.methods.all_answers import AllAnswers, all_answers
from outgrow.methods.annotator_posterior import AnnotatorPosterior, annotator_posterior
from outgrow.methods.base import Answered, MethodConfig, MethodSpec, TrainingSet
from outgrow.methods.bayesian_multi_weak import BayesianMultiWeak, bayesian_multi_weak
from outgrow.methods.bootstrapping import Bootstrapping, bootstrapping
from outgrow.methods.calibrated import (
    CalibratedFiltering,
    CalibratedReweighting,
    calibrated_filtering,
    calibrated_reweighting,
)
from outgrow.methods.conal import Conal, conal
from outgrow.methods.confidence_filtering import ConfidenceFiltering, confidence_filtering
from outgrow.methods.confidence_loss import ConfidenceLoss, confidence_loss
from outgrow.methods.contrast_consistent_search import ContrastConsistentSearch, contrast_consistent_search
from outgrow.methods.crowd_layer import CrowdLayer, crowd_layer
from outgrow.methods.deception import (
    Conflicting,
    Explicit,
    Implicit,
    explicit_conflict,
    implicit_conflict,
    no_conflict,
)
from outgrow.methods.early_stopping import (
    EarlyStopping,
    EarlyStoppingGold,
    early_stopping,
    early_stopping_gold,
)
from outgrow.methods.ensemble_preference import EnsemblePreference, ensemble_preference
from outgrow.methods.error_structure import ErrorStructure, error_structure
from outgrow.methods.few_shot import FewShot, few_shot
from outgrow.methods.generative_finetuning import GenerativeFinetuning, generative_ceiling, generative_finetuning
from outgrow.methods.joint_decoding import JointDecoding, joint_decoding
from outgrow.methods.linear_probe import LinearProbe, finetuned_probe_gold, linear_probe, linear_probe_gold
from outgrow.methods.logit_contrast import LogitContrast, logit_contrast
from outgrow.methods.madl import Madl, madl
from outgrow.methods.majority_vote import MajorityVote, majority_vote
from outgrow.methods.naive import Naive, naive
from outgrow.methods.naive_multi_weak import NaiveMultiWeak, naive_multi_weak
from outgrow.methods.nearest_centroid import NearestCentroid, nearest_centroid
from outgrow.methods.oracle_filtering import OracleFiltering, oracle_filtering
from outgrow.methods.own_gold import OwnGold, own_gold
from outgrow.methods.preference_tuning import (
    Pairs,
    delta_learning,
    dpo,
    reversed_pairs,
    sft_chosen,
    sft_rejected,
    shuffled_pairs,
)
from outgrow.methods.probe_labels import (
    ForwardCorrection,
    ProbeFiltering,
    ProbeRelabelling,
    forward_correction,
    probe_filtering,
    probe_relabelling,
)
from outgrow.methods.product_loss import ProductLoss, product_loss
from outgrow.methods.random_filtering import RandomFiltering, random_filtering
from outgrow.methods.raven import RavenConfig, raven
from outgrow.methods.reliability_reweighting import ReliabilityReweighting, reliability_reweighting
from outgrow.methods.reward_model import RewardModel, reward_model
from outgrow.methods.self_training import (
    SelfTraining,
    ZeroShotSelfTraining,
    self_training,
    zero_shot_self_training,
)
from outgrow.methods.shuffled_reweighting import ShuffledReweighting, shuffled_reweighting
from outgrow.methods.soft_labels import SoftLabels, soft_labels
from outgrow.methods.strong_ceiling import StrongCeiling, strong_ceiling
from outgrow.methods.strong_regularised import StrongRegularised, strong_regularised
from outgrow.methods.uncertainty_filtering import UncertaintyFiltering, uncertainty_filtering
from outgrow.objectives.preference import BradleyTerry, Dpo

PREFERENCE = Dpo(beta=1.0, length_normalise=True)
"""What methods on pairs train by unless a recipe says otherwise: the loss of arXiv 2507.06187 (there beta 5 or 10)."""

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
    MethodSpec("confidence_loss", ConfidenceLoss, confidence_loss),
    MethodSpec("product_loss", ProductLoss, product_loss),
    MethodSpec("bootstrapping", Bootstrapping, bootstrapping),
    MethodSpec("self_training", SelfTraining, self_training),
    MethodSpec("generative_finetuning", GenerativeFinetuning, generative_finetuning, ceiling="generative_ceiling"),
    MethodSpec("early_stopping", EarlyStopping, early_stopping),
    MethodSpec("strong_regularised", StrongRegularised, strong_regularised),
    MethodSpec("probe_relabelling", ProbeRelabelling, probe_relabelling),
    MethodSpec("probe_filtering", ProbeFiltering, probe_filtering),
    MethodSpec("forward_correction", ForwardCorrection, forward_correction),
    MethodSpec("linear_probe", LinearProbe, linear_probe),
    MethodSpec("naive_multi_weak", NaiveMultiWeak, naive_multi_weak, needs="annotators"),
    MethodSpec("bayesian_multi_weak", BayesianMultiWeak, bayesian_multi_weak, needs="annotators"),
    MethodSpec("joint_decoding", JointDecoding, joint_decoding, needs="annotators"),
    MethodSpec("annotator_posterior", AnnotatorPosterior, annotator_posterior, needs="annotators"),
    MethodSpec("raven", RavenConfig, raven, needs="annotators"),
    MethodSpec("ensemble_preference", EnsemblePreference, ensemble_preference, needs="annotators"),
    MethodSpec("crowd_layer", CrowdLayer, crowd_layer, needs="annotators"),
    MethodSpec("conal", Conal, conal, needs="annotators"),
    MethodSpec("madl", Madl, madl, needs="annotators"),
    MethodSpec("dpo", Pairs, dpo, objective=PREFERENCE),
    MethodSpec("delta_learning", Pairs, delta_learning, objective=PREFERENCE),
    MethodSpec("reversed_pairs", Pairs, reversed_pairs, objective=PREFERENCE, control=True),
    MethodSpec("shuffled_pairs", Pairs, shuffled_pairs, objective=PREFERENCE, control=True),
    MethodSpec("sft_chosen", Pairs, sft_chosen, control=True),
    MethodSpec("sft_rejected", Pairs, sft_rejected, control=True),
    MethodSpec("reward_model", RewardModel, reward_model, objective=BradleyTerry()),
    MethodSpec("logit_contrast", LogitContrast, logit_contrast),
    MethodSpec("no_conflict", Conflicting, no_conflict, control=True),
    MethodSpec("explicit_conflict", Explicit, explicit_conflict, uses_gold=True, control=True),
    MethodSpec("implicit_conflict", Implicit, implicit_conflict, control=True),
    MethodSpec("few_shot", FewShot, few_shot, control=True),
    MethodSpec("contrast_consistent_search", ContrastConsistentSearch, contrast_consistent_search, control=True),
    MethodSpec("nearest_centroid", NearestCentroid, nearest_centroid, control=True),
    MethodSpec.choosing("random_filtering", RandomFiltering, random_filtering, control=True),
    MethodSpec.choosing("shuffled_reweighting", ShuffledReweighting, shuffled_reweighting, weighted=True, control=True),
    MethodSpec("oracle_filtering", OracleFiltering, oracle_filtering, uses_gold=True, control=True),
    MethodSpec("own_gold", OwnGold, own_gold, uses_gold=True, control=True),
    MethodSpec("zero_shot_self_training", ZeroShotSelfTraining, zero_shot_self_training, control=True),
    MethodSpec("early_stopping_gold", EarlyStoppingGold, early_stopping_gold, uses_gold=True, control=True),
    MethodSpec("error_structure", ErrorStructure, error_structure, uses_gold=True, control=True),
    MethodSpec("linear_probe_gold", LinearProbe, linear_probe_gold, uses_gold=True, control=True),
    MethodSpec("finetuned_probe_gold", LinearProbe, finetuned_probe_gold, uses_gold=True, control=True),
    MethodSpec(
        "generative_ceiling",
        GenerativeFinetuning,
        generative_ceiling,
        uses_gold=True,
        control=True,
        ceiling="generative_ceiling",
    ),
    MethodSpec("strong_ceiling", StrongCeiling, strong_ceiling, uses_gold=True, control=True),
)

METHODS = Registry("method", MethodSpec, {spec.name: spec for spec in _OURS})

__all__ = ["METHODS", "Answered", "MethodConfig", "MethodSpec", "TrainingSet"]
