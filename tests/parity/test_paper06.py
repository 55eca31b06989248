"""Paper arXiv 2507.06187: its loss, and the theory of learning from a difference, by hand and by simulation."""

import math

import numpy as np
import pytest
import torch

import outgrow
from outgrow.evaluation.delta import accuracy_of, after_step, best_step, condition, cosine_of, slope
from outgrow.objectives import Batch, Choices
from outgrow.objectives.preference import Dpo
from outgrow.studies.delta_theory import CORRELATIONS, WIDTH, cosine, directions


def loss(policy, reference, beta=5.0, length=4.0):
    """Of one pair, from mean log-probabilities of the chosen and the rejected answer, each of `length` tokens."""
    logits = torch.tensor([policy], dtype=torch.float64) * length
    batch = Batch(("pair",), torch.ones(1), "mean", fields={"reference": torch.tensor([reference]).double() * length})
    target = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    view = Choices(logits, torch.ones(1, 2).bool(), target, torch.full((1, 2), length).double())
    return float(Dpo(beta=beta, length_normalise=True).row_losses(view, batch, 0.0, {}))


def test_length_normalised_loss():
    """5 ((-1 + 1.1) - (-1.2 + 1.15)) = .75, and -ln sigmoid(.75) = .38687; at the start ln 2."""
    assert loss((-1.0, -1.2), (-1.1, -1.15)) == pytest.approx(0.38687, abs=5e-6)
    assert loss((-1.1, -1.15), (-1.1, -1.15)) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("case", "step", "rho", "best", "accuracies", "limit"),
    [
        ((0.8, 0.6, 0.4), 0.06081, 0.009730, 0.80217, (0.7952, 0.7963, 0.7048, 0.6310), 0.5519),
        ((0.5, 0.4, 0.1), 0.24590, 0.036885, 0.52600, (0.6667, 0.6763, 0.6310, 0.5319), 0.5695),
    ],
)
def test_best_step(case, step, rho, best, accuracies, limit):
    """Equations 5 and 7: h*, rho, cosine; accuracies of student, after the step, of both teachers, and at the end."""
    found = best_step(*case)
    assert found.step == pytest.approx(step, abs=5e-6)
    assert found.rho == pytest.approx(rho, abs=5e-7)
    assert found.cosine == pytest.approx(best, abs=5e-6)
    assert after_step(found.step, *case) == pytest.approx(found.cosine)
    measured = [accuracy_of(each) for each in (case[0], found.cosine, *case[1:])]
    assert measured == pytest.approx(accuracies, abs=5e-5)
    assert accuracy_of(found.limit) == pytest.approx(limit, abs=5e-5)
    around = after_step(np.array([0.5, 1.0, 1.5]) * found.step, *case)
    assert around.argmax() == 1
    assert after_step(1e9, *case) == pytest.approx(found.limit)


def test_simulation_in_2000_dimensions_finds_the_best_cosine():
    """20 seeds, mean .802 within .001; all of them better than the student was."""
    case, found = (0.8, 0.6, 0.4), []
    for seed in range(20):
        truth, student, chosen, rejected = directions(np.random.default_rng(seed), WIDTH, case)
        assert cosine(student, truth) == pytest.approx(0.8)
        found.append(cosine(student + best_step(*case).step * (chosen - rejected), truth))
    assert np.mean(found) == pytest.approx(0.802, abs=0.001)
    assert min(found) > 0.8


def test_the_pull_of_a_difference_does_not_depend_on_the_student():
    """Equation 4: the gradient of ln p(y_c | x) - ln p(y_r | x) is (y_c - y_r) x, on average (c - r) / sqrt(2 pi)."""
    rng = np.random.default_rng(0)
    chosen, rejected = np.array([0.6, 0.8]), np.array([0.0, 1.0])
    x = rng.standard_normal((400_000, 2))
    labels = [(x @ teacher >= 0).astype(float) for teacher in (chosen, rejected)]
    for student in (np.array([1.0, 0.0]), np.array([-3.0, 2.0])):
        p = 1 / (1 + np.exp(-x @ student))
        gradients = [((label - p)[:, None] * x).mean(axis=0) for label in labels]
        pull = gradients[0] - gradients[1]
        np.testing.assert_allclose(pull, (chosen - rejected) / math.sqrt(2 * math.pi), atol=0.005)


