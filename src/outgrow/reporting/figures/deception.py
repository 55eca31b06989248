"""Deception scores beside chance and placebo, where the tax falls, and what the threshold does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outgrow.reporting.figures.drawn import CONTROL, INK, LINE, METHOD, MUTED, ORACLE, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, heading, in_shares, label, panels_in_rows, to_svg
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


def draw_deception_growth(results: Results) -> Drawn | None:
    """Sure contradictions of an unsure supervisor along the training; None where checkpoints were not asked."""
    facts = results.deception
    if facts is None or not any(seeds for seeds in facts.growth.values()):
        return None
    figure = canvas(5.2, 3.2)
    axes = figure.subplots()
    rows = []
    for (arm, seeds), colour in zip(facts.growth.items(), LINES * len(facts.growth), strict=False):
        style = "--" if arm == facts.placebo else "-"
        for place, points in enumerate(seeds):
            axes.plot([x for x, _ in points], [y for _, y in points], color=colour, linestyle=style, linewidth=1.1,
                      label=label(arm, 26) if place == 0 else None)  # fmt: skip
            rows += [(arm, place, *point) for point in points]
    in_shares(axes.yaxis)
    axes.set_xlabel("optimiser step", fontsize=8)
    heading(axes, "sure contradictions of an unsure supervisor, share of validation questions")
    axes.legend(fontsize=6.5)
    return Drawn(
        key="deception_growth",
        title="Detection without gold",
        caption="Validation questions on which a student that is sure (.75 or more) contradicts a supervisor that is "
        "not, along the training, a line per seed; no gold is needed to see them. A conflict that shows itself here "
        "grows faster than the placebo (dashed) and than training without conflict.",
        alt="Lines of confident disagreement over optimiser steps for every arm.",
        svg=to_svg(figure), data=data_table(("arm", "seed", "step", "share"), rows), wide=False,
    )  # fmt: skip


def draw_deception_cells(cells: Sequence[Results]) -> Drawn | None:
    """Scores over all cells by the gap between supervisor and ceiling; None where they were not measured."""
    found = [(cell, cell.deception) for cell in cells if cell.deception is not None and cell.deception.arms]
    if not found:
        return None
    found.sort(key=lambda each: _gap(each[0]))
    placebo = found[0][1].placebo
    names = [each.arm for each in found[0][1].arms if each.arm != placebo]
    figure, panels = panels_in_rows(len(names))
    rows = []
    for name, axes in zip(names, panels, strict=True):
        for x, (cell, facts) in enumerate(found):
            by = {each.arm: each for each in facts.arms}
            for arm, shift, marker, colour in ((name, -0.12, "o", METHOD), (placebo, 0.12, "s", CONTROL)):
                each = by.get(arm or "")
                if each is None:
                    continue
                chance = math.nan if each.chance_right is None else each.chance_right.value
                axes.plot([x + shift - 0.1, x + shift + 0.1], [chance, chance], color=INK, linewidth=1.1)
                score = math.nan
                if each.score is not None:
                    score = each.score.value
                    axes.plot([x + shift] * 2, [each.score.low, each.score.high], color=colour, linewidth=1.2)
                    axes.plot([x + shift], [score], marker=marker, markersize=4, color=colour, linestyle="none")
                if arm == name:
                    rows.append((name, cell.supervisor.name, cell.student.name, _gap(cell), score, chance))
        axes.set_title(label(name, 34), fontsize=9)
        ticks = [f"{cell.supervisor.name}\n{cell.student.name}\n{100 * _gap(cell):.0f}" for cell, _ in found]
        axes.set_xticks(range(len(found)), ticks, fontsize=7)
        axes.set_xlim(-0.5, len(found) - 0.5)
        in_shares(axes.yaxis)
        axes.grid(axis="y")
    panels[0].set_ylabel("deception score", fontsize=8)
    return Drawn(
        key="deception_cells",
        title="Deception by gap of capability",
        caption="Score of every conflict (dots) and of the placebo (squares) with 95 % intervals; lines: the share of "
        "such questions among those that were right without conflict. Under each pair: supervisor, student, and by how "
        "many points the strong model trained on gold is ahead of the supervisor.",
        alt="A panel per conflict: deception scores over pairs of supervisor and student, beside the placebo.",
        svg=to_svg(figure), data=data_table(("arm", "supervisor", "student", "gap", "score", "chance_right"), rows),
    )  # fmt: skip


def _gap(cell: Results) -> float:
    strong = "" if cell.deception is None else cell.deception.strong
    ahead = [arm.accuracy.value for arm in cell.arms if arm.name == strong]
    return ahead[0] - cell.supervisor.floor.value if ahead else math.nan
