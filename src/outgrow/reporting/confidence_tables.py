"""The tables of how sure students say they are."""

from __future__ import annotations

from outgrow.reporting.formatting import NO_DATA, mean, share
from outgrow.reporting.result_tables import arm_cell
from outgrow.reporting.schema import Accuracy, Estimate, Results
from outgrow.reporting.schema.arm import Confidence
from outgrow.reporting.views import Cell, TableView, estimate_cell, table


def _cell(estimate: Accuracy | None) -> Cell:
    return Cell(NO_DATA) if estimate is None else estimate_cell(estimate, "share")


def _error(confidence: Confidence) -> Cell:
    """The mean over seeds, and the ends of the widest interval."""
    value = mean([seed.debiased for seed in confidence.seeds])
    low, high = min(seed.low for seed in confidence.seeds), max(seed.high for seed in confidence.seeds)
    return estimate_cell(Estimate(value=value, low=low, high=high), "share")


def confidence_table(results: Results) -> TableView | None:
    """Calibration of the students' own confidence at the test; None where no answers have probabilities."""
    found = [(arm, arm.confidence) for arm in results.arms if arm.confidence is not None]
    if not found:
        return None
    return table(
        "confidence",
        "Confidence of the students",
        "On the test: probability of a student's own answer beside the share that is right. ECE: mean distance of the "
        "two over 15 bins of equal mass; if calibrated: what finite bins give a calibrated student; debiased: root "
        "mean square distance without that, with the ends of the seeds' intervals. Vacuity: K / S of a Dirichlet "
        "reading, 1 without evidence.",
        found,
        ("Arm", lambda each: arm_cell(each[0])),
        ("Reading", lambda each: each[1].reading or NO_DATA),
        ("Confidence", lambda each: _cell(each[1].mean)),
        ("Right", lambda each: estimate_cell(each[0].accuracy, "share")),
        ("ECE", lambda each: share(mean([seed.value for seed in each[1].seeds]), 3)),
        ("if calibrated", lambda each: share(mean([seed.expected for seed in each[1].seeds]), 3)),
        ("debiased", lambda each: _error(each[1])),
        ("Vacuity", lambda each: _cell(each[1].vacuity)),
        words=(0, 1),
        tone=lambda each: each[0].kind,
    )


def out_of_distribution_table(results: Results) -> TableView | None:
    """Students on questions from outside the training distribution; None where they were asked none."""
    found = [(arm, arm.out_of_distribution) for arm in results.arms if arm.out_of_distribution is not None]
    if not found:
        return None
    return table(
        "out_of_distribution",
        "Out of distribution",
        f"{found[0][1].questions} questions of another task (evaluation.out_of_distribution in the recipe). AUROC: "
        "chance that a test question has more confidence, or less vacuity, than one of these; .5 tells nothing, below "
        "it students are surer where they were not trained.",
        found,
        ("Arm", lambda each: arm_cell(each[0])),
        ("Reading", lambda each: (each[0].confidence and each[0].confidence.reading) or NO_DATA),
        ("Right", lambda each: estimate_cell(each[1].accuracy, "share")),
        ("Confidence", lambda each: _cell(each[1].confidence)),
        ("Vacuity", lambda each: _cell(each[1].vacuity)),
        ("AUROC, confidence", lambda each: _cell(each[1].auroc)),
        ("AUROC, vacuity", lambda each: _cell(each[1].auroc_vacuity)),
        words=(0, 1),
        tone=lambda each: each[0].kind,
    )
