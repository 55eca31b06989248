"""The families of questions about the second world, by the names that recipes give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from outgrow.tasks.microworld.families.base import Family
from outgrow.tasks.microworld.families.kind import Kind
from outgrow.tasks.microworld2.families.choice import Choice
from outgrow.tasks.microworld2.families.claim import Claim
from outgrow.tasks.microworld2.families.conflict import Conflict
from outgrow.tasks.microworld2.families.legal import Legal
from outgrow.tasks.microworld2.families.safety import Safety
from outgrow.tasks.microworld2.families.slots import Slots
from outgrow.tasks.microworld2.families.telling import Telling
from outgrow.tasks.microworld2.families.toxicity import Toxicity
from outgrow.tasks.microworld2.families.two_hop import TwoHop

FAMILIES: Mapping[str, type[Family]] = MappingProxyType(
    {
        "choice": Choice,
        "kind": Kind,
        "claim": Claim,
        "two_hop": TwoHop,
        "slots": Slots,
        "telling": Telling,
        "conflict": Conflict,
        "safety": Safety,
        "legal": Legal,
        "toxicity": Toxicity,
    }
)
