"""Texts from a causal model: greedy or sampled, in batches, each text independent of its neighbours."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from outgrow.core.errors import ConfigError, DataError
from outgrow.models.batches import Progress, Stage
from outgrow.models.batching import plan
from outgrow.models.growing import Text, grow
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.ranks import split
from outgrow.models.text import Coder, Prompt, cut_left
from outgrow.models.unshared import write, write_slowly

TOGETHER = 16
"""Most texts that grow from one computation of their prompt; attention looks at all of them."""
BLOCK = 256


@dataclass(frozen=True)
class Generation:
    """One generated text.

    Attributes:
        text: without special tokens and without white space around it.
        logprobs: natural-log probability of each generated token (at temperature 1), end of sequence included.
        spans: where each of these tokens stands in the text, in characters.
        finish_reason: `stop` (the model ended the text) or `length` (it was cut at `max_new_tokens`).
        truncated: the prompt lost its beginning because it is longer than the model reads.
    """

    text: str
    logprobs: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]
    finish_reason: str
    truncated: bool

    @property
    def logprob(self) -> float:
        """Of all tokens together."""
        return sum(self.logprobs)

    @property
    def n_tokens(self) -> int:
        """How many tokens were generated, end of sequence included."""
        return len(self.logprobs)


def uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = hashlib.sha256(repr(parts).encode("utf-8")).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * 2.0**-53


@split
def generate(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seeds: Sequence[int] | None = None,
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> list[Generation]:
    """One text per prompt.

    Args:
        loaded: a model with head `lm`.
        prompts: what the model reads; those that leave no room for `max_new_tokens` lose their beginning.
        max_new_tokens: longest text, end of sequence included.
        temperature: 0 takes the most probable token; above, tokens are drawn from softmax(scores / temperature).
        seeds: one per prompt, needed above temperature 0. The draw at a position comes from (seed, position), so it
            does not matter which texts are generated together.
        token_budget: most positions, padding and new tokens included, in one batch; None: 16384.
        stage: where results are kept against a crash.
        progress: called with (prompts done, all prompts).

    Raises:
        ConfigError: wrong head, or a temperature above 0 without seeds.
        DataError: the model has no room for `max_new_tokens`.
    """
    if temperature > 0 and (seeds is None or len(seeds) != len(prompts)):
        raise ConfigError("sampling needs one seed per prompt")
    if temperature < 0:
        raise ConfigError(f"temperature is {temperature}; it is at least 0")
    head, coder, ids, truncated = prepare(loaded, prompts, max_new_tokens)
    grows = _grows(head, ids, max_new_tokens)
    bundles, twin = _bundles(ids, greedy=temperature == 0, together=grows)

    def work(number: int, batch: Sequence[int]) -> list[list[list[Any]]]:
        own = [bundles[i] for i in batch]
        pick = Pick(temperature, None if seeds is None or temperature == 0 else [seeds[i] for b in own for i in b])
        first = [ids[bundle[0]] for bundle in own]
        if grows:
            texts = grow(head, first, [len(bundle) for bundle in own], max_new_tokens, loaded.ends, pick)
        else:
            texts = _unshared(head, first, max_new_tokens, loaded.ends, pick)
        kept = iter([record(text, coder) for text in texts])
        return [[next(kept) for _ in bundle] for bundle in own]

    lengths = [len(ids[bundle[0]]) + len(bundle) * max_new_tokens for bundle in bundles]
    batches = plan(lengths, token_budget or 16384)
    batches = batches if grows else apart(batches, lengths, head.abilities.batch)
    with torch.inference_mode():
        found = (stage or Stage()).run(batches, work, progress, [len(bundle) for bundle in bundles])
    at = {i: text for number, bundle in enumerate(bundles) for i, text in zip(bundle, found[number], strict=True)}
    return [generation(at[twin[i]], truncated[i]) for i in range(len(prompts))]


def prepare(
    loaded: Loaded, prompts: Sequence[Prompt], max_new_tokens: int
) -> tuple[LanguageHead, Coder, list[list[int]], list[bool]]:
    """The head and the coder that write, the prompts' token ids with room for a text, and which of them were cut.

    Raises:
        ConfigError: wrong head.
        DataError: the model has no room for `max_new_tokens`.
    """
    coder = loaded.coder
    if not isinstance(loaded.head, LanguageHead) or coder is None:
        raise ConfigError("text is generated by head 'lm'; this model has head 'classifier'")
    room = loaded.max_length - max_new_tokens
    if room < 1:
        raise DataError(f"max_new_tokens is {max_new_tokens}, but the model has only {loaded.max_length} positions")
    whole = coder.prompts(prompts)
    ids = [cut_left(own, room, coder.prefix) for own in whole]
    return loaded.head, coder, ids, [len(cut) < len(own) for cut, own in zip(ids, whole, strict=True)]


def _grows(head: LanguageHead, prompts: Sequence[list[int]], most: int) -> bool:
    """Whether texts may grow from a shared prompt."""
    can = head.abilities
    longest = max(map(len, prompts), default=0) + most
    return can.grow and (can.window is None or longest <= can.window)


def _bundles(prompts: Sequence[list[int]], *, greedy: bool, together: bool) -> tuple[list[list[int]], list[int]]:
    """Prompts whose texts are made from one computation, and for each prompt the one whose text it has.

    Args:
        prompts: token ids.
        greedy: identical prompts have identical texts.
        together: the texts of identical prompts may grow from one computation.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, own in enumerate(prompts):
        alike.setdefault(tuple(own), []).append(i)
    twin = list(range(len(prompts)))
    if greedy:
        for same in alike.values():
            for i in same:
                twin[i] = same[0]
        return [[same[0]] for same in alike.values()], twin
    most = TOGETHER if together else 1
    return [same[i : i + most] for same in alike.values() for i in range(0, len(same), most)], twin


