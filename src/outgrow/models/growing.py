"""Texts that grow from prompts token by token, each prompt computed once for all texts that begin with it.

The texts of one prompt live in one sequence, a tree as in `batching`: the prompt first, then at every step one more
position for each text that has not ended. A position sees its prompt and its own text only. What was computed for
earlier positions is kept, texts that have ended cost nothing more, and prompts whose texts have all ended are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from outgrow.models.batching import Sequences
from outgrow.models.caching import keep
from outgrow.models.heads import LanguageHead

Pick = Callable[[Float[Tensor, "n vocabulary"], Sequence[int], int], tuple[Int[Tensor, "n"], Float[Tensor, "n"]]]
"""Scores of the next token, the texts they belong to and their length in tokens; gives tokens and log-probabilities."""


@dataclass
class Text:
    """One text as it grows.

    Attributes:
        tokens: ids so far, the one that ends it included.
        logprobs: natural-log probability of each.
        ended: the last token ends a text.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False


def grow(
    head: LanguageHead,
    prompts: Sequence[list[int]],
    counts: Sequence[int],
    most: int,
    ends: Collection[int],
    pick: Pick,
) -> list[Text]:
    """Texts of all prompts, the first `counts[0]` of them from the first prompt, and so on.

    Args:
        head: a model whose `abilities.share` and `abilities.unmasked` hold.
        prompts: token ids, none empty.
        counts: texts that each prompt gets, at least one.
        most: longest text in tokens.
        ends: tokens that end a text.
        pick: chooses each next token.
    """
    device = next(head.parameters()).device
    texts = [Text() for _ in range(sum(counts))]
    first = [sum(counts[:i]) for i in range(len(counts))]
    width = max(map(len, prompts))
    cache = head.new_cache(width + (most - 1) * max(counts))

    ids = torch.zeros((len(prompts), width), dtype=torch.int64)
    for row, own in enumerate(prompts):
        ids[row, : len(own)] = torch.tensor(own)
    places = torch.tensor([row * width + len(own) - 1 for row, own in enumerate(prompts)])
    scores = head(Sequences(ids, None, None, places).to(device), cache)
    scores = scores.repeat_interleave(torch.tensor(counts, device=device), 0)

    rows = list(range(len(prompts)))  # prompts that still have a growing text
    growing = [list(range(start, start + count)) for start, count in zip(first, counts, strict=True)]
    seen = torch.zeros((len(prompts), max(counts), width), dtype=torch.bool)
    for row, own in enumerate(prompts):
        seen[row, :, : len(own)] = True
    for length in range(most):
        flat = [text for row in rows for text in growing[row]]
        tokens, logprobs = pick(scores.float(), flat, length)
        for text, token, logprob in zip(flat, tokens.tolist(), logprobs.tolist(), strict=True):
            texts[text].tokens.append(token)
            texts[text].logprobs.append(logprob)
            texts[text].ended = token in ends
        growing = [[text for text in own if not texts[text].ended] for own in growing]
        alive = [i for i, row in enumerate(rows) if growing[row]]
        if not alive or length + 1 == most:
            break
        if 4 * len(alive) <= 3 * len(rows):  # copying what stays is worth it
            keep(cache, alive)
            rows, seen = [rows[i] for i in alive], seen[alive]
        slots = [[text - first[row] for text in growing[row]] for row in rows]
        batch, seen = _step(slots, [[texts[text].tokens[-1] for text in growing[row]] for row in rows], seen)
        at = torch.tensor([len(prompts[row]) + length for row in rows])[:, None].expand(batch.ids.shape)
        scores = head(Sequences(batch.ids, batch.mask, at, batch.places).to(device), cache)
    return texts


def _step(
    slots: Sequence[Sequence[int]], tokens: Sequence[Sequence[int]], seen: Bool[Tensor, "prompts texts positions"]
) -> tuple[Sequences, Bool[Tensor, "prompts texts more"]]:
    """The newest tokens of all growing texts as input, and what every text sees now.

    Args:
        slots: of each prompt, which of its texts grow.
        tokens: their newest tokens.
        seen: which earlier positions each text sees.
    """
    many, width = len(slots), max(map(len, slots))
    ids = torch.zeros((many, width), dtype=torch.int64)
    own = torch.zeros((many, width), dtype=torch.int64)  # which text a new position belongs to; the first, for padding
    new = torch.zeros((many, seen.shape[1], width), dtype=torch.bool)
    places: list[int] = []
    for row, (mine, said) in enumerate(zip(slots, tokens, strict=True)):
        ids[row, : len(said)] = torch.tensor(said, dtype=torch.int64)
        own[row, : len(mine)] = torch.tensor(mine, dtype=torch.int64)
        new[row, mine, list(range(len(mine)))] = True
        places += range(row * width, row * width + len(mine))
    seen = torch.cat([seen, new], dim=2)
    visible = seen.gather(1, own[:, :, None].expand(many, width, seen.shape[2]))
    mask = torch.zeros(visible.shape).masked_fill_(~visible, torch.finfo(torch.float32).min)[:, None]
    return Sequences(ids, mask, None, torch.tensor(places)), seen
