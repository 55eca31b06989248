"""What a causal model allows, found out by a few passes whose numbers are compared with those of texts alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from outgrow.core.errors import DataError
from outgrow.models.batching import Group, alone, collate
from outgrow.models.growing import grow
from outgrow.models.heads import Abilities, LanguageHead
from outgrow.models.unshared import write
from outgrow.models.windows import selections, windows

COST = {"cpu": 3e11, "cuda": 3e14}
"""Parameters times positions of the longest pass that finds out whether prompts may be shared: some seconds."""
LONGEST = 1 << 14
"""Positions of that pass at most; its mask has one number for each pair of them."""

_FAILS = (TypeError, ValueError, RuntimeError, AttributeError, IndexError, KeyError, AssertionError)


@torch.no_grad()
def probe(head: LanguageHead, name: str) -> Abilities:
    """Find out what the head's model allows, in evaluation mode, and set `head.abilities` to it.

    Args:
        head: the model.
        name: what a message calls it.

    Raises:
        DataError: it cannot be computed, its scores are not finite, or a text alone has not those of a causal model.
    """
    training = head.training
    head.eval()
    ids = _tokens(head, 9)
    long, short = Group(ids[:4], [ids[4:6], ids[6:9]]), Group(ids[2:3], [ids[:2]])
    try:
        first, second = each = _alone(head, long)
    except _FAILS as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise DataError(f"{name} cannot be computed even for a text of a few tokens ({said})") from error
    reference = torch.cat(each)
    if not bool(torch.isfinite(reference).all()):
        raise DataError(f"the scores of {name} are not finite, so its weights or its configuration are broken")
    quantised = getattr(head.model, "hf_quantizer", None) is not None  # 8 bits treat what is large in a batch apart
    if not quantised and not _close(head, second[0], first[0]):
        raise DataError(
            f"{name} is no causal language model: what it says at a position depends on later ones (by "
            f"{float((second[0] - first[0]).abs().max()):.2g}); use head: classifier, or another model"
        )
    direct = _same(head, reference, lambda: _apart(head, [long], direct=True))
    trim = _same(head, reference, lambda: _apart(head, [long], trim=True))
    both = torch.cat([*each, *_alone(head, short)])
    unmasked = _same(head, both, lambda: _apart(head, [long, short], unmasked=True))
    if not (unmasked or quantised) and not _same(head, both, lambda: _apart(head, [long, short])):
        raise DataError(f"the scores of {name} change when texts of other lengths are beside them, so it is refused")
    packed = _shared(head, long, each)
    grown = packed and unmasked and _grows(head, long, each)
    window = _reach(head, grown) if packed else None
    if window == 0:
        packed, grown, window = False, False, None
    batch = "padded" if grown and window is None else _batch(head)
    head.abilities = Abilities(direct, unmasked, packed, window, grown, trim, batch)
    head.train(training)
    return head.abilities


def _reach(head: LanguageHead, grown: bool) -> int | None:
    """Longest sequence for which sharing gives what texts alone give; None: any; 0: that is not known of any."""
    config, positions, most = head.model.config.get_text_config(), _positions(head), _affordable(head)

    def agrees(length: int) -> bool:
        if not 4 <= length <= most:
            return False
        ids = _tokens(head, length + 16, again=24)  # the end repeats the beginning: what stood there matters again
        group = Group(ids[: length - 2], [ids[i : i + 3] for i in range(length - 2, length + 12)])
        each = _alone(head, group)
        return _shared(head, group, each) and (not grown or _grows(head, group, each))

    for window in windows(config):
        if window < positions and (window in selections(config) or not agrees(_beyond(window, positions))):
            return window if agrees(window) else 0
    return None


def _batch(head: LanguageHead) -> Literal["padded", "equal", "single"]:
    """Which prompts may be together where the model writes by itself: those whose scores are as by passes over all."""
    config, positions = head.model.config.get_text_config(), _positions(head)
    far = max((_beyond(window, positions) for window in windows(config) if window < positions), default=9)
    size = min(far, _affordable(head)) - 3
    ids = _tokens(head, max(6, size))
    known = head.model.generation_config.eos_token_id
    ends = known if isinstance(known, list) else [known]
    dictated = [i for i in range(len(ends) + 3) if i not in ends][:3]

    def written(prompts: Sequence[list[int]]) -> Tensor:
        seen: list[Tensor] = []

        def pick(scores: Tensor, texts: Sequence[int], position: int) -> tuple[Tensor, Tensor]:
            seen.append(scores)
            return torch.full_like(scores[:, 0], dictated[position], dtype=torch.int64), scores[:, 0]

        write(head, prompts, len(dictated), (), pick)
        return torch.stack(seen, dim=1).flatten(0, 1)

    kinds: list[tuple[Literal["padded", "equal"], list[int]]] = [("equal", ids[::-1])]
    if far <= _affordable(head) and not selections(config):
        kinds = [("padded", ids[4:]), *kinds]
    for kind, second in kinds:
        prompts = [ids, second]
        try:
            reference = torch.cat([_apart(head, [Group(own, [dictated])]) for own in prompts])
        except _FAILS:
            continue
        if _same(head, reference, partial(written, prompts)):
            return kind
    return "single"


def _positions(head: LanguageHead) -> int:
    """Positions that the model has."""
    return int(getattr(head.model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30)


def _affordable(head: LanguageHead) -> int:
    """Positions of the longest pass that is worth what it finds out."""
    cost = COST.get(next(head.model.parameters()).device.type, COST["cuda"])
    return min(LONGEST, int(cost / sum(p.numel() for p in head.parameters())))


def _beyond(window: int, positions: int) -> int:
    """A length at which a window that ends does change scores, as far as the model has positions."""
    return min(window + max(16, window // 4), positions)


def _tokens(head: LanguageHead, count: int, again: int = 0) -> list[int]:
    """Token ids of no meaning; the last `again` repeat the first, where there are more."""
    size = int(head.model.config.get_text_config().vocab_size)
    return [(7919 * (i % max(7, count - again) + 1)) % size for i in range(count)]


def _alone(head: LanguageHead, group: Group) -> list[Tensor]:
    """Scores of each answer in a sequence of its own, without padding, by the whole model."""
    return [_apart(head, [Group(group.prompt, [answer])]) for answer in group.answers]


def _shared(head: LanguageHead, group: Group, each: Sequence[Tensor]) -> bool:
    """Whether answers in one sequence get the scores they get alone (the prompt's end predicts for all: once)."""
    once = torch.cat([each[0], *(own[1:] for own in each[1:])])
    return _same(head, once, lambda: _apart(head, [group], share=True))


def _apart(
    head: LanguageHead, groups: Sequence[Group], *, direct: bool = False, unmasked: bool = False, share: bool = False,
    trim: bool = False,
) -> Tensor:  # fmt: skip
    head.abilities = Abilities(direct=direct, trim=trim)
    device = next(head.model.parameters()).device
    sequences, _ = collate([alone(group) for group in groups], head.pad, share=share, unmasked=unmasked, device=device)
    scores: Tensor = head(sequences).float()
    return scores


def _grows(head: LanguageHead, group: Group, each: Sequence[Tensor]) -> bool:
    """Whether a prompt in a cache gives the scores behind the first tokens of all answers."""
    seen: list[Tensor] = []

    def pick(scores: Tensor, texts: Sequence[int], position: int) -> tuple[Tensor, Tensor]:
        seen.append(scores)
        return torch.tensor([answer[position] for answer in group.answers]), torch.zeros(len(texts))

    def grown() -> Tensor:
        grow(head, [group.prompt], [len(group.answers)], 2, (), pick)
        return seen[1]

    return _same(head, torch.stack([own[1] for own in each]), grown)


def _same(head: LanguageHead, reference: Tensor, attempt: Callable[[], Tensor]) -> bool:
    """Whether an attempt gives the reference's scores; one that the architecture refuses does not."""
    try:
        return _close(head, attempt(), reference)
    except _FAILS:
        return False


def _close(head: LanguageHead, scores: Tensor, reference: Tensor) -> bool:
    close = 1e-4 if head.model.dtype == torch.float32 else 2e-2
    return scores.shape == reference.shape and bool((scores - reference).abs().max() <= close * reference.abs().max())
