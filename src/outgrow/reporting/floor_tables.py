"""Several supervisors of one student: their accuracies, the floors that come of them, every arm beside each floor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from outgrow.reporting.formatting import NO_DATA, count, percent, plural
from outgrow.reporting.result_tables import arm_cell, recovered_cell
from outgrow.reporting.schema import Arm, Results
from outgrow.reporting.schema.arm import BesideFloor
from outgrow.reporting.views import Cell, TableView, columns, estimate_cell, row, table
from outgrow.reporting.weak import floor_title, upper_first

MEANINGS = {
    "mean": "of the supervisors' accuracies; the floor of the other tables",
    "best": "chosen by its accuracy here, so a little too high",
    "joint": "the answer that all together find most probable",
    "majority": "of one answer from each",
}


def supervisors_table(results: Results) -> TableView | None:
    """Accuracy of each supervisor, and the floors; None where there is one supervisor."""
    supervisor = results.supervisor
    if not supervisor.members:
        return None
    rows = [
        row(
            Cell(member.name, member.model), estimate_cell(member.accuracy),
            ", ".join(percent(each) for each in member.accuracy.per_seed),
            NO_DATA if member.tuned_on is None else count(member.tuned_on),
        )
        for member in supervisor.members
    ]  # fmt: skip
    rows += [
        row(
            Cell(upper_first(floor_title(floor)), floor.reason or MEANINGS.get(floor.name, "")),
            estimate_cell(floor.accuracy), ", ".join(percent(each) for each in floor.accuracy.per_seed), "",
            tone="reference",
        )
        for floor in supervisor.floors
    ]  # fmt: skip
    return TableView(
        "supervisors",
        "Supervisors and floors",
        f"Accuracy, %, of {plural(len(supervisor.members), 'supervisor')} on the test, one answer each in the identity "
        "wording, with 95 % intervals over questions and seeds; who the supervisors are counts as given. "
        "The last column has the gold questions that each was tuned on.",
        columns(["Supervisor", "Accuracy, %", "Per seed", "Tuned on"]),
        tuple(rows),
    )


def recovered_table(results: Results) -> TableView | None:
    """PGR of every arm from each floor; None where there is one supervisor."""
    return _beside_floors(
        results,
        "pgr_by_floor",
        "PGR by floor",
        "The gap counted from each floor, with 95 % intervals (Fieller's). The mean is the floor of all other tables. "
        "An arm that is above the mean alone may only have found the best supervisor, or their majority.",
        lambda beside: recovered_cell(beside.pgr),
    )


def differences_table(results: Results) -> TableView | None:
    """Accuracy of every arm minus each floor; None where there is one supervisor."""
    return _beside_floors(
        results,
        "above_floors",
        "Accuracy minus floor",
        "In percentage points, paired by question and seed, with 95 % intervals.",
        lambda beside: NO_DATA if beside.difference is None else estimate_cell(beside.difference, "points"),
    )


def _beside_floors(
    results: Results, key: str, title: str, caption: str, cell_of: Callable[[BesideFloor], Cell | str]
) -> TableView | None:
    floors = [floor for floor in results.supervisor.floors if floor.reason is None]
    if not floors:
        return None

    def beside(arm: Arm, floor: str) -> Cell | str:
        return cell_of(arm.by_floor[floor]) if floor in arm.by_floor else NO_DATA

    described = [(upper_first(floor_title(each)), partial(beside, floor=each.name)) for each in floors]
    return table(key, title, caption, results.arms, ("Arm", arm_cell), *described, tone=lambda arm: arm.kind)
