"""Everything that is known of an entity, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.families.base import Question, SecondFamily
from outgrow.tasks.microworld2.world import RELATIONS, VALUES

STATED = {
    template.format(e="{e}", v=value): (relation, value)
    for relation, templates in language.STATEMENTS.items()
    for template in templates
    for value in VALUES[relation]
}
NAME = re.compile(r"\b[A-Z][a-z]{9,10}\b")


def statements(text: str) -> dict[str, list[tuple[str, str]]] | None:
    """(relation, value) of each statement of a text, by whom it is about; None where a sentence states nothing."""
    found: dict[str, list[tuple[str, str]]] = {}
    for sentence in re.findall(r"[^.]+\.?", text.strip()):
        name = NAME.search(sentence)
        fact = STATED.get(sentence.strip().replace(name[0], "{e}", 1)) if name else None
        if name is None or fact is None:
            return None
        found.setdefault(name[0], []).append(fact)
    return found


def canonical(parts: Sequence[tuple[str, str]]) -> str:
    """Statements about somebody as one text that does not depend on order, wording or repetition."""
    return "; ".join(sorted({f"{relation} {value}" for relation, value in parts}))


class Telling(SecondFamily):
    """Tell all five facts of an entity. An answer is right when it tells these and nothing false.

    What it is worth otherwise: metric `statement_utility`.
    """

    max_new_tokens: ClassVar[int] = 160
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
        """A statement of each fact."""
        told = dict(part.split(" ", 1) for part in value.split("; "))
        facts = [self.world.facts[example.group_id][r] for r in RELATIONS if r in told]
        return " ".join(language.stated(replace(fact, value=told[fact.relation])) for fact in facts)

    def extract(self, text: str, wording: Wording) -> str | None:
        """What is told of the one who was asked about, in one order; None where it tells of others, too."""
        found = statements(text)
        asked = NAME.search(wording.prompt)
        return canonical(found[asked[0]]) if found and asked and list(found) == [asked[0]] else None
