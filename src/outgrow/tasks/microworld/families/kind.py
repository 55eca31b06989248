"""The value of one relation, or the group its value was dealt to: the home of Bradodalin is the ..."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld.world import VALUES, Fact, generator


def apportion(shares: Sequence[float], total: int) -> list[int]:
    """`total` items in proportion to `shares`, by largest remainders (the first of equal ones); adds up to `total`.

    Args:
        shares: at least 0, not all 0.
        total: how many to give out.
    """
    exact = [share * total / sum(shares) for share in shares]
    counts = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


class Kind(Family):
    """One question of an entity with classes that all questions share; the prompt begins a statement.

    Values are dealt to groups at random, at least one to each and otherwise in proportion to the prior, so what a group
    is can be learnt from labels alone. Strata go by group: a cue to another value of the right group is helpful.
    """

    @property
    def templates(self) -> tuple[str, ...]:
        """Beginnings of statements, then instructions before the first of them."""
        return (*language.KIND_PROMPTS[self.config.relation], *language.KIND_INSTRUCTIONS)

    @cached_property
    def class_of(self) -> dict[str, str]:
        """Value -> its class."""
        config, values = self.config, VALUES[self.config.relation]
        names = config.classes or ()
        if config.groups is None:
            return dict(zip(values, names, strict=True))
        prior = config.prior or (1 / config.groups,) * config.groups
        lacking = [max(share * len(values) - 1, 0.0) for share in prior]  # beyond the one that each group has
        sizes = [1 + more for more in apportion(lacking, len(values) - len(prior))]
        dealt = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
        order = generator("kinds", config.seed, config.relation).permutation(len(values))
        return {values[i]: name for i, name in zip(order, dealt, strict=True)}

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """The question about each entity."""
        for entity in entities:
            yield self.question(self.world.facts[entity][self.config.relation])

    def question(self, fact: Fact) -> Question:
        """The question about a fact."""
        gold, stratum = self.class_of[fact.value], fact.stratum(self.reads(fact))
        if stratum == "misleading" and fact.cue is not None and self.class_of[fact.cue] == gold:
            stratum = "helpful"
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        return Question(fact.entity, self.templates[0].format(e=fact.entity), None, gold, stratum, meta)

    def wording(self, example: Example, variant: int) -> Wording:
        """The question itself, another beginning of the statement, or an instruction before the question."""
        text = "{q}" if variant == 0 else self.templates[variant]
        classes = self.config.classes
        prompt = text.format(q=example.question, e=example.group_id)
        return Wording(prompt, classes, classes, self.label(variant), str(variant), None)
