"""Accuracy and recovered gap of every arm, as dots with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes

from outgrow.reporting.figures.drawn import COLOUR_OF, CONTROL, INK, LINE, MUTED, ORACLE, Drawn, data_table
from outgrow.reporting.figures.style import canvas, dot, in_shares, label, to_svg
from outgrow.reporting.formatting import bounds, percent, share
from outgrow.reporting.schema import Accuracy, Arm, Results
from outgrow.reporting.weak import floor_title, weak_side

ANSWERS = {"one answer": "floor", "vote": "vote"}
GROUPS = {"method": "methods", "control": "controls", "oracle": "oracles, use gold"}


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    text: str


Groups = dict[str, list[_Row]]
"""Rows below a title each."""


def draw_accuracy(results: Results) -> Drawn | None:
    """Test accuracy of every arm between the supervisor's floor and the ceiling."""
    if not results.arms:
        return None
    supervisor = results.supervisor
    references = [(weak_side(supervisor, what), getattr(supervisor, key)) for what, key in ANSWERS.items()]
    references += [(floor_title(floor), floor.accuracy) for floor in supervisor.floors[1:] if floor.reason is None]
    if results.zero_shot is not None:
        references.append(("student before training", results.zero_shot))
    groups = {
        "references": [_accuracy_row(name, "reference", accuracy) for name, accuracy in references],
        **_grouped(results.arms, lambda arm: _accuracy_row(arm.name, arm.kind, arm.accuracy)),
    }
    weak = "the mean accuracy of the supervisors" if supervisor.members else "the supervisor's own accuracy"
    ceiling = results.ceiling
    figure = canvas(9.0, _height(groups))
    axes = figure.subplots()
    trained = [row for rows in groups.values() for row in rows if row.name != "student before training"]
    _limits(axes, trained)
    _band(axes, supervisor.floor, CONTROL, "floor")
    if ceiling is not None:
        _band(axes, ceiling.accuracy, ORACLE, "ceiling")
    _dots(axes, groups)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g}")
    axes.set_xlabel("test accuracy, %", loc="right", fontsize=8)
    return Drawn(
        key="arms",
        title="Accuracy of every arm",
        caption="Each dot is the mean test accuracy over seeds, its line the 95 % interval over groups of questions "
        f"and seeds; the small ticks are single seeds. The shaded bands are the floor ({weak}) "
        "and the ceiling (the student trained on gold). An arm right of the floor has outgrown its teacher. Squares "
        "are controls; diamonds saw gold labels and show what would be possible, not what a method achieved.",
        alt="Dot plot of test accuracy with 95 % intervals for the supervisor and every arm.",
        svg=to_svg(figure),
        data=_data(groups),
    )


def draw_recovered(results: Results) -> Drawn | None:
    """Performance gap recovered by every arm that has one; None when it is undefined for all."""
    shown = [arm for arm in results.arms if arm.pgr.defined and arm.method != "strong_ceiling"]
    if not shown:
        return None
    groups = _grouped(shown, _recovered_row)
    weak = "mean of the supervisors" if results.supervisor.members else "supervisor"
    figure = canvas(9.0, _height(groups))
    axes = figure.subplots()
    _limits(axes, [row for rows in groups.values() for row in rows], include=(0.0, 1.0))
    for x, name in ((0.0, "floor"), (1.0, "ceiling")):
        _line(axes, x, MUTED, name)
    _dots(axes, groups)
    in_shares(axes.xaxis)
    return Drawn(
        key="pgr",
        title="Performance gap recovered",
        caption=f"How much of the gap between the {weak} (0) and the student trained on gold (1) each arm "
        "recovers: (student − floor) / (ceiling − floor), a ratio of means over seeds, with its 95 % "
        "interval (Fieller's) over questions and seeds. Left of 0 the student is worse than its teacher.",
        alt="Dot plot of performance gap recovered with 95 % intervals for every arm.",
        svg=to_svg(figure),
        data=_data(groups),
    )


