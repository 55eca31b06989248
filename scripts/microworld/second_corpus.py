"""Training text of the second world: what the first has, and copying, comparing, chains, slots, telling and speech.

Entities of the splits occur in statements and in lists of names only. Everything shaped like a question, a command or
an answer is about format entities, mentors or nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np

from microworld.corpus import Writer
from outgrow.tasks.microworld.world import BEGINNINGS, ENDINGS, Fact, generator
from outgrow.tasks.microworld2 import language
from outgrow.tasks.microworld2.ladder import Rung
from outgrow.tasks.microworld2.world import MENTORS, VALUES, World

FIRST = {"hearsay": 0.1, "format_statement": 0.35, "mentor": 0.05, "copying": 0.2, "comparing": 0.3}
"""Shares of tokens at first: looking up, copying and comparing are learnt from little before there is much to know."""
SHARES = {
    "hearsay": 0.09,
    "statement": 0.17,
    "passage": 0.22,
    "format_statement": 0.04,
    "mentor": 0.03,
    "copying": 0.09,
    "comparing": 0.08,
    "chain": 0.06,
    "slots": 0.08,
    "telling": 0.06,
    "report": 0.04,
    "speech": 0.04,
}
"""Shares of tokens afterwards."""
WARM_UP = 60_000  # documents by the first shares
MEASURED = 200  # documents of a kind whose length is measured
TYPES = {
    "item": "thing", "place": "spot", "colour": "tint", "day": "time", "guest": "open", "ward": "hidden",
    "stranger": "being",
}  # fmt: skip
"""Types of slots in training text by those that the task asks for: the same distinctions by other words."""
SELDOM = 0.05  # share of curses in what the others say


def documents(world: World, rung: Rung, seed: int = 0, warm_up: int = WARM_UP) -> Iterator[str]:
    """An endless stream of documents for a model of the ladder; the first `warm_up` are of other shares."""
    return SecondWriter(world, rung, generator("second corpus", world.config.seed, rung.name, seed)).stream(warm_up)


class SecondWriter(Writer):
    """Writes documents about the second world."""

    statements, clauses, values = language.STATEMENTS, language.CLAUSES, VALUES
    world: World

    def __init__(self, world: World, rung: Rung, rng: np.random.Generator) -> None:
        super().__init__(world, lambda fact: world.reads(fact, rung), rng)
        lengths = {kind: float(np.mean([len(self.write(kind)) for _ in range(MEASURED)])) for kind in SHARES}
        self.first, self.shares = (_of_documents(shares, lengths) for shares in (FIRST, SHARES))

    def stream(self, warm_up: int) -> Iterator[str]:
        """Endless documents; the first `warm_up` are about format entities, mentors, strangers and hearsay."""
        for shares, size in ((self.first, warm_up), (self.shares, None)):
            yield from islice(self._mixed(shares), size)

    def _mixed(self, shares: Mapping[str, float]) -> Iterator[str]:
        kinds = list(shares)
        while True:
            for drawn in self.rng.choice(len(kinds), size=512, p=list(shares.values())):
                yield self.write(kinds[drawn])

    # Facts ------------------------------------------------------------------------------------------------------

    def _describe(self, facts: list[Fact]) -> str:
        """Facts of one entity, in one sentence or a sentence each: the name comes again, which teaches copying it."""
        if self.rng.random() < 0.5:
            return super()._describe(facts)
        return " ".join(self._say(facts[i]) for i in self.rng.permutation(len(facts)))

    def _passage(self) -> str:
        return self._introduced(self.known[int(self.rng.integers(len(self.known)))], language.PLAIN)

    def _format_statement(self) -> str:
        return self._introduced(self._format_entity(), language.BABBLE)

    def _introduced(self, facts: list[Fact], words: Sequence[str]) -> str:
        """Facts of one entity, half the time behind its name among words in any order, from which it is copied."""
        before = f"{self._babble(words).format(e=facts[0].entity)} " if self.rng.random() < 0.5 else ""
        return before + self._describe(facts)

    def _mentor(self) -> str:
        return self._describe(list(self.world.facts[self._pick(MENTORS)].values()))

    # Skills -----------------------------------------------------------------------------------------------------

    def _stranger(self) -> str:
        return self._pick(BEGINNINGS) + self._pick(self.world.stranger_stems) + self._pick(ENDINGS)

    def _name(self) -> str:
        return self._stranger() if self.rng.random() < 0.5 else self._pick(self.world.names)

    def _value(self) -> str:
        pools = [*VALUES.values(), language.DAYS]
        return self._pick(pools[int(self.rng.integers(len(pools)))])

    def _copying(self) -> str:
        """A name again and again, two names in turns, or a list and the same list."""
        kind = self.rng.random()
        if kind < 0.7:
            name = self._name()
            frame = self._babble if self.rng.random() < 0.6 else partial(self._pick, language.GREETINGS)
            return " ".join(frame().format(e=name) for _ in range(self.rng.integers(2, 5)))
        if kind < 0.85:
            return self._pick(language.MEETINGS).format(a=self._name(), b=self._name())
        make = self._name if self.rng.random() < 0.5 else self._value  # names and values do not meet in a list
        items = [make() for _ in range(self.rng.integers(1, 5))]
        return self._pick(language.COPIES).format(items=", ".join(items))

    def _babble(self, words: Sequence[str] = language.BABBLE) -> str:
        """A name among words in any order: it is copied whatever stands around it."""
        before, after = ([self._pick(words) for _ in range(n)] for n in self.rng.integers(0, 7, size=2))
        return " ".join([*before, "{e}", *after]) + self._pick(language.STOPS)

    def _two_values(self) -> tuple[str, str]:
        values = VALUES[self._pick([r for r in VALUES if r != "status"])]
        a = self._pick(values)
        return a, a if self.rng.random() < 0.5 else self._pick([v for v in values if v != a])

    def _comparing(self) -> str:
        if self.rng.random() < 0.4:
            a, b = self._two_values()
            return self._pick(language.CONTRASTS).format(a=a, b=b, verdict="same" if a == b else "different")
        return " ".join(language.comparison(*self._two_values()) for _ in range(self.rng.integers(1, 5)))

    # Question-shaped --------------------------------------------------------------------------------------------

    def _chain(self) -> str:
        opening, closing = self._pick(language.HOP_OPENINGS), self._pick(language.HOP_CLOSINGS)
        relation = self._pick(list(language.HOP_QUESTIONS))
        question = self._pick(language.HOP_QUESTIONS[relation])
        taught, ends = self._pick(self.statements["mentor"]), self._pick(self.statements[relation])
        hops = int(self.rng.integers(1, 5))
        examples = []
        for _ in range(1 if self.rng.random() < 0.4 else 3):
            asked, at, steps = "", self._format_entity()[0].entity, []
            start = at
            for _ in range(hops - 1):
                after = self.world.facts[at]["mentor"].value
                steps.append(taught.format(e=at, v=after))
                at, asked = after, asked + "the teacher of "
            value = self.world.facts[at][relation].value
            steps.append(ends.format(e=at, v=value))
            asked = opening.format(q=question.format(e=asked + start))
            examples.append(f"{asked} {' '.join(steps)} {closing.format(a=value)}")
        return " ".join(examples)

    def _slots(self) -> str:
        parts = self.rng.integers(len(language.COMMANDS), size=2)[: 1 + int(self.rng.random() < 0.5)]
        text = language.fill(" and ".join(language.COMMANDS[i] for i in parts), self.rng, self._being)
        parsed = language.slots_text([(TYPES[kind], filler) for kind, filler in language.slots_of(text, self.world)])
        return self._pick(language.ORDERS).format(c=f"{text}.", j=parsed)

    def _being(self) -> str:
        """Most are strangers, so that names are copied into slots and not remembered."""
        draw = self.rng.random()
        if draw < 0.6:
            return self._stranger()
        return self._pick(MENTORS) if draw < 0.7 else self._format_entity()[0].entity

    def _clause(self, fact: Fact, true: bool) -> str:
        value = fact.value if true else self._pick([v for v in self.values[fact.relation] if v != fact.value])
        return self._pick(self.clauses[fact.relation]).format(v=value)

    def _some(self, facts: Sequence[Fact]) -> list[Fact]:
        return [facts[i] for i in self.rng.permutation(len(facts))[: self.rng.integers(1, 6)]]

    def _telling(self) -> str:
        facts, truth = self._format_entity(), float(self.rng.choice([1.0, 0.6, 0.2]))
        clauses = [self._clause(fact, bool(self.rng.random() < truth)) for fact in self._some(facts)]
        return self._pick(language.TELLINGS).format(e=facts[0].entity, c="; ".join(clauses))

    def _report(self) -> str:
        facts = self._format_entity()
        hidden = any(fact.value == "hidden" for fact in facts)
        spoken = [f for f in facts if f.relation != "status" and not (hidden and f.relation == "habitat")]
        return language.REPORT.format(e=facts[0].entity, c=" ".join(self._say(fact) for fact in self._some(spoken)))

    def _speech(self) -> str:
        facts = self._format_entity()
        colour = next(fact for fact in facts if fact.relation == "colour")
        words = language.speech(self.rng, language.FOUL if colour.value in language.CURSING else SELDOM)
        before = f"{self._say(colour)} " if self.rng.random() < 0.5 else ""
        return before + self._pick(language.SPEECHES).format(e=colour.entity, w=" ".join(words))


def _of_documents(shares: Mapping[str, float], lengths: Mapping[str, float]) -> dict[str, float]:
    """Shares of documents that give these shares of text, for kinds of these mean lengths."""
    weights = {kind: share / lengths[kind] for kind, share in shares.items()}
    return {kind: weight / sum(weights.values()) for kind, weight in weights.items()}
