"""A training row in words, checked. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from outgrow.core.errors import DataError


@dataclass(frozen=True)
class TrainRow:
    """What to say to one prompt: a hard target, or a probability for each of several options.

    Attributes:
        row_id: names the row in messages.
        prompt: what the model reads.
        target: what it should say (head `lm`), or the class (head `classifier`); None for a soft row.
        options: surface forms to weigh against each other: they share the probability of a soft row; a hard row of
            head `lm` that has them is learned as the choice of its target among them.
        probabilities: one per option, >= 0, sum 1.
        weight: >= 0; a row of weight 0 is left out and counted.
        question: what `TrainConfig.together` keeps together.
        fields: further numbers for the objective (`Batch.fields`), the same names in every row, each one number or a
            tuple of as many numbers in every row.
        weak_tokens: of a target that a weak model wrote: where each of its tokens begins and ends in the target, in
            characters, and its natural-log probability; the end of the text is a token too.
    """

    row_id: str
    prompt: str
    target: str | None = None
    options: tuple[str, ...] | None = None
    probabilities: tuple[float, ...] | None = None
    weight: float = 1.0
    question: str | None = None
    fields: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    weak_tokens: tuple[tuple[int, int, float], ...] | None = None


def check_rows(rows: Sequence[TrainRow]) -> list[TrainRow]:
    """The rows with a weight above 0.

    Raises:
        DataError: a weight is negative or not finite, a row has no target, two kinds of targets or probabilities that
            are none, a target that is none of its options, other fields than the first row has, or no row is left.
    """
    for row in rows:
        where = f"training row {row.row_id!r}"
        if not math.isfinite(row.weight) or row.weight < 0:
            raise DataError(f"{where} has weight {row.weight}; weights are finite and at least 0")
        if (row.target is None) == (row.probabilities is None):
            raise DataError(f"{where} needs a target or probabilities, and not both")
        if row.target is not None and not row.target.strip():
            raise DataError(f"{where} has an empty target, so there is nothing to learn")
        if (
            row.target is not None
            and row.options is not None
            and (len(row.options) < 2 or row.target not in row.options)
        ):
            raise DataError(f"{where} has the target {row.target!r}, which is none of several options {row.options}")
        if row.weak_tokens is not None and (row.target is None or row.options is not None):
            raise DataError(f"{where} has weak tokens, which belong to a target without options")
        if _widths(row) != _widths(rows[0]):
            raise DataError(f"{where} has the fields {dict(row.fields)}; the first row has {dict(rows[0].fields)}")
        if row.probabilities is not None:
            if row.options is None or len(row.options) != len(row.probabilities) or len(row.options) < 2:
                raise DataError(f"{where} needs one probability for each of at least two options, found {row.options}")
            if min(row.probabilities) < 0 or not math.isclose(math.fsum(row.probabilities), 1.0, abs_tol=1e-6):
                raise DataError(f"{where} has probabilities {list(row.probabilities)}; they are >= 0 and sum to 1")
    kept = [row for row in rows if row.weight > 0]
    if not kept:
        raise DataError(f"no row to train on: {len(rows)} rows given, none with a weight above 0")
    return kept


def _widths(row: TrainRow) -> dict[str, int]:
    """How many numbers each field has; 0 for one that is no tuple."""
    return {name: len(value) if isinstance(value, tuple) else 0 for name, value in row.fields.items()}
