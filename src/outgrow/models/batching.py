"""Token ids to tensors: micro-batches by length, padding on the right, and prompts shared by several answers.

A *group* is a prompt with the answers that follow it; a *pack* is several groups whose prompts begin alike, such as
one question in several wordings. Where a model allows it, a pack is one sequence, a tree: the shared beginning once,
then the rest of every prompt as a branch, and every answer as a branch of its prompt. A position sees its own path to
the root only (a mask per pair of positions) and counts its place on that path. Elsewhere every answer gets a copy of
its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """A prompt and the answers to it, as token ids; each answer ends with its end-of-sequence token."""

    prompt: list[int]
    answers: list[list[int]]

    def packed_length(self) -> int:
        """Positions of the shared sequence; the last token of an answer is predicted, never read."""
        return len(self.prompt) + sum(len(answer) - 1 for answer in self.answers)

    def positions(self, share: bool) -> int:
        """Positions in a forward pass, as one sequence or as one padded sequence per answer."""
        return self.packed_length() if share else len(self.answers) * self.longest()

    def longest(self) -> int:
        """Positions of the prompt with its longest answer."""
        return len(self.prompt) + max(len(answer) for answer in self.answers) - 1


@dataclass(frozen=True)
class Pack:
    """Groups whose prompts have the first `shared` tokens in common."""

    groups: tuple[Group, ...]
    shared: int

    def length(self) -> int:
        """Positions of the one sequence."""
        return sum(group.packed_length() - self.shared for group in self.groups) + self.shared

    def positions(self, share: bool) -> int:
        """Positions in a forward pass, as one sequence or as one padded sequence per answer of the only group."""
        return self.length() if share else self.groups[0].positions(share=False)


@dataclass(frozen=True)
class Sequences:
    """Input of a forward pass, padded on the right.

    Attributes:
        ids: token ids.
        mask: None (no padding that could matter), 2-D: 1 for real positions, or 4-D: added to attention scores.
        positions: position of each token, where they are not simply 0, 1, 2, ...
        places: flat positions (row x length + column) at which the next token is predicted.
    """

    ids: Int[Tensor, "sequences length"]
    mask: Tensor | None
    positions: Int[Tensor, "sequences length"] | None
    places: Int[Tensor, "places"]

    def to(self, device: torch.device) -> Sequences:
        """The same on another device."""
        mask = None if self.mask is None else self.mask.to(device)
        positions = None if self.positions is None else self.positions.to(device)
        return Sequences(self.ids.to(device), mask, positions, self.places.to(device))


@dataclass(frozen=True)
class Targets:
    """The tokens that are predicted, flat: place in `Sequences.places`, id, and the answer they belong to.

    Answers are numbered over the whole micro-batch, group after group.
    """

    place: Int[Tensor, "tokens"]
    token: Int[Tensor, "tokens"]
    answer: Int[Tensor, "tokens"]
    group: Int[Tensor, "answers"]
    length: Int[Tensor, "answers"]


def plan(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Micro-batches of similar lengths: positions of `lengths`, longest first, stable.

    The longest member times the members stays within `budget`; a single member above it stands alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches: list[list[int]] = []
    longest = 0
    for i in order:
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
            longest = lengths[i]
    return batches


def plan_step(lengths: Sequence[int], budget: int, overhead: int) -> list[list[int]]:
    """The cheapest cut of one optimiser step into micro-batches of similar lengths, longest first.

    A micro-batch costs its longest member times its members (padding is computed too) plus `overhead`, and keeps
    within `budget` unless it has a single member. Rows of like lengths stay together, but a long row does not pad
    many short ones.

    Args:
        lengths: positions of each row.
        budget: most positions of a micro-batch, padding included.
        overhead: what one more forward and backward pass costs, in positions.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    sizes = np.array([lengths[i] for i in order], dtype=np.int64)
    best, cut = np.zeros(len(order) + 1, dtype=np.int64), [0] * (len(order) + 1)
    for stop in range(1, len(order) + 1):
        area = sizes[:stop] * (stop - np.arange(stop))
        cost = best[:stop] + area + overhead
        cost[:-1][area[:-1] > budget] = np.iinfo(np.int64).max
        cut[stop] = int(cost.argmin())
        best[stop] = cost[cut[stop]]
    batches: list[list[int]] = []
    stop = len(order)
    while stop:
        batches.append(order[cut[stop] : stop])
        stop = cut[stop]
    return batches[::-1]


def spread_step(lengths: Sequence[int], budget: int, overhead: int, devices: int) -> list[list[int]]:
    """A cut of one optimiser step for several devices that take micro-batches in turns and wait for each other.

    A turn costs what its costliest micro-batch does. Of `plan_step`'s cuts under several budgets, down to one
    micro-batch per device, this is the one that costs least; micro-batches come costliest first, so that those of a
    turn are alike.

    Args:
        lengths: positions of each row.
        budget: as `plan_step`.
        overhead: as `plan_step`.
        devices: micro-batches of one turn.
    """

    def cost(batch: Sequence[int]) -> int:
        return max(lengths[i] for i in batch) * len(batch) + overhead

    turns = 1 + sum(lengths) // (budget * devices)
    fair = [sum(lengths) * spare / (devices * n) for n in range(1, turns + 1) for spare in (1.0, 1.25, 1.5)]
    limits = [budget, *(min(budget, round(own)) for own in fair)]
    cuts = [sorted(plan_step(lengths, limit, overhead), key=cost, reverse=True) for limit in limits]
    return min(cuts, key=lambda cut: sum(map(cost, cut[::devices])))


