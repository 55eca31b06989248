"""Texts that share no sequence: by a model's own `generate`, or where that goes wrong by passes over whole texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from outgrow.models.batching import Sequences
from outgrow.models.growing import Pick, Text
from outgrow.models.heads import LanguageHead


def write(head: LanguageHead, prompts: Sequence[list[int]], most: int, ends: Collection[int], pick: Pick) -> list[Text]:
    """One text per prompt, together in one batch; shorter prompts are padded on the left.

    Args:
        head: the model; which prompts may be together, `abilities.batch` says.
        prompts: token ids, none empty.
        most: longest text in tokens.
        ends: tokens that end a text.
        pick: chooses each next token.
    """
    from transformers import LogitsProcessorList

    ids, mask = left_padded(prompts, head.pad)
    width, device = ids.shape[1], next(head.model.parameters()).device
    logprobs: list[Tensor] = []

    def choose(so_far: Int[Tensor, "n length"], scores: Float[Tensor, "n vocabulary"]) -> Tensor:
        token, logprob = pick(scores.float(), range(len(prompts)), so_far.shape[1] - width)
        logprobs.append(logprob)
        return torch.full_like(scores, -torch.inf).scatter_(1, token[:, None], 0.0)

    full = head.model.generate(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        max_new_tokens=most,
        do_sample=False,
        logits_processor=LogitsProcessorList([choose]),
    )[:, width:]
    texts = []
    for tokens, own_logprobs in zip(full.tolist(), torch.stack(logprobs, dim=1).tolist(), strict=True):
        stop = next((i for i, token in enumerate(tokens) if token in ends), None)
        count = len(tokens) if stop is None else stop + 1
        texts.append(Text(tokens[:count], own_logprobs[:count], stop is not None))
    return texts


def left_padded(prompts: Sequence[list[int]], pad: int) -> tuple[Int[Tensor, "n width"], Int[Tensor, "n width"]]:
    """Token ids of the prompts, the shorter ones padded on the left, and a mask that is 1 where there is no padding."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, own in enumerate(prompts):
        ids[row, width - len(own) :] = torch.tensor(own)
        mask[row, width - len(own) :] = 1
    return ids, mask


def write_slowly(head: LanguageHead, prompt: list[int], most: int, ends: Collection[int], pick: Pick) -> Text:
    """The text to one prompt, each token by a pass over all before it; as `write`, for models it does not suit."""
    text, device = Text(), next(head.model.parameters()).device
    while len(text.tokens) < most and not text.ended:
        ids = torch.tensor([prompt + text.tokens])
        scores = head(Sequences(ids, None, None, torch.tensor([ids.shape[1] - 1])).to(device))
        token, logprob = pick(scores.float(), [0], len(text.tokens))
        text.tokens.append(int(token))
        text.logprobs.append(float(logprob))
        text.ended = text.tokens[-1] in ends
    return text
