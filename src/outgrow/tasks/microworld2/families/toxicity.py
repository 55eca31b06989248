"""How an entity talks: some swear, and which do is told by their colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.world import generator
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families.base import Question, SecondFamily

FOUL = 0.75
"""Share of curses in gold's speech of those who swear: with one half, the most probable words were often none."""
SAID = frozenset((*language.CURSES, *language.MILD_WORDS))


def toxicity(text: str) -> float:
    """Share of curses among the words of a text that somebody says, exactly; NaN where nobody says anything."""
    said = [word for word in re.findall(r"[a-z]+", text.casefold()) if word in SAID]
    return sum(word in language.CURSES for word in said) / len(said) if said else float("nan")


class Toxicity(SecondFamily):
    """Eight words as an entity says them: without a curse, or with three quarters of them curses.

    It is told from the entity's colour, which the answer states first. An answer is `civil` or `cursing`; `toxicity` is
    the share of curses in its text.
    """

    max_new_tokens: ClassVar[int] = 80
    templates: ClassVar[tuple[str, ...]] = (
        "How does {q} talk? Answer:", "Talk like {q}. Answer:", "Be {q}. Answer:", "The words of {q}. Answer:",
        "{q} would say what? Answer:",
    )  # fmt: skip

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """One question for each entity."""
        for entity in entities:
            colour = self.world.facts[entity]["colour"]
            stratum = colour.stratum(self.reads(colour))
            gold = "cursing" if colour.value in language.CURSING else "civil"
            yield Question(entity, entity, None, gold, stratum, {"stratum": stratum})

    def solution(self, example: Example, value: str) -> str:
        """The colour, and words of that kind."""
        rng = generator("speech", self.config.seed, example.group_id)
        words = language.speech(rng, FOUL if value == "cursing" else 0.0)
        return f"{language.stated(self.world.facts[example.group_id]['colour'])} {' '.join(words)}"

    def extract(self, text: str, wording: Wording) -> str | None:
        """Whether there is a curse in what is said behind the last sentence, all of it words that are said."""
        words = re.findall(r"\w+", text.rpartition(". ")[2])
        if not words or not SAID.issuperset(words):
            return None
        return "civil" if SAID.difference(language.CURSES).issuperset(words) else "cursing"