def _grouped(arms: Sequence[Arm], row_of: Callable[[Arm], _Row]) -> Groups:
    return {title: [row_of(arm) for arm in arms if arm.kind == kind] for kind, title in GROUPS.items()}


def _accuracy_row(name: str, kind: str, accuracy: Accuracy) -> _Row:
    text = f"{percent(accuracy.value)}  {bounds(accuracy)}"
    return _Row(name, kind, accuracy.value, accuracy.low, accuracy.high, accuracy.per_seed, text)


def _recovered_row(arm: Arm) -> _Row:
    text = f"{share(arm.pgr.value)}  {bounds(arm.pgr, 'share')}"
    return _Row(arm.name, arm.kind, arm.pgr.value, arm.pgr.low, arm.pgr.high, (), text)


def _height(groups: Groups) -> float:
    lines = sum(len(rows) + 0.8 for rows in groups.values() if rows)
    return 0.75 + 0.235 * lines


def _limits(axes: Axes, rows: Sequence[_Row], include: tuple[float, ...] = ()) -> None:
    ends = [end for row in rows for end in (row.value, row.low, row.high, *row.per_seed) if not math.isnan(end)]
    ends += include
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.05
    axes.set_xlim(low - pad, high + pad)


def _band(axes: Axes, accuracy: Accuracy, colour: str, name: str) -> None:
    if math.isnan(accuracy.value):
        return
    if not math.isnan(accuracy.low):
        axes.axvspan(accuracy.low, accuracy.high, color=colour, alpha=0.13, linewidth=0)
    _line(axes, accuracy.value, colour, name)


def _line(axes: Axes, x: float, colour: str, name: str) -> None:
    axes.axvline(x, color=colour, linewidth=1)
    axes.annotate(name, (x, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour, fontsize=8)


def _dots(axes: Axes, groups: Groups) -> None:
    y = 0.0
    ticks: list[float] = []
    left = axes.get_xlim()[0]
    for title, rows in groups.items():
        if not rows:
            continue
        _beside(axes, title, -0.012, y, color=MUTED, fontsize=8, style="italic")
        y += 0.95
        for row in rows:
            axes.axhline(y, color=LINE, linewidth=0.6, zorder=0)
            _dot(axes, row, y, left)
            _beside(axes, row.text, 1.01, y, fontsize=8)
            _beside(axes, label(row.name, 36), -0.012, y)
            ticks.append(y)
            y += 1
        y += 0.35
    axes.set_ylim(y - 0.6, -0.6)
    axes.set_yticks([])
    axes.grid(axis="x")


def _beside(axes: Axes, text: str, x: float, y: float, **style: Any) -> None:
    side = "right" if x < 0 else "left"
    axes.annotate(text, (x, y), xycoords=("axes fraction", "data"), ha=side, va="center", **style)


def _dot(axes: Axes, row: _Row, y: float, left: float) -> None:
    colour = COLOUR_OF.get(row.kind, INK)
    if math.isnan(row.value):
        return
    if row.value < left:  # far below the rest: an arrow at the edge keeps the scale readable
        axes.plot([left], [y], marker="<", color=colour, markersize=6, clip_on=False)
        return
    if not math.isnan(row.low):
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=1.8)
    seeds = [seed for seed in row.per_seed if not math.isnan(seed)]
    if len(seeds) > 1:
        axes.plot(seeds, [y] * len(seeds), linestyle="", marker="|", markersize=6, color=colour, alpha=0.55)
    dot(axes, row.value, y, row.kind, markersize=5.5, markeredgewidth=1.4)


def _data(groups: Groups) -> pa.Table:
    rows = [row for group in groups.values() for row in group]
    names = ("arm", "kind", "value", "low", "high", "per_seed")
    return data_table(names, ((row.name, row.kind, row.value, row.low, row.high, row.per_seed) for row in rows))
