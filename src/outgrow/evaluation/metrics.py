"""What is measured: metrics made of statistics that add up over questions, so that all get the same intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from outgrow.core.errors import DataError
from outgrow.core.registry import Registry
from outgrow.evaluation.slot_metrics import SlotF1, SluF1, exact_match

MAX_CLASSES = 200
STEP = 1e-4  # share of a question's statistics by which `linearised` moves their sum


@runtime_checkable
class Metric(Protocol):
    """A number for a set of answers that depends on sums over its questions alone; frozen and pure.

    What it judges are parsed values, unless an attribute `judges` says "slots": then these are the slots of answers
    and gold as `tasks.parsing.slots_in_order` gives them.

    Attributes:
        name: as recipes and results call it.
        higher_is_better: False for harms and errors.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def higher_is_better(self) -> bool: ...  # noqa: D102

    def statistics(
        self, predicted: Sequence[Any], gold: Sequence[Any], classes: Sequence[str]
    ) -> Float[np.ndarray, "questions statistics"]:
        """What each question adds to the sums, none of it negative.

        Args:
            predicted: what the metric judges: parsed values, with None where there is no valid one, or scores.
            gold: the truth of each question.
            classes: every text among the predictions of all arms and gold, in the one order that all arms share.

        Raises:
            DataError: the metric is not defined for such answers.
        """

    def value(self, sums: Float[np.ndarray, "*any statistics"]) -> Float[np.ndarray, "*any"]:
        """The metric of a set of questions from their summed statistics; the same for a multiple of the sums.

        NaN where the set holds nothing that the metric could be computed from.
        """


@dataclass(frozen=True)
class MeanScore:
    """The mean of a score that each answer has for itself: accuracy, toxicity, accuracy on pairs.

    Attributes:
        score: of a prediction (None where there is no valid one) and its gold; at least 0.
    """

    name: str
    score: Callable[[Any, Any], float]
    higher_is_better: bool = True
    judges: Literal["values", "slots"] = "values"

    def statistics(
        self, predicted: Sequence[Any], gold: Sequence[Any], classes: Sequence[str] = ()
    ) -> Float[np.ndarray, "questions 2"]:
        """The score, and 1 for the question."""
        scores = [self.score(one, truth) for one, truth in zip(predicted, gold, strict=True)]
        return np.stack([np.array(scores, np.float64), np.ones(len(scores))], axis=1)

    def value(self, sums: Float[np.ndarray, "*any 2"]) -> Float[np.ndarray, "*any"]:
        """Sum of the scores over the number of questions."""
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[..., 0] / sums[..., 1])


@dataclass(frozen=True)
class ClassMean:
    """The plain mean over classes of the share of hits: each class counts alike, however rare.

    Every distinct value is a class. A class that neither gold nor a prediction of the set holds is left out, not
    counted as 0 or 1. An answer that could not be parsed misses its gold class and is of no class itself.

    Attributes:
        size: what the hits are divided by, from whether gold and whether the prediction is of the class; where its
            sum is 0 the class is left out.
    """

    name: str
    size: Callable[[Bool[np.ndarray, "n classes"], Bool[np.ndarray, "n classes"]], Any]
    higher_is_better: bool = True

    def statistics(
        self, predicted: Sequence[Any], gold: Sequence[Any], classes: Sequence[str]
    ) -> Float[np.ndarray, "questions statistics"]:
        """Hits of each class, then sizes of each class.

        Raises:
            DataError: there are more than `MAX_CLASSES` classes, so the answers are open.
        """
        if len(classes) > MAX_CLASSES:
            raise DataError(
                f"{self.name} takes every value for a class, and there are {len(classes)} different ones "
                f"(at most {MAX_CLASSES}); measure open answers by 'accuracy'"
            )
        truth, guess = _memberships(gold, classes), _memberships(predicted, classes)
        return np.concatenate([truth & guess, self.size(truth, guess)], axis=1, dtype=np.float64)

    def value(self, sums: Float[np.ndarray, "*any statistics"]) -> Float[np.ndarray, "*any"]:
        """Mean of hits over size, over the classes that have a size."""
        hits, sizes = np.split(sums, 2, axis=-1)
        present = sizes > 0
        shares = np.divide(hits, sizes, out=np.zeros(hits.shape), where=present)
        with np.errstate(invalid="ignore"):
            return np.asarray(shares.sum(axis=-1) / present.sum(axis=-1))


def _memberships(values: Sequence[Any], classes: Sequence[str]) -> Bool[np.ndarray, "n classes"]:
    code = {name: i for i, name in enumerate(classes)}
    return np.equal.outer([code.get(value, -1) for value in values], np.arange(len(classes)))


ACCURACY = MeanScore("accuracy", lambda predicted, gold: float(predicted is not None and predicted == gold))
BALANCED_ACCURACY = ClassMean("balanced_accuracy", lambda truth, guess: truth)
"""Mean recall over the classes of gold."""
MACRO_F1 = ClassMean("macro_f1", lambda truth, guess: (truth + 1.0 * guess) / 2)
"""Mean over classes of F1 = 2 hits / (gold of the class + predictions of the class)."""


def statement_utility(predicted: str | None, gold: str) -> float:
    """True statements minus false ones, from 0 (as many false ones as there are true ones to tell) to 1 (all told).

    (n + true - false) / 2n of n true statements, at least 0; telling nothing gives one half.

    Args:
        predicted: statements with "; " between them; None, where nothing could be read, is telling nothing.
        gold: all true ones.
    """
    facts = set(gold.split("; "))
    said = set() if predicted is None else set(predicted.split("; "))
    return max(0.0, (len(facts) + len(said & facts) - len(said - facts)) / (2 * len(facts)))


STATEMENT_UTILITY = MeanScore("statement_utility", statement_utility)
SLOT_EXACT_MATCH = MeanScore("slot_exact_match", exact_match, judges="slots")
"""Share of questions whose slots are exactly those of gold."""
_OURS = (ACCURACY, BALANCED_ACCURACY, MACRO_F1, STATEMENT_UTILITY, SlotF1(), SluF1(), SLOT_EXACT_MATCH)
METRICS: Registry[Metric] = Registry("metric", Metric, {metric.name: metric for metric in _OURS})


def judges_slots(metric: Metric) -> bool:
    """Whether a metric judges slots in their order, and not parsed values."""
    return getattr(metric, "judges", "values") == "slots"


def linearised(
    metric: Metric, statistics: Float[np.ndarray, "seeds questions statistics"]
) -> Float[np.ndarray, "seeds questions"]:
    """What each answer contributes to the metric, to first order: their mean is the metric of all of them.

    The slope of the metric in the direction of one answer's statistics (infinitesimal jackknife), by central
    differences. For a mean of scores these are the scores themselves. Errors of differences follow from them as if
    the metric were a mean.
    """
    if isinstance(metric, MeanScore):
        return np.asarray(statistics[..., 0])
    total = statistics.sum(axis=(0, 1))
    ahead, behind = metric.value(total + STEP * statistics), metric.value(total - STEP * statistics)
    slope = (ahead - behind) / (2 * STEP)
    return np.asarray(metric.value(total) + slope.size * (slope - slope.mean()))
