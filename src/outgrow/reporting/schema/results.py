"""results.json in typed form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from outgrow.core.tables import SPLITS
from outgrow.reporting.schema.arm import Arm, Kind, Recovered
from outgrow.reporting.schema.base import Accuracy, Estimate, Number, View
from outgrow.reporting.schema.deception import DeceptionFacts
from outgrow.reporting.schema.reliability import ReliabilityQuality
from outgrow.reporting.schema.shared_errors import SharedErrors


class Comparison(Estimate):
    """Accuracy of arm `a` minus arm `b`; NaN bounds when one seed gives none.

    `detectable` is the smallest true difference that a run like this one finds four times in five.
    """

    a: str = ""
    b: str = ""
    se: Number = math.nan
    p: Number = math.nan
    p_holm: Number = math.nan
    detectable: Number = math.nan


class Pair(View):
    """The comparison that was named before the results were seen."""

    a: str
    b: str


class Stratum(View):
    """Test accuracy on one kind of question, and how right and reliable the labels of its pool questions are."""

    stratum: str
    questions: int
    floor: Number = math.nan
    zero_shot: Number = math.nan
    arms: dict[str, Number] = Field(default_factory=dict)
    consensus_accuracy: Number = math.nan
    mean_reliability: Number = math.nan


class SplitSize(View):
    """Questions and groups of one split."""

    questions: int
    groups: int


def _in_order(splits: dict[str, SplitSize]) -> dict[str, SplitSize]:
    known = [name for name in SPLITS if name in splits]
    return {name: splits[name] for name in [*known, *(name for name in splits if name not in SPLITS)]}


class Audit(View):
    """What was found when the questions were read from files and dealt out."""

    rows: int = 0
    duplicates: int = 0
    shared_between_files: int = 0
    unassigned: int = 0
    not_posed: int = 0
    downsampled: int = 0
    notes: tuple[str, ...] = ()


class TaskFacts(View):
    """What was asked, and how the splits came out."""

    name: str
    splits: Annotated[dict[str, SplitSize], AfterValidator(_in_order)] = Field(default_factory=dict)
    overlap: dict[str, int] = Field(default_factory=dict)
    contradictory_gold: int = 0
    audit: Audit | None = None
    mix: dict[str, dict[str, int]] | None = None


class MemberFacts(View):
    """One of several supervisors; `tuned_on` counts gold questions, and is None for one that is taken as it is."""

    name: str
    model: str = ""
    kind: str = "local"
    tuned_on: int | None = None
    unanswered_test: int = 0
    accuracy: Accuracy = Accuracy()


class FloorFacts(View):
    """A floor of several supervisors (`outgrow.experiment.results.floors`), or the reason why there is none."""

    name: str
    supervisor: str | None = None
    reason: str | None = None
    accuracy: Accuracy = Accuracy()


class SupervisorFacts(View):
    """Who labelled the pool, and how good it is on the test questions.

    Of several supervisors, who are the `members`, name, model and kind are the first one's, floor and vote the means;
    in older results, which have no members, all is the first one's.
    """

    name: str = "supervisor"
    model: str = ""
    kind: str = "local"
    unanswered_test: int = 0
    missing_share: Number = 0.0
    tuned_on: int | None = None
    members: tuple[MemberFacts, ...] = ()
    floors: tuple[FloorFacts, ...] = ()
    floor: Accuracy = Accuracy()
    vote: Accuracy = Accuracy()
    variants: int = 0
    samples: int = 1


class MetricArm(Accuracy):
    """An arm's value of a metric, its PGR, and its difference to naive training (None for naive training itself)."""

    pgr: Recovered = Recovered()
    difference: Comparison | None = None


class MetricFacts(View):
    """A metric beside accuracy."""

    name: str
    higher_is_better: bool = True
    floor: Accuracy = Accuracy()
    vote: Accuracy = Accuracy()
    zero_shot: Accuracy = Accuracy()
    arms: dict[str, MetricArm] = Field(default_factory=dict)


class SlotType(View):
    """A type of slots: how often test gold has it, and its F1 by who answered (`floor`, `zero_shot`, `arm:NAME`)."""

    type: str
    gold: int
    f1: dict[str, Number] = Field(default_factory=dict)


class StudentFacts(View):
    """Who was trained."""

    name: str = "student"
    model: str = ""


class Results(View):
    """A finished run without time, host or path; of a run with several cells one of them."""

    format: int
    name: str
    cell: str = ""
    student: StudentFacts = StudentFacts()
    recipe: dict[str, Any] = Field(default_factory=dict)
    seeds: tuple[int, ...]
    task: TaskFacts
    primary: Pair | None = None
    supervisor: SupervisorFacts
    zero_shot: Accuracy | None = None
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...] = ()
    reliability: ReliabilityQuality | None = None
    strata: tuple[Stratum, ...] = ()
    metrics: tuple[MetricFacts, ...] = ()
    slot_types: tuple[SlotType, ...] = ()
    deception: DeceptionFacts | None = None
    shared_errors: SharedErrors | None = None

    def arm_of(self, method: str) -> Arm | None:
        """The first arm of a method, or None."""
        return next((arm for arm in self.arms if arm.method == method), None)

    @property
    def ceiling(self) -> Arm | None:
        """The student trained on gold, or None."""
        return self.arm_of("strong_ceiling")

    @property
    def reference(self) -> Arm | None:
        """What the other arms are compared with: naive training, else the first arm."""
        return self.arm_of("naive") or next(iter(self.arms), None)

    def comparison(self, a: str, b: str) -> Comparison | None:
        """The comparison of `a` with `b`, or None when it was not made."""
        return next((each for each in self.comparisons if (each.a, each.b) == (a, b)), None)

    @property
    def primary_comparison(self) -> Comparison | None:
        """The comparison that the recipe named before the run, or None."""
        return None if self.primary is None else self.comparison(self.primary.a, self.primary.b)

    def of_kind(self, *kinds: Kind) -> Iterable[Arm]:
        """Arms of the given kinds, in recipe order."""
        return (arm for arm in self.arms if arm.kind in kinds)
