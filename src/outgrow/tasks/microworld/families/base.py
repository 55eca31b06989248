"""What a family of questions is: which there are, how they are put into words, and how answers are read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.config import WorldQuestions
from outgrow.tasks.microworld.world import RELATIONS, Fact, World
from outgrow.tasks.orders import Variant, variant_parts


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Attributes:
        group: the entity it is about.
        question: its text.
        choices: its own options, or None.
        gold: the world's answer.
        stratum: why the reader would be right or wrong about it.
        meta: what is known about it, sealed.
        further: the answers by further objectives, where the family has several.
    """

    group: str
    question: str
    choices: tuple[str, ...] | None
    gold: str
    stratum: str
    meta: Mapping[str, object]
    further: Mapping[str, str] = field(default_factory=dict)


class Family(ABC):
    """One family of questions.

    Args:
        config: what is asked.
        world: which the questions are about.

    Attributes:
        permutations: orders of the options that make different wordings.
        max_new_tokens: enough for any generated answer.
        objective: what `gold` of its questions is called.
    """

    objective: ClassVar[str] = "truth"
    permutations: ClassVar[int] = 1
    max_new_tokens: ClassVar[int] = 8

    def __init__(self, config: WorldQuestions, world: World) -> None:
        self.config = config
        self.world = world

    def reads(self, fact: Fact) -> bool:
        """Whether the supervisor has read a fact, by the base model that the recipe names as the reader."""
        return self.world.reads(fact, self.config.ladder[self.config.reader])

    @property
    @abstractmethod
    def templates(self) -> tuple[str, ...]:
        """Prompts with places for the question and its options, the identity's first."""

    @property
    def _varied(self) -> tuple[int, int]:
        """How many templates, and how many permutations of the options, the wordings go through."""
        permutations = 1 if self.config.wordings == "instructions" else self.permutations
        templates = 1 if self.config.wordings == "permutations" and permutations > 1 else len(self.templates)
        return templates, permutations

    @property
    def n_variants(self) -> int:
        """Distinct wordings, identity included."""
        return math.prod(self._varied)

    def variant(self, number: int) -> Variant:
        """Template and permutation of a variant."""
        return variant_parts(number, *self._varied)

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """Questions about `entities` to draw `count` of."""
        for entity in entities:
            for relation in RELATIONS:
                yield self.question(self.world.facts[entity][relation])

    def question(self, fact: Fact) -> Question:
        """The question about a fact."""
        raise NotImplementedError

    @abstractmethod
    def wording(self, example: Example, variant: int) -> Wording:
        """The example in a wording that exists."""

    def solution(self, example: Example, value: str) -> str:
        """What to train on when only the gold value is known: the value itself, or a worked answer."""
        return value

    def extract(self, text: str, wording: Wording) -> str | None:
        """The value of the option that a text says; None for anything else."""
        answer = text.strip().strip(".").casefold()
        for option, value in zip(wording.options or (), wording.values or (), strict=True):
            if option.casefold() == answer:
                return value
        return None

    def label(self, variant: int) -> str:
        """What tables call a variant's kind."""
        return "identity" if variant == 0 else self.config.wordings
