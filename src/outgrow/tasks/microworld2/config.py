"""What a recipe says about questions of the second world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from outgrow.tasks.microworld.config import FACT_STRATA, KIND_DEFAULTS, UNCUED_STRATA, Counts, Share, WorldQuestions
from outgrow.tasks.microworld2.ladder import LADDER, Rung

ONE_EACH = Counts(supervisor_train=300, pool=600, validation=100, test=500)
"""Questions of families that ask one question of an entity."""
SEVERAL = Counts(supervisor_train=300, pool=600, validation=100, test=1000)
HALF: Mapping[str, float] = {"read": 0.5, "no_cue": 0.5}
CUED: Mapping[str, float] = {"read": 0.5, "helpful": 0.2, "no_cue": 0.1, "misleading": 0.2}
"""Shares of strata of one relation that names say something about."""
MOSTLY: Mapping[str, float] = {"read": 0.6, "no_cue": 0.4}
MOSTLY_CUED: Mapping[str, float] = {"read": 0.6, "helpful": 0.2, "no_cue": 0.05, "misleading": 0.15}
"""Where a supervisor that knew half of the facts would be hardly better than chance."""
FEWER = Counts(supervisor_train=300, pool=500, validation=100, test=1000)
"""Questions of families whose texts are long."""
GENERATED: Mapping[str, object] = {"wordings": "instructions", "mix": HALF, "questions": SEVERAL}

DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "choice": {},
    "kind": {**KIND_DEFAULTS},
    "claim": {**GENERATED, "answer": "worked", "mix": "default"},
    "two_hop": GENERATED,
    "slots": {**GENERATED, "questions": FEWER},
    "telling": {**GENERATED, "mix": "natural", "questions": ONE_EACH},
    "conflict": {**GENERATED, "answer": "worked", "mix": MOSTLY, "questions": FEWER},
    "safety": {**GENERATED, "answer": "worked", "mix": CUED},
    "legal": {**GENERATED, "answer": "worked", "mix": MOSTLY_CUED},
    "toxicity": {**GENERATED, "mix": "natural", "questions": ONE_EACH},
}
"""What each family has where nothing is given."""
OWN: Mapping[str, tuple[str, ...]] = {
    "kind": ("relation", "groups", "prior"),
    "two_hop": ("hops",),
    "safety": ("shortcut",),
}
"""Settings that belong to one family."""
VERDICTS: Mapping[str, tuple[str, ...]] = {
    "claim": ("yes", "no"), "safety": ("safe", "unsafe"), "legal": ("relevant", "irrelevant")
}  # fmt: skip
"""Verdicts of judgements: where the value that is named is the true one, and where it is not."""
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "choice": ("content", "letter"),
    **dict.fromkeys(VERDICTS, ("worked", "direct")),
    "conflict": ("worked", "content"),
}
"""How families can be answered that have a choice of it."""
STRATA: Mapping[str, tuple[str, ...]] = {
    "slots": UNCUED_STRATA, "conflict": UNCUED_STRATA, "toxicity": UNCUED_STRATA,
    "telling": tuple(f"{n} read" for n in range(6)),
}  # fmt: skip
"""Strata of families that do not have those of facts."""


class Microworld2Config(WorldQuestions):
    """What is asked of the second world.

    Attributes:
        family: `choice` and `kind` are those of the first world; `claim`, `safety` and `legal` are judgements,
            `two_hop` chains of facts, `slots` commands as JSON, `telling` all facts of an entity, `conflict` pairs of
            reports, `toxicity` speech.
        answer: what answers a choice (content or letter), or a judgement: worked out (the usual) or said directly.
        hops: levels of `two_hop`: how many facts a chain has; each question takes one of them.
        shortcut: of `safety`: how far the length of a request gives it away, 0 not at all, 1 always.
    """

    ladder: ClassVar[Mapping[str, Rung]] = LADDER

    kind: Literal["microworld2"] = "microworld2"
    family: Literal[
        "choice", "kind", "claim", "two_hop", "slots", "telling", "conflict", "safety", "legal", "toxicity"
    ] = "choice"
    answer: Literal["content", "letter", "worked", "direct"] = "content"
    reader: str = "mini-a"
    hops: Annotated[tuple[Annotated[int, Field(ge=1, le=4)], ...], Field(min_length=1)] = (2,)
    shortcut: Share = 0.5

    @property
    def strata(self) -> tuple[str, ...]:
        """Why a supervisor may be right or wrong about questions of the family."""
        return STRATA.get(self.family, FACT_STRATA)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Values or groups of kinds, verdicts that are said directly; None elsewhere."""
        return VERDICTS[self.family] if self.answer == "direct" else super().classes

    @model_validator(mode="after")
    def _consistent(self) -> Microworld2Config:
        self._fill(DEFAULTS[self.family])
        answers = ANSWERS.get(self.family, ("content",))
        if self.answer not in answers:
            raise ValueError(f"answer '{self.answer}': the family '{self.family}' has {list(answers)}")
        self._check()
        for family, names in OWN.items():
            given = [
                n for n in names if family != self.family and getattr(self, n) != type(self).model_fields[n].default
            ]
            if given:
                raise ValueError(f"{given} belong to the family '{family}'; leave them out or set family: {family}")
        return self
