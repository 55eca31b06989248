"""The tables of what came out: arms, comparisons, kinds of questions, label quality."""

from __future__ import annotations

import math

from outgrow.reporting.formatting import (
    NO_DATA,
    count,
    interval,
    mean,
    p_value,
    percent,
    plural,
    points,
    share,
)
from outgrow.reporting.schema import Accuracy, Arm, Recovered, ReliabilityQuality, Results
from outgrow.reporting.views import (
    Cell,
    Row,
    TableView,
    Tone,
    columns,
    row,
)


def accuracy_cell(value: Accuracy) -> Cell:
    """A percentage with its interval."""
    return Cell(percent(value.value), interval(value.low, value.high))


def recovered_cell(value: Recovered) -> Cell:
    """PGR with its interval, or that it is undefined (why: check W2S001)."""
    if not value.defined:
        return Cell("undefined")
    return Cell(share(value.value), interval(value.low, value.high, "share"))


def name_cell(arm: Arm) -> Cell:
    """An arm's name with what it does, marked when it is a control or saw gold."""
    return Cell(arm.name, arm.doc, badge="" if arm.kind == "method" else arm.kind)


def arms_table(results: Results) -> TableView:
    """Accuracy, difference to naive training and PGR of every arm, after the references."""
    naive = results.reference
    supervisor = results.supervisor
    references = [("Supervisor, one answer", "the floor: the identity wording, as the test asks it", supervisor.floor)]
    if supervisor.variants * supervisor.samples > 1:
        references.append(
            ("Supervisor, vote", f"over {supervisor.variants * supervisor.samples} answers", supervisor.vote)
        )
    if results.zero_shot is not None:
        references.append(("Student before training", "zero-shot", results.zero_shot))
    rows = [row(Cell(n, d), accuracy_cell(v), *[Cell("")] * 5, tone="reference") for n, d, v in references]
    return TableView(
        key="arms",
        title="Arms",
        caption="Means over seeds with 95 % intervals. Differences are paired, in percentage points, with t intervals; "
        "p-values are Holm-adjusted over the arms. PGR against the vote takes the supervisor's voted accuracy as "
        "floor; elicited takes the student's accuracy before training. " + _undefined_draws(results),
        columns=columns(
            "Arm",
            "Accuracy, %",
            f"Difference to {naive.name if naive else 'naive'}",
            "p (Holm)",
            "PGR",
            "PGR against vote",
            "Elicited",
            hints={"Elicited": "(student − student before training) / (ceiling − student before training)"},
        ),
        rows=tuple(rows + [_arm_row(results, arm, naive) for arm in results.arms]),
    )


def metrics_table(results: Results) -> TableView | None:
    """Metrics beside accuracy; None where the recipe names none."""
    if not results.metrics:
        return None
    rows = []
    for name, attribute in (("Supervisor, one answer", "floor"), ("Student before training", "zero_shot")):
        values = [accuracy_cell(getattr(metric, attribute)) for metric in results.metrics]
        rows.append(row(Cell(name), *[each for value in values for each in (value, Cell(""))], tone="reference"))
    for arm in results.arms:
        cells = [name_cell(arm)]
        for metric in results.metrics:
            value = metric.arms[arm.name]
            difference = value.difference
            cells.append(accuracy_cell(value))
            cells.append(
                Cell("reference")
                if difference is None
                else Cell(points(difference.value), interval(difference.low, difference.high, "points"))
            )
        rows.append(row(*cells, tone=arm.kind))
    titles = [title for metric in results.metrics for title in (f"{metric.name}, %", f"{metric.name}, difference")]
    return TableView(
        key="metrics",
        title="Further metrics",
        caption="Over the answers of all seeds, with 95 % intervals; differences to the reference arm in points.",
        columns=columns("Arm", *titles),
        rows=tuple(rows),
    )


def _undefined_draws(results: Results) -> str:
    counted = {arm.name: arm.pgr.undefined_draws for arm in results.arms if arm.pgr.undefined_draws}
    if not counted:
        return "PGR was defined in every bootstrap draw."
    most = max(counted.values())
    return f"PGR was undefined in up to {count(most)} bootstrap draws of an arm, which its interval leaves out."


