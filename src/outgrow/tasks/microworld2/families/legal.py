"""Relevant or not: does the clause about the marsh concern Bradodalin? It does when Bradodalin lives there."""

from __future__ import annotations

from typing import ClassVar

from outgrow.tasks.microworld.world import Fact, uniform
from outgrow.tasks.microworld2.families.verdict import Verdict

CLAUSES = ("The paths of the {v} are closed at night.", "Who enters the {v} has to pay.", "No fires in the {v}.")
QUESTION = "May {e} stay out? Clause: {clause}"


class Legal(Verdict):
    """A clause is relevant to a question about an entity when it is about where that entity lives; a quarter are."""

    relations: ClassVar[tuple[str, ...]] = ("habitat",)
    wrong: ClassVar[int] = 3
    templates: ClassVar[tuple[str, ...]] = (
        "{q} Answer:", "Law: {q} Answer:", "Judge the clause. {q} Answer:", "Relevant or irrelevant: {q} Answer:",
        "{q} Is it relevant? Answer:",
    )  # fmt: skip

    def text(self, fact: Fact, value: str) -> str:
        """The clause, and whom the question is about."""
        clause = CLAUSES[int(uniform("clause", self.config.seed, fact.entity, value) * len(CLAUSES))].format(v=value)
        return QUESTION.format(e=fact.entity, clause=clause)
