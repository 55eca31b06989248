"""Arms that answer one question together, as bars: where to stop, what probes read, which errors are left behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from outgrow.reporting.figures.drawn import COLOUR_OF, INK, MUTED, RIGHT, WRONG, Drawn, data_table
from outgrow.reporting.figures.style import canvas, in_shares, label, to_svg
from outgrow.reporting.formatting import bounds, percent, share
from outgrow.reporting.schema import Arm, Estimate, Results


@dataclass(frozen=True)
class Family:
    """Arms that are shown side by side, in the order of their methods.

    Attributes:
        key: of the figure.
        title: of the figure.
        caption: what it shows.
        methods: of the arms, with a setting `by` behind a colon if it matters; at least two arms make a figure.
        needed: one of these has to be among them.
        recovered: PGR, else accuracy.
    """

    key: str
    title: str
    caption: str
    methods: tuple[str, ...]
    needed: tuple[str, ...]
    recovered: bool


FAMILIES = (
    Family(
        "stopping",
        "Early stopping",
        "The same training, kept at the checkpoint that agrees best with the supervisor's labels of the validation "
        "questions, with nearest class means, with gold (an oracle), or at its last. Naive training stops as the "
        "recipe says: by weak labels where there are several checkpoints.",
        ("naive", "early_stopping", "early_stopping_gold"),
        ("early_stopping", "early_stopping_gold"),
        recovered=True,
    ),
    Family(
        "probes",
        "What probes read",
        "Test accuracy of linear probes of the untrained student on weak labels and on gold, of the student trained "
        "on weak labels, of a probe on gold of that student, and of the student trained on gold: how much of what the "
        "student knows its weak labels have made easy to read.",
        ("linear_probe", "linear_probe_gold", "naive", "finetuned_probe_gold", "strong_ceiling"),
        ("linear_probe", "linear_probe_gold", "finetuned_probe_gold"),
        recovered=False,
    ),
    Family(
        "error_structure",
        "Recovered by the structure of errors",
        "Labels with as many errors as the supervisor makes: its own, or gold that was changed at random, on the "
        "longest or shortest questions, on those that are hardest for the student, or as a rule of letters errs. "
        "Students of changed labels keep their last checkpoint, as early_stopping by=last does; naive training may "
        "have stopped before.",
        ("naive", "early_stopping:last", "error_structure"),
        ("error_structure",),
        recovered=True,
    ),
)


def draw_family(results: Results, family: Family) -> Drawn | None:
    """The arms of a family as bars with intervals; None with fewer than two of them."""
    arms = [
        arm
        for method in family.methods
        for arm in results.arms
        if method in (arm.method, f"{arm.method}:{arm.config.get('by')}")
    ]
    read: Callable[[Arm], Estimate] = (lambda arm: arm.pgr) if family.recovered else (lambda arm: arm.accuracy)
    arms = [arm for arm in arms if not math.isnan(read(arm).value)]
    if len(arms) < 2 or not any(arm.method in family.needed for arm in arms):
        return None
    figure = canvas(9.0, 0.7 + 0.36 * len(arms))
    axes = figure.subplots()
    for y, arm in enumerate(arms):
        estimate = read(arm)
        axes.barh([y], [estimate.value], height=0.62, color=COLOUR_OF.get(arm.kind, INK), alpha=0.75)
        if not math.isnan(estimate.low):
            axes.plot([estimate.low, estimate.high], [y, y], color=INK, linewidth=1.2)
        form = share(estimate.value) if family.recovered else percent(estimate.value)
        text = f"{form}  {bounds(estimate, 'share') if family.recovered else bounds(estimate)}".rstrip()
        axes.annotate(text, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(range(len(arms)), [label(arm.name, 36) for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.axvline(0.0, color=MUTED, linewidth=0.8)
    if family.recovered:
        axes.axvline(1.0, color=MUTED, linewidth=0.8)
        in_shares(axes.xaxis)
    else:
        axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g}")
    axes.set_xlabel("PGR" if family.recovered else "test accuracy, %", loc="right", fontsize=8)
    axes.grid(axis="x")
    rows = ((arm.name, arm.method, read(arm).value, read(arm).low, read(arm).high) for arm in arms)
    return Drawn(
        key=family.key, title=family.title, caption=family.caption, svg=to_svg(figure),
        alt=f"{family.title}: a bar for each of {len(arms)} arms.",
        data=data_table(("arm", "method", "value", "low", "high"), rows),
    )  # fmt: skip


def draw_agreement(results: Results) -> Drawn | None:
    """How often a student says what its supervisor says: on all questions, where it is right, and where it is wrong."""
    arms = [arm for arm in results.arms if not math.isnan(arm.agreement.overall)]
    if not arms:
        return None
    parts = (("all questions", INK, "overall"), ("supervisor right", RIGHT, "when_right"),
             ("supervisor wrong", WRONG, "when_wrong"))  # fmt: skip
    figure = canvas(9.0, 0.9 + 0.27 * len(arms))
    axes = figure.subplots()
    for name, colour, part in parts:
        xs = [getattr(arm.agreement, part) for arm in arms]
        axes.plot(xs, range(len(arms)), linestyle="", marker="o", markersize=5, color=colour, label=name)
    axes.set_yticks(range(len(arms)), [label(arm.name, 36) for arm in arms])
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:g}")
    axes.set_xlabel("says what the supervisor says, %", loc="right", fontsize=8)
    axes.grid(axis="both")
    axes.legend(fontsize=7, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    rows = ((arm.name, *(getattr(arm.agreement, part) for _, _, part in parts)) for arm in arms)
    return Drawn(
        key="agreement",
        title="Agreement with the supervisor",
        caption="Share of test questions on which the student gives the supervisor's answer. A student that outgrows "
        "its supervisor agrees where the supervisor is right and not where it is wrong.",
        alt="Dots for agreement on all questions, where the supervisor is right and where it is wrong, for every arm.",
        svg=to_svg(figure),
        data=data_table(("arm", *(part for _, _, part in parts)), rows),
    )