def record(text: Text, coder: Coder) -> list[Any]:
    """A text as a journal keeps it: [text, logprobs, ends of spans, finish_reason]."""
    own = text.tokens[:-1] if text.ended else text.tokens
    ends = [end for _, end in coder.spans(own)]
    shown = coder.decode(own)
    return [shown, text.logprobs, ends + [len(shown)] * text.ended, "stop" if text.ended else "length"]


def generation(kept: Sequence[Any], truncated: bool) -> Generation:
    """What `record` has made of a text."""
    shown, logprobs, ends, reason = kept
    return Generation(shown, tuple(logprobs), tuple(pairwise([0, *ends])), reason, truncated)


def _unshared(
    head: LanguageHead, prompts: Sequence[list[int]], most: int, ends: Collection[int], pick: Pick
) -> list[Text]:
    if head.abilities.batch != "single":
        return write(head, prompts, most, ends, pick)
    return [write_slowly(head, prompt, most, ends, pick) for prompt in prompts]


def apart(batches: Sequence[Sequence[int]], lengths: Sequence[int], kind: str) -> list[list[int]]:
    """Batches cut into those that `abilities.batch` allows: prompts of one length, or one prompt each."""
    if kind == "padded":
        return [list(batch) for batch in batches]
    key = lengths.__getitem__ if kind == "equal" else int
    return [list(own) for batch in batches for _, own in groupby(batch, key)]


class Pick:
    """Chooses next tokens: the most probable, or drawn with a seed of each text's own.

    Args:
        temperature: of the draws.
        seeds: one per text; None takes the most probable token.
    """

    def __init__(self, temperature: float, seeds: Sequence[int] | None) -> None:
        self.temperature, self.seeds = temperature, seeds

    def __call__(
        self, scores: Float[Tensor, "n vocabulary"], texts: Sequence[int], position: int
    ) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
        """Next tokens and their natural-log probabilities at temperature 1.

        Args:
            scores: before softmax.
            texts: which texts they continue.
            position: tokens that these have.
        """
        if self.seeds is None:
            token = scores.argmax(dim=1)
        else:
            own = [uniform(self.seeds[text], position) for text in texts]
            token = draw(scores, self.temperature, torch.tensor(own, dtype=torch.float64, device=scores.device))
        return token, scores.gather(1, token[:, None])[:, 0] - torch.logsumexp(scores, dim=1)


def draw(scores: Float[Tensor, "n k"], temperature: float, uniforms: Float[Tensor, "n"]) -> Int[Tensor, "n"]:
    """One index per row from softmax(scores / temperature): the first whose cumulative share exceeds the uniform.

    Shares are summed in blocks, and only the block that the draw falls into is looked at closely.
    """
    shares = torch.softmax(scores / temperature, dim=1)
    blocks = nn.functional.pad(shares, (0, -shares.shape[1] % BLOCK)).reshape(len(shares), -1, BLOCK)
    ends = blocks.sum(dim=2, dtype=torch.float64).cumsum(dim=1)
    wanted = (uniforms * ends[:, -1])[:, None]  # the sum is 1 up to rounding: draw within what is there
    block = torch.searchsorted(ends, wanted, right=True).clamp_max(ends.shape[1] - 1)
    inside = blocks.gather(1, block[:, :, None].expand(-1, 1, BLOCK))[:, 0].double()
    before = ends.gather(1, block) - inside.sum(dim=1, keepdim=True)
    found = torch.searchsorted(before + inside.cumsum(dim=1), wanted, right=True)
    possible = torch.arange(BLOCK, device=scores.device) * (inside > 0)
    return (block * BLOCK + torch.minimum(found, possible.amax(dim=1, keepdim=True)))[:, 0]
