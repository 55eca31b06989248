"""How sure students are: confidence, calibration and what is left out of distribution, by hand."""

import json

import numpy as np
import pytest

from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.results.confidence import calibration, shift, stated
from outgrow.experiment.results.views import Split


def answers(shares, values=None, vacuity=None, reading="softmax"):
    """One seed's answers to q0, q1, ...: the probability of "a" in each, the rest for "b"."""
    n = len(shares)
    table = build(
        ANSWERS,
        {
            "example_id": [f"q{i}" for i in range(n)],
            "source": ["student"] * n,
            "variant": [0] * n,
            "sample": [0] * n,
            "value": values or ["a" if p >= 0.5 else "b" for p in shares],
            "probabilities": [None if p is None else [("a", p), ("b", 1 - p)] for p in shares],
        },
    )
    noted = {} if vacuity is None else {"uncertainty": json.dumps({f"q{i}": v for i, v in enumerate(vacuity)})}
    return table.replace_schema_metadata({"reading": reading, **noted})


def ids(n):
    return [f"q{i}" for i in range(n)]


def test_confidence_is_the_highest_probability_and_joined_by_id():
    table = answers([0.9, 0.2, 0.5])
    found = stated([table, table.take([2, 0, 1])], ids(3))
    np.testing.assert_allclose(found.confidence, [[0.9, 0.8, 0.5]] * 2)
    assert found.vacuity is None
    assert found.reading == "softmax"


def test_vacuity_is_shown_of_dirichlet_readings_that_have_it_for_every_answer():
    whole = stated([answers([0.9, 0.2], vacuity=[0.25, 0.5], reading="dirichlet_exp")], ids(2))
    assert whole.vacuity.tolist() == [[0.25, 0.5]]
    part = stated([answers([0.9, 0.2], vacuity=[0.25], reading="dirichlet_exp")], ids(2))
    assert part.vacuity is None
    assert stated([answers([0.9, 0.2], vacuity=[0.25, 0.5], reading="mine")], ids(2)).vacuity is None


def test_answers_without_probabilities_have_no_confidence():
    found = stated([answers([0.9, None], values=["a", "b"])], ids(2))
    assert found.confidence is None
    assert calibration(found, np.array([[True, True]]), np.arange(2), [0]) is None


def test_calibration_of_students_that_are_too_sure_in_one_seed_and_not_in_the_other():
    """100 answers of confidence .9: 60 right in seed 0, 90 in seed 1. One bin, so ECE .3 and 0."""
    inside = stated([answers([0.9] * 100)] * 2, ids(100))
    right = np.array([[i < 60 for i in range(100)], [i < 90 for i in range(100)]])
    found = calibration(inside, right, np.arange(100), [3, 4])
    assert [seed["seed"] for seed in found["seeds"]] == [3, 4]
    assert [seed["value"] for seed in found["seeds"]] == pytest.approx([0.3, 0.0], abs=1e-12)
    # a calibrated score's bin of 100 at .9 is off by sqrt(2 / pi) sqrt(.9 x .1 / 100)
    assert found["seeds"][0]["expected"] == pytest.approx(np.sqrt(2 / np.pi) * 0.03)
    assert found["seeds"][0]["debiased"] == pytest.approx(np.sqrt(0.09 - 0.6 * 0.4 / 99))
    assert found["seeds"][0]["low"] > 0.15
    assert found["seeds"][1]["low"] == 0.0
    assert found["mean"]["per_seed"] == pytest.approx([0.9, 0.9])
    assert found["vacuity"] is None


def test_out_of_distribution_numbers_by_hand():
    """Inside .9 .8; outside .6 .9: of four pairs two above, one tied, one below, so AUROC 2.5 / 4."""
    inside = stated([answers([0.9, 0.2], vacuity=[0.1, 0.2], reading="dirichlet_relu")], ids(2))
    outside = answers([0.6, 0.9], vacuity=[0.3, 0.15], reading="dirichlet_relu")
    split = Split(("q0", "q1"), np.arange(2), ("", ""), (None, None), ("", ""), {"q0": "a", "q1": "b"})
    found = shift(inside, np.arange(2), [outside], split)
    assert found["questions"] == 2
    assert found["accuracy"]["value"] == 0.5  # it says "a" twice
    assert found["confidence"]["value"] == pytest.approx(0.75)
    assert found["vacuity"]["value"] == pytest.approx(0.225)
    assert found["auroc"]["value"] == pytest.approx(2.5 / 4)
    assert found["auroc_vacuity"]["value"] == pytest.approx(3 / 4)  # .1 and .2 against .3 and .15: one pair wrong
    without = shift(stated([answers([None], values=["a"])], ids(1)), np.arange(1), [outside], split)
    assert without["auroc"] is None
