"""Prompts as token ids that fit a model: cut on the left where they are too long, padded for a classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from outgrow.core.errors import DataError
from outgrow.models.batching import Group, Sequences
from outgrow.models.loaded import Loaded
from outgrow.models.text import Coder, cut_left


def fit_length(group: Group, limit: int, coder: Coder, where: str) -> Group:
    """The group with its prompt cut on the left so that prompt and longest answer take at most `limit` tokens.

    Raises:
        DataError: the answer leaves no room for a single token of the prompt.
    """
    answer = max(map(len, group.answers))
    if len(group.prompt) + answer <= limit:
        return group
    if answer >= limit:
        raise DataError(f"{where}: the target has {answer} tokens, max_length is {limit}; targets are never cut")
    return Group(cut_left(group.prompt, limit - answer, coder.prefix), group.answers)


def check_first_tokens(loaded: Loaded, options: Sequence[str], answers: Sequence[list[int]], where: str) -> None:
    """Refuse options that one token each does not tell apart: readings of evidence know them by their first token.

    Args:
        loaded: a model with head `lm`.
        options: in words.
        answers: their token ids, the end of sequence last.
        where: names them in messages.

    Raises:
        DataError: an option has several tokens, or two have the same.
    """
    remedy = (
        f"head 'lm' read by {loaded.reading!r} knows an option by its only token; take head: classifier, softmax (an "
        "objective without evidence), or options of one token each, such as letters"
    )
    for option, own in zip(options, answers, strict=True):
        if len(own) != 2:
            tokens = loaded.tokenizer.convert_ids_to_tokens(own[:-1])
            raise DataError(f"{where}: the option {option!r} has {len(tokens)} tokens, {tokens}; {remedy}")
    if len({own[0] for own in answers}) < len(answers):
        raise DataError(f"{where}: some of the options {list(options)} have the same token; {remedy}")


def encode_prompts(loaded: Loaded, prompts: Sequence[str], limit: int) -> tuple[list[list[int]], int]:
    """Token ids for a classifier, special tokens included, and how many prompts were cut on the left."""
    tokenizer, texts = loaded.tokenizer, list(prompts)
    if not texts:
        return [], 0
    options = {"return_attention_mask": False, "return_token_type_ids": False, "verbose": False}  # we cut ourselves
    whole = tokenizer(texts, **options)["input_ids"]
    long = [i for i, ids in enumerate(whole) if len(ids) > limit]
    if long:
        cut = tokenizer([texts[i] for i in long], truncation=True, max_length=limit, **options)["input_ids"]
        for i, ids in zip(long, cut, strict=True):
            whole[i] = ids
    if not all(whole):
        raise DataError(f"the prompt {texts[whole.index([])]!r} has no tokens; ask something")
    return list(whole), len(long)


def classifier_inputs(ids: Sequence[list[int]], pad: int, device: torch.device) -> Sequences:
    """Padded token ids and their 2-D mask."""
    width = max(map(len, ids))
    tokens = np.full((len(ids), width), pad, dtype=np.int64)
    mask = np.zeros((len(ids), width), dtype=np.int64)
    for row, own in enumerate(ids):
        tokens[row, : len(own)] = own
        mask[row, : len(own)] = 1
    none = torch.zeros(0, dtype=torch.int64, device=device)
    return Sequences(torch.from_numpy(tokens).to(device), torch.from_numpy(mask).to(device), None, none)
