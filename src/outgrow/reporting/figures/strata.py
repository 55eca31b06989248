"""Accuracy of every arm on each kind of question."""

from __future__ import annotations

import math

import pyarrow as pa
from matplotlib.axes import Axes

from outgrow.reporting.figures.drawn import CONTROL, INK, LINE, MUTED, Drawn, data_table
from outgrow.reporting.figures.style import canvas, dot, label, to_svg
from outgrow.reporting.formatting import count, percent
from outgrow.reporting.schema import Results, Stratum

MOST = 6  # more kinds of questions than this are for the table


def draw_strata(results: Results) -> Drawn | None:
    """One panel per kind of question, one dot per arm; None for fewer than two kinds or more than six."""
    strata = results.strata
    if not 2 <= len(strata) <= MOST or not results.arms:
        return None
    figure = canvas(9.0, 0.75 + 0.215 * len(results.arms))
    grid = figure.subplots(1, len(strata), sharex=True, sharey=True, squeeze=False)[0]
    for axes, stratum in zip(grid, strata, strict=True):
        _panel(axes, results, stratum)
    grid[0].set_yticks(range(len(results.arms)), [label(arm.name, 32) for arm in results.arms])
    grid[0].set_ylim(len(results.arms) - 0.4, -0.6)
    grid[0].set_xlim(-0.03, 1.06)
    figure.supxlabel("test accuracy, %", fontsize=8, color=MUTED)
    return Drawn(
        key="strata",
        title="Accuracy by kind of question",
        caption="The same arms on each kind of test question. The vertical line is the supervisor's own accuracy on "
        "that kind: a dot on the line has copied the teacher, a dot to its right has outgrown it. Errors that scatter "
        "can be outgrown; where the supervisor is wrong consistently, expect dots near or left of the line.",
        alt="Dot plot of test accuracy per arm, one panel per kind of question.",
        svg=to_svg(figure),
        data=_data(results),
    )


def _panel(axes: Axes, results: Results, stratum: Stratum) -> None:
    if not math.isnan(stratum.floor):
        axes.axvline(stratum.floor, color=CONTROL, linewidth=1.2)
    for y, arm in enumerate(results.arms):
        axes.axhline(y, color=LINE, linewidth=0.5, zorder=0)
        value = stratum.arms.get(arm.name, math.nan)
        if math.isnan(value):
            continue
        dot(axes, value, y, arm.kind, markersize=5, linestyle="")
        inside = value > 0.75
        axes.annotate(
            percent(value, 0),
            (value, y),
            xytext=(-6 if inside else 6, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            va="center",
            fontsize=7,
            color=MUTED,
        )
    axes.set_xticks([0, 0.5, 1.0], ["0", "50", "100"])
    axes.grid(axis="x")
    name = label(stratum.stratum, 90 // len(results.strata))
    axes.set_title(f"{name}\n{count(stratum.questions)} questions", loc="left", fontsize=8, color=INK, pad=5)


def _data(results: Results) -> pa.Table:
    rows = (
        (kind.stratum, kind.questions, kind.floor, arm.name, kind.arms.get(arm.name, math.nan))
        for kind in results.strata
        for arm in results.arms
    )
    return data_table(("stratum", "questions", "supervisor", "arm", "accuracy"), rows)
