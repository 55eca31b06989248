"""Correlation of errors: exact with known labels, near the truth without, and the weights made of it by hand."""

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.reliability.annotators import (
    PAIR_ERRORS,
    correlation_matrix,
    discounted,
    effective_number,
    error_correlations,
    fit_annotators,
)

NAMES = ["a", "b", "c", "d", "e"]


def crowd(seed, tasks=1000, classes=4, copied=0.0, annotators=4):
    """Everybody is right in 3 of 4 cases; b says what a says at the rate `copied`."""
    rng = np.random.default_rng([seed, classes])
    truth = rng.integers(0, classes, tasks)
    wrong = (truth[:, None] + rng.integers(1, classes, (tasks, annotators))) % classes
    label = np.where(rng.random((tasks, annotators)) < 0.75, truth[:, None], wrong)
    label[:, 1] = np.where(rng.random(tasks) < copied, label[:, 0], label[:, 1])
    return truth, label


def table_of(label):
    tasks, annotators = label.shape
    return pa.table(
        {
            "example_id": [f"t{i}" for i in range(tasks) for _ in range(annotators)],
            "source": NAMES[:annotators] * tasks,
            "value": [f"v{x}" for x in label.ravel()],
        }
    )


@pytest.mark.parametrize(("classes", "copied"), [(2, 0.5), (4, 0.0), (8, 0.5)])
def test_without_gold_a_planted_correlation_comes_out(classes, copied):
    """Within four standard errors: 1 / sqrt(tasks) with gold, of which votes are worth a quarter at least."""
    truth, label = crowd(0, classes=classes, copied=copied)
    found = error_correlations(fit_annotators(table_of(label)))
    assert found.schema == PAIR_ERRORS
    rows = {(row["annotator"], row["other"]): row for row in found.to_pylist()}
    assert len(rows) == 6
    pair = rows["a", "b"]
    real = np.corrcoef(label[:, 0] != truth, label[:, 1] != truth)[0, 1]
    assert pair["correlation"] == pytest.approx(real, abs=4 * 2 / np.sqrt(1000))
    assert pair["low"] <= pair["correlation"] <= pair["high"]
    assert pair["agreement"] == pytest.approx((label[:, 0] == label[:, 1]).mean())
    # independent errors agree in .75^2 + .25^2 / (classes - 1) of the cases
    assert pair["expected"] == pytest.approx(0.75**2 + 0.25**2 / (classes - 1), abs=0.06)
    assert (pair["low"] > 0.2) == (copied > 0)


def test_with_every_label_known_it_is_the_correlation_of_errors():
    truth, label = crowd(1, tasks=300)
    known = {f"t{i}": f"v{x}" for i, x in enumerate(truth)}
    model = fit_annotators(table_of(label), known=known)
    found = correlation_matrix(error_correlations(model, known=known), NAMES[:4])
    np.testing.assert_allclose(found, np.corrcoef((label != truth[:, None]).T), atol=1e-9)


def test_groups_of_tasks_widen_the_interval():
    """Every task four times: as tasks of their own they make the interval half as wide as in groups."""
    _, label = crowd(2, tasks=80)
    label = np.repeat(label, 4, axis=0)
    model = fit_annotators(table_of(label), model="dawid_skene")
    groups = {f"t{i}": f"g{i // 4}" for i in range(320)}
    alone, grouped = (error_correlations(model, groups=each).to_pylist() for each in (None, groups))
    width = [np.mean([row["high"] - row["low"] for row in rows]) for rows in (alone, grouped)]
    assert width[1] > 1.4 * width[0]
    assert [row["correlation"] for row in alone] == [row["correlation"] for row in grouped]


def test_pairs_with_few_tasks_in_common_are_left_empty():
    _, label = crowd(3, tasks=100)
    rows = [row for row in table_of(label).to_pylist() if row["source"] != "d" or int(row["example_id"][1:]) < 40]
    found = {
        (row["annotator"], row["other"]): row
        for row in error_correlations(fit_annotators(pa.Table.from_pylist(rows))).to_pylist()
    }
    assert found["a", "d"]["tasks"] == 40
    assert found["a", "d"]["correlation"] is None
    assert found["a", "d"]["agreement"] is not None
    assert found["a", "b"]["correlation"] is not None


def test_three_annotators_are_refused():
    _, label = crowd(4, tasks=60, annotators=3)
    with pytest.raises(PrerequisiteError, match="need 4 annotators, two of whom judge the others; here are 3"):
        error_correlations(fit_annotators(table_of(label)))


def test_what_annotators_are_worth_by_hand():
    one = np.eye(3)
    two = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weight = np.array([1.0, 1.0, 2.0])
    assert effective_number(one) == 3
    assert effective_number(two) == pytest.approx(9 / 5)
    assert effective_number(-two + 2 * one) == 3  # errors that avoid each other are taken for independent
    np.testing.assert_allclose(discounted(weight, one), weight / 4)
    # the two count for one: R^+ w = (.5, .5, 2)
    np.testing.assert_allclose(discounted(weight, two), np.array([0.5, 0.5, 2.0]) / 3)
    half = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # R^-1 (1, 1) = (1, 1) / 1.5 in the block
    np.testing.assert_allclose(discounted(np.ones(3), half), np.array([2 / 3, 2 / 3, 1]) / (7 / 3))
    # the better of two near-copies gets all that both are worth
    assert discounted(np.array([3.0, 1.0]), np.array([[1.0, 0.8], [0.8, 1.0]])).tolist() == [1.0, 0.0]
