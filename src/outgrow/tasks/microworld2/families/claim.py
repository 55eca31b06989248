"""Right or not: the marsh is where Bradodalin lives."""

from __future__ import annotations

from typing import ClassVar

from outgrow.tasks.microworld.language import CLAIM_STATEMENTS
from outgrow.tasks.microworld.world import Fact
from outgrow.tasks.microworld2.families.verdict import Verdict


class Claim(Verdict):
    """A claim is true or false with equal chance."""

    relations: ClassVar[tuple[str, ...]] = tuple(CLAIM_STATEMENTS)
    templates: ClassVar[tuple[str, ...]] = (
        "Claim: {q} Answer:", "Is this claim right? {q} Answer:", "{q} Do you agree? Answer:",
        "Consider the claim. {q} Answer:", "Please judge: {q} Answer:",
    )  # fmt: skip

    def text(self, fact: Fact, value: str) -> str:
        """The claim."""
        return CLAIM_STATEMENTS[fact.relation].format(e=fact.entity, v=value)
