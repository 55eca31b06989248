"""One of four values: where does Bradodalin live?"""

from __future__ import annotations

from typing import ClassVar

from outgrow.core.errors import DataError
from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld import language
from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld.world import VALUES, Fact, generator
from outgrow.tasks.orders import option_order


class Choice(Family):
    """Four options, among them the cue where it misleads; answered by the option's words or its letter."""

    permutations: ClassVar[int] = 8

    @property
    def templates(self) -> tuple[str, ...]:
        """Prompts by the form of the answer."""
        return language.LETTER_TEMPLATES if self.config.answer == "letter" else language.CHOICE_TEMPLATES

    def question(self, fact: Fact) -> Question:
        """The question about a fact, with three wrong options."""
        rng = generator("options", self.config.seed, fact.entity, fact.relation)
        stratum = fact.stratum(self.reads(fact))
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        distractors = [others[i] for i in rng.permutation(len(others))[:3]]
        if stratum == "misleading" and fact.cue is not None and fact.cue not in distractors:
            distractors[0] = fact.cue
        options = [fact.value, *distractors]
        choices = tuple(options[i] for i in rng.permutation(4))
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        question = language.QUESTIONS[fact.relation].format(e=fact.entity)
        return Question(fact.entity, question, choices, fact.value, stratum, meta)

    def wording(self, example: Example, variant: int) -> Wording:
        """The four cyclic shifts of the options, then those of the reversed order.

        So K = 4 puts every option into every place once.
        """
        if example.choices is None:
            raise DataError(f"example {example.example_id} has no choices")
        template, number, _ = self.variant(variant)
        order = option_order(4, number)
        values = tuple(example.choices[i] for i in order)
        lettered = self.config.answer == "letter"
        shown = language.lettered(values) if lettered else language.listing(values)
        prompt = self.templates[template].format(q=example.question, options=shown)
        options = language.LETTERS if lettered else values
        return Wording(prompt, options, values, self.label(variant), str(template), order)
