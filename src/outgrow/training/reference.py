"""What a frozen model thinks of training rows, seen exactly as training sees them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from outgrow.models.batching import cut_step
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.objectives.base import Outputs
from outgrow.objectives.losses import answer_nll
from outgrow.objectives.options import choices
from outgrow.training.config import TrainConfig
from outgrow.training.encode import encode, micro_batch
from outgrow.training.rows import TrainRow, check_rows
from outgrow.training.run import autocast
from outgrow.training.sharding import float32
from outgrow.training.weights import open_weights


@torch.no_grad()
def reference_scores(loaded: Loaded, rows: Sequence[TrainRow], config: TrainConfig) -> list[float | list[float]]:
    """Log-probabilities of each row's answers under a model, in the tokens, truncation and precision of training.

    A model that starts training from the same weights says the same of the rows at its first step, dropout aside: an
    objective of the difference to its reference begins at a difference of 0.

    Args:
        loaded: the model; it is left in the precision of training.
        rows: what to score, each of a weight above 0.
        config: of the training whose reference this is.

    Returns:
        Per row in nats: of its target, end of text included; or, where rows have options, one number per option
        (padded by the lowest float32 to the most options of any row); of head `classifier` one per class.

    Raises:
        DataError: a row that cannot be learned from.
        ConfigError: only some of the rows have options.
    """
    encoded = encode(loaded, check_rows(rows), config.max_length)
    open_weights(loaded, config, 0, "all")
    float32(loaded.head)
    loaded.head.eval()
    share = not isinstance(loaded.head, LanguageHead) or loaded.head.shares(encoded.groups)
    found: list[float | list[float]] = [0.0] * len(rows)
    for start in range(0, len(rows), config.batch_size):
        groups = encoded.groups[start : start + config.batch_size]
        for part in cut_step(groups, share=share, join=share, budget=config.micro_batch_tokens, overhead=64, devices=1):
            packs = [[start + i for i in pack] for pack in part]
            sequences, batch = micro_batch(loaded, encoded, packs, config.normalise)
            with autocast(config, loaded.device):
                outputs = Outputs(loaded.head(sequences))
            if batch.tokens is not None and not bool(batch.tokens.soft.any()):
                scores = -answer_nll(outputs.logits, batch.tokens)
            else:
                logits = choices(outputs, batch).logits
                scores = torch.log_softmax(logits, dim=1) if loaded.classes is not None else logits
            for i, score in zip((i for pack in packs for i in pack), scores.tolist(), strict=True):
                found[i] = score
    return found
