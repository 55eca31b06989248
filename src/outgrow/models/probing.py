"""What a causal model allows, found out by a few short passes whose numbers are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from outgrow.models.batching import Group, alone, collate
from outgrow.models.growing import grow
from outgrow.models.heads import Abilities, LanguageHead


@torch.no_grad()
def probe(head: LanguageHead) -> Abilities:
    """Find out what the head's model allows, in evaluation mode, and set `head.abilities` to it."""
    training = head.training
    head.eval()
    head.abilities = Abilities()
    size = int(head.model.config.get_text_config().vocab_size)
    ids = [(7919 * (i + 1)) % size for i in range(9)]
    long, short = Group(ids[:4], [ids[4:6], ids[6:9]]), Group(ids[2:3], [ids[:2]])
    reference = _scores(head, [Group(long.prompt, [answer]) for answer in long.answers])
    single = _scores(head, [short])
    direct = _same(head, reference, lambda: _scores(head, [long], direct=True))
    trim = _same(head, reference, lambda: _scores(head, [long], trim=True))
    unmasked = _same(head, torch.cat([reference, single]), lambda: _scores(head, [long, short], unmasked=True))
    once = reference[[0, 1, 3, 4]]  # the prompt's end predicts for both answers: in the reference it stands twice
    packed = _same(head, once, lambda: _scores(head, [long], share=True))
    config = head.model.config.get_text_config()
    layers = getattr(config, "layer_types", None) or ["sliding"]
    local = any("sliding" in kind or "chunked" in kind for kind in layers)
    sliding = getattr(config, "sliding_window", None) or getattr(config, "attention_chunk_size", None)
    grown = packed and unmasked and _same(head, reference[[1, 3]], lambda: _grown(head, long))
    window = int(sliding) if local and sliding else None
    head.abilities = Abilities(direct, unmasked, packed, window, grown, trim)
    head.train(training)
    return head.abilities


def _scores(
    head: LanguageHead, groups: Sequence[Group], *, direct: bool = False, unmasked: bool = False, share: bool = False,
    trim: bool = False,
) -> Tensor:  # fmt: skip
    head.abilities = Abilities(direct=direct, trim=trim)
    device = next(head.model.parameters()).device
    sequences, _ = collate([alone(group) for group in groups], head.pad, share=share, unmasked=unmasked, device=device)
    scores: Tensor = head(sequences).float()
    return scores


def _grown(head: LanguageHead, group: Group) -> Tensor:
    """Scores after the first tokens of both answers, with the prompt taken from a cache."""
    seen: list[Tensor] = []

    def pick(scores: Tensor, texts: Sequence[int], position: int) -> tuple[Tensor, Tensor]:
        seen.append(scores)
        return torch.tensor([answer[position] for answer in group.answers]), torch.zeros(len(texts))

    grow(head, [group.prompt], [len(group.answers)], 2, (), pick)
    return seen[1]


def _same(head: LanguageHead, reference: Tensor, attempt: Callable[[], Tensor]) -> bool:
    """Whether an attempt gives the reference's scores; one that the architecture refuses does not."""
    try:
        scores = attempt()
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError):
        return False
    close = 1e-4 if head.model.dtype == torch.float32 else 2e-2
    return scores.shape == reference.shape and bool((scores - reference).abs().max() <= close * reference.abs().max())
