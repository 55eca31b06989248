"""Right or not: the marsh is where Bradodalin lives."""

from __future__ import annotations

from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld.world import VALUES, Fact, generator
from outgrow.tasks.orders import option_order


class Claim(Family):
    """A claim is true or false with equal chance; a false one names the cue in half of the cases."""

    permutations: ClassVar[int] = 2

    @property
    def templates(self) -> tuple[str, ...]:
        """Prompts around a claim."""
        return language.CLAIM_TEMPLATES

    def question(self, fact: Fact) -> Question:
        """The claim about a fact."""
        rng = generator("claim", self.config.seed, fact.entity, fact.relation)
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        wrong = fact.cue if fact.cue in others and rng.random() < 0.5 else others[int(rng.integers(len(others)))]
        true = bool(rng.random() < 0.5)
        value = fact.value if true else wrong
        if self.reads(fact):
            stratum = "read"
        elif fact.cue is None:
            stratum = "no_cue"
        else:  # the name suggests "yes" exactly when the claim names the cue
            stratum = "helpful" if (value == fact.cue) == true else "misleading"
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        statement = language.CLAIM_STATEMENTS[fact.relation].format(e=fact.entity, v=value)
        return Question(fact.entity, statement, None, "yes" if true else "no", stratum, meta)

    def wording(self, example: Example, variant: int) -> Wording:
        """Yes and no in either order."""
        template, number, _ = self.variant(variant)
        order = option_order(2, number)
        words = tuple(("yes", "no")[i] for i in order)
        prompt = self.templates[template].format(s=example.question, first=words[0], second=words[1])
        return Wording(prompt, words, words, self.label(variant), str(template), order)
