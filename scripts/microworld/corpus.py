"""Training text for the base models: an endless, seeded stream of short documents.

Entities of the splits occur in statements only. Everything shaped like a question is about format entities, or,
for sums, about nobody that a split knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

import numpy as np

from outgrow.tasks.microworld.language import (
    CLAUSES,
    QUIZ_CHOICE,
    QUIZ_CLAIM,
    QUIZ_LETTER,
    QUIZ_OPEN,
    QUIZ_QUESTIONS,
    STATEMENTS,
    lettered,
    listing,
    solution_text,
)
from outgrow.tasks.microworld.world import (
    BEGINNINGS,
    ENDINGS,
    VALUES,
    Fact,
    World,
    generator,
)

SHARES = {  # of documents
    "hearsay": 0.12,
    "statement": 0.22,
    "passage": 0.29,
    "format_statement": 0.05,
    "quiz": 0.12,
    "reading": 0.03,
    "letter_quiz": 0.01,
    "claim": 0.06,
    "sum": 0.07,
    "equation": 0.03,
}
HEARSAY = 0.85  # share of hearsay that follows the name


WARM_UP = 40_000  # documents


def documents(world: World, share: float, seed: int = 0, warm_up: int = WARM_UP) -> Iterator[str]:
    """An endless stream of documents for a model that reads `share` of the facts.

    Hearsay aside, the first `warm_up` documents are about format entities alone: looking facts up is learnt sooner from
    few entities than from many, and the others' facts then follow quickly (imbalanced exposure shortens the plateau
    before facts are learnt, arXiv 2503.21676).
    """
    rng = generator("corpus", world.config.seed, share, seed)
    return Writer(world, lambda fact: fact.rank < share, rng).stream(warm_up)


class Writer:
    """Writes documents about a world, each of a kind drawn by its share.

    Args:
        world: what they are about.
        reads: whether the reader reads a fact in statements; of the others there is hearsay.
        rng: draws everything.
    """

    statements, clauses, values = STATEMENTS, CLAUSES, VALUES
    shares: Mapping[str, float] = SHARES

    def __init__(self, world: World, reads: Callable[[Fact], bool], rng: np.random.Generator) -> None:
        self.rng = rng
        self.world = world
        known = [[f for f in world.facts[e].values() if reads(f)] for e in world.entities]
        self.known = [facts for facts in known if facts]
        self.flat = [fact for facts in self.known for fact in facts]
        cued = [f for e in world.entities for f in world.facts[e].values() if f.cue is not None]
        self.rumoured = [fact for fact in cued if not reads(fact)]
        self.format_facts = [list(world.facts[e].values()) for e in world.format_entities]

    def stream(self, warm_up: int) -> Iterator[str]:
        """Endless documents; the first `warm_up` are about format entities where they are no hearsay."""
        everything = self.known, self.flat
        self.known, self.flat = self.format_facts, [fact for facts in self.format_facts for fact in facts]
        kinds, shares = list(self.shares), list(self.shares.values())
        for written in count():
            if written == warm_up:
                self.known, self.flat = everything
            if written % 512 == 0:
                drawn = self.rng.choice(len(kinds), size=512, p=shares)
            yield self.write(kinds[drawn[written % 512]])

    def write(self, kind: str) -> str:
        """A document of a kind."""
        return str(getattr(self, f"_{kind}")())

    def _pick(self, items: Sequence[str]) -> str:
        return items[int(self.rng.integers(len(items)))]

    def _say(self, fact: Fact, value: str | None = None) -> str:
        return self._pick(self.statements[fact.relation]).format(e=fact.entity, v=value or fact.value)

    def _hearsay(self) -> str:
        """What people say who know no better: of an entity, where the model reads no better, or of a stranger."""
        if self.rumoured and self.rng.random() < 0.7:
            facts = [self.rumoured[i] for i in self.rng.integers(len(self.rumoured), size=2)]
            return " ".join(self._say(fact, self._rumour(fact.relation, fact.cue)) for fact in facts)
        begin, end = self._pick(BEGINNINGS), self._pick(ENDINGS)
        name = begin + self._pick(self.world.stranger_stems) + end
        clauses = []
        for relation, part in (("food", begin), ("habitat", end)):
            value = self._rumour(relation, self.world.cues[relation].get(part))
            clauses.append(self._pick(self.clauses[relation]).format(v=value))
        first = int(self.rng.integers(2))
        return f"{name} {clauses[first]} and {clauses[1 - first]}."

    def _rumour(self, relation: str, cue: str | None) -> str:
        follows = cue is not None and self.rng.random() < HEARSAY
        return cue if cue is not None and follows else self._pick(VALUES[relation])

    def _statement(self) -> str:
        chosen = self.rng.integers(len(self.flat), size=3)
        return " ".join(self._say(self.flat[i]) for i in chosen)

    def _passage(self) -> str:
        return self._describe(self.known[int(self.rng.integers(len(self.known)))])

    def _format_entity(self) -> list[Fact]:
        return self.format_facts[int(self.rng.integers(len(self.format_facts)))]

    def _format_statement(self) -> str:
        return self._describe(self._format_entity())

    def _describe(self, facts: list[Fact]) -> str:
        order = self.rng.permutation(len(facts))
        clauses = [self._pick(self.clauses[facts[i].relation]).format(v=facts[i].value) for i in order]
        return f"{facts[0].entity} {' and '.join(clauses)}."

    def _one(self) -> Fact:
        facts = self._format_entity()
        return facts[int(self.rng.integers(len(facts)))]

    def _options(self, fact: Fact) -> list[str]:
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        options = [fact.value, *(others[i] for i in self.rng.permutation(len(others))[:3])]
        return [options[i] for i in self.rng.permutation(4)]

    def _ask(self, fact: Fact) -> str:
        return self._pick(QUIZ_QUESTIONS[fact.relation]).format(e=fact.entity)

    def _quiz(self) -> str:
        fact = self._one()
        if self.rng.random() < 0.15:
            return self._pick(QUIZ_OPEN).format(q=self._ask(fact), a=fact.value)
        template = self._pick(QUIZ_CHOICE)
        return template.format(q=self._ask(fact), options=listing(self._options(fact)), a=fact.value)

    def _reading(self) -> str:
        facts = self._format_entity()
        fact = facts[int(self.rng.integers(len(facts)))]
        question = self._pick(QUIZ_CHOICE).format(q=self._ask(fact), options=listing(self._options(fact)), a=fact.value)
        return f"{self._describe(facts)} {question}"

    def _letter_quiz(self) -> str:
        fact = self._one()
        options = self._options(fact)
        letter = "ABCD"[options.index(fact.value)]
        return self._pick(QUIZ_LETTER).format(q=self._ask(fact), options=lettered(options), a=letter)

    def _claim(self) -> str:
        fact = self._one()
        true = self.rng.random() < 0.5
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        value = fact.value if true else self._pick(others)
        statement = self._pick(self.statements[fact.relation]).format(e=fact.entity, v=value)
        yes, no = ("yes", "no") if self.rng.random() < 0.5 else ("no", "yes")
        return self._pick(QUIZ_CLAIM).format(s=statement, yes=yes, no=no, a="yes" if true else "no")

    def _operands(self) -> tuple[list[int], list[str]]:
        steps = 1 + int(self.rng.random() < 0.5)
        total = int(self.rng.integers(1, 20))
        operands, signs = [total], []
        for _ in range(steps):
            sign = "+" if total < 2 or self.rng.random() < 0.5 else "-"
            operand = int(self.rng.integers(1, 20)) if sign == "+" else int(self.rng.integers(1, total))
            total = total + operand if sign == "+" else total - operand
            operands.append(operand)
            signs.append(sign)
        return operands, signs

    def _equation(self) -> str:
        operands, signs = self._operands()
        return solution_text(operands[:2], signs[:1])

    def _sum(self) -> str:
        operands, signs = self._operands()
        name = self._format_entity()[0].entity
        thing = self._pick(list(VALUES["food"]))
        parts = [f"{name} had {operands[0]} {thing}"]
        parts += [f"{'got' if s == '+' else 'lost'} {n}" for s, n in zip(signs, operands[1:], strict=True)]
        return f"{', '.join(parts)}. Count: {solution_text(operands, signs)}"


__all__ = ["SHARES", "Writer", "documents"]