def test_slope_is_the_derivative_of_the_cosine_and_says_when_correlated_errors_hurt():
    """Equation 6: D sqrt(1 - A^2) > A (sqrt(1 - a_c^2) corr_c - sqrt(1 - a_r^2) corr_r)."""
    student, chosen, rejected = 0.8, 0.6, 0.4
    for with_chosen in CORRELATIONS:
        for with_rejected in CORRELATIONS:
            own = math.sqrt(1 - student**2)
            errors = [math.sqrt(1 - a**2) * c for a, c in ((chosen, with_chosen), (rejected, with_rejected))]
            both = [student * a + own * error for a, error in zip((chosen, rejected), errors, strict=True)]
            found = slope(student, chosen, rejected, with_chosen=both[0], with_rejected=both[1])
            as_published = (chosen - rejected) * own - student * (errors[0] - errors[1])
            assert found == pytest.approx(own * as_published)
    assert slope(0.8, 0.6, 0.4, with_chosen=0.48, with_rejected=0.32) == pytest.approx(0.2 * 0.36)  # orthogonal errors


def test_condition_from_who_is_right():
    """Eight questions: the student right on 6, the chosen source on 4, the rejected one on 2; together 4 and 4 times.

    A = cos(pi / 4), D = cos(pi / 2) - cos(3 pi / 4) = .70711; in common equally, so slope = D.
    """
    student = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    chosen = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    rejected = np.array([1, 1, 0, 0, 0, 0, 0, 0], bool)
    found = condition(student, chosen, rejected)
    assert found.delta == pytest.approx(0.25)
    assert found.common == pytest.approx(4 / 8 - 4 / 8)
    assert found.slope == pytest.approx(math.cos(math.pi / 2) - math.cos(3 * math.pi / 4))
    same_errors = condition(student, student, rejected)
    assert same_errors.slope == pytest.approx(
        math.cos(math.pi / 4) - math.cos(3 * math.pi / 4) - math.cos(math.pi / 4) * (1 - math.cos(math.pi / 2))
    )
    assert cosine_of(accuracy_of(0.3)) == pytest.approx(0.3)


def test_study_agrees_with_the_theory_and_shows_whole_ways():
    found = outgrow.study("delta_theory", seeds=range(6))
    rows = found.table.to_pylist()
    for row in rows:
        if row["part"] == "best step":
            assert row["measured"] == pytest.approx(row["expected"], abs=0.003)
        if row["part"] == "first step":
            assert row["measured"] == pytest.approx(row["expected"], abs=1e-3)
    way = {name: [row for row in rows if row["part"] == "way" and row["case"] == name] for name in
           ("difference", "reversed", "chosen", "rejected")}  # fmt: skip
    ends = {name: here[-1]["measured"] for name, here in way.items()}
    assert ends["difference"] == pytest.approx(0.694, abs=0.01)
    assert ends["chosen"] == pytest.approx(0.7048, abs=0.01)  # as good as its teacher
    assert ends["rejected"] == pytest.approx(0.6310, abs=0.01)
    best = max(row["measured"] for row in way["difference"])
    assert best == pytest.approx(0.7963, abs=0.002)
    assert max(row["measured"] for row in way["chosen"]) > 0.797  # on the way, not at the end
    falling = [row["measured"] for row in way["reversed"]]
    assert falling == sorted(falling, reverse=True)
    for name in ("difference", "reversed"):
        assert [row["measured"] for row in way[name]] == pytest.approx([row["expected"] for row in way[name]], abs=0.01)
    assert len(found.words) == 9
