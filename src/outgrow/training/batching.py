"""Token ids to tensors: micro-batches by length, padding on the right, and prompts shared by several answers.

A *group* is a prompt with the answers that follow it. Where a model allows it, a group is one sequence: the prompt
once, then every answer as a branch that sees the prompt and itself (a mask per pair of positions, and positions that
start again at the prompt's end). Elsewhere every answer gets a copy of the prompt.
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

    def longest(self) -> int:
        """Positions of the prompt with its longest answer."""
        return len(self.prompt) + max(len(answer) for answer in self.answers) - 1


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


def collate(
    groups: Sequence[Group], pad: int, *, share: bool, unmasked: bool, device: torch.device
) -> tuple[Sequences, Targets]:
    """Tensors of one micro-batch.

    Args:
        groups: what is scored or learned.
        pad: id that fills the right side.
        share: put all answers of a group into one sequence.
        unmasked: padding on the right cannot be seen (causal attention), so no 2-D mask is made.
        device: where the tensors go.
    """
    tree = share and any(len(group.answers) > 1 for group in groups)
    if tree or all(len(group.answers) == 1 for group in groups):
        packs = [(group.prompt, group.answers) for group in groups]
    else:
        packs = [(group.prompt, [answer]) for group in groups for answer in group.answers]
    width = max(len(prompt) + sum(map(len, answers)) - len(answers) for prompt, answers in packs)
    ids = np.full((len(packs), width), pad, dtype=np.int64)
    branch = np.full((len(packs), width), -1, dtype=np.int64)
    positions = np.zeros((len(packs), width), dtype=np.int64)
    places: list[int] = []
    place: list[int] = []
    for row, (prompt, answers) in enumerate(packs):
        end = len(prompt)
        ids[row, :end] = prompt
        branch[row, :end] = 0
        root = len(places)  # every answer's first token is predicted at the prompt's end
        places.append(row * width + end - 1)
        for number, answer in enumerate(answers, 1):
            inner = len(answer) - 1
            place.append(root)
            if inner:
                place.extend(range(len(places), len(places) + inner))
                places.extend(range(row * width + end, row * width + end + inner))
                ids[row, end : end + inner] = answer[:-1]
                branch[row, end : end + inner] = number
                positions[row, end : end + inner] = range(len(prompt), len(prompt) + inner)
                end += inner
    lengths = [len(answer) for group in groups for answer in group.answers]
    flat = [token for group in groups for answer in group.answers for token in answer]

    def tensor(values: object) -> Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.int64)).to(device)

    mask = starts = None
    if tree:
        mask = _tree_mask(torch.from_numpy(branch)).to(device)
        for row, (prompt, _) in enumerate(packs):
            positions[row, : len(prompt)] = range(len(prompt))
        starts = tensor(positions)
    elif not unmasked and (branch < 0).any():
        mask = tensor(branch >= 0)
    targets = Targets(
        place=tensor(place),
        token=tensor(flat),
        answer=tensor(np.repeat(np.arange(len(lengths)), lengths)),
        group=tensor(np.repeat(np.arange(len(groups)), [len(group.answers) for group in groups])),
        length=tensor(lengths),
    )
    return Sequences(tensor(ids), mask, starts, tensor(places)), targets


def _tree_mask(branch: Int[Tensor, "sequences length"]) -> Float[Tensor, "sequences 1 length length"]:
    """0 where a position may look, the lowest float elsewhere: at the prompt and its own branch, never ahead."""
    own = branch[:, :, None] == branch[:, None, :]
    seen = (own | (branch[:, None, :] == 0)).tril_()
    return torch.zeros(seen.shape).masked_fill_(~seen, torch.finfo(torch.float32).min)[:, None]
