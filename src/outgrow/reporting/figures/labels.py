"""Which labels were trained on: the mix before and after selection."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyarrow as pa
from matplotlib.axes import Axes

from outgrow.reporting.figures.drawn import LINE, METHOD, MUTED, PAPER, Drawn, data_table
from outgrow.reporting.figures.style import canvas, label, to_svg
from outgrow.reporting.figures.training import panel_title
from outgrow.reporting.schema import Arm, Results


def draw_label_mix(results: Results) -> Drawn | None:
    """Label mix before and after selection, for the arms that change it (at most six, largest change first)."""
    changed = sorted((arm for arm in results.arms if arm.label_shift > 1e-9), key=lambda arm: -arm.label_shift)[:6]
    if not changed:
        return None
    values = _common_values(changed)
    figure = canvas(9.0, 0.7 + math.ceil(len(changed) / 3) * (0.35 + 0.19 * len(values)))
    columns = min(3, len(changed))
    grid = figure.subplots(math.ceil(len(changed) / columns), columns, sharex=True, sharey=True, squeeze=False)
    flat = [axes for line in grid for axes in line]
    for axes, arm in zip(flat, changed, strict=False):
        _dumbbells(axes, arm, values)
    for axes in flat[len(changed) :]:
        axes.set_axis_off()
    return Drawn(
        key="label_mix",
        title="Label mix before and after selection",
        caption="Share (%) of each label among all labelled questions (hollow) and among those that were trained on "
        "(filled), mean over seeds, for the arms that change the mix most; at most twelve labels are drawn, the CSV "
        "has them all. Long lines mean that selection prefers some answers, not only surer ones.",
        alt="Dumbbell chart of label shares before and after selection.",
        svg=to_svg(figure),
        data=_mix_data(results.arms),
    )


def _common_values(arms: Sequence[Arm], limit: int = 12) -> list[str]:
    totals: dict[str, float] = {}
    for arm in arms:
        for mix in (arm.label_mix.before, arm.label_mix.after) if arm.label_mix else ():
            for value, part in mix.items():
                totals[value] = max(totals.get(value, 0.0), 0.0 if math.isnan(part) else part)
    return sorted(totals, key=lambda value: (-totals[value], value))[:limit]


def _dumbbells(axes: Axes, arm: Arm, values: Sequence[str]) -> None:
    assert arm.label_mix is not None
    for y, value in enumerate(values):
        before, after = arm.label_mix.before.get(value, 0.0), arm.label_mix.after.get(value, 0.0)
        axes.axhline(y, color=LINE, linewidth=0.5, zorder=0)
        axes.plot([before, after], [y, y], color=METHOD, linewidth=1.6, alpha=0.6)
        axes.plot([before], [y], "o", markersize=4.5, color=MUTED, markerfacecolor=PAPER)
        axes.plot([after], [y], "o", markersize=4.5, color=METHOD)
    axes.set_yticks(range(len(values)), [label(value, 20) for value in values])
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.3g}")
    axes.tick_params(labelsize=7.5, labelbottom=True)
    axes.grid(axis="x")
    panel_title(axes, arm)


def _mix_data(arms: Sequence[Arm]) -> pa.Table:
    rows = (
        (arm.name, value, arm.label_mix.before.get(value, 0.0), arm.label_mix.after.get(value, 0.0))
        for arm in arms
        if arm.label_mix is not None
        for value in sorted({*arm.label_mix.before, *arm.label_mix.after})
    )
    return data_table(("arm", "label", "before", "after"), rows)