def cut_step(
    groups: Sequence[Group], *, share: bool, join: bool, budget: int, overhead: int, devices: int = 1
) -> list[list[list[int]]]:
    """Micro-batches of one optimiser step, each a list of packs, each a list of positions of `groups`.

    Args:
        groups: the step's rows.
        share: answers share their prompt.
        join: prompts that begin alike share that beginning.
        budget: most positions of a micro-batch.
        overhead: as `plan_step`.
        devices: that take micro-batches in turns.
    """
    longest = min(1024, budget)
    packs = pack_groups(groups, longest=longest, saving=0.5) if join else [[i] for i in range(len(groups))]
    lengths = [make_pack([groups[i] for i in own]).positions(share) for own in packs]
    cut = plan_step(lengths, budget, overhead) if devices == 1 else spread_step(lengths, budget, overhead, devices)
    return [[packs[i] for i in part] for part in cut]


def alone(group: Group) -> Pack:
    """A pack of one group."""
    return Pack((group,), len(group.prompt))


def pack_groups(
    groups: Sequence[Group], *, longest: int = 1024, most: int = 8, saving: float = 0.25
) -> list[list[int]]:
    """Which groups to put into one pack: positions of `groups`, those with a common beginning together.

    Args:
        groups: what is scored or learned.
        longest: positions of a pack of several groups.
        most: groups in a pack.
        saving: a group joins when that saves at least this share of its own positions.
    """
    packs: list[list[int]] = []
    length = shared = 0
    for i in sorted(range(len(groups)), key=lambda i: groups[i].prompt):
        own = groups[i].packed_length()
        if packs and len(packs[-1]) < most:
            common = min(shared, _common(groups[packs[-1][0]].prompt, groups[i].prompt))
            joined = length + own - common + (shared - common) * (len(packs[-1]) - 1)
            if length + own - joined >= saving * own and joined <= longest:
                packs[-1].append(i)
                length, shared = joined, common
                continue
        packs.append([i])
        length, shared = own, len(groups[i].prompt)
    return packs


def make_pack(groups: Sequence[Group]) -> Pack:
    """Groups as a pack, sharing all that their prompts have in common."""
    first, *others = (group.prompt for group in groups)
    return Pack(tuple(groups), min((_common(first, other) for other in others), default=len(first)))


def _common(one: Sequence[int], two: Sequence[int]) -> int:
    """Length of the common beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def collate(
    packs: Sequence[Pack], pad: int, *, share: bool, unmasked: bool, device: torch.device
) -> tuple[Sequences, Targets]:
    """Tensors of one micro-batch.

    Args:
        packs: what is scored or learned.
        pad: id that fills the right side.
        share: make a pack one sequence; else every answer has its own, in the same order.
        unmasked: padding on the right cannot be seen (causal attention), so no 2-D mask is made.
        device: where the tensors go.
    """
    groups = [group for pack in packs for group in pack.groups]
    tree = share and any(len(pack.groups) > 1 or len(pack.groups[0].answers) > 1 for pack in packs)
    if not tree:
        packs = [alone(Group(group.prompt, [answer])) for group in groups for answer in group.answers]
    width = max(pack.length() for pack in packs)
    ids = np.full((len(packs), width), pad, dtype=np.int64)
    positions = np.zeros((len(packs), width), dtype=np.int64)
    branch = np.full((2, len(packs), width), -1, dtype=np.int64)  # which prompt, which answer; 0: shared by all
    places: list[int] = []  # flat positions that predict
    place: list[int] = []  # for each target token, its row in `places`

    def put(row: int, start: int, tokens: list[int], first: int, own: tuple[int, int]) -> int:
        stop = start + len(tokens)
        ids[row, start:stop] = tokens
        positions[row, start:stop] = range(first, first + len(tokens))
        branch[:, row, start:stop] = [[own[0]], [own[1]]]
        return stop

    for row, pack in enumerate(packs):
        end = put(row, 0, pack.groups[0].prompt[: pack.shared], 0, (0, 0))
        for number, group in enumerate(pack.groups, 1):
            rest = group.prompt[pack.shared :]
            end = put(row, end, rest, pack.shared, (number, 0))
            root = len(places)  # every answer's first token is predicted at the end of its prompt
            places.append(row * width + (end if rest else pack.shared) - 1)
            for kind, answer in enumerate(group.answers, 1):
                start, end = end, put(row, end, answer[:-1], len(group.prompt), (number, kind))
                place += [root, *range(len(places), len(places) + end - start)]
                places += range(row * width + start, row * width + end)

    def tensor(values: object) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(device)

    mask = None
    if tree:
        mask = _tree_mask(torch.from_numpy(branch).to(device))
    elif not unmasked and (branch < 0).any():
        mask = tensor(branch[0] >= 0)
    lengths = [len(answer) for group in groups for answer in group.answers]
    targets = Targets(
        place=tensor(place),
        token=tensor([token for group in groups for answer in group.answers for token in answer]),
        answer=tensor(np.repeat(np.arange(len(lengths)), lengths)),
        group=tensor(np.repeat(np.arange(len(groups)), [len(group.answers) for group in groups])),
        length=tensor(lengths),
    )
    return Sequences(tensor(ids), mask, tensor(positions) if tree else None, tensor(places)), targets


def _tree_mask(branch: Int[Tensor, "2 sequences length"]) -> Float[Tensor, "sequences 1 length length"]:
    """0 where a position may look, the lowest float elsewhere: along its own path to the root, never ahead."""
    looks, seen = branch[:, :, :, None], branch[:, :, None, :]
    same = (seen == 0) | (seen == looks)
    allowed = ((seen[0] == 0) | (same[0] & same[1])).tril_()
    blank = torch.zeros(allowed.shape, device=branch.device)
    return blank.masked_fill_(~allowed, torch.finfo(torch.float32).min)[:, None]
