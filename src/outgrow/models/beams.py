"""Beam search: the most probable texts that a causal model would write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from outgrow.core.errors import ConfigError
from outgrow.models.batches import Progress, Stage
from outgrow.models.batching import plan
from outgrow.models.generation import Generation, apart, generation, prepare, record
from outgrow.models.growing import Text
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.ranks import split
from outgrow.models.text import Coder, Prompt
from outgrow.models.unshared import left_padded


@split
def beam_search(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    *,
    beams: int,
    max_new_tokens: int,
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> list[list[Generation]]:
    """The texts that a beam search ends with, by `transformers`, highest mean log-probability of a token first.

    Args:
        loaded: a model with head `lm`.
        prompts: as for `generate`.
        beams: texts that are kept at every step, at least 2.
        max_new_tokens: longest text, end of sequence included.
        token_budget: most positions of all beams in one batch, padding included; None: 16384.
        stage: where results are kept against a crash.
        progress: called with (prompts done, all different prompts).

    Returns:
        For each prompt at most `beams` different texts, each with the log-probabilities of the very tokens it was
        written with.

    Raises:
        ConfigError: wrong head, fewer than two beams, or a model whose own `generate` does not follow its scores.
        DataError: the model has no room for `max_new_tokens`.
    """
    if beams < 2:
        raise ConfigError(f"beams is {beams}; a beam search keeps at least 2 texts, and 1 is greedy decoding")
    head, coder, ids, truncated = prepare(loaded, prompts, max_new_tokens)
    if head.abilities.batch == "single":
        raise ConfigError(
            f"beam search of {loaded.ref.model} is not to be trusted: its own `generate` gives other texts than its "
            "scores; draw several samples instead (samples, temperature)"
        )
    first = {tuple(own): i for i, own in reversed(list(enumerate(ids)))}
    unique = sorted(first.values())
    lengths = [(len(ids[i]) + max_new_tokens) * beams for i in unique]
    batches = apart(plan(lengths, token_budget or 16384), lengths, head.abilities.batch)

    def work(number: int, batch: Sequence[int]) -> list[list[Any]]:
        texts = _search(head, [ids[unique[i]] for i in batch], beams, max_new_tokens, loaded.ends)
        return [_different(own, coder) for own in texts]

    with torch.inference_mode():
        kept = (stage or Stage()).run(batches, work, progress)
    at = {unique[number]: several for number, several in kept.items()}
    return [[generation(one, cut) for one in at[first[tuple(own)]]] for own, cut in zip(ids, truncated, strict=True)]


def _search(
    head: LanguageHead, prompts: Sequence[list[int]], beams: int, most: int, ends: frozenset[int]
) -> list[list[Text]]:
    ids, mask = left_padded(prompts, head.pad)
    device = next(head.model.parameters()).device
    result = head.model.generate(
        input_ids=ids.to(device), attention_mask=mask.to(device), max_new_tokens=most, do_sample=False,
        num_beams=beams, num_return_sequences=beams, length_penalty=1.0, return_dict_in_generate=True,
        output_scores=True,
    )  # fmt: skip
    steps = head.model.compute_transition_scores(
        result.sequences, result.scores, result.beam_indices, normalize_logits=False
    )
    texts = []
    for tokens, logprobs in zip(result.sequences[:, ids.shape[1] :].tolist(), steps.tolist(), strict=True):
        stop = next((i for i, token in enumerate(tokens) if token in ends), None)
        count = len(tokens) if stop is None else stop + 1
        texts.append(Text(tokens[:count], logprobs[:count], stop is not None))
    return [texts[i : i + beams] for i in range(0, len(texts), beams)]


def _different(texts: Sequence[Text], coder: Coder) -> list[Any]:
    """Records of the texts, best first, each text once."""
    ranked = sorted(texts, key=lambda text: -sum(text.logprobs) / len(text.tokens))
    kept: dict[str, list[Any]] = {}
    for own in (record(text, coder) for text in ranked):
        kept.setdefault(own[0], own)
    return list(kept.values())
