"""From one tokenizer's token probabilities to another's: words, by character offsets (arXiv 2406.03199).

A weak model gives each of its tokens a probability, and the strong model has other tokens. Both cut the same text, so
they meet at words: a word's weak probability is handed to its strong tokens as soft targets whose product it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import DataError

Span = tuple[int, int]
"""Where a token's text begins and ends, in characters; the space before a word may belong to its token or to none."""


@dataclass(frozen=True)
class WordBridge:
    """Which tokens of two tokenizations make the same words; every token belongs to one word.

    Attributes:
        weak: word of each weak token.
        strong: word of each strong token.
        words: how many words there are, each with a token of either side.
    """

    weak: Int[np.ndarray, "weak"]
    strong: Int[np.ndarray, "strong"]
    words: int

    def word_logprobs(self, logprobs: Float[np.ndarray, "weak"]) -> Float[np.ndarray, "words"]:
        """Log-probability of each word in nats: the sum over its weak tokens."""
        return np.bincount(self.weak, logprobs, self.words)

    def soft_targets(
        self,
        logprobs: Float[np.ndarray, "weak"],
        confidence: Float[np.ndarray, "strong"] | None = None,
        temperature: float = 1.0,
    ) -> Float[np.ndarray, "strong"]:
        """Log of the soft target of each strong token, so that those of a word sum to the word's log-probability.

        Args:
            logprobs: of the weak tokens, in nats.
            confidence: the strong model's highest probability at each of its tokens: where it is unsure it takes more
                of what the word lacks, in shares `softmax(-confidence / temperature)` within the word. None shares
                evenly.
            temperature: of these shares.
        """
        if confidence is None:
            shares = np.ones(len(self.strong))
        else:
            shares = np.exp(-(confidence - confidence.min(initial=0.0)) / temperature)
        shares /= np.bincount(self.strong, shares, self.words)[self.strong]
        return np.asarray(shares * self.word_logprobs(logprobs)[self.strong])


def word_bridge(text: str, weak: Sequence[Span], strong: Sequence[Span]) -> WordBridge:
    """Words of `text` that both tokenizations keep whole.

    A word begins behind white space, where both have a boundary between tokens; words across which a token of either
    side reaches are one. White space belongs to the word behind it, at the end of the text to the last one. Pieces of
    one character (bytes) may have its span each, or none until the last.

    Args:
        text: what both cut.
        weak: spans of the weak tokens, in order.
        strong: spans of the strong tokens.

    Raises:
        DataError: one side has no token, or a span lies outside the text.
    """
    for name, spans in (("weak", weak), ("strong", strong)):
        if not spans:
            raise DataError(f"the {name} tokenization of {text[:60]!r} has no token")
        if strange := next((span for span in spans if not 0 <= span[0] <= span[1] <= len(text)), None):
            raise DataError(f"the {name} tokenization of {text[:60]!r} has a token from {strange[0]} to {strange[1]}")
    here, there = _boundaries(text, weak), _boundaries(text, strong)
    cuts: list[tuple[int, int]] = []
    for place in sorted(here.keys() & there.keys()):
        at = here[place], there[place]
        last = cuts[-1] if cuts else (0, 0)
        if text[place - 1].isspace() and at[0] > last[0] and at[1] > last[1]:
            cuts.append(at)
    sides = []
    for side, spans in enumerate((weak, strong)):
        word = np.zeros(len(spans), np.int64)
        word[[cut[side] for cut in cuts]] = 1
        sides.append(word.cumsum())
    return WordBridge(sides[0], sides[1], len(cuts) + 1)


def _boundaries(text: str, spans: Sequence[Span]) -> dict[int, int]:
    """Where a word may begin: the first place behind white space that a boundary between tokens leads to.

    Returns:
        Place in the text to the number of tokens before the first boundary that leads there.
    """
    ends = np.maximum.accumulate([end for _, end in spans])[:-1]
    starts = np.minimum.accumulate([start for start, _ in spans][::-1])[::-1][1:]
    before: dict[int, int] = {}
    for number, (end, start) in enumerate(zip(ends.tolist(), starts.tolist(), strict=True), 1):
        if end > start:  # a token reaches over the boundary
            continue
        place = end
        while place < len(text) and text[place].isspace():
            place += 1
        if 0 < place < len(text):
            before.setdefault(place, number)
    return before
