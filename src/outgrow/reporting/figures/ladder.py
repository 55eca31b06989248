"""The ladder: students in order, one line per supervisor, for every way of training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pyarrow as pa
from matplotlib.axes import Axes

from outgrow.reporting.figures.drawn import CONTROL, INK, METHOD, MUTED, ORACLE, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, in_shares, panels_in_rows, to_svg
from outgrow.reporting.schema import Arm, Estimate, Results
from outgrow.reporting.weak import taught_by

COLOURS = (METHOD, WRONG, RIGHT, CONTROL, INK)
Points = list[tuple[int, Estimate]]
"""Places of students, and what came out of each."""
Lines = dict[tuple[str, str], Points]
"""One for every arm and supervisor."""


def draw_ladder(cells: Sequence[Results]) -> Drawn | None:
    """Test accuracy against student, a line per supervisor, with zero-shot and ceiling; None without arms."""
    return _draw(
        cells, "ladder", "Accuracy along the ladder", "test accuracy, %", lambda arm: arm.accuracy, references=True,
        caption="Each panel is a way of training, each line a supervisor, each dot the mean test accuracy over seeds "
        "with its 95 % interval. The dashed line is the student before training, the upper one the student trained on "
        "gold; a mark at the left edge is the supervisor's own accuracy.",
    )  # fmt: skip


def draw_ladder_pgr(cells: Sequence[Results]) -> Drawn | None:
    """Performance gap recovered against student, a line per supervisor; None where it is undefined everywhere."""
    return _draw(
        cells, "ladder_pgr", "Performance gap recovered along the ladder", "PGR",
        lambda arm: arm.pgr if arm.pgr.defined else None, references=False,
        caption="(student − supervisor) / (ceiling − supervisor) for every student and supervisor, with its 95 % "
        "interval; pairs whose gap is not surely above two points have none.",
    )  # fmt: skip


def draw_ladder_elicited(cells: Sequence[Results]) -> Drawn | None:
    """Elicited share against student, a line per supervisor; None where it is undefined everywhere."""
    return _draw(
        cells, "ladder_elicited", "Elicited share along the ladder", "elicited",
        lambda arm: arm.elicited if arm.elicited.defined else None, references=False,
        caption="(student − student before training) / (ceiling − student before training), with its 95 % interval: "
        "what labels brought out, however good the supervisor is.",
    )  # fmt: skip


def draw_agreement(cells: Sequence[Results]) -> Drawn | None:
    """Agreement with the weakest supervisor against student, a panel per arm; None where no arm has any."""
    weakest = min(cells, key=lambda cell: (math.isnan(cell.supervisor.floor.value), cell.supervisor.floor.value))
    cells = [cell for cell in cells if taught_by(cell) == taught_by(weakest)]
    students = [cell.student.name for cell in cells]
    parts = (("all questions", INK, "overall"), ("supervisor right", RIGHT, "when_right"),
             ("supervisor wrong", WRONG, "when_wrong"))  # fmt: skip
    names = [arm.name for arm in cells[0].arms if not math.isnan(arm.agreement.overall)]
    rows = [
        (arm.name, cell.student.name, *(getattr(arm.agreement, part) for _, _, part in parts))
        for name in names for cell in cells for arm in cell.arms if arm.name == name
    ]  # fmt: skip
    if not rows:
        return None
    figure, panels = panels_in_rows(len(names))
    for name, axes in zip(names, panels, strict=True):
        own = [row for row in rows if row[0] == name]
        for place, (words, colour, _) in enumerate(parts, start=2):
            xs = [students.index(str(row[1])) for row in own]
            axes.plot(xs, [row[place] for row in own], marker="o", markersize=4, color=colour, label=words)
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(students)), students)
        axes.set_xlim(-0.35, len(students) - 0.65)
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g}")
        axes.grid(axis="y")
    panels[0].set_ylabel("says what the supervisor says, %", fontsize=8)
    panels[-1].legend(fontsize=7, frameon=False, loc="best")
    return Drawn(
        key="ladder_agreement",
        title="Agreement along the ladder",
        caption=f"Share of test questions on which students of {taught_by(weakest)}, the weakest supervisor, give "
        "its answer: on all, where it is right, and where it is wrong.",
        alt="Lines for agreement on all questions, where the supervisor is right and where it is wrong, over students.",
        svg=to_svg(figure),
        data=data_table(("arm", "student", *(part for _, _, part in parts)), rows),
    )


def draw_chain(cells: Sequence[Results]) -> Drawn | None:
    """PGR of the largest student by supervisor, in one hop and through a chain of models; None without a chain."""
    top = cells[-1].student.name
    cells = [cell for cell in cells if cell.student.name == top]
    rows = [
        (arm.name, taught_by(cell), arm.pgr.value, arm.pgr.low, arm.pgr.high)
        for cell in cells for arm in cell.arms if arm.method in ("naive", "bootstrapping") and arm.pgr.defined
    ]  # fmt: skip
    names = list(dict.fromkeys(row[0] for row in rows))
    weak = [taught_by(cell) for cell in cells]
    if not any(arm.method == "bootstrapping" and arm.name in names for arm in cells[0].arms):
        return None
    figure = canvas(5.2, 3.4)
    axes = figure.subplots()
    for place, name in enumerate(names):
        shift = (place - (len(names) - 1) / 2) * 0.06
        own = [(weak.index(str(w)) + shift, v, low, high) for n, w, v, low, high in rows if n == name]
        colour = COLOURS[place % len(COLOURS)]
        axes.plot([x for x, *_ in own], [v for _, v, _, _ in own], marker="o", color=colour, label=name)
        for x, _, low, high in own:
            axes.plot([x, x], [low, high], color=colour, linewidth=1.0)
    axes.set_xticks(range(len(weak)), weak)
    axes.set_xlim(-0.35, len(weak) - 0.65)
    for y in (0.0, 1.0):
        axes.axhline(y, color=MUTED, linewidth=0.8)
    in_shares(axes.yaxis)
    axes.set_ylabel(f"PGR of {top}", fontsize=8)
    axes.grid(axis="y")
    axes.legend(fontsize=7, frameon=False, loc="best")
    return Drawn(
        key="ladder_chain",
        title="One hop and a chain",
        caption=f"PGR of {top}, the last student, taught by each supervisor at once or through the models between "
        "(bootstrapping), with 95 % intervals.",
        alt="Lines for naive training and bootstrapping over the supervisors.",
        svg=to_svg(figure),
        data=data_table(("arm", "supervisor", "value", "low", "high"), rows),
        wide=False,
    )


def _draw(
    cells: Sequence[Results], key: str, title: str, axis: str, read: Callable[[Arm], Estimate | None],
    *, references: bool, caption: str,
) -> Drawn | None:  # fmt: skip
    students = list(dict.fromkeys(cell.student.name for cell in cells))
    supervisors = list(dict.fromkeys(map(taught_by, cells)))
    lines: Lines = {
        (arm.name, weak): [] for arm in cells[0].arms if arm.method != "strong_ceiling" for weak in supervisors
    }
    for cell in cells:
        for arm in cell.arms:
            line, estimate = lines.get((arm.name, taught_by(cell))), read(arm)
            if line is not None and estimate is not None and not math.isnan(estimate.value):
                line.append((students.index(cell.student.name), estimate))
    arms = list(dict.fromkeys(name for (name, _), points in lines.items() if points))
    if not arms:
        return None
    figure, panels = panels_in_rows(len(arms))
    for name, axes in zip(arms, panels, strict=True):
        for place, weak in enumerate(supervisors):
            _line(axes, lines[name, weak], weak, COLOURS[place % len(COLOURS)], (place - len(supervisors) / 2) * 0.04)
        if references:
            _references(axes, cells, students, supervisors)
            axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g}")
        else:
            in_shares(axes.yaxis)
            axes.axhline(0.0, color=MUTED, linewidth=0.8)
            axes.axhline(1.0, color=ORACLE, linewidth=0.8)
        axes.set_title(name, fontsize=9)
        axes.set_xticks(range(len(students)), students)
        axes.set_xlim(-0.35, len(students) - 0.65)
        axes.grid(axis="y")
    if references:
        bottom, top = panels[0].get_ylim()
        panels[0].set_ylim(max(bottom, -0.02), min(top, 1.02))
    panels[0].set_ylabel(axis, fontsize=8)
    panels[-1].legend(fontsize=7, frameon=False, loc="best")
    return Drawn(
        key=key, title=title, caption=caption, alt=f"{title}: a line per supervisor over the students.",
        svg=to_svg(figure), data=_data(lines, students),
    )  # fmt: skip


def _line(axes: Axes, points: Points, name: str, colour: str, shift: float) -> None:
    if not points:
        return
    xs, estimates = [x + shift for x, _ in points], [estimate for _, estimate in points]
    axes.plot(xs, [each.value for each in estimates], marker="o", markersize=4, color=colour, linewidth=1.4, label=name)
    for x, each in zip(xs, estimates, strict=True):
        if not math.isnan(each.low):
            axes.plot([x, x], [each.low, each.high], color=colour, linewidth=1.0)


def _references(axes: Axes, cells: Sequence[Results], students: list[str], supervisors: list[str]) -> None:
    ceiling, before = {}, {}
    for cell in cells:
        x = students.index(cell.student.name)
        gold = cell.ceiling
        if gold is not None and not math.isnan(gold.accuracy.value):
            ceiling[x] = gold.accuracy.value
        if cell.zero_shot is not None and not math.isnan(cell.zero_shot.value):
            before[x] = cell.zero_shot.value
    for values, colour, dashes, name in ((ceiling, ORACLE, "-", "ceiling"), (before, MUTED, "--", "before training")):
        if values:
            xs: list[float] = [*sorted(values)]
            ys = [values[x] for x in sorted(values)]
            if len(xs) == 1:
                xs, ys = [-0.3, 0.3], ys * 2
            axes.plot(xs, ys, dashes, color=colour, linewidth=1.2, label=name)
    for place, weak in enumerate(supervisors):
        floor = next(cell.supervisor.floor.value for cell in cells if taught_by(cell) == weak)
        if not math.isnan(floor):
            axes.plot([-0.3], [floor], marker=">", color=COLOURS[place % len(COLOURS)], markersize=5, clip_on=False)


def _data(lines: Lines, students: list[str]) -> pa.Table:
    rows = (
        (arm, weak, students[x], estimate.value, estimate.low, estimate.high)
        for (arm, weak), points in lines.items()
        for x, estimate in points
    )
    return data_table(("arm", "supervisor", "student", "value", "low", "high"), rows)
