"""What happened while the arms were trained: loss, and validation agreement at each checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from outgrow.reporting.figures.drawn import COLOUR_OF, INK, MUTED, PAPER, Drawn, data_table
from outgrow.reporting.figures.style import canvas, label, to_svg
from outgrow.reporting.formatting import mean
from outgrow.reporting.schema import Arm, Curve, Results

BINS = 60  # loss points drawn per seed; the CSV holds the same means
Series = tuple[tuple[int, float], ...]


def draw_loss(results: Results) -> Drawn | None:
    """Training loss of every arm, one panel each."""
    arms = [arm for arm in results.arms if any(curve.loss for curve in arm.curves)]
    if not arms:
        return None
    figure, grid = _panels(len(arms))
    reference = results.arm_of("naive")
    for axes, arm in zip(grid, arms, strict=False):
        if reference is not None and arm is not reference:
            _line(axes, _over_seeds(reference.curves), MUTED, 1.0, 0.6)
        for curve in arm.curves:
            _line(axes, thin(curve.loss), COLOUR_OF[arm.kind], 1.2, 0.8)
        panel_title(axes, arm)
    highest = max(
        value for arm in arms for curve in arm.curves for _, value in thin(curve.loss) if not math.isnan(value)
    )
    grid[0].set_ylim(0, highest * 1.05)
    return Drawn(
        key="loss",
        title="Training loss",
        caption="One panel per arm, one line per seed; each point is the mean loss of a stretch of steps (at most "
        f"{BINS} stretches). The grey line repeats naive training, mean over seeds. All arms take the same number of "
        "steps, so a smaller or cleaner training set shows as a lower curve, which alone says nothing about test "
        "accuracy.",
        alt="Small line charts of training loss per step, one per arm.",
        svg=to_svg(figure),
        data=_series_data(arms, lambda curve: thin(curve.loss), "loss"),
    )


def draw_validation(results: Results) -> Drawn | None:
    """Agreement with the supervisor on validation at each checkpoint, and the checkpoint that was chosen."""
    arms = [arm for arm in results.arms if any(curve.validation for curve in arm.curves)]
    if not arms:
        return None
    figure, grid = _panels(len(arms))
    for axes, arm in zip(grid, arms, strict=False):
        chosen = dict(zip(results.seeds, arm.chosen_step, strict=False))
        colour = COLOUR_OF[arm.kind]
        for curve in arm.curves:
            _line(axes, curve.validation, colour, 1.2, 0.6)
        for kept, face in ((False, PAPER), (True, colour)):
            points = [
                point
                for curve in arm.curves
                for point in curve.validation
                if (point[0] == chosen.get(curve.seed)) == kept
            ]
            axes.plot(*_xy(points), "o", markersize=3.6, color=colour, markerfacecolor=face, markeredgewidth=1.0)
        panel_title(axes, arm)
        axes.margins(x=0.08, y=0.1)
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f}")
    return Drawn(
        key="validation",
        title="Validation agreement",
        caption="Share of validation questions (%) on which the student says what its checkpoint is chosen by: the "
        "supervisor's answers, for the ceiling gold. One line per seed, one dot per checkpoint, the filled dot is the "
        "one that was kept. Falling lines are students that leave their teacher behind late in training, or forget.",
        alt="Small line charts of validation agreement per checkpoint, one per arm.",
        svg=to_svg(figure),
        data=_series_data(arms, lambda curve: curve.validation, "agreement"),
    )


def thin(series: Series, bins: int = BINS) -> Series:
    """At most `bins` points: the mean step and mean value of equal stretches, so that a long run stays readable."""
    if len(series) <= bins:
        return series
    edges = [round(i * len(series) / bins) for i in range(bins + 1)]
    parts = [series[start:end] for start, end in pairwise(edges)]
    return tuple((round(mean([float(step) for step, _ in part])), mean([value for _, value in part])) for part in parts)


def _over_seeds(curves: Sequence[Curve]) -> Series:
    """The mean over seeds of the thinned loss, as far as every seed goes."""
    thinned = [thin(curve.loss) for curve in curves if curve.loss]
    return tuple((points[0][0], mean([value for _, value in points])) for points in zip(*thinned, strict=False))


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    columns = min(4, n)
    rows = math.ceil(n / columns)
    width, height = 9.0 if columns > 2 else 2.9 * columns, 0.45 + 1.5 * rows
    figure = canvas(width, height, fitted=False)  # the panels are alike: placing them by hand saves seconds
    figure.subplots_adjust(
        left=0.42 / width, right=1 - 0.08 / width, top=1 - 0.24 / height, bottom=0.48 / height, wspace=0.09, hspace=0.48
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    flat = [axes for line in grid for axes in line]
    for axes in flat:
        axes.grid(axis="y")
        axes.tick_params(labelsize=7.5, labelbottom=True)
    for axes in flat[n:]:
        axes.set_axis_off()
    figure.text(0.5, 0.06 / height, "step", fontsize=8, color=MUTED, ha="center")
    return figure, flat


def _line(axes: Axes, series: Series, colour: str, width: float, alpha: float) -> None:
    axes.plot(*_xy(series), color=colour, linewidth=width, alpha=alpha)


def _xy(points: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in points], [value for _, value in points]


def panel_title(axes: Axes, arm: Arm) -> None:
    """The arm's name above its panel."""
    axes.set_title(label(arm.name, 27), loc="left", fontsize=8, color=INK, pad=4)


def _series_data(arms: Sequence[Arm], of: Callable[[Curve], Series], name: str) -> pa.Table:
    rows = ((arm.name, curve.seed, *point) for arm in arms for curve in arm.curves for point in of(curve))
    return data_table(("arm", "seed", "step", name), rows)
