"""Training rows to token ids, once per training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from outgrow.core.errors import DataError
from outgrow.models.batching import Group, Sequences, collate, make_pack
from outgrow.models.config import with_option
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.prompts import classifier_inputs, encode_prompts, fit_length
from outgrow.models.text import Coder
from outgrow.models.word_bridge import word_bridge
from outgrow.objectives.base import Batch, Scored, Targets, Tokens
from outgrow.training.rows import TrainRow


class Words(NamedTuple):
    """Words of a row's target tokens, and what a weak model makes of them."""

    word: Int[np.ndarray, "tokens"]
    logprob: Float[np.ndarray, "tokens"]


@dataclass(frozen=True)
class Encoded:
    """All rows of a training as token ids.

    Attributes:
        rows: the rows, those of weight 0 left out.
        groups: prompt and answers of each row; for a classifier there are no answers, and for head `reward` the prompt
            is the row's options, each behind the question, one after the other.
        targets: options of each row and their probabilities; for a classifier these are the classes.
        truncated: prompts that were cut on the left.
        mismatches: targets and options that joint tokenisation would have split otherwise.
        parts: lengths of a row's options (head `reward`).
        words: of each target token of a row, its word, counted within the row, and the log-probability that a weak
            model gives the word; None where no row has weak tokens.
    """

    rows: list[TrainRow]
    groups: list[Group]
    targets: Targets
    truncated: int
    mismatches: int
    parts: tuple[tuple[int, ...], ...] | None = None
    words: list[Words] | None = None

    def tokens(self, row: int) -> int:
        """Tokens of a row that are read or predicted, padding aside."""
        group = self.groups[row]
        return len(group.prompt) + sum(map(len, group.answers))


def encode(loaded: Loaded, rows: list[TrainRow], max_length: int) -> Encoded:
    """Tokenise checked rows for the model's head.

    Prompts that are too long lose their beginning and are counted; targets are never cut.

    Raises:
        DataError: a target that alone is longer than `max_length`, or a class that the model does not know.
    """
    limit = min(max_length, loaded.max_length)
    if loaded.ref.head == "reward":
        return _encode_options(loaded, rows, limit)
    if loaded.classes is not None:
        return _encode_classes(loaded, rows, limit)
    coder = loaded.coder
    assert coder is not None
    prompts = coder.prompts([row.prompt for row in rows])
    options = [row.options or (str(row.target),) for row in rows]
    flat = [(row.prompt, text) for row, texts in zip(rows, options, strict=True) for text in texts]
    answers = iter(coder.targets([prompt for prompt, _ in flat], [text for _, text in flat]))
    groups, truncated = [], 0
    for row, prompt, texts in zip(rows, prompts, options, strict=True):
        group = Group(prompt, [next(answers) for _ in texts])
        groups.append(fit_length(group, limit, coder, f"training row {row.row_id!r}"))
        truncated += len(groups[-1].prompt) < len(prompt)
    mismatches = coder.mismatches([prompt for prompt, _ in flat], [target for _, target in flat])
    words = None
    if any(row.weak_tokens is not None for row in rows):
        words = [_words(row, coder, group.answers) for row, group in zip(rows, groups, strict=True)]
    targets = _targets(rows, options, _shares(rows, options))
    return Encoded(rows, groups, targets, truncated, mismatches, words=words)


def _words(row: TrainRow, coder: Coder, answers: Sequence[list[int]]) -> Words:
    """Of a row with weak tokens its target's words; of any other each token is a word that is certain."""
    if row.weak_tokens is None:
        count = sum(map(len, answers))
        return Words(np.arange(count), np.zeros(count))
    (tokens,), text = answers, str(row.target).strip()
    whole = [(0, len(text))]
    strong = coder.spans(tokens) if coder.decode(tokens) == text else whole * len(tokens)
    weak = [(start, end) for start, end, _ in row.weak_tokens]
    if any(end > len(text) for _, end in weak):
        raise DataError(f"training row {row.row_id!r} has a weak token behind the end of its target {text!r}")
    bridge = word_bridge(text, weak, strong)
    return Words(bridge.strong, bridge.word_logprobs(np.array([p for *_, p in row.weak_tokens]))[bridge.strong])


def _shares(rows: Sequence[TrainRow], options: Sequence[tuple[str, ...]]) -> Float[np.ndarray, "rows options"]:
    share = np.zeros((len(rows), max(map(len, options))))
    for i, (row, texts) in enumerate(zip(rows, options, strict=True)):
        if row.target is not None:
            share[i, texts.index(row.target)] = 1.0
        else:
            share[i, : len(texts)] = row.probabilities
    return share


def _encode_options(loaded: Loaded, rows: list[TrainRow], limit: int) -> Encoded:
    """Each option behind its question, as a text of its own."""
    bare = next((row for row in rows if row.options is None), None)
    if bare is not None:
        raise DataError(f"training row {bare.row_id!r} has no options, and head 'reward' learns which option is better")
    options = [row.options or () for row in rows]
    flat = [with_option(row.prompt, text) for row, texts in zip(rows, options, strict=True) for text in texts]
    ids, truncated = encode_prompts(loaded, flat, limit)
    found, groups, parts = iter(ids), [], []
    for texts in options:
        own = [next(found) for _ in texts]
        groups.append(Group([token for tokens in own for token in tokens], []))
        parts.append(tuple(map(len, own)))
    return Encoded(rows, groups, _targets(rows, options, _shares(rows, options)), truncated, 0, tuple(parts))


