"""The floors of several supervisors: their mean, the best of them, what they decide jointly, and their majority.

Which of these weak numbers PGR counts from is open in arXiv 2406.03199, so results have all; `docs/decisions.md` says
why tables show the mean where they show one.
"""

from __future__ import annotations

from dataclasses import dataclass

from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.together import obstacle


@dataclass(frozen=True)
class Floor:
    """What the accuracy of an arm is compared with.

    Attributes:
        name: `mean` of the supervisors' accuracies, `best` supervisor, `joint` decoding, or `majority` of one answer
            each.
        arm: what the cell's `paired` calls it.
        supervisor: the best one.
        reason: why there is no such floor, in words; None where there is.
    """

    name: str
    arm: str
    supervisor: str | None = None
    reason: str | None = None


def floors_of(cell: CollectedCell) -> tuple[Floor, ...]:
    """The floors of a cell of several supervisors.

    The best supervisor is the one of highest accuracy on the test itself, over all seeds (of equals the first), so
    that it is the same for every seed. Such a choice is optimistic: its accuracy is a little too high, and PGR against
    it a little too low.
    """
    if lacking := [f"{each.name} was not asked {each.unanswered}" for each in cell.members if each.unanswered]:
        reason = f"of {len(cell.test.ids)} test questions {', '.join(lacking)}"
        return tuple(Floor(name, name, reason=reason) for name in ("mean", "best", "joint", "majority"))
    best = max((each.name for each in cell.members), key=lambda name: float(cell.scores[f"floor:{name}"].mean()))
    return (
        Floor("mean", "floor"),
        Floor("best", f"floor:{best}", supervisor=best),
        Floor("joint", "joint", reason=obstacle(cell.recipe, cell.cell.supervisors)),
        Floor("majority", "majority"),
    )
