"""Losses: one value per row, never reduced. Importing this room does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.core.names import lazily
from outgrow.core.registry import Registry
from outgrow.objectives.identity import identity
from outgrow.objectives.imitation import Imitation, imitation
from outgrow.objectives.spec import ObjectiveSpec

_OURS = {
    "cross_entropy": "cross_entropy:CrossEntropy",
    "confidence": "confidence:Confidence",
    "product": "self_training:Product",
    "confidence_term": "self_training:ConfidenceTerm",
    "adaptconf": "self_training:AdaptConf",
    "window": "self_training:Window",
    "reverse": "noise:Reverse",
    "generalised_cross_entropy": "noise:GeneralisedCrossEntropy",
    "symmetric_cross_entropy": "noise:SymmetricCrossEntropy",
    "forward_correction": "noise:ForwardCorrection",
    "early_learning": "noise:EarlyLearning",
    "evidential": "evidential:Evidential",
    "soft_tokens": "soft_tokens:SoftTokens",
    "evidential_tokens": "soft_tokens:EvidentialTokens",
    "bradley_terry": "preference:BradleyTerry",
    "explicit_conflict": "conflict:ExplicitConflict",
    "dpo": "preference:Dpo",
    "ipo": "preference:Ipo",
    "simpo": "preference:SimPo",
    "orpo": "preference:Orpo",
}
OBJECTIVES = Registry(
    "objective",
    ObjectiveSpec,
    {"imitation": ObjectiveSpec("imitation", Imitation)}
    | {name: ObjectiveSpec(name, f"{__name__}.{place}") for name, place in _OURS.items()},
)

if TYPE_CHECKING:
    from outgrow.objectives.base import Batch, Losses, Objective, Outputs, Targets, Tokens
    from outgrow.objectives.options import Choices, choices

__getattr__ = lazily(
    __name__,
    {
        "base": ["Batch", "Losses", "Objective", "Outputs", "Targets", "Tokens"],
        "options": ["Choices", "choices"],
    },
)

__all__ = [
    "OBJECTIVES",
    "Batch",
    "Choices",
    "Imitation",
    "Losses",
    "Objective",
    "ObjectiveSpec",
    "Outputs",
    "Targets",
    "Tokens",
    "choices",
    "identity",
    "imitation",
]
