"""What a recipe says about questions of the generated world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from outgrow.core.config import Config, Settled
from outgrow.tasks.microworld.ladder import LADDER, Rung
from outgrow.tasks.microworld.world import CUE_PART, VALUES, WorldConfig

FACT_STRATA = ("read", "helpful", "no_cue", "misleading")
SUM_STRATA = ("one_step", "two_steps")
UNCUED_STRATA = ("read", "no_cue")  # of relations that names say nothing about

# Shares of strata. `read`: the supervisor read the fact. The others it did not read: the name helps, says nothing,
# or misleads (and, among four options, the misleading one is offered).
MIXES: Mapping[str, Mapping[str, float]] = {
    "default": {"read": 0.5, "helpful": 0.1, "no_cue": 0.25, "misleading": 0.15},
    # One kind of error alone; the shares give supervisors of the same accuracy, so that only the kind differs.
    "ignorance": {"read": 0.7, "no_cue": 0.3},
    "misconceptions": {"read": 0.75, "misleading": 0.25},
    "natural": {},  # as the world is
    "sums": {"one_step": 0.5, "two_steps": 0.5},
}

Share = Annotated[float, Field(ge=0, le=1)]


class Counts(Config):
    """Questions per split."""

    supervisor_train: Annotated[int, Field(ge=1)] = 500
    pool: Annotated[int, Field(ge=1)] = 800
    validation: Annotated[int, Field(ge=1)] = 100
    test: Annotated[int, Field(ge=1)] = 2000
    known: Annotated[int, Field(ge=0)] = 0


KIND_DEFAULTS: Mapping[str, object] = {
    "wordings": "instructions",
    "mix": "natural",
    "questions": Counts(supervisor_train=300, pool=600, validation=100, test=500),
}
"""What the family `kind` has where nothing is given: it shows no options, and asks one question of an entity."""
CLAIM_DEFAULTS: Mapping[str, object] = {"questions": Counts(supervisor_train=300, pool=500, validation=100, test=600)}
"""What the family `claim` has: there are too few misleading claims for as many questions as `choice` has."""


class WorldQuestions(Settled):
    """What is asked of a generated world, whichever it is.

    Attributes:
        kind: the world.
        family: what kind of questions.
        answer: in which form they are answered, where there are several.
        wordings: what the wordings besides the identity change; where no options are shown there are none to permute.
        mix: shares of strata in every split but `supervisor_train`: a name, or shares that sum to 1.
        supervisor_train_mix: the same for `supervisor_train`.
        questions: per split.
        reader: the base model whose reading defines the strata: the supervisor's.
        world: the world's seed; the shipped base models know world 0.
        seed: which questions are drawn, and how values are grouped.
        relation: what `kind` asks for.
        groups: deal the relation's values, at random, to so many groups, and ask for the group; null asks for the
            value.
        prior: share of each class (value, in the world's order, or group) in every split; null leaves them as drawn.
    """

    ladder: ClassVar[Mapping[str, Rung]]

    kind: str
    family: str
    answer: str = "content"
    wordings: Literal["permutations", "instructions", "mixed"] = "permutations"
    mix: str | dict[str, Share] = "default"
    supervisor_train_mix: str | dict[str, Share] = "natural"
    questions: Counts = Counts()
    reader: str
    world: int = 0
    seed: int = 0
    relation: Literal["habitat", "food", "colour", "mentor"] = "habitat"
    groups: Annotated[int, Field(ge=2, le=4)] | None = None
    prior: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None

    @property
    def strata(self) -> tuple[str, ...]:
        """Why a supervisor may be right or wrong about questions of the family."""
        return FACT_STRATA

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that all questions share: values or groups of kinds, else None."""
        if self.family != "kind":
            return None
        return VALUES[self.relation] if self.groups is None else tuple(f"kind {i + 1}" for i in range(self.groups))

    def shares(self, split: str) -> Mapping[str, float]:
        """Shares of strata in a split; empty where the questions are taken as they come."""
        mix = self.supervisor_train_mix if split == "supervisor_train" else self.mix
        return MIXES[mix] if isinstance(mix, str) else mix

    def _fill(self, defaults: Mapping[str, object]) -> None:
        """Set what was not given to a family's defaults."""
        for field in defaults.keys() - self.model_fields_set:
            object.__setattr__(self, field, defaults[field])  # frozen for everybody else

    def _check(self) -> None:
        """Refuse mixes and readers that there are not, and what does not go with `kind`."""
        for field, split in (("mix", "pool"), ("supervisor_train_mix", "supervisor_train")):
            self._check_mix(field, getattr(self, field), split)
        if self.reader not in self.ladder:
            raise ValueError(f"unknown reader '{self.reader}'; the ladder is {list(self.ladder)}")
        if self.family == "kind":
            self._check_kind()

    def _check_mix(self, field: str, mix: str | dict[str, float], split: str) -> None:
        if isinstance(mix, str) and mix not in MIXES:
            raise ValueError(f"unknown {field} '{mix}'; choose one of {sorted(MIXES)} or give shares")
        shares = self.shares(split)
        if unknown := sorted(set(shares) - set(self.strata)):
            raise ValueError(f"unknown strata {unknown} in {field}; this family has {list(self.strata)}")
        if shares and abs(sum(shares.values()) - 1) > 1e-6:
            raise ValueError(f"the shares of {field} sum to {sum(shares.values()):g}; they must sum to 1")

    def _check_kind(self) -> None:
        if self.wordings != "instructions":
            raise ValueError(f"wordings '{self.wordings}': the family 'kind' shows no options; leave wordings out")
        possible = FACT_STRATA if self.relation in CUE_PART else UNCUED_STRATA
        wanted = [name for split in ("pool", "supervisor_train") for name, n in self.shares(split).items() if n > 0]
        if absent := [stratum for stratum in wanted if stratum not in possible]:
            raise ValueError(
                f"the mix asks for {absent}, and relation '{self.relation}' has only {list(possible)}; give shares of "
                f"those, or choose a relation that names say something about: {list(CUE_PART)}"
            )
        names, prior = self.classes or (), self.prior
        if prior is not None and len(prior) != len(names):
            raise ValueError(f"prior has {len(prior)} shares, and there are {len(names)} classes: {list(names)}")
        if prior is not None and abs(sum(prior) - 1) > 1e-6:
            raise ValueError(f"the shares of prior sum to {sum(prior):g}; they must sum to 1")
        asked, entities = sum(self.questions.model_dump().values()), WorldConfig().entities
        if asked > entities:
            raise ValueError(
                f"questions add up to {asked}, and the family 'kind' asks one of each of {entities} entities; ask for "
                f"fewer, for instance {KIND_DEFAULTS['questions']}"
            )


class MicroworldConfig(WorldQuestions):
    """What is asked of the generated world.

    Attributes:
        family: `choice` among four options, `claim` (yes or no), `sums` (worked and answered by a number), or `kind`:
            the value of one relation, or the group of its value, one question of an entity, for head `classifier`.
        answer: what answers a choice: the option's words, or its letter.
    """

    LATER: ClassVar[tuple[str, ...]] = ("relation", "groups", "prior")
    ladder: ClassVar[Mapping[str, Rung]] = LADDER

    kind: Literal["microworld"] = "microworld"
    family: Literal["choice", "claim", "sums", "kind"] = "choice"
    answer: Literal["content", "letter"] = "content"
    reader: str = "mini"

    @property
    def strata(self) -> tuple[str, ...]:
        """Why a supervisor may be right or wrong about questions of the family."""
        return SUM_STRATA if self.family == "sums" else FACT_STRATA

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that all questions share: yes and no of claims, values or groups of kinds, else None."""
        return ("no", "yes") if self.family == "claim" else super().classes

    def shares(self, split: str) -> Mapping[str, float]:
        """Shares of strata in a split; empty where the questions are taken as they come."""
        mix = self.supervisor_train_mix if split == "supervisor_train" else self.mix
        return MIXES["sums"] if isinstance(mix, str) and self.family == "sums" else super().shares(split)

    @model_validator(mode="after")
    def _consistent(self) -> MicroworldConfig:
        self._fill({"kind": KIND_DEFAULTS, "claim": CLAIM_DEFAULTS}.get(self.family, {}))
        if self.answer == "letter" and self.family != "choice":
            raise ValueError("only the family 'choice' can be answered by letter")
        self._check()
        if self.family != "kind":
            other = [name for name in self.LATER if getattr(self, name) != type(self).model_fields[name].default]
            if other:
                raise ValueError(f"{other} belong to the family 'kind'; leave them out or set family: kind")
        return self
