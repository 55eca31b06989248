"""Tables small enough to live inside a page: each text once, numbers rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

LONGEST_TEXT = 4_000


class Texts:
    """Texts by number; null is -1. Very long ones are cut and say where the rest is."""

    def __init__(self, rest_in: str = "answers.parquet") -> None:
        self.all: list[str] = []
        self._known: dict[str, int] = {}
        self._rest_in = rest_in

    def number(self, text: Any) -> int:
        """The text's number, a new one if it is new."""
        if text is None:
            return -1
        text = str(text)
        if text not in self._known:
            self._known[text] = len(self.all)
            cut = len(text) - LONGEST_TEXT
            self.all.append(text if cut <= 0 else f"{text[:LONGEST_TEXT]}… ({cut} more characters in {self._rest_in})")
        return self._known[text]

    def numbers(self, values: Sequence[Any]) -> list[int]:
        """The numbers of several texts."""
        return [self.number(value) for value in values]


def vote_numbers(votes: Any, texts: Texts) -> list[int]:
    """`[text, count, text, count, ...]`, most votes first."""
    if not votes:
        return []
    pairs = sorted((tuple(pair) for pair in votes), key=lambda pair: (-pair[1], str(pair[0])))
    return [number for value, n in pairs for number in (texts.number(value), int(n))]


def rounded(value: float | int | None) -> float | None:
    """Four decimals; None for what is not a number."""
    return None if value is None or math.isnan(value) else round(float(value), 4)
