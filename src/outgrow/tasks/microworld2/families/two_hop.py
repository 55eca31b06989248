"""Questions over several facts: where does the teacher of Bradodalin live?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.language import QUESTIONS
from outgrow.tasks.microworld.world import uniform
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families.base import Question, SecondFamily
from outgrow.tasks.microworld2.families.verdict import RELATION_OF, ending

ENDS = ("habitat", "food", "colour")
TEACHER = "the teacher of "


class TwoHop(SecondFamily):
    """A chain of `hops` facts, the last of them a habitat, a food or a colour; answered with the chain.

    With several levels each question takes one of them at random. What a supervisor does not know is the entity's own
    fact: facts of mentors are read by every model.
    """

    max_new_tokens: ClassVar[int] = 136
    templates: ClassVar[tuple[str, ...]] = (
        "Question: {q} Answer:", "{q} Answer:", "Here is a question. {q} Answer:", "Please answer. {q} Answer:",
        "Think about it. {q} Answer:",
    )  # fmt: skip

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """For each entity a question about each last fact."""
        for entity in entities:
            for relation in ENDS:
                draw = uniform("hops", self.config.seed, entity, relation)
                hops = self.config.hops[int(draw * len(self.config.hops))]
                asked = QUESTIONS[relation].format(e=TEACHER * (hops - 1) + entity)
                own = self.world.facts[entity][relation if hops == 1 else "mentor"]
                stratum = own.stratum(self.reads(own))
                meta = {"stratum": stratum, "relation": relation, "cue": own.cue, "level": hops}
                yield Question(entity, asked, None, self._chain(entity, relation, hops)[-1][1], stratum, meta)

    def _chain(self, entity: str, relation: str, hops: int) -> list[tuple[str, str]]:
        """Statement and value of each step."""
        steps = []
        for asked in ["mentor"] * (hops - 1) + [relation]:
            fact = self.world.facts[entity][asked]
            steps.append((language.stated(fact), fact.value))
            entity = fact.value
        return steps

    def solution(self, example: Example, value: str) -> str:
        """The chain, and its end behind the marker."""
        relation = next(r for r in ENDS if example.question.startswith(QUESTIONS[r].split("{e}")[0]))
        chain = self._chain(example.group_id, relation, 1 + example.question.count(TEACHER))
        return f"{' '.join(statement for statement, _ in chain)} So {chain[-1][1]}."

    def extract(self, text: str, wording: Wording) -> str | None:
        """The value behind the marker."""
        return ending(text, tuple(RELATION_OF))
