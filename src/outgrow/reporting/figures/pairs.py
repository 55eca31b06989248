"""What came of pairs: gain by whose answers were chosen over whose, by theory, and along the way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from outgrow.reporting.figures.drawn import COLOUR_OF, INK, METHOD, MUTED, PAPER, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, dot, heading, label, to_svg
from outgrow.reporting.formatting import bounds, mean, points, share
from outgrow.reporting.schema import Arm, PairSet, Results

LEAST = 3
"""Pair sets that make a ladder or a scatter."""
MOST = 12
"""Arms whose ways are drawn."""


def pair_arms(results: Results) -> list[tuple[Arm, PairSet]]:
    """The arms that trained on pairs."""
    return [(arm, arm.pairs) for arm in results.arms if arm.pairs is not None]


def draw_pair_ladder(results: Results) -> Drawn | None:
    """Gain by chosen and rejected source, of methods; None with fewer than three pair sets."""
    gains: dict[tuple[str, str], Arm] = {}
    for arm, pairs in pair_arms(results):
        if arm.kind == "method" and pairs.chosen and pairs.rejected:
            gains.setdefault((pairs.chosen, pairs.rejected), arm)
    if len(gains) < LEAST:
        return None
    order = _in_order([side for pair in gains for side in pair])
    rejected = [name for name in order if any(name == pair[1] for pair in gains)]
    chosen = [name for name in order if any(name == pair[0] for pair in gains)]
    figure = canvas(1.6 + 1.15 * len(rejected), 1.0 + 0.6 * len(chosen))
    axes = figure.subplots()
    most = max(abs(arm.gain.value) for arm in gains.values()) or 1.0
    for (one, other), arm in gains.items():
        x, y, gain = rejected.index(other), chosen.index(one), arm.gain
        colour = RIGHT if gain.value > 0 else WRONG
        axes.fill([x - 0.48, x + 0.48, x + 0.48, x - 0.48], [y - 0.46, y - 0.46, y + 0.46, y + 0.46], color=colour,
                  alpha=0.08 + 0.42 * abs(gain.value) / most)  # fmt: skip
        axes.text(x, y, points(gain.value), ha="center", va="bottom", fontsize=9, color=INK)
        axes.text(x, y - 0.06, bounds(gain, "points"), ha="center", va="top", fontsize=6.5, color=MUTED)
    axes.set_xticks(range(len(rejected)), [label(name, 16) for name in rejected])
    axes.set_yticks(range(len(chosen)), [label(name, 16) for name in chosen])
    axes.set_xlim(-0.5, len(rejected) - 0.5)
    axes.set_ylim(-0.5, len(chosen) - 0.5)
    axes.set_xlabel("rejected answers of")
    heading(axes, "chosen answers of")
    rows = [(one, other, arm.gain.value, arm.gain.low, arm.gain.high) for (one, other), arm in gains.items()]
    return Drawn(
        key="pair_ladder",
        title="Gain by whose answers were chosen over whose",
        caption="Accuracy minus that of the student before training, in points, with 95 % intervals; one set of "
        "settings for all. The student's own answers stand under its name.",
        alt="Table of gains by chosen and rejected source.",
        svg=to_svg(figure), data=data_table(("chosen", "rejected", "gain", "low", "high"), rows), wide=False,
    )  # fmt: skip


def draw_pair_theory(results: Results) -> Drawn | None:
    """Gain against the slope of equation 6; None with fewer than three pair sets of which it is known."""
    found = [(arm, mean(pairs.slope)) for arm, pairs in pair_arms(results) if arm.method != "shuffled_pairs"]
    found = [(arm, slope) for arm, slope in found if not math.isnan(slope + arm.gain.value)]
    methods = [(arm, slope) for arm, slope in found if arm.kind == "method"]
    if len(methods) < LEAST:
        return None
    rho = rank_correlation([slope for _, slope in methods], [arm.gain.value for arm, _ in methods])
    figure = canvas(5.2, 3.4)
    axes = figure.subplots()
    for value in (axes.axhline, axes.axvline):
        value(0, color=MUTED, linewidth=0.8)
    height = 100 * (max(arm.gain.high for arm, _ in found) - min(arm.gain.low for arm, _ in found))
    width, placed = max(slope for _, slope in found) - min(slope for _, slope in found), list[tuple[float, float]]()
    for arm, slope in sorted(found, key=lambda each: each[0].gain.value):
        axes.plot([slope, slope], [100 * arm.gain.low, 100 * arm.gain.high], color=COLOUR_OF[arm.kind], linewidth=0.9)
        dot(axes, slope, 100 * arm.gain.value, arm.kind, markersize=5, linestyle="")
        y = 100 * arm.gain.value
        while any(abs(y - other) < 0.05 * height and abs(slope - x) < 0.3 * width for x, other in placed):
            y += 0.01 * height  # a name goes above those it would be written over
        placed.append((slope, y))
        axes.annotate(label(arm.name, 26), (slope, y), xytext=(5, 3), textcoords="offset points",
                      fontsize=6.5, color=MUTED, annotation_clip=False)  # fmt: skip
    axes.margins(x=0.2)
    axes.set_xlabel("slope that equation 6 expects")
    heading(axes, "gain, points")
    rows = [(arm.name, arm.kind, slope, arm.gain.value, arm.gain.low, arm.gain.high) for arm, slope in found]
    return Drawn(
        key="pair_theory",
        title="Gain against what the theory of differences expects",
        caption=f"Each mark is a set of pairs. Slope: what the better source has over the worse one, less what the "
        f"student has in common with the one rather than the other. Rank correlation over the {len(methods)} sets of "
        f"methods: {share(rho)}. Sets share models and questions, so they are not independent.",
        alt="Scatter of gain against the slope of equation 6.",
        svg=to_svg(figure), data=data_table(("arm", "kind", "slope", "gain", "low", "high"), rows), wide=False,
    )  # fmt: skip


def draw_pair_monitors(results: Results) -> Drawn | None:
    """What both answers gained, and the distance from the reference, step by step; None without a reference."""
    arms = [arm for arm, _ in pair_arms(results) if arm.curves and "gain_chosen" in arm.curves[0].shown][:MOST]
    if not arms:
        return None
    figure = canvas(9.0, 0.5 + 1.5 * math.ceil(len(arms) / 4))
    grid = figure.subplots(math.ceil(len(arms) / 4), 4, sharex=True, sharey=True, squeeze=False).flatten()
    rows = []
    for axes, arm in zip(grid, arms, strict=False):
        axes.axhline(0, color=MUTED, linewidth=0.6)
        for curve in arm.curves:
            for name, colour in (("gain_chosen", RIGHT), ("gain_rejected", WRONG), ("kl", METHOD)):
                line = curve.shown.get(name, ())
                if line:
                    axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.9)
                rows += [(arm.name, curve.seed, name, step, value) for step, value in line]
        axes.set_title(label(arm.name, 24), loc="left", fontsize=7.5, color=INK)
    for axes in grid[len(arms) :]:
        axes.set_axis_off()
    for text, colour, x in (("chosen", RIGHT, 0.02), ("rejected", WRONG, 0.3), ("divergence", METHOD, 0.6)):
        grid[0].text(x, 0.04, text, transform=grid[0].transAxes, fontsize=6.5, color=colour,
                     bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
    figure.supxlabel("step", fontsize=8, color=MUTED)
    return Drawn(
        key="pair_monitors",
        title="Both answers, and the distance from the start",
        caption="Nats that chosen and rejected answers have gained against the reference, means over the pairs of each "
        "step, and the divergence of checkpoints from it on validation questions; a line per seed. A margin grows even "
        "where both answers become less probable.",
        alt="Lines of gains and divergence over steps, one panel per arm.",
        svg=to_svg(figure), data=data_table(("arm", "seed", "what", "step", "value"), rows),
    )  # fmt: skip


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Spearman's: the correlation of ranks, those of equals averaged; NaN where all are equal."""
    from scipy import stats

    if len(set(one)) < 2 or len(set(other)) < 2:
        return math.nan
    return float(stats.spearmanr(one, other).statistic)


def _in_order(names: Sequence[str]) -> list[str]:
    """Each name once: those that are only rejected first, those that are only chosen last, as sizes go up."""
    chosen, rejected = names[::2], names[1::2]
    unique = list(dict.fromkeys(names))
    return sorted(unique, key=lambda name: (chosen.count(name) - rejected.count(name), unique.index(name)))
