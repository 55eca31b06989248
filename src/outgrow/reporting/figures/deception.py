"""Deception scores beside chance and placebo, where the tax falls, and what the threshold does."""

from __future__ import annotations

import math

from outgrow.reporting.figures.drawn import CONTROL, INK, LINE, METHOD, MUTED, ORACLE, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, heading, in_shares, label, to_svg
from outgrow.reporting.schema import Results

COLOURS = (RIGHT, WRONG, ORACLE, CONTROL)
LINES = (METHOD, WRONG, ORACLE, RIGHT, INK, CONTROL)


def draw_deception(results: Results) -> Drawn | None:
    """Score of every arm with its references, and its tax by region; None where it was not measured."""
    facts = results.deception
    if facts is None or not facts.arms:
        return None
    figure = canvas(9.0, 1.2 + 0.36 * len(facts.arms))
    left, right = figure.subplots(1, 2, sharey=True)
    rows = []
    for y, each in enumerate(facts.arms):
        left.axhline(y, color=LINE, linewidth=0.5, zorder=0)
        if each.score is not None:
            left.plot([each.score.low, each.score.high], [y, y], color=METHOD, linewidth=1.2)
            left.plot([each.score.value], [y], marker="s" if each.arm == facts.placebo else "o", color=METHOD)
        for reference, style in ((each.chance, ":"), (each.chance_right, "-")):
            if reference is not None:
                left.plot([reference.value] * 2, [y - 0.3, y + 0.3], color=INK, linewidth=1.1, linestyle=style)
        start, total = 0.0, sum(region.tax for region in each.regions)
        for region, colour in zip(each.regions, COLOURS, strict=False):
            width = region.tax / total if total else 0.0
            right.barh(y, width, left=start, color=colour, alpha=0.75, height=0.6,
                       label=region.name if y == 0 else None)  # fmt: skip
            start += width
        score = math.nan if each.score is None else each.score.value
        chances = [each.chance.value, math.nan if each.chance_right is None else each.chance_right.value]
        rows.append((each.arm, each.without, score, *chances, *(region.tax for region in each.regions)))
    left.set_yticks(range(len(facts.arms)), [label(each.arm, 30) for each in facts.arms])
    left.set_ylim(len(facts.arms) - 0.4, -0.6)
    left.set_xlim(left=0)
    for axes in (left, right):
        in_shares(axes.xaxis)
    heading(left, "deception score")
    heading(right, "share of the tax")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=4, fontsize=7)
    names = ("arm", "without", "score", "chance", "chance_right", *(r.name for r in facts.arms[0].regions))
    return Drawn(
        key="deception",
        title="Where a conflict is given way to",
        caption="Left: share of what a student with a conflict loses that the strong model knows and the weak one does "
        "not, with 95 % intervals; a square marks the placebo, a second student without conflict. Lines: the share of "
        "such questions among all (dotted), and among those that were right (solid). The score says something where it "
        "is above both and above the placebo. Right: the same losses by who knows the "
        f"question, at a calibrated probability of {facts.threshold:g}.",
        alt="Dot plot of deception scores with chance lines, and stacked bars of losses by region.",
        svg=to_svg(figure), data=data_table(names, rows),
    )  # fmt: skip


def draw_deception_curve(results: Results) -> Drawn | None:
    """Score against the threshold from which something counts as known; None where it was not measured."""
    facts = results.deception
    if facts is None or not facts.arms:
        return None
    figure = canvas(5.2, 3.2)
    axes = figure.subplots()
    rows = []
    for each, colour in zip(facts.arms, LINES, strict=False):
        xs = [point[0] for point in each.curve]
        axes.plot(xs, [point[1] for point in each.curve], color=colour, label=label(each.arm, 26))
        axes.plot(xs, [point[2] for point in each.curve], color=colour, linestyle=":", linewidth=0.9)
        rows += [(each.arm, *point) for point in each.curve]
    axes.axvline(facts.threshold, color=MUTED, linewidth=0.8)
    in_shares(axes.yaxis)
    axes.set_xlabel("probability from which a question counts as known", fontsize=8)
    heading(axes, "deception score")
    axes.legend(fontsize=6.5)
    return Drawn(
        key="deception_curve",
        title="Deception score by threshold",
        caption="Dotted: the share of such questions among those that were right without conflict. A finding that "
        "holds at one threshold alone is none.",
        alt="Lines of deception scores and their chance references over thresholds.",
        svg=to_svg(figure), data=data_table(("arm", "threshold", "score", "chance_right"), rows), wide=False,
    )  # fmt: skip
