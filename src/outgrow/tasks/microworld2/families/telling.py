"""Everything that is known of an entity, clause by clause."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families.base import Question, SecondFamily
from outgrow.tasks.microworld2.world import RELATIONS, VALUES

CLAUSE_OF = {
    clause.format(v=value): (relation, value)
    for relation, clauses in language.CLAUSES.items()
    for clause in clauses
    for value in VALUES[relation]
}
NAME = re.compile(r"\b[A-Z][a-z]{9,10}\b")


def clauses(text: str) -> list[tuple[str, str]] | None:
    """(relation, value) of each clause of a text, or None where one cannot be read."""
    parts = [CLAUSE_OF.get(part.strip()) for part in text.strip().removesuffix(".").split(";")]
    return None if None in parts else [part for part in parts if part is not None]


def canonical(parts: Sequence[tuple[str, str]]) -> str:
    """Clauses as one text that does not depend on order, wording or repetition."""
    return "; ".join(sorted({f"{relation} {value}" for relation, value in parts}))


class Telling(SecondFamily):
    """Tell all five facts of an entity. An answer is right when it tells these and nothing false.

    What it is worth otherwise: metric `statement_utility`.
    """

    max_new_tokens: ClassVar[int] = 100
    templates: ClassVar[tuple[str, ...]] = (
        "Who is {q}? Answer:", "Describe {q}. Answer:", "What is known of {q}? Answer:", "{q}, please. Answer:",
        "All about {q}. Answer:",
    )  # fmt: skip

    def candidates(self, entities: Sequence[str], count: int) -> Iterator[Question]:
        """One question for each entity; how many of its facts the supervisor read is its stratum."""
        for entity in entities:
            facts = self.world.facts[entity]
            read = sum(self.reads(fact) for fact in facts.values())
            stratum = f"{read} read"
            gold = canonical([(r, facts[r].value) for r in RELATIONS])
            yield Question(entity, entity, None, gold, stratum, {"stratum": stratum})

    def solution(self, example: Example, value: str) -> str:
        """The name, and a clause for each fact."""
        told = dict(part.split(" ", 1) for part in value.split("; "))
        parts = [language.CLAUSES[r][0].format(v=told[r]) for r in RELATIONS if r in told]
        return f"{example.group_id}: {'; '.join(parts)}."

    def extract(self, text: str, wording: Wording) -> str | None:
        """What is told, in one order; None where it is of somebody else."""
        name, _, told = text.strip().partition(":")
        asked = NAME.search(wording.prompt)
        parts = clauses(told) if asked and asked[0] == name else None
        return canonical(parts) if parts else None