def _encode_classes(loaded: Loaded, rows: list[TrainRow], limit: int) -> Encoded:
    assert loaded.classes is not None
    index = {name: i for i, name in enumerate(loaded.classes)}
    table = np.zeros((len(rows), len(index)))
    for i, row in enumerate(rows):
        names = (row.target,) if row.target is not None else row.options or ()
        if unknown := [name for name in names if name not in index]:
            raise DataError(f"training row {row.row_id!r}: {unknown[0]!r} is none of the classes {list(index)}")
        for name, share in zip(names, (1.0,) if row.target is not None else row.probabilities or (), strict=True):
            table[i, index[str(name)]] += share
    ids, truncated = encode_prompts(loaded, [row.prompt for row in rows], limit)
    targets = _targets(rows, [loaded.classes] * len(rows), table)
    return Encoded(rows, [Group(tokens, []) for tokens in ids], targets, truncated, 0)


def _targets(
    rows: Sequence[TrainRow], options: Sequence[tuple[str, ...]], share: Float[np.ndarray, "rows options"]
) -> Targets:
    weight = np.array([row.weight for row in rows], dtype=np.float64)
    return Targets(tuple(row.row_id for row in rows), weight, tuple(options), share)


def fingerprint(encoded: Encoded, *settings: Any) -> str:
    """Stands for everything that decides a training's course: its rows, and its settings as JSON values."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for row, group in zip(encoded.rows, encoded.groups, strict=True):
        facts = [row.row_id, row.weight, row.target, row.probabilities, group.prompt, group.answers]
        further = [each for each in (row.fields, row.weak_tokens) if each]
        digest.update(json.dumps([*facts, *further]).encode())
    return digest.hexdigest()


def micro_batch(
    loaded: Loaded, encoded: Encoded, packs: Sequence[Sequence[int]], normalise: str
) -> tuple[Sequences, Batch]:
    """Tensors of some rows: what the head reads, and what the objective compares it with.

    Args:
        loaded: the model.
        encoded: all rows.
        packs: rows whose prompts share their beginning, together; the batch has the rows in this order.
        normalise: as in `TrainConfig`.
    """
    device, rows = loaded.device, [row for pack in packs for row in pack]
    own = [encoded.rows[i] for i in rows]
    weight = torch.tensor([row.weight for row in own], dtype=torch.float32, device=device)
    ids = tuple(row.row_id for row in own)
    fields = {
        name: torch.tensor([row.fields[name] for row in own], dtype=torch.float32, device=device)
        for name in own[0].fields
    }
    index = torch.tensor(rows, device=device)
    groups = [encoded.groups[i] for i in rows]
    share = encoded.targets.share[rows]
    counts = [len(encoded.targets.options[i]) for i in rows]
    flat = np.concatenate([row[:count] for row, count in zip(share, counts, strict=True)])
    shares: Tensor = torch.from_numpy(flat).to(device, torch.float32)
    if encoded.parts is not None:
        texts = [text for i, group in zip(rows, groups, strict=True) for text in _cut(group.prompt, encoded.parts[i])]
        owner = torch.tensor(np.repeat(np.arange(len(rows)), counts), device=device)
        scored = Scored(owner, shares, share.shape[1])
        sequences = classifier_inputs(texts, loaded.pad, device)
        return sequences, Batch(ids, weight, normalise, fields=fields, index=index, scored=scored)
    if loaded.classes is not None:
        sequences = classifier_inputs([group.prompt for group in groups], loaded.pad, device)
        classes: Tensor = torch.from_numpy(share).to(device, torch.float32)
        return sequences, Batch(ids, weight, normalise, classes=classes, fields=fields, index=index)
    assert isinstance(loaded.head, LanguageHead)
    sequences, targets = collate(
        [make_pack([encoded.groups[i] for i in pack]) for pack in packs],
        loaded.pad,
        share=loaded.head.shares(groups),
        unmasked=loaded.head.abilities.unmasked,
        device=device,
    )
    word, word_logprob = None, None
    if encoded.words is not None:
        parts = [encoded.words[i] for i in rows]
        first = np.cumsum([0, *(part.word.max() + 1 for part in parts[:-1])])
        flat_words = np.concatenate([part.word + start for part, start in zip(parts, first, strict=True)])
        word = torch.from_numpy(flat_words).to(device)
        word_logprob = torch.from_numpy(np.concatenate([part.logprob for part in parts])).to(device, torch.float32)
    tokens = Tokens(
        place=targets.place,
        token=targets.token,
        answer=targets.answer,
        row=targets.group,
        length=targets.length,
        share=shares,
        soft=torch.tensor([row.options is not None for row in own], device=device),
        most=share.shape[1],
        word=word,
        word_logprob=word_logprob,
    )
    return sequences, Batch(ids, weight, normalise, tokens=tokens, fields=fields, index=index)


def _cut(tokens: list[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    start = 0
    for length in lengths:
        yield tokens[start : start + length]
        start += length
