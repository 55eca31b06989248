"""The second world: mentors have facts of their own, entities are open or hidden, and readers read differently.

It has the names, cues and facts of the first world of its seed. Beside habitat, food, colour and mentor every entity
has a *status*, open or hidden. The sixteen mentors are entities with facts too, which every model reads; each was
taught by another, in one circle, so that questions can go over any number of steps.

Reading is not nested: a model reads a fact by the fact's shared rank with probability `rho`, else by a rank of its own,
so two models of one share know different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from outgrow.tasks.microworld import world as first
from outgrow.tasks.microworld.world import Fact, generator, uniform
from outgrow.tasks.microworld2.ladder import Rung

VALUES: Mapping[str, tuple[str, ...]] = {**first.VALUES, "status": ("open", "hidden")}
RELATIONS = tuple(VALUES)
MENTORS = VALUES["mentor"]


@dataclass(frozen=True)
class WorldConfig(first.WorldConfig):
    """Size and habits of a world.

    Attributes:
        rho: probability that a model reads a fact by the fact's shared rank and not by a rank of its own.
    """

    rho: float = 0.3


@dataclass(frozen=True)
class World(first.World):
    """A second world, made whole from its config."""

    config: WorldConfig
    values: ClassVar[Mapping[str, tuple[str, ...]]] = VALUES

    @cached_property
    def facts(self) -> dict[str, dict[str, Fact]]:
        """Entity or mentor -> relation -> fact."""
        return super().facts | self._mentors

    @cached_property
    def _mentors(self) -> dict[str, dict[str, Fact]]:
        """Facts of the mentors: values dealt evenly, each mentor the pupil of the next in one circle."""
        found: dict[str, dict[str, Fact]] = {name: {} for name in MENTORS}
        for relation in RELATIONS:
            order = generator("mentors", self.config.seed, relation).permutation(len(MENTORS))
            circle = [MENTORS[i] for i in order]
            for i, name in enumerate(circle):
                values = VALUES[relation]
                value = circle[(i + 1) % len(circle)] if relation == "mentor" else values[i % len(values)]
                found[name][relation] = Fact(name, relation, value, None, 0.0)
        return found

    def rank(self, fact: Fact, model: str) -> float:
        """The rank by which a model reads a fact, in [0, 1): shared, or the model's own; 0 for facts of mentors."""
        if fact.entity in self._mentors:
            return 0.0
        parts = self.config.seed, fact.entity, fact.relation, model
        shared = uniform("shared reading", *parts) < self.config.rho
        return fact.rank if shared else uniform("own reading", *parts)

    def reads(self, fact: Fact, rung: Rung) -> bool:
        """Whether a base model of the ladder has read a fact."""
        return self.rank(fact, rung.name) < rung.share
