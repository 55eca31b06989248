"""Models: loading, heads, tokenising, scoring, generation. Importing this room does not import torch; using it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.core.names import lazily
from outgrow.models.config import Lora, ModelRef
from outgrow.models.files import available, model_hash, resolve

if TYPE_CHECKING:
    from outgrow.models.batches import Stage
    from outgrow.models.beams import beam_search
    from outgrow.models.classifying import classify, read_classes
    from outgrow.models.generation import Generation, generate
    from outgrow.models.loaded import Loaded
    from outgrow.models.loading import load, save
    from outgrow.models.readings import READINGS, Readout
    from outgrow.models.scoring import OptionScores, TextScore, score_options, score_texts

__getattr__ = lazily(
    __name__,
    {
        "batches": ["Stage"],
        "beams": ["beam_search"],
        "classifying": ["classify", "read_classes"],
        "generation": ["Generation", "generate"],
        "loaded": ["Loaded"],
        "loading": ["load", "save"],
        "readings": ["READINGS", "Readout"],
        "scoring": ["OptionScores", "TextScore", "score_options", "score_texts"],
    },
)

__all__ = [
    "READINGS",
    "Generation",
    "Loaded",
    "Lora",
    "ModelRef",
    "OptionScores",
    "Readout",
    "Stage",
    "TextScore",
    "available",
    "beam_search",
    "classify",
    "generate",
    "load",
    "model_hash",
    "read_classes",
    "resolve",
    "save",
    "score_options",
    "score_texts",
]
