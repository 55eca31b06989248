"""Several supervisors of one student: their accuracies, the floors that come of them, every arm beside each floor."""

from __future__ import annotations

from outgrow.reporting.formatting import NO_DATA, count, percent, plural
from outgrow.reporting.result_tables import arm_cell, recovered_cell
from outgrow.reporting.schema import Arm, Results
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


def floors_table(results: Results) -> TableView | None:
    """PGR of every arm from each floor, and its accuracy minus the floor; None where there is one supervisor."""
    floors = [floor for floor in results.supervisor.floors if floor.reason is None]
    if not floors:
        return None

    def recovered(arm: Arm, floor: str) -> Cell | str:
        return recovered_cell(arm.by_floor[floor].pgr) if floor in arm.by_floor else NO_DATA

    def difference(arm: Arm, floor: str) -> Cell | str:
        beside = arm.by_floor.get(floor)
        return NO_DATA if beside is None or beside.difference is None else estimate_cell(beside.difference, "points")

    return table(
        "floors",
        "PGR by floor",
        "PGR counted from each floor, and each arm's accuracy minus the floor in percentage points, with 95 % "
        "intervals. The mean is what a student of one supervisor taken at random would be compared with; an arm that "
        "lies above the mean alone may only have found the best supervisor, or their majority.",
        results.arms,
        ("Arm", arm_cell),
        *[(f"PGR, {floor.name}", lambda arm, name=floor.name: recovered(arm, name)) for floor in floors],
        *[(f"Above {floor.name}", lambda arm, name=floor.name: difference(arm, name)) for floor in floors],
        tone=lambda arm: arm.kind,
    )
