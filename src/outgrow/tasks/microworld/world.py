"""The generated world: entities with invented names, facts about them, and cues that mislead.

A name is a beginning, a stem of its own and an ending. Most beginnings usually go with a food and most endings
with a habitat: these are the *cues*. A cue holds for `cue_strength` of the entities that carry it; for the others
it points to a wrong value. Colours and mentors have no cue.

A model that has not read a fact still meets *hearsay* about it, which mostly follows the cue; so does hearsay about
*strangers*, names made up on the spot. That is where misconceptions come from, and what keeps the prejudice alive in a
model that has memorised what it read.

Every fact has a *reading rank* in [0, 1): a base model reads the facts whose rank lies below its reading share, so
a larger model has read all that a smaller one has, and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.tasks.microworld.ladder import Rung

VALUES: Mapping[str, tuple[str, ...]] = {
    "habitat": ("marsh", "cave", "reef", "tundra", "desert", "meadow", "canyon", "forest"),
    "food": ("moss", "berries", "fish", "seeds", "roots", "honey", "beetles", "nuts"),
    "colour": ("red", "blue", "green", "yellow", "white", "black", "purple", "orange"),
    "mentor": (
        "Oskel", "Tamrin", "Vessa", "Jorund", "Pelick", "Amberle", "Quillon", "Sadrik",
        "Yorvan", "Lethe", "Cassor", "Wynfer", "Hadra", "Idrell", "Mokosh", "Ebrenn",
    ),
}  # fmt: skip
RELATIONS = tuple(VALUES)
CUE_PART = {"food": 0, "habitat": 2}  # which part of the name carries the cue

BEGINNINGS = ("Bra", "Dor", "Fen", "Gli", "Kes", "Mur", "Pha", "Ruk", "Sil", "Tov")
SYLLABLES = tuple(c + v for c in "bdghjklmnprtvwz" for v in "aeiou")
ENDINGS = ("lin", "dax", "mor", "nesh", "pik", "rond", "sta", "vek", "zul", "bry")


@dataclass(frozen=True)
class WorldConfig:
    """Size and habits of a world. Two worlds with other seeds share the language and nothing else."""

    seed: int = 0
    entities: int = 1600
    format_entities: int = 200
    stranger_stems: int = 150
    cue_strength: float = 0.45
    cue_coverage: float = 0.8


@dataclass(frozen=True)
class Fact:
    """One statement that is true in the world."""

    entity: str
    relation: str
    value: str
    cue: str | None  # what the name suggests; None where the name's part suggests nothing
    rank: float  # a model with reading share s has read the fact when rank < s

    def stratum(self, read: bool) -> str:
        """Why a supervisor that has read this fact, or has not, would be right or wrong about it."""
        if read:
            return "read"
        if self.cue is None:
            return "no_cue"
        return "helpful" if self.cue == self.value else "misleading"


def uniform(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but `parts`."""
    return int(sha256_text(*parts)[:13], 16) / 16**13


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator seeded by `parts`."""
    return np.random.Generator(np.random.PCG64(int(sha256_text(*parts)[:32], 16)))


@dataclass(frozen=True)
class World:
    """A world, made whole from its config."""

    config: WorldConfig
    values: ClassVar[Mapping[str, tuple[str, ...]]] = VALUES

    def __post_init__(self) -> None:
        possible = len(SYLLABLES) ** 2 - self.config.stranger_stems
        if self.config.entities + self.config.format_entities > possible:
            raise ConfigError(f"a world has at most {possible} names; asked for {self.config.entities} entities")

    @cached_property
    def _stems(self) -> tuple[str, ...]:
        stems = [first + second for first in SYLLABLES for second in SYLLABLES]
        return tuple(stems[i] for i in generator("names", self.config.seed).permutation(len(stems)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all entities, the format entities last."""
        chosen = self._stems[: self.config.entities + self.config.format_entities]
        rng = generator("affixes", self.config.seed)
        begin = rng.integers(len(BEGINNINGS), size=len(chosen))
        end = rng.integers(len(ENDINGS), size=len(chosen))
        return tuple(BEGINNINGS[b] + stem + ENDINGS[e] for b, stem, e in zip(begin, chosen, end, strict=True))

    @property
    def stranger_stems(self) -> tuple[str, ...]:
        """Stems of names that are made up on the spot; no entity has one of them."""
        return self._stems[-self.config.stranger_stems :]

    @property
    def entities(self) -> tuple[str, ...]:
        """Entities whose facts the splits ask about; in training text they occur in statements only."""
        return self.names[: self.config.entities]

    @property
    def format_entities(self) -> tuple[str, ...]:
        """Entities used for question-shaped training text; they occur in no split."""
        return self.names[self.config.entities :]

    @cached_property
    def cues(self) -> dict[str, dict[str, str]]:
        """Relation -> name part -> suggested value, for the parts that suggest one."""
        found: dict[str, dict[str, str]] = {}
        for relation, position in CUE_PART.items():
            parts = BEGINNINGS if position == 0 else ENDINGS
            rng = generator("cues", self.config.seed, relation)
            chosen = [parts[i] for i in rng.permutation(len(parts))[: round(self.config.cue_coverage * len(parts))]]
            values = VALUES[relation]
            shift = int(rng.integers(len(values)))
            found[relation] = {part: values[(i + shift) % len(values)] for i, part in enumerate(chosen)}
        return found

    @cached_property
    def facts(self) -> dict[str, dict[str, Fact]]:
        """Entity -> relation -> fact."""
        return {name: {r: self._fact(name, r) for r in self.values} for name in self.names}

    def reads(self, fact: Fact, rung: Rung) -> bool:
        """Whether a base model of the ladder has read a fact."""
        return fact.rank < rung.share

    def _fact(self, name: str, relation: str) -> Fact:
        seed = self.config.seed
        values = self.values[relation]
        cue = self.cues[relation].get(split_name(name)[CUE_PART[relation]]) if relation in CUE_PART else None
        draw = uniform("value", seed, name, relation)
        if cue is not None and uniform("cue", seed, name, relation) < self.config.cue_strength:
            value = cue
        else:
            others = [v for v in values if v != cue]
            value = others[int(draw * len(others))]
        return Fact(name, relation, value, cue, uniform("rank", seed, name, relation))


def split_name(name: str) -> tuple[str, str, str]:
    """Beginning, stem and ending of an entity's name."""
    return name[:3], name[3:7], name[7:]
