"""Who answers how well: models of annotators, fitted to sparse votes without gold."""

from outgrow.reliability.annotator_models import MODELS
from outgrow.reliability.annotators.annotator_table import ANNOTATORS, FlagRules, annotator_table
from outgrow.reliability.annotators.base import AnnotatorModel
from outgrow.reliability.annotators.bradley_terry import BradleyTerry
from outgrow.reliability.annotators.crowd import CrowdVotes, crowd_votes
from outgrow.reliability.annotators.dawid_skene import DawidSkene
from outgrow.reliability.annotators.dirichlet import DirichletVote
from outgrow.reliability.annotators.error_correlation import (
    PAIR_ERRORS,
    correlation_matrix,
    discounted,
    effective_number,
    error_correlations,
)
from outgrow.reliability.annotators.estimators import annotators, fit_annotators, make_model
from outgrow.reliability.annotators.glad import GLAD
from outgrow.reliability.annotators.mace import MACE
from outgrow.reliability.annotators.one_coin import OneCoin
from outgrow.reliability.annotators.robust import RobustDawidSkene
from outgrow.reliability.annotators.weighted_vote import WeightedVote

__all__ = [
    "ANNOTATORS",
    "GLAD",
    "MACE",
    "MODELS",
    "PAIR_ERRORS",
    "AnnotatorModel",
    "BradleyTerry",
    "CrowdVotes",
    "DawidSkene",
    "DirichletVote",
    "FlagRules",
    "OneCoin",
    "RobustDawidSkene",
    "WeightedVote",
    "annotator_table",
    "annotators",
    "correlation_matrix",
    "crowd_votes",
    "discounted",
    "effective_number",
    "error_correlations",
    "fit_annotators",
    "make_model",
]
