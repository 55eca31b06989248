"""The tables of what came out: arms, comparisons, kinds of questions, label quality."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from outgrow.reporting.formatting import NO_DATA, bounds, count, interval, mean, p_value, percent, plural, share
from outgrow.reporting.schema import Accuracy, Arm, Comparison, Estimate, Recovered, Results
from outgrow.reporting.schema.reliability import Calibrated, LabelFree
from outgrow.reporting.schema.results import MetricFacts
from outgrow.reporting.views import Cell, Row, TableView, Tone, columns, estimate_cell, row, table
from outgrow.reporting.weak import upper_first, weak_side

Measure = tuple[str, str, str, str]
"""A number of reliability: what it is called, its value, a note to it, what it means."""


def recovered_cell(pgr: Recovered) -> Cell:
    """PGR with its interval, or that it is undefined (why: check W2S001)."""
    return estimate_cell(pgr, "share") if pgr.defined else Cell("undefined")


def arm_cell(arm: Arm, note: str = "") -> Cell:
    """An arm's name, marked when it is a control or saw gold."""
    return Cell(arm.name, note, badge="" if arm.kind == "method" else arm.kind)


def arms_table(results: Results) -> TableView:
    """Accuracy, difference to naive training and PGR of every arm, after the references."""
    naive, supervisor = results.reference, results.supervisor
    answers = supervisor.variants * supervisor.samples
    voted = "the mean of their voted accuracies" if supervisor.members else "the supervisor's voted accuracy"
    mean = "PGR takes the mean of the supervisors' accuracies as floor; " if supervisor.members else ""

    def named(what: str) -> str:
        return upper_first(weak_side(supervisor, what))

    references: list[tuple[str, str, Accuracy | None]] = [
        (named("one answer"), "the floor: the identity wording, as the test asks it", supervisor.floor),
        (named("vote"), f"over {answers} answers", supervisor.vote if answers > 1 else None),
        ("Student before training", "zero-shot", results.zero_shot),
    ]

    def comparison(arm: Arm) -> Comparison | None:
        return results.comparison(arm.name, naive.name) if naive is not None else None

    def difference(arm: Arm) -> Cell | str:
        if compared := comparison(arm):
            return estimate_cell(compared, "points")
        return "reference" if arm is naive else NO_DATA

    def adjusted_p(arm: Arm) -> str:
        if compared := comparison(arm):
            return p_value(compared.p_holm)
        return "" if arm is naive else NO_DATA

    return table(
        "arms",
        "Arms",
        "Means over seeds with 95 % intervals over questions and seeds. Differences are paired, in percentage points; "
        f"p-values are Holm-adjusted over the arms. {mean}PGR against the vote takes {voted} as "
        "floor; elicited takes the student's accuracy before training.",
        results.arms,
        ("Arm", lambda arm: arm_cell(arm, arm.doc)),
        ("Accuracy, %", lambda arm: estimate_cell(arm.accuracy)),
        (f"Difference to {naive.name if naive else 'naive'}", difference),
        ("p (Holm)", adjusted_p),
        ("PGR", lambda arm: recovered_cell(arm.pgr)),
        ("PGR against vote", lambda arm: recovered_cell(arm.pgr_vs_vote)),
        ("Elicited", lambda arm: recovered_cell(arm.elicited)),
        tone=lambda arm: arm.kind,
        above=[
            row(Cell(name, note), estimate_cell(accuracy), *[""] * 5, tone="reference")
            for name, note, accuracy in references
            if accuracy is not None
        ],
    )


