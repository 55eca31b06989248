"""What a task is: questions with sealed gold, the ways to put them into words, and when answers are equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.tables import Example

MISSING = "missing"
"""The `kind` of a wording that a question does not have (a paraphrase that failed): it is not asked."""


@dataclass(frozen=True)
class Wording:
    """One way to put an example into words.

    `options` are the surface forms a model scores, in the order shown (None: the answer is generated, or
    a classifier head gives it); `values` are their canonical values, position by position. `rotation` is how far
    demonstrations shown before the question are rotated; they are no part of the prompt.
    """

    prompt: str
    options: tuple[str, ...] | None = None
    values: tuple[str, ...] | None = None
    kind: str = "identity"
    template: str = "default"
    permutation: tuple[int, ...] | None = None
    rotation: int = 0

    def say(self, value: str) -> str:
        """The surface form of a canonical value in this wording; free text is said as it is.

        Raises:
            DataError: the value is not among this wording's options.
        """
        if self.options is None or self.values is None:
            return value
        for option, own in zip(self.options, self.values, strict=True):
            if own == value:
                return option
        raise DataError(f"value {value!r} is not among the options {list(self.values)} of the question {self.prompt!r}")


@runtime_checkable
class Task(Protocol):
    """Questions in splits, their wordings, and the parsing of answers.

    Variant 0 is the identity wording: naive training and every test use it.
    """

    @property
    def name(self) -> str:
        """What reports and example ids call the task."""
        ...

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The fixed answer classes when all questions share them (what head `classifier` needs), else None."""
        ...

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that have questions, in the order of `records.SPLITS`."""
        ...

    @property
    def n_variants(self) -> int:
        """How many distinct wordings there are, identity included."""
        ...

    @property
    def public_meta(self) -> tuple[str, ...]:
        """Keys of `meta` that a method may see."""
        ...

    @property
    def max_new_tokens(self) -> int:
        """Enough tokens for any generated answer; ignored when options are scored."""
        ...

    def fingerprint(self) -> str:
        """Content hash of the data and the wordings' version, for the store's keys."""
        ...

    def examples(self, split: str) -> pa.Table:
        """Examples table of one split (`records.EXAMPLES`)."""
        ...

    def gold(self, split: str) -> pa.Table:
        """Gold table of one split (`records.GOLD`), for the sealed side of an experiment only."""
        ...

    def wording(self, example: Example, variant: int) -> Wording:
        """The example in wording `variant`, 0 <= variant < n_variants."""
        ...

    def solution(self, example: Example, value: str) -> str:
        """What to train on when only the canonical gold value is known: the value itself, or a worked answer."""
        ...

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The canonical answer in a generated text, or None when it cannot be parsed."""
        ...

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Answers with each class of equal answers rewritten to one representative."""
        ...
