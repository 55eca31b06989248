"""What reliability says about labels: accuracy by entropy, the heat map of truth and label, risk and coverage."""

from __future__ import annotations

import math

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from outgrow.reporting.figures.drawn import INK, METHOD, MUTED, ON_COLOUR, ORACLE, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, heading, label, to_svg
from outgrow.reporting.formatting import count, share
from outgrow.reporting.schema import EntropyLevel, Heat, Results
from outgrow.reporting.schema.reliability import RiskCoverage


def draw_by_entropy(results: Results) -> Drawn | None:
    """Right and wrong consensus labels per entropy level, accuracy on top (paper arXiv 2406.19032, figures 3 and 5)."""
    levels = results.reliability.by_entropy if results.reliability else ()
    if not levels:
        return None
    figure = canvas(max(4.5, min(9.0, 1.2 + 0.42 * len(levels))), 3.5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.9))
    _accuracy_by_level(above, levels)
    _bars_by_level(below, levels)
    return Drawn(
        key="by_entropy",
        title="Accuracy and counts by entropy",
        caption="Pool questions, pooled over seeds, by how much the supervisor's answers scatter: entropy 0 means "
        "that every wording got the same answer. Bars count right and wrong consensus labels, the number above a bar "
        "is its accuracy; the dots above show the same accuracy with its 95 % interval. Where dots fall from left to "
        "right, agreement tells right from wrong; wrong labels at entropy 0 are errors that no vote can see.",
        alt="Stacked bars of right and wrong labels per entropy level with accuracy above.",
        svg=to_svg(figure),
        data=pa.table({name: [getattr(level, name) for level in levels] for name in EntropyLevel.model_fields}),
        wide=len(levels) > 8,
    )


def _accuracy_by_level(axes: Axes, levels: tuple[EntropyLevel, ...]) -> None:
    for x, level in enumerate(levels):
        if not math.isnan(level.low):
            axes.plot([x, x], [level.low, level.high], color=METHOD, linewidth=1.8)
    accuracies = [level.accuracy for level in levels]
    axes.plot(range(len(levels)), accuracies, color=METHOD, linewidth=0.8, alpha=0.5)
    axes.plot(range(len(levels)), accuracies, "o", color=METHOD, markersize=4.5)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1.0], ["0", ".5", "1"])
    axes.grid(axis="y")
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    heading(axes, "accuracy of the consensus label")


def _bars_by_level(axes: Axes, levels: tuple[EntropyLevel, ...]) -> None:
    where = range(len(levels))
    right = [level.right for level in levels]
    axes.bar(where, right, color=RIGHT, width=0.74, label="right")
    axes.bar(where, [level.wrong for level in levels], bottom=right, color=WRONG, width=0.74, label="wrong")
    size = 8 if len(levels) <= 14 else 6.5
    for x, level in enumerate(levels):
        top = level.right + level.wrong
        axes.annotate(
            share(level.accuracy),
            (x, top),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=size,
            color=INK,
        )
    axes.set_xticks(list(where), [f"{max(0.0, level.entropy):.2f}" for level in levels], fontsize=size)
    axes.margins(y=0.14)
    axes.yaxis.set_major_formatter(lambda y, _: count(y))
    axes.grid(axis="y")
    axes.set_xlabel("entropy of the answers, nats")
    axes.legend(loc="upper right", ncols=2, handlelength=0.9, handleheight=0.9, borderaxespad=0, columnspacing=1.2)
    heading(axes, "questions")


def draw_heat(results: Results) -> Drawn | None:
    """Mean reliability by truth and label (paper arXiv 2406.19032, figures 4 and 6); None when there are too many."""
    heat = results.reliability.heat if results.reliability else None
    if heat is None or not heat.truth or not heat.label:
        return None
    rows, columns = len(heat.truth), len(heat.label)
    side = 0.62 if max(rows, columns) <= 8 else 0.42 if max(rows, columns) <= 18 else 0.31
    figure = canvas(max(4.5, min(9.2, 1.5 + side * columns)), max(2.6, 1.1 + side * rows))
    axes = figure.subplots()
    _cells(axes, heat, 8.5 if side > 0.5 else 6.5 if side > 0.4 else 5)
    return Drawn(
        key="heat",
        title="Mean reliability by truth and label",
        caption="Rows are the true answer, columns the supervisor's consensus label; each cell is the mean "
        "reliability of its labels, the stronger the colour the higher; blank means that no label fell there. The "
        "outlined diagonal holds the right labels: it should be the strongest of its row and column. A strong cell "
        "off the diagonal is a systematic error that reliability cannot tell from knowledge.",
        alt="Heat map of mean reliability, truth in rows and label in columns.",
        svg=to_svg(figure),
        data=_heat_data(heat),
        wide=columns > 8,
    )