def metrics_table(results: Results) -> TableView | None:
    """Metrics beside accuracy; None where the recipe names none."""
    if not results.metrics:
        return None

    def reference(name: str, attribute: str) -> Row:
        cells = [(estimate_cell(getattr(metric, attribute)), "", "") for metric in results.metrics]
        return row(name, *[cell for each in cells for cell in each], tone="reference")

    def columns_of(metric: MetricFacts) -> Iterable[tuple[str, Callable[[Arm], Cell]]]:
        def difference(arm: Arm) -> Cell:
            compared = metric.arms[arm.name].difference
            return Cell("reference") if compared is None else estimate_cell(compared, "points")

        return (
            (f"{metric.name}, %", lambda arm: estimate_cell(metric.arms[arm.name])),
            (f"{metric.name}, difference", difference),
            (f"{metric.name}, PGR", lambda arm: recovered_cell(metric.arms[arm.name].pgr)),
        )

    return table(
        "metrics",
        "Further metrics",
        "Over the answers of all seeds, with 95 % intervals; differences to the reference arm in points.",
        results.arms,
        ("Arm", lambda arm: arm_cell(arm, arm.doc)),
        *[column for metric in results.metrics for column in columns_of(metric)],
        tone=lambda arm: arm.kind,
        above=[
            reference(upper_first(weak_side(results.supervisor, "one answer")), "floor"),
            reference("Student before training", "zero_shot"),
        ],
    )


def slot_types_table(results: Results) -> TableView | None:
    """F1 of each type of slots, shaded, the most frequent types first; None where no metric judges slots."""
    if not results.slot_types:
        return None
    who = [("Supervisor", "floor"), ("Student before training", "zero_shot")]
    who += [(arm.name, f"arm:{arm.name}") for arm in results.arms]
    return TableView(
        "slot_types",
        "F1 by type of slot",
        "F1, %, of whole slots of each type that the test questions have, over the answers of all seeds.",
        columns(["Type", "Slots", *(name for name, _ in who)]),
        tuple(
            row(each.type, count(each.gold), *(_shaded(each.f1.get(key, math.nan)) for _, key in who))
            for each in results.slot_types
        ),
    )


def comparisons_table(results: Results) -> TableView | None:
    """Every comparison that was made, the primary one first; None when there are none."""
    if not results.comparisons:
        return None
    primary = results.primary_comparison
    return table(
        "comparisons",
        "Comparisons",
        "Accuracy of the first arm minus that of the second, in percentage points. The standard error joins the "
        "spread over groups of questions and the spread over seeds; in the interval and in p each of the two has the "
        "t distribution of its own degrees of freedom. A true difference of the size under Detectable would be found "
        "by four runs in five. Holm's adjustment is over the arms of one table; only the primary comparison was named "
        "before the run, and stands alone.",
        sorted(results.comparisons, key=lambda each: each is not primary),
        ("First", lambda each: Cell(each.a, badge="primary" if each is primary else "")),
        ("Second", lambda each: each.b),
        ("Difference", lambda each: estimate_cell(each, "points")),
        ("SE", lambda each: percent(each.se, 2)),
        ("Detectable", lambda each: percent(each.detectable)),
        ("p", lambda each: p_value(each.p)),
        ("p (Holm)", lambda each: p_value(each.p_holm)),
        words=(0, 1),
        tone=lambda each: "primary" if each is primary else "",
    )


def strata_table(results: Results) -> TableView | None:
    """Accuracy per kind of question, shaded; kinds are the columns while they are few. None without kinds."""
    strata = results.strata
    if not strata:
        return None
    accuracies: list[tuple[Cell, Tone, list[float]]] = [
        (Cell(upper_first(weak_side(results.supervisor))), "reference", [kind.floor for kind in strata]),
        (Cell("Student before training"), "reference", [kind.zero_shot for kind in strata]),
        *((arm_cell(arm), arm.kind, [kind.arms.get(arm.name, math.nan) for kind in strata]) for arm in results.arms),
    ]
    rows = [
        row("Questions", *[count(kind.questions) for kind in strata], tone="muted"),
        row("Pool: labels right", *[percent(kind.consensus_accuracy) for kind in strata], tone="muted"),
        row("Pool: mean reliability", *[share(kind.mean_reliability) for kind in strata], tone="muted"),
        *(
            row(name, *map(_shaded, values), tone=tone)
            for name, tone, values in accuracies
            if not all(map(math.isnan, values))
        ),
    ]
    titles = ["", *(kind.stratum for kind in strata)]
    if len(strata) > 8:
        turned = zip(titles, *(line.cells for line in rows), strict=True)
        titles = ["Kind", *(line.cells[0].text for line in rows)]
        rows = [row(*cells) for cells in list(turned)[1:]]
    return TableView(
        "strata",
        "Accuracy by kind of question",
        "Test accuracy, %, per kind of question; the stronger the colour the higher. Labels right (%) and their mean "
        "reliability are those of the supervisor's consensus on the pool's questions of that kind.",
        columns(titles),
        tuple(rows),
    )


