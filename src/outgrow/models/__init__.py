"""Models: loading, heads, tokenising, scoring, generation. Importing this room does not import torch; using it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgrow.core.names import import_lazily
from outgrow.models.config import Lora, ModelRef
from outgrow.models.files import available, model_hash, resolve

if TYPE_CHECKING:
    from outgrow.models.batches import Stage
    from outgrow.models.classifying import classify, read_classes
    from outgrow.models.generation import Generation, generate
    from outgrow.models.loaded import Loaded
    from outgrow.models.loading import load, save
    from outgrow.models.readings import READINGS, Readout
    from outgrow.models.scoring import OptionScores, TextScore, score_options, score_texts

_LAZY = {
    "Stage": "outgrow.models.batches",
    "classify": "outgrow.models.classifying",
    "read_classes": "outgrow.models.classifying",
    "READINGS": "outgrow.models.readings",
    "Readout": "outgrow.models.readings",
    "Generation": "outgrow.models.generation",
    "generate": "outgrow.models.generation",
    "Loaded": "outgrow.models.loaded",
    "load": "outgrow.models.loading",
    "save": "outgrow.models.loading",
    "OptionScores": "outgrow.models.scoring",
    "TextScore": "outgrow.models.scoring",
    "score_options": "outgrow.models.scoring",
    "score_texts": "outgrow.models.scoring",
}

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


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used."""
    return import_lazily(__name__, name, _LAZY)
