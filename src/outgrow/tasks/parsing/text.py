"""Short answers in free words: one form for what differs in case, articles and punctuation."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

from outgrow.tasks.parsing.characters import plain_characters
from outgrow.tasks.splits import normalise_text

_GROUPED = re.compile(r"(?<![\w.,])[0-9]{1,3}(?:,[0-9]{3})+(?![\w,])")
_POINT_FIRST = re.compile(r"(?<![\w.])\.(?=[0-9])")
_KEPT = re.compile(r"((?<=[0-9])[./:-](?=[0-9])|(?<![\w.-])-(?=[0-9])|[#%&@+$^/])")
_ARTICLES = frozenset(("a", "an", "the"))
_CLOSE_UP = ".'’‘`"


@cache
def _punctuation() -> dict[int, str]:
    """What becomes of each punctuation mark of Unicode: nothing inside a word, else a space."""
    marks = (mark for mark in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(mark).startswith("P"))
    return {ord(mark): "" if mark in _CLOSE_UP else " " for mark in marks}


def _without_punctuation(text: str) -> str:
    parts = _KEPT.split(text)  # the odd ones are what is kept
    return "".join(part if place % 2 else part.translate(_punctuation()) for place, part in enumerate(parts))


def _without_articles(words: list[str]) -> list[str]:
    kept: list[str] = []  # from the end
    for word in reversed(words):
        article = word in _ARTICLES and bool(kept) and (word == "the" or len(kept[-1]) > 1)
        if not article:
            kept.append(word)
    return kept[::-1]


def normalise_answer(text: str) -> str | None:
    """The form under which short free-text answers are compared, in the manner of SQuAD's scorer.

    NFKC, casefold, no articles, no punctuation, single spaces. Other than there, what tells answers apart stays: the
    signs and points of numbers (-5, 3.5, 10:30; thousands separators go), the symbols # % & @ + $ ^ / (so C# is not
    C), and an "a" that is a letter (A-B, vitamin A: at the end, or before another letter). Punctuation stays where
    nothing else would be left: "!" is "!".

    Returns:
        The form, which is its own form; None for an empty or blank text.
    """
    whole = plain_characters(normalise_text(plain_characters(text)))  # NFKC can bring back a minus or a slash
    grouped = _GROUPED.sub(lambda found: found.group().replace(",", ""), whole)
    words = _without_punctuation(_POINT_FIRST.sub("0.", grouped)).split()
    return " ".join(_without_articles(words)) or whole or None
