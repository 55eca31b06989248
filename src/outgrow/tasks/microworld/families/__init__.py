"""The families of questions about the generated world, by the names that recipes give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from outgrow.tasks.microworld.families.base import Family, Question
from outgrow.tasks.microworld.families.choice import Choice
from outgrow.tasks.microworld.families.claim import Claim
from outgrow.tasks.microworld.families.kind import Kind
from outgrow.tasks.microworld.families.sums import Sums

FAMILIES: Mapping[str, type[Family]] = MappingProxyType({"choice": Choice, "claim": Claim, "sums": Sums, "kind": Kind})

__all__ = ["FAMILIES", "Family", "Question"]
