"""Accuracy and recovered gap of every arm, as dots with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes

from outgrow.reporting.figures.drawn import COLOUR_OF, CONTROL, INK, LINE, MARKER_OF, MUTED, ORACLE, PAPER, Drawn
from outgrow.reporting.figures.style import canvas, label, to_svg
from outgrow.reporting.formatting import interval, percent, share
from outgrow.reporting.schema import Accuracy, Arm, Recovered, Results

GROUPS = (("method", "methods"), ("control", "controls"), ("oracle", "oracles, use gold"))


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    text: str


def draw_accuracy(results: Results) -> Drawn | None:
    """Test accuracy of every arm between the supervisor's floor and the ceiling."""
    if not results.arms:
        return None
    supervisor = results.supervisor
    references = [("supervisor, one answer", supervisor.floor), ("supervisor, vote", supervisor.vote)]
    if results.zero_shot is not None:
        references.append(("student before training", results.zero_shot))
    groups = [("references", [_accuracy_row(name, "reference", value) for name, value in references])]
    for kind, title in GROUPS:
        groups.append(
            (title, [_accuracy_row(arm.name, kind, arm.accuracy) for arm in results.arms if arm.kind == kind])
        )
    ceiling = results.ceiling
    figure = canvas(9.0, _height(groups))
    axes = figure.subplots()
    trained = [row for _, rows in groups for row in rows if row.name != "student before training"]
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
        "and seeds; the small ticks are single seeds. The shaded bands are the floor (the supervisor's own accuracy) "
        "and the ceiling (the student trained on gold). An arm right of the floor has outgrown its teacher. Squares "
        "are controls; diamonds saw gold labels and show what would be possible, not what a method achieved.",
        alt="Dot plot of test accuracy with 95 % intervals for the supervisor and every arm.",
        svg=to_svg(figure),
        data=_data([row for _, rows in groups for row in rows]),
    )


def draw_recovered(results: Results) -> Drawn | None:
    """Performance gap recovered by every arm that has one; None when it is undefined for all."""
    shown = [arm for arm in results.arms if arm.pgr.defined and arm.method != "strong_ceiling"]
    if not shown:
        return None
    groups = []
    for kind, title in GROUPS:
        groups.append((title, [_recovered_row(arm, arm.pgr) for arm in shown if arm.kind == kind]))
    figure = canvas(9.0, _height(groups))
    axes = figure.subplots()
    _limits(axes, [row for _, rows in groups for row in rows], include=(0.0, 1.0))
    for x, name in ((0.0, "floor"), (1.0, "ceiling")):
        axes.axvline(x, color=MUTED, linewidth=1)
        axes.annotate(
            name, (x, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=MUTED, fontsize=8
        )
    _dots(axes, groups)
    axes.xaxis.set_major_formatter(lambda x, _: share(x, 1) if x not in (0.0, 1.0) else f"{x:g}")
    return Drawn(
        key="pgr",
        title="Performance gap recovered",
        caption="How much of the gap between the supervisor (0) and the student trained on gold (1) each arm "
        "recovers: (student − floor) / (ceiling − floor), a ratio of means over seeds, with its 95 % interval from "
        "10,000 draws of groups and seeds that are the same for all arms. Left of 0 the student is worse than its "
        "teacher.",
        alt="Dot plot of performance gap recovered with 95 % intervals for every arm.",
        svg=to_svg(figure),
        data=_data([row for _, rows in groups for row in rows]),
    )


def _accuracy_row(name: str, kind: str, value: Accuracy) -> _Row:
    text = f"{percent(value.value)}  {interval(value.low, value.high)}"
    return _Row(name, kind, value.value, value.low, value.high, value.per_seed, text)


def _recovered_row(arm: Arm, value: Recovered) -> _Row:
    text = f"{share(value.value)}  {interval(value.low, value.high, 'share')}"
    return _Row(arm.name, arm.kind, value.value, value.low, value.high, (), text)


def _height(groups: Sequence[tuple[str, Sequence[_Row]]]) -> float:
    lines = sum(len(rows) + 0.8 for _, rows in groups if rows)
    return 0.75 + 0.235 * lines


def _limits(axes: Axes, rows: Sequence[_Row], include: tuple[float, ...] = ()) -> None:
    ends = [end for row in rows for end in (row.value, row.low, row.high, *row.per_seed) if not math.isnan(end)]
    ends += include
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    pad = 0.04 * (high - low) or 0.05
    axes.set_xlim(low - pad, high + pad)


def _band(axes: Axes, value: Accuracy, colour: str, name: str) -> None:
    if math.isnan(value.value):
        return
    if not math.isnan(value.low):
        axes.axvspan(value.low, value.high, color=colour, alpha=0.13, linewidth=0)
    axes.axvline(value.value, color=colour, linewidth=1)
    axes.annotate(
        name, (value.value, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=colour, fontsize=8
    )


def _dots(axes: Axes, groups: Sequence[tuple[str, Sequence[_Row]]]) -> None:
    y = 0.0
    ticks: list[float] = []
    left = axes.get_xlim()[0]
    for title, rows in groups:
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
    marker = MARKER_OF.get(row.kind, "o")
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
    face = PAPER if row.kind == "oracle" else colour
    axes.plot([row.value], [y], marker=marker, markersize=5.5, color=colour, markerfacecolor=face, markeredgewidth=1.4)


def _data(rows: Sequence[_Row]) -> pa.Table:
    return pa.table(
        {
            "arm": [row.name for row in rows],
            "kind": [row.kind for row in rows],
            "value": pa.array([row.value for row in rows], pa.float64()),
            "low": pa.array([row.low for row in rows], pa.float64()),
            "high": pa.array([row.high for row in rows], pa.float64()),
            "per_seed": pa.array([list(row.per_seed) for row in rows], pa.list_(pa.float64())),
        }
    )
