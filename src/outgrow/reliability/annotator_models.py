"""Models of annotators by name; they are imported when they are made, for they need scipy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HOME = "outgrow.reliability.annotators"
MODELS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "majority": (f"{_HOME}.weighted_vote:WeightedVote", {}),
    "weighted_vote": (f"{_HOME}.weighted_vote:WeightedVote", {"weights": "agreement"}),
    "one_coin": (f"{_HOME}.one_coin:OneCoin", {}),
    "dawid_skene": (f"{_HOME}.dawid_skene:DawidSkene", {}),
    "variational_dawid_skene": (f"{_HOME}.dawid_skene:DawidSkene", {"variational": True}),
    "mace": (f"{_HOME}.mace:MACE", {}),
    "glad": (f"{_HOME}.glad:GLAD", {}),
    "dirichlet": (f"{_HOME}.dirichlet:DirichletVote", {}),
    "robust_dawid_skene": (f"{_HOME}.robust:RobustDawidSkene", {}),
}
"""What `model` and `estimator` may name, for answers of several annotators: a class and some of its settings."""
AUTO = "auto"
"""`robust_dawid_skene`; for free answers, of which there are too many to be classes, `one_coin`."""
ESTIMATORS = (AUTO, *MODELS)
"""All names of models of annotators."""