def _arm_row(results: Results, arm: Arm, naive: Arm | None) -> Row:
    found = results.comparison(arm.name, naive.name) if naive is not None else None
    difference, p = Cell(NO_DATA), NO_DATA
    if found is not None:
        difference, p = Cell(points(found.value), interval(found.low, found.high, "points")), p_value(found.p_holm)
    elif arm is naive:
        difference, p = Cell("reference"), ""
    return row(
        name_cell(arm),
        accuracy_cell(arm.accuracy),
        difference,
        p,
        recovered_cell(arm.pgr),
        recovered_cell(arm.pgr_vs_vote),
        recovered_cell(arm.elicited),
        tone=arm.kind,
    )


def comparisons_table(results: Results) -> TableView | None:
    """Every comparison that was made, the primary one first; None when there are none."""
    if not results.comparisons:
        return None
    primary = (results.primary.a, results.primary.b) if results.primary else None
    ordered = sorted(results.comparisons, key=lambda each: (each.a, each.b) != primary)
    return TableView(
        key="comparisons",
        title="Comparisons",
        caption="Accuracy of the first arm minus that of the second, in percentage points. The standard error joins "
        "the spread over groups of questions and the spread over seeds; intervals and p are from a t distribution "
        "with the degrees of freedom shown. Holm's adjustment is over the arms of one table; only the primary "
        "comparison was named before the run, and stands alone.",
        columns=columns("First", "Second", "Difference", "SE", "df", "p", "p (Holm)", text=(0, 1)),
        rows=tuple(
            row(
                Cell(each.a, badge="primary" if (each.a, each.b) == primary else ""),
                each.b,
                Cell(points(each.value), interval(each.low, each.high, "points")),
                NO_DATA if math.isnan(each.se) else f"{100 * each.se:.2f}",
                count(each.df),
                p_value(each.p),
                p_value(each.p_holm),
                tone="primary" if (each.a, each.b) == primary else "",
            )
            for each in ordered
        ),
    )


def strata_table(results: Results) -> TableView | None:
    """Accuracy per kind of question, shaded; kinds are the columns while they are few. None without kinds."""
    strata = results.strata
    if not strata:
        return None
    lines: list[tuple[Cell, Tone, list[float]]] = [(Cell("Supervisor"), "reference", [s.floor for s in strata])]
    lines.append((Cell("Student before training"), "reference", [s.zero_shot for s in strata]))
    for arm in results.arms:
        badge = "" if arm.kind == "method" else arm.kind
        lines.append((Cell(arm.name, badge=badge), arm.kind, [s.arms.get(arm.name, math.nan) for s in strata]))
    lines = [line for line in lines if not all(math.isnan(value) for value in line[2])]
    caption = (
        "Test accuracy, %, per kind of question; the stronger the colour the higher. Labels right (%) and their mean "
        "reliability are those of the supervisor's consensus on the pool's questions of that kind."
    )
    if len(strata) <= 8:
        shaded = [row(name, *[_shaded(value) for value in values], tone=tone) for name, tone, values in lines]
        labels = row("Pool: labels right", *[percent(s.consensus_accuracy) for s in strata], tone="muted")
        trust = row("Pool: mean reliability", *[share(s.mean_reliability) for s in strata], tone="muted")
        asked = row("Questions", *[count(s.questions) for s in strata], tone="muted")
        heads = columns("", *[s.stratum for s in strata])
        return TableView("strata", "Accuracy by kind of question", caption, heads, (asked, labels, trust, *shaded))
    heads = columns(
        "Kind", "Questions", "Pool: labels right", "Pool: mean reliability", *[name.text for name, _, _ in lines]
    )
    rows = [
        row(
            s.stratum,
            count(s.questions),
            percent(s.consensus_accuracy),
            share(s.mean_reliability),
            *[_shaded(values[i]) for _, _, values in lines],
        )
        for i, s in enumerate(strata)
    ]
    return TableView("strata", "Accuracy by kind of question", caption, heads, tuple(rows))


def _shaded(value: float) -> Cell:
    return Cell(percent(value), shade=None if math.isnan(value) else min(max(value, 0.0), 1.0))


