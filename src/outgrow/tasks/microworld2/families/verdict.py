"""Judgements that take a fact and a comparison: right or not, safe or not, relevant or not."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.world import Fact, generator
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.config import VERDICTS
from outgrow.tasks.microworld2.families.base import Question, SecondFamily
from outgrow.tasks.microworld2.world import VALUES

RELATION_OF = {value: relation for relation, values in VALUES.items() for value in values}


class Verdict(SecondFamily):
    """A value is named, and judged by whether it is the one that the world holds true.

    The judgement is worked out (the fact, the comparison, the verdict) or, with `answer: direct`, said at once.

    Attributes:
        relations: of the facts that are asked about.
        wrong: questions that name a wrong value, for each that names the right one.
    """

    relations: ClassVar[tuple[str, ...]]
    wrong: ClassVar[int] = 1
    max_new_tokens: ClassVar[int] = 80

    @property
    def words(self) -> tuple[str, ...]:
        """The verdict where the named value is the fact's, and where it is another."""
        return VERDICTS[self.config.family]

    @abstractmethod
    def text(self, fact: Fact, value: str) -> str:
        """The question that names `value`."""

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """For each fact a question that names its value, and `wrong` that name others, what the name suggests first."""
        for entity in entities:
            for relation in self.relations:
                fact = self.world.facts[entity][relation]
                rng = generator(self.config.family, self.config.seed, entity, relation)
                others = [v for v in VALUES[relation] if v not in (fact.value, fact.cue)]
                cued = [fact.cue] if fact.cue not in (fact.value, None) else []
                wrong = [*cued, *(others[i] for i in rng.permutation(len(others)))][: self.wrong]
                for value in (fact.value, *wrong):
                    yield self._ask(fact, value)

    def _ask(self, fact: Fact, value: str) -> Question:
        holds, stratum = value == fact.value, fact.stratum(self.reads(fact))
        if stratum in ("helpful", "misleading"):  # the name suggests a verdict, too
            stratum = "helpful" if (value == fact.cue) == holds else "misleading"
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        return Question(fact.entity, self.text(fact, value), None, self.words[not holds], stratum, meta)

    def wording(self, example: Example, variant: int) -> Wording:
        """The question in another frame."""
        words = self.words if self.config.answer == "direct" else None
        prompt = self.templates[variant].format(q=example.question)
        return Wording(prompt, words, words, self.label(variant), str(variant), None)

    def solution(self, example: Example, value: str) -> str:
        """The fact, the comparison and the verdict."""
        if self.config.answer == "direct":
            return value
        claimed = next(word for word in re.findall(r"\w+", example.question) if word in RELATION_OF)
        fact = self.world.facts[example.group_id][RELATION_OF[claimed]]
        return language.verdict(language.stated(fact), claimed, fact.value, self.words)

    def extract(self, text: str, wording: Wording) -> str | None:
        """The verdict at the end of a worked answer."""
        if self.config.answer == "direct":
            return super().extract(text, wording)
        return ending(text, self.words)


def ending(text: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a worked answer ends in ("So ..."), or None."""
    match = re.search(r"\bSo (\w+)\.?\s*$", text)
    return match.group(1) if match and match.group(1) in words else None