def _shaded(accuracy: float) -> Cell:
    return Cell(percent(accuracy), shade=None if math.isnan(accuracy) else min(max(accuracy, 0.0), 1.0))


def learning_table(results: Results) -> TableView:
    """How right the training labels were, and what the students took over from the supervisor."""
    return table(
        "learning",
        "Training labels, and what was copied",
        "Labels right: weighted share of the training rows whose target (of soft labels: the most probable) "
        "is the gold answer. Mix shift: total variation distance between the labels before and after selection, 0 = "
        "unchanged. Agreement: share of test questions on which the student says what the supervisor says; agreement "
        "where the supervisor is wrong is imitation of its errors. All but the mix shift in %, means over seeds.",
        results.arms,
        ("Arm", arm_cell),
        ("Labels right", lambda arm: percent(mean(arm.label_accuracy))),
        ("Mix shift", lambda arm: share(arm.label_shift)),
        ("Agreement", lambda arm: percent(arm.agreement.overall)),
        ("where right", lambda arm: percent(arm.agreement.when_right)),
        ("where wrong", lambda arm: percent(arm.agreement.when_wrong)),
        ("Unparsed at test", lambda arm: percent(arm.unparsed_share)),
        tone=lambda arm: arm.kind,
    )


def pairs_table(results: Results) -> TableView | None:
    """What pairs were trained on, and whether they did what the theory of differences expects; None without pairs."""
    found = [(arm, arm.pairs) for arm in results.arms if arm.pairs is not None]
    if not found:
        return None
    metric = found[0][1].metric.replace("_", " ")
    return table(
        "pairs",
        "Pairs",
        f"Better, tied, worse: share of pairs, in %, whose chosen answer has more, as much or less {metric} than the "
        f"rejected one; delta: mean difference in {metric}. Slope: what equation 6 of our notes on arXiv 2507.06187 "
        "expects of the first step, from who is right on the test (above 0 a gain): the difference of the two sources "
        "less what the student has in common with the one rather than the other. Gain: accuracy minus that of the "
        "student before training, in points.",
        found,
        ("Arm", lambda each: arm_cell(each[0])),
        ("Chosen", lambda each: each[1].chosen or "several"),
        ("Rejected", lambda each: each[1].rejected or "several"),
        ("Pairs", lambda each: count(round(mean([float(n) for n in each[1].count])))),
        ("Better", lambda each: percent(mean(each[1].better))),
        ("Tied", lambda each: percent(mean(each[1].tied))),
        ("Worse", lambda each: percent(mean(each[1].worse))),
        ("Delta", lambda each: share(mean(each[1].delta))),
        ("Slope", lambda each: share(mean(each[1].slope))),
        ("Gain", lambda each: estimate_cell(each[0].gain, "points")),
        words=(0, 1, 2),
        tone=lambda each: each[0].kind,
    )


def deception_table(results: Results) -> TableView | None:
    """Deception scores with their references; None where they were not measured."""
    facts = results.deception
    if facts is None:
        return None

    def estimate(value: Estimate | None, form: str = "share") -> Cell | str:
        return "no tax" if value is None else estimate_cell(value, form)

    return table(
        "deception",
        "Deception",
        "Tax: test questions, per seed, that the student without conflict gets right and the one with it wrong. "
        f"Score: share of the tax that the strong model ({facts.strong}) knows and the supervisor does not; chance: "
        "that share of all questions, and of those that were right. Under the regions: tax as a share of what was "
        "right, in %. "
        f"Known from a calibrated probability of {facts.threshold:g}. Disagreement: questions, in %, on which a sure "
        "student contradicts an unsure supervisor, which takes no gold to see.",
        facts.arms,
        ("Arm", lambda each: Cell(each.arm, f"against {each.without}")),
        ("Tax", lambda each: count(round(mean([float(n) for n in each.tax])))),
        ("Score", lambda each: estimate(each.score)),
        ("Chance", lambda each: estimate_cell(each.chance, "share")),
        ("... of what was right", lambda each: estimate(each.chance_right)),
        ("Score minus that", lambda each: estimate(each.minus_chance)),
        ("Score minus placebo", lambda each: NO_DATA if each.minus_placebo is None else estimate(each.minus_placebo)),
        *[
            (name, lambda each, i=i: percent(each.regions[i].rate))
            for i, name in enumerate(("Both know", "Strong knows", "Weak knows", "Neither"))
        ],
        ("Disagreement", lambda each: percent(mean(facts.disagreement.get(each.arm, ())))),
    )


