"""Log-probabilities of given answers: one forward pass, no generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from outgrow.core.errors import ConfigError, DataError
from outgrow.models.batches import Progress, Stage, default_budget
from outgrow.models.batching import (
    Group,
    Pack,
    collate,
    make_pack,
    pack_groups,
    plan,
)
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.prompts import check_first_tokens, fit_length
from outgrow.models.ranks import split
from outgrow.models.readings import READINGS, of_evidence
from outgrow.models.text import Prompt

LengthNormalise = Literal["none", "tokens", "bytes"]


@dataclass(frozen=True)
class OptionScores:
    """How probable each option is as the answer to one prompt (definition 10).

    Attributes:
        logprobs: natural-log probability of exactly the option's tokens, end of sequence included, summed. Of a model
            read by evidence: natural log of `probabilities`.
        n_tokens: tokens of each option, end of sequence included.
        probabilities: softmax over the options of their log-probabilities, divided by tokens or bytes when asked. Of a
            model read by evidence: what its reading makes of the scores of the options' first tokens.
        truncated: the prompt lost its beginning because it is longer than the model reads.
        uncertainty: of a model read by evidence (a Dirichlet distribution's is its vacuity, 0 to 1), else None.
    """

    logprobs: Float[np.ndarray, "options"]
    n_tokens: Int[np.ndarray, "options"]
    probabilities: Float[np.ndarray, "options"]
    truncated: bool
    uncertainty: float | None = None


@dataclass(frozen=True)
class TextScore:
    """How probable one text is after its prompt (definition 10).

    Attributes:
        logprob: natural-log probability of exactly the text's tokens, end of sequence included, summed.
        token_logprobs: of each of these tokens; None where they were not asked for.
        n_tokens: their number.
        truncated: the prompt lost its beginning because it is longer than the model reads.
    """

    logprob: float
    token_logprobs: tuple[float, ...] | None
    n_tokens: int
    truncated: bool


def score_texts(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    texts: Sequence[str],
    *,
    tokens: bool = False,
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> list[TextScore]:
    """Score one text after each prompt by teacher forcing; as `score_options` with one option.

    Args:
        loaded: a model with head `lm`.
        prompts: what the model reads.
        texts: what it is asked to have said, one per prompt.
        tokens: keep the log-probability of every token.
        token_budget: most positions, padding included, in one forward pass; None suits the device.
        stage: where results are kept against a crash.
        progress: called with (pairs done, all different pairs).

    Raises:
        ConfigError: the model has another head.
        DataError: a prompt or a text without tokens, or a text longer than the model reads.
    """
    single = [(text,) for text in texts]
    pairs = _score_pairs(
        loaded, prompts, single, tokens=tokens, token_budget=token_budget, stage=stage, progress=progress
    )
    found = []
    for pair in zip(prompts, single, strict=True):
        (several,), (n_tokens,), truncated = pairs[pair]
        found.append(TextScore(sum(several), tuple(several) if tokens else None, n_tokens, truncated))
    return found


def score_options(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    options: Sequence[tuple[str, ...]],
    *,
    length_normalise: LengthNormalise = "none",
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> list[OptionScores]:
    """Score the options of each prompt.

    A prompt is computed once for all its options, a beginning that several prompts share once for all of them, and an
    identical (prompt, options) pair once altogether.

    Args:
        loaded: a model with head `lm`.
        prompts: what the model reads.
        options: for each prompt, the answers to score.
        length_normalise: divide log-probabilities by tokens or UTF-8 bytes before the softmax; a model read by
            evidence has none.
        token_budget: most positions, padding included, in one forward pass; None suits the device.
        stage: where results are kept against a crash.
        progress: called with (questions done, all questions).

    Raises:
        ConfigError: the model has another head.
        DataError: a prompt or an option without tokens, an option longer than the model reads, or one of several
            tokens where the model is read by evidence.
    """
    raw = of_evidence(loaded.reading)
    pairs = _score_pairs(
        loaded, prompts, options, tokens=raw, raw=raw, token_budget=token_budget, stage=stage, progress=progress
    )
    by_pair = {}
    for pair, (sums, counts, truncated) in pairs.items():
        if raw:
            scores = torch.tensor([[own[0] for own in sums]], dtype=torch.float64)
            readout = READINGS[loaded.reading](scores)
            logs, uncertainty = readout.logprobs[0].numpy(), float(readout.uncertainty[0])
            by_pair[pair] = OptionScores(logs, np.array(counts), np.exp(logs), truncated, uncertainty)
            continue
        logprobs = np.array([own[0] for own in sums], dtype=np.float64)
        n_tokens = np.array(counts, dtype=np.int64)
        shares = softmax(logprobs / _divisor(pair[1], n_tokens, length_normalise))
        by_pair[pair] = OptionScores(logprobs, n_tokens, shares, truncated)
    return [by_pair[pair] for pair in zip(prompts, options, strict=True)]


class _Scored(NamedTuple):
    logprobs: list[list[float]]  # of each option: the sum, or one number a token
    n_tokens: list[int]
    truncated: bool


@split
def _score_pairs(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    options: Sequence[tuple[str, ...]],
    *,
    tokens: bool,
    raw: bool = False,
    token_budget: int | None,
    stage: Stage | None = None,  # what rank 0 alone is given has a default
    progress: Progress | None = None,
) -> dict[tuple[Prompt, tuple[str, ...]], _Scored]:
    """Every different pair of a prompt and its options; `raw` scores are those before the softmax, one a token."""
    if not isinstance(loaded.head, LanguageHead):
        raise ConfigError("options and texts are scored by head 'lm'; this model has head 'classifier'")
    if len(prompts) != len(options):
        raise DataError(f"{len(prompts)} prompts but {len(options)} lists of options or texts")
    head, coder = loaded.head, loaded.coder
    assert coder is not None
    pairs = list(dict.fromkeys(zip(prompts, options, strict=True)))
    texts = coder.prompts([prompt for prompt, _ in pairs])
    flat = [(prompt, option) for prompt, own in pairs for option in own]
    targets = iter(coder.targets([prompt for prompt, _ in flat], [option for _, option in flat]))
    groups, truncated = [], []
    for (prompt, own), ids in zip(pairs, texts, strict=True):
        if not own:
            raise DataError(f"the prompt {prompt!r} has no options to score")
        group = fit_length(Group(ids, [next(targets) for _ in own]), loaded.max_length, coder, f"prompt {prompt!r}")
        if raw:
            check_first_tokens(loaded, own, group.answers, f"prompt {prompt!r}")
        groups.append(group)
        truncated.append(len(group.prompt) < len(ids))

    share = head.shares(groups)
    budget = token_budget or default_budget(loaded.device)
    members = pack_groups(groups, longest=min(1024, budget)) if share else [[i] for i in range(len(groups))]
    packs = [make_pack([groups[i] for i in own]) for own in members]

    def work(number: int, items: Sequence[int]) -> list[list[list[Any]]]:
        return _score(head, [packs[i] for i in items], share, loaded.device, tokens, raw)

    lengths = [pack.positions(share) for pack in packs]
    batches = plan(lengths, budget)
    with torch.inference_mode():
        found = (stage or Stage()).run(batches, work, progress, [len(own) for own in members])
    sums = {i: own for pack, several in found.items() for i, own in zip(members[pack], several, strict=True)}
    by_pair = {}
    for i, pair in enumerate(pairs):
        logprobs = [own if tokens else [own] for own in sums[i]]
        by_pair[pair] = _Scored(logprobs, [len(answer) for answer in groups[i].answers], truncated[i])
    return by_pair


def softmax(scores: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """exp(scores) made to sum to 1."""
    raised = np.exp(scores - scores.max())
    return np.asarray(raised / raised.sum())


def _divisor(options: Sequence[str], n_tokens: Int[np.ndarray, "n"], kind: str) -> Float[np.ndarray, "n"]:
    if kind == "none":
        return np.ones(len(options))
    if kind == "tokens":
        return n_tokens.astype(np.float64)
    return np.array([len(option.encode("utf-8")) for option in options], dtype=np.float64)


def _score(
    head: LanguageHead, packs: Sequence[Pack], share: bool, device: torch.device, tokens: bool, raw: bool
) -> list[list[list[Any]]]:
    """The options' log-probabilities (`raw`: scores) by pack and group, summed or one a token."""
    unmasked = head.abilities.unmasked
    sequences, targets = collate(packs, head.pad, share=share, unmasked=unmasked, device=device)
    logits = head(sequences).float()
    chosen = logits[targets.place, targets.token]
    if not raw:
        chosen = chosen - torch.logsumexp(logits, dim=1)[targets.place]
    flat: Iterator[Any]
    if tokens:
        flat = iter([own.tolist() for own in chosen.double().split(targets.length.tolist())])
    else:
        sums = torch.zeros(len(targets.length), dtype=torch.float64, device=device)
        flat = iter(sums.index_add_(0, targets.answer, chosen.double()).tolist())
    return [[[next(flat) for _ in group.answers] for group in pack.groups] for pack in packs]
