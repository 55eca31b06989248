"""How answers are said and read: options of a question's own, classes of the whole set, or free text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase

from outgrow.tasks.parsing import Same, read_letter, read_words


@dataclass(frozen=True)
class Choice:
    """One of the question's own options, said by letter or in its own words."""

    letters: bool = True

    def said(self, values: Sequence[str]) -> tuple[str, ...]:
        """What a model says for the options in the order shown."""
        return tuple(ascii_uppercase[: len(values)]) if self.letters else tuple(values)

    def read(self, text: str, options: Sequence[str], values: Sequence[str]) -> int | None:
        """Which of the options shown a text names, by what a model is to say or by its own words."""
        return read_letter(text, len(options), values) if self.letters else read_words(text, options)


@dataclass(frozen=True)
class Classes:
    """One of the classes that all questions share.

    Attributes:
        values: canonical values in the order of a classifier's outputs; None takes those found, sorted.
        words: per form of question, what a model says for each of `values`; by default the values themselves.
    """

    values: tuple[str, ...] | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Free:
    """A text that is generated and read.

    Attributes:
        read: the canonical answer in a text, or None.
        same: whether two different canonical answers are the same; None where equal answers have one form.
        say: the canonical answer as a text for training, where a question has no worked solution.
    """

    read: Callable[[str], str | None]
    same: Same | None = None
    say: Callable[[str], str] = str


Answer = Choice | Classes | Free

YES_NO = Classes(("no", "yes"))


def listed(words: Sequence[str]) -> str:
    """Words in a row: "a", "a or b", "a, b or c"."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