def _without_gold(free: LabelFree | None) -> Measure | None:
    """The accuracy of labels as estimated from votes or decoys."""
    if free is None:
        return None
    if not free.seeds:
        return "Accuracy without gold", NO_DATA, "", free.reason or ""
    seeds = free.seeds
    truth = percent(mean([seed.truth for seed in seeds]))
    how = "by decoy options" if free.method == "decoys" else "from votes alone"
    covered = sum(seed.covers for seed in seeds)
    return (
        "Accuracy without gold",
        f"{percent(mean([seed.estimate for seed in seeds]))} %",
        interval(min(seed.low for seed in seeds), max(seed.high for seed in seeds)),
        f"{how}; the truth is {truth} %, inside the interval of {covered} of {plural(len(seeds), 'seed')}",
    )


def _calibration(learnt: Calibrated | None) -> Measure | None:
    """The error of P(correct) as learnt from known labels."""
    if learnt is None:
        return None
    if not learnt.seeds:
        return "ECE of P(correct)", NO_DATA, "", learnt.reason or ""
    return (
        "Calibration error of P(correct)",
        share(mean([seed.debiased for seed in learnt.seeds]), 3),
        f"ECE {share(mean([seed.value for seed in learnt.seeds]), 3)}, if calibrated "
        f"{share(mean([seed.expected for seed in learnt.seeds]), 3)}",
        f"P(correct) from {plural(learnt.known, 'known gold label')} ({learnt.kind}); distance from what is right",
    )


def quality_table(results: Results) -> TableView | None:
    """The numbers of reliability; None when none was estimated."""
    quality = results.reliability
    if quality is None:
        return None
    measures: list[Measure | None] = [
        ("AUROC, by question", share(quality.auroc.value, 3), bounds(quality.auroc, "share"),
         "chance that a right label scores higher than a wrong one; .5 is chance"),
        ("AUROC of −entropy, by row", share(quality.auroc_rows, 3), "",
         "every answer on its own, as in arXiv 2406.19032"),
        ("AURC", share(quality.aurc, 3), "", "mean share of wrong labels over all coverages; lower is better"),
        ("Consensus labels right", f"{percent(quality.label_accuracy)} %", "", "on the pool"),
        ("Questions with differing answers", f"{percent(quality.differing_share)} %", "", "the others were unanimous"),
        ("Unparsed answers", f"{percent(quality.unparsed_share)} %", "", "each agrees with nobody"),
        ("Questions without any valid answer", count(quality.all_invalid), "", "never trained on"),
        _without_gold(quality.label_free),
        _calibration(quality.calibration),
    ]  # fmt: skip
    free = quality.label_free
    assumed = f" Accuracy without gold assumes: {free.assumptions}" if free is not None and free.seeds else ""
    name = quality.estimator.replace("_", " ")
    if name == "softmax" and not math.isnan(quality.temperature):
        name += f", temperature {quality.temperature:g}"
    return table(
        "quality",
        "Quality of reliability",
        f"On the pool, with gold that no method saw. Estimator: {name}." + assumed,
        [measure for measure in measures if measure is not None],
        ("Measure", lambda measure: measure[0]),
        ("Value", lambda measure: Cell(measure[1], measure[2])),
        ("Meaning", lambda measure: measure[3]),
        words=(0, 2),
    )
