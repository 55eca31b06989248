"""Histograms as a page filters by them: a name per bar, and the bar each row stands in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from outgrow.core.arrays import Float

MOST_BARS = 12
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Bars:
    """A histogram: the bars' names in their order, and for each row the number of its bar."""

    names: list[str]
    rows: list[int]


def bars_of_numbers(values: Float[np.ndarray, "rows"], *, missing: str) -> Bars | None:
    """One bar per level where there are few, else bars of equal and round width; NaN stands in the last, `missing`.

    None where every value is NaN.
    """
    known = ~np.isnan(values)
    if not known.any():
        return None
    shown = np.round(values, 4) + 0.0  # no minus zero
    levels = np.unique(shown[known])
    if len(levels) <= MOST_BARS:
        names, place = _level_names(levels), np.searchsorted(levels, np.where(known, shown, levels[0]))
    else:
        edges = round_edges(float(levels[0]), float(levels[-1]))
        place = np.searchsorted(edges, np.where(known, shown, levels[0]), side="right") - 1
        place = np.clip(place, 0, len(edges) - 2)  # the last bar holds its upper edge
        names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    if not known.all():
        place, names = np.where(known, place, len(names)), [*names, missing]
    return Bars(names, [int(n) for n in place])


def bars_of_words(values: Sequence[Any], *, missing: str) -> Bars | None:
    """One bar per word, most rows first; beyond `MOST_BARS` the rarest share one; None stands in the last, `missing`.

    None where no row has a word.
    """
    counts = Counter(value for value in values if value is not None)
    if not counts:
        return None
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    names = ordered if len(ordered) <= MOST_BARS else ordered[: MOST_BARS - 1]
    places = {value: min(number, len(names)) for number, value in enumerate(ordered)}
    if rare := len(ordered) - len(names):
        names = [*names, f"{rare:,} others"]
    if None in values:
        names = [*names, missing]
    return Bars(names, [len(names) - 1 if value is None else places[value] for value in values])


def round_edges(low: float, high: float) -> list[float]:
    """Edges from at most `low` to at least `high`, 1, 2, 2.5 or 5 times a power of ten apart; at most 12 bars."""
    power = 10.0 ** math.floor(math.log10((high - low) / (MOST_BARS - 2)))
    for step in (power * factor for factor in STEPS):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= MOST_BARS:
            break
    return [round(number * step, 10) for number in range(first, last + 1)]


def _level_names(levels: Float[np.ndarray, "levels"]) -> list[str]:
    if all(float(level).is_integer() for level in levels):
        return [f"{int(level):,}" for level in levels]
    names = [f"{level:.2f}" for level in levels]
    return names if len(set(names)) == len(names) else [f"{level:.4f}" for level in levels]
