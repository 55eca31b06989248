"""How right slots are: whole entities, fillers in part (SLU-F1), and each type by itself.

All judge JSON lists of `{"filler", "type"}` in the order of the text, each entity as often as it stands there
(`tasks.parsing.slots_in_order`). An answer that could not be read, None, has no entities.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from outgrow.core.errors import DataError


class Entity(NamedTuple):
    """A slot: its type, and the words that fill it."""

    type: str
    filler: str


def entities(slots: Any, metric: str) -> list[Entity]:
    """The entities of an answer, in its order.

    Raises:
        DataError: it is no JSON list of slots; `metric` is named in the message.
    """
    try:
        return [Entity(slot["type"], slot["filler"]) for slot in json.loads(slots)]
    except (ValueError, TypeError, KeyError):
        raise DataError(
            f'{metric} wants answers like \'[{{"filler":"moss","type":"item"}}]\', and there is '
            f"{slots!r}; measure other answers by 'accuracy'"
        ) from None


def edit_distance(gold: Sequence[str], predicted: Sequence[str]) -> int:
    """Least number of items (characters, words) to insert, delete or replace (Levenshtein)."""
    row = list(range(len(predicted) + 1))
    for i, one in enumerate(gold, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(predicted, 1):
            replaced = diagonal + (one != other)
            diagonal, row[j] = row[j], min(replaced, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def word_distance(gold: str, predicted: str) -> float:
    """Word error rate: edits of words over the number of gold's words; can exceed 1."""
    words = gold.split()
    return edit_distance(words, predicted.split()) / len(words)


def character_distance(gold: str, predicted: str) -> float:
    """Edits of characters over the longer length, from 0 to 1."""
    return edit_distance(gold, predicted) / max(len(gold), len(predicted))


class Counts(NamedTuple):
    """True positives, false positives and false negatives; the latter two need not be whole."""

    tp: float
    fp: float
    fn: float


def matched(gold: Sequence[Entity], predicted: Sequence[Entity], distance: Callable[[str, str], float]) -> Counts:
    """One pass of SLU-F1: predicted entities in order, each with the nearest gold entity of its type that is left.

    A match counts 1 for TP and its distance for FP and FN each; a predicted entity without a match 1 for FP, a gold
    entity without one 1 for FN. Of equally near gold entities the first is taken.
    """
    left, tp, fp, fn = list(gold), 0, 0.0, 0.0
    for entity in predicted:
        alike = [each for each in left if each.type == entity.type]
        if not alike:
            fp += 1
            continue
        away, nearest = min((distance(each.filler, entity.filler), i) for i, each in enumerate(alike))
        left.remove(alike[nearest])
        tp, fp, fn = tp + 1, fp + away, fn + away
    return Counts(tp, fp, fn + len(left))


@dataclass(frozen=True)
class SluF1:
    """SLU-F1 of SLURP (arXiv 2011.13205): entities whose fillers are right in part count in part.

    Every question is matched twice, by the distance of words and by that of characters (`matched`); F = 2 TP / (2 TP +
    FP + FN) of the counts of both passes, added up over all questions and types. Two things differ from the release's
    own script: it weighs a sentence by its number of recordings and leaves out sentences without a prediction, while
    here each question counts once and one without a valid answer misses all its entities. NaN where nothing is
    predicted and gold has no entity, which the script calls 0.
    """

    name: str = "slu_f1"
    higher_is_better: bool = True
    judges: Literal["slots"] = "slots"

    def statistics(
        self, predicted: Sequence[Any], gold: Sequence[Any], classes: Sequence[str] = ()
    ) -> Float[np.ndarray, "questions 3"]:
        """TP, FP and FN of each question, both passes together.

        Raises:
            DataError: an answer is no JSON list of slots.
        """
        counts = [
            np.add(matched(truth, guess, word_distance), matched(truth, guess, character_distance))
            for truth, guess in _both(self.name, predicted, gold)
        ]
        return np.array(counts, np.float64).reshape(-1, 3)

    def value(self, sums: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any"]:
        """2 TP / (2 TP + FP + FN)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(2 * sums[..., 0] / (sums @ [2.0, 1.0, 1.0]))


@dataclass(frozen=True)
class SlotF1:
    """F1 of slots over all questions together: 2 hits / (slots of gold + slots predicted); a hit has type and filler.

    A slot that stands twice has to be predicted twice.
    """

    name: str = "slot_f1"
    higher_is_better: bool = True
    judges: Literal["slots"] = "slots"

    def statistics(
        self, predicted: Sequence[Any], gold: Sequence[Any], classes: Sequence[str] = ()
    ) -> Float[np.ndarray, "questions 2"]:
        """Hits, and half of the slots of gold and prediction.

        Raises:
            DataError: an answer is no JSON list of slots.
        """
        both = _both(self.name, predicted, gold)
        counts = [(_hits(truth, guess).total(), (len(truth) + len(guess)) / 2) for truth, guess in both]
        return np.array(counts, np.float64).reshape(-1, 2)

    def value(self, sums: Float[np.ndarray, "*any 2"]) -> Float[np.ndarray, "*any"]:
        """Hits over the mean of how many slots there are and are predicted."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1])


def exact_match(predicted: Any, gold: Any) -> float:
    """1 where the same entities are named equally often, in whatever order; an invalid answer is never right.

    Raises:
        DataError: an answer is no JSON list of slots.
    """
    [(truth, guess)] = _both("slot_exact_match", [predicted], [gold])
    return float(predicted is not None and Counter(truth) == Counter(guess))


class TypeF1(NamedTuple):
    """Whole entities of one type: how many gold has, how many are predicted, how many of these are right."""

    type: str
    gold: int
    predicted: int
    hits: int

    @property
    def f1(self) -> float:
        """2 hits / (gold + predicted)."""
        return 2 * self.hits / (self.gold + self.predicted)


def f1_by_type(predicted: Sequence[str | None], gold: Sequence[str]) -> list[TypeF1]:
    """F1 of each type that gold or a prediction has, the most frequent in gold first; together they are `slot_f1`.

    Raises:
        DataError: an answer is no JSON list of slots.
    """
    counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
    for truth, guess in _both("slot_f1", predicted, gold):
        for counter, some in zip(counts, (truth, guess, _hits(truth, guess).elements()), strict=True):
            counter.update(entity.type for entity in some)
    types = sorted(set(counts[0]) | set(counts[1]), key=lambda name: (-counts[0][name], name))
    return [TypeF1(name, *(counter[name] for counter in counts)) for name in types]


def _hits(truth: Sequence[Entity], guess: Sequence[Entity]) -> Counter[Entity]:
    return Counter(truth) & Counter(guess)


def _both(metric: str, predicted: Sequence[Any], gold: Sequence[Any]) -> list[tuple[list[Entity], list[Entity]]]:
    """Of each question the entities of gold and of the prediction; an invalid one has none."""
    return [
        (entities(truth, metric), [] if guess is None else entities(guess, metric))
        for guess, truth in zip(predicted, gold, strict=True)
    ]
