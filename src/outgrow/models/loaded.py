"""A model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from outgrow.models.assemble import Head
from outgrow.models.config import ModelRef
from outgrow.models.text import Coder


@dataclass
class Loaded:
    """A model ready to answer or to be trained; `fit` changes its weights in place.

    Attributes:
        head: the module that maps token ids to scores; in evaluation mode except inside `fit`.
        tokenizer: the model's Hugging Face tokenizer.
        coder: prompts and targets to token ids (head `lm`), else None.
        pad: id that fills the padding; masked everywhere, so it only has to exist.
        ref: what was loaded.
        classes: names of the classes (head `classifier`), `REWARD` for head `reward`, else None.
        device: where the weights are.
        adapter: the `peft` wrapper when a LoRA adapter is in place, else None.
        reading: how scores of classes become probabilities, a name of `outgrow.models.readings`; with head `lm` other
            readings than softmax take the scores of the options' first tokens.
    """

    head: Head
    tokenizer: Any
    coder: Coder | None
    pad: int
    ref: ModelRef
    classes: tuple[str, ...] | None
    device: torch.device
    adapter: Any = None
    reading: str = "softmax"

    @property
    def model(self) -> Any:
        """The `transformers` model under the head."""
        return self.head.model

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""
        return frozenset(self.model.generation_config.eos_token_id)

    @property
    def max_length(self) -> int:
        """Most tokens the model has positions for; a large number where it has no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(limit) if limit else 1 << 30