def learning_table(results: Results) -> TableView:
    """How right the training labels were, and what the students took over from the supervisor."""
    rows = [
        row(
            Cell(arm.name, badge="" if arm.kind == "method" else arm.kind),
            percent(mean(arm.label_accuracy)),
            NO_DATA if math.isnan(arm.label_shift) else share(arm.label_shift),
            percent(arm.agreement.overall),
            percent(arm.agreement.when_right),
            percent(arm.agreement.when_wrong),
            percent(arm.unparsed_share),
            tone=arm.kind,
        )
        for arm in results.arms
    ]
    return TableView(
        key="learning",
        title="Training labels, and what was copied",
        caption="Labels right: weighted share of the training rows whose target (of soft labels: the most probable) "
        "is the gold answer. Mix shift: total variation distance between the labels before and after selection, 0 = "
        "unchanged. Agreement: share of test questions on which the student says what the supervisor says; agreement "
        "where the supervisor is wrong is imitation of its errors. All but the mix shift in %, means over seeds.",
        columns=columns(
            "Arm", "Labels right", "Mix shift", "Agreement", "where right", "where wrong", "Unparsed at test"
        ),
        rows=tuple(rows),
    )


def _estimate_lines(quality: ReliabilityQuality) -> list[tuple[str, str, str, str]]:
    """What was estimated without all gold: accuracy from votes, P(correct) from known labels."""
    lines = []
    free = quality.label_free
    if free is not None and free.seeds:
        each = free.seeds
        low, high = min(one.low for one in each), max(one.high for one in each)
        held = sum(one.covers for one in each)
        said = f"{percent(mean([one.estimate for one in each]))} %"
        truth = percent(mean([one.truth for one in each]))
        how = "by decoy options" if free.method == "decoys" else "from votes alone"
        seeds = plural(len(each), "seed")
        meaning = f"{how}; the truth is {truth} %, inside the interval of {held} of {seeds}"
        lines.append(("Accuracy without gold", said, interval(low, high), meaning))
    elif free is not None:
        lines.append(("Accuracy without gold", NO_DATA, "", free.reason or ""))
    learnt = quality.calibration
    if learnt is not None and learnt.seeds:
        debiased = mean([one.debiased for one in learnt.seeds])
        raw = f"as measured {share(mean([one.value for one in learnt.seeds]), 3)}"
        meaning = (
            f"P(correct) from {plural(learnt.known, 'known gold label')} ({learnt.kind}); distance from what is right"
        )
        lines.append(("ECE of P(correct), debiased", share(debiased, 3), raw, meaning))
    elif learnt is not None:
        lines.append(("ECE of P(correct)", NO_DATA, "", learnt.reason or ""))
    return lines


def quality_table(results: Results) -> TableView | None:
    """The numbers of reliability; None when none was estimated."""
    quality = results.reliability
    if quality is None:
        return None
    lines = [
        ("AUROC, by question", share(quality.auroc.value, 3), interval(quality.auroc.low, quality.auroc.high, "share"),
         "chance that a right label scores higher than a wrong one; .5 is chance"),
        ("AUROC of −entropy, by row", share(quality.auroc_rows, 3), "",
         "every answer on its own, as in arXiv 2406.19032"),
        ("AURC", share(quality.aurc, 3), "", "mean share of wrong labels over all coverages; lower is better"),
        ("Consensus labels right", f"{percent(quality.label_accuracy)} %", "", "on the pool"),
        ("Questions with differing answers", f"{percent(quality.differing_share)} %", "", "the others were unanimous"),
        ("Unparsed answers", f"{percent(quality.unparsed_share)} %", "", "each agrees with nobody"),
        ("Questions without any valid answer", count(quality.all_invalid), "", "never trained on"),
    ]  # fmt: skip
    lines += _estimate_lines(quality)
    free = quality.label_free
    assumed = f" Accuracy without gold assumes: {free.assumptions}" if free is not None and free.seeds else ""
    name = quality.estimator.replace("_", " ")
    if name == "softmax" and not math.isnan(quality.temperature):
        name += f", temperature {quality.temperature:g}"
    return TableView(
        key="quality",
        title="Quality of reliability",
        caption=f"On the pool, with gold that no method saw. Estimator: {name}." + assumed,
        columns=columns("Measure", "Value", "Meaning", text=(0, 2)),
        rows=tuple(row(title, Cell(value, note), meaning) for title, value, note, meaning in lines),
    )
