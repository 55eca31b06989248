"""What a report calls the weak side: one supervisor, or several with a floor each way."""

from __future__ import annotations

from outgrow.reporting.formatting import join_words
from outgrow.reporting.schema.results import FloorFacts, Results, SupervisorFacts


def names_of(supervisor: SupervisorFacts) -> list[str]:
    """The supervisor's name, or those of several."""
    return [member.name for member in supervisor.members] or [supervisor.name]


def teachers(supervisor: SupervisorFacts) -> str:
    """The names as words."""
    return join_words(names_of(supervisor))


def taught_by(cell: Results) -> str:
    """What tells the weak side of a cell from those of others: the supervisor's name, or the crowd's."""
    if not cell.supervisor.members:
        return cell.supervisor.name
    return cell.cell.removesuffix(f" to {cell.student.name}") or " + ".join(names_of(cell.supervisor))


def weak_side(supervisor: SupervisorFacts, what: str = "") -> str:
    """The supervisor's own accuracy, or the mean of several; `what` says of which answers."""
    named = "supervisors, mean" if supervisor.members else "supervisor"
    return f"{named}, {what}" if what else named


def floor_title(floor: FloorFacts) -> str:
    """One of several floors."""
    return f"best supervisor, {floor.supervisor}" if floor.supervisor else f"supervisors, {floor.name}"


def upper_first(text: str) -> str:
    """As the first words of a table's row: what else is in capitals stays."""
    return text[:1].upper() + text[1:]