def _cells(axes: Axes, heat: Heat, size: float) -> None:
    limit = 14 if len(heat.truth) <= 18 else 10
    for i, (truth, means, numbers) in enumerate(zip(heat.truth, heat.mean, heat.count, strict=True)):
        for j, (answer, value, n) in enumerate(zip(heat.label, means, numbers, strict=True)):
            if n == 0 or math.isnan(value):
                continue
            strength = min(max(value, 0.0), 1.0)
            axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, color=METHOD, alpha=0.06 + 0.94 * strength**1.5))
            tone = ON_COLOUR if strength > 0.62 else INK
            axes.annotate(share(value), (j, i), ha="center", va="center", fontsize=size, color=tone)
            if truth == answer:
                axes.add_patch(Rectangle((j - 0.48, i - 0.48), 0.96, 0.96, fill=False, edgecolor=ORACLE, linewidth=1.6))
    axes.set_xlim(-0.55, len(heat.label) - 0.45)
    axes.set_ylim(len(heat.truth) - 0.45, -0.55)
    axes.set_aspect("equal")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    crowded = len(heat.label) > 6
    axes.set_xticks(range(len(heat.label)), [label(text, limit) for text in heat.label])
    for tick in axes.get_xticklabels():
        tick.set(rotation=45 if crowded else 0, ha="left" if crowded else "center", rotation_mode="anchor", color=INK)
    axes.set_yticks(range(len(heat.truth)), [label(text, limit) for text in heat.truth])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("label →", loc="left")
    axes.xaxis.set_label_position("bottom")
    axes.set_title("truth ↓", loc="left", color=MUTED, x=-0.01, ha="right", pad=6)


def _heat_data(heat: Heat) -> pa.Table:
    rows = (
        (truth, answer, mean, labels)
        for truth, means, counts in zip(heat.truth, heat.mean, heat.count, strict=True)
        for answer, mean, labels in zip(heat.label, means, counts, strict=True)
    )
    return data_table(("truth", "label", "mean_reliability", "labels"), rows)


def draw_risk_coverage(results: Results) -> Drawn | None:
    """Share of wrong labels among the most reliable ones, against how many of them are kept."""
    quality = results.reliability
    if quality is None or not quality.risk_coverage.coverage:
        return None
    curve = quality.risk_coverage
    figure = canvas(4.5, 3.5)
    axes = figure.subplots()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max([*curve.risk, curve.random, 0.05]) * 1.32)
    if curve.oracle:
        axes.plot(
            curve.coverage, curve.oracle, color=ORACLE, linewidth=1.3, linestyle=(0, (4, 2)), label="oracle order"
        )
    if not math.isnan(curve.random):
        axes.plot([0, 1], [curve.random] * 2, color=MUTED, linewidth=1.1, linestyle=(0, (1, 2)), label="random order")
    axes.plot(curve.coverage, curve.risk, color=METHOD, linewidth=2, label="by reliability")
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g}")
    axes.grid()
    axes.set_xlabel("coverage: share of labels kept, most reliable first, %")
    axes.legend(loc="upper left", borderaxespad=0.2)
    heading(axes, "wrong labels among those kept, %")
    area = "" if math.isnan(quality.aurc) else f" The area under the solid line (AURC) is {share(quality.aurc, 3)}."
    return Drawn(
        key="risk_coverage",
        title="Risk and coverage",
        caption="Keep only the most reliable share of the labels (x): what share of them is wrong (y)? The dotted line "
        "keeps at random, the dashed one puts every right label first; a useful reliability lies well below the dotted "
        f"line on the left, where filtering works.{area}",
        alt="Line chart of selective risk against coverage, for reliability, an oracle and random order.",
        svg=to_svg(figure),
        data=_risk_data(curve),
        wide=False,
    )


def _risk_data(curve: RiskCoverage) -> pa.Table:
    columns = {"coverage": curve.coverage, "risk": curve.risk, "oracle": curve.oracle}
    drawn = {name: list(values) for name, values in columns.items() if values}
    return pa.table({**drawn, "random": [curve.random] * len(curve.coverage)})
