"""Performance gap recovered (definition 8)."""

import numpy as np
import pytest

from outgrow.evaluation import METRICS, Bootstrap, PairedScores


def performance_gap_recovered(student, floor, ceiling, groups, draws=10_000):
    arms = {"student": student, "floor": floor, "ceiling": ceiling}
    counted = {name: np.stack([scores, np.ones(scores.shape)], axis=2) for name, scores in arms.items()}
    paired = PairedScores(METRICS["accuracy"], Bootstrap(groups, len(student), draws=draws), counted)
    return paired.gap_recovered("student", floor="floor", ceiling="ceiling")


def scores(*shares, n=500):
    """One row per seed; the first `share` of the questions are right."""
    return np.stack([(np.arange(n) < share * n).astype(float) for share in shares])


GROUPS = np.arange(500)


def test_the_value_is_the_ratio_of_means_over_seeds_not_the_mean_of_ratios():
    # floor .5 and .6, ceiling .9 and .7, student .7 and .7: (.7 - .55) / (.8 - .55) = .6; per seed .5 and 1.0
    found = performance_gap_recovered(scores(0.7, 0.7), scores(0.5, 0.6), scores(0.9, 0.7), GROUPS, draws=2000)
    assert found.value == pytest.approx(0.6, abs=1e-12)
    assert found.defined
    assert found.low < 0.6 < found.high


def test_the_interval_of_one_seed_matches_a_simulation_of_its_own():
    floor, student, ceiling = scores(0.5), scores(0.6), scores(0.9)
    found = performance_gap_recovered(student, floor, ceiling, GROUPS)
    rng = np.random.default_rng(9)
    ratios = []
    for _ in range(4000):
        pick = rng.integers(0, 500, 500)
        f, s, c = (x[0, pick].mean() for x in (floor, student, ceiling))
        ratios.append((s - f) / (c - f))
    np.testing.assert_allclose([found.low, found.high], np.percentile(ratios, [2.5, 97.5]), atol=0.01)


def test_a_student_at_the_floor_recovers_nothing_and_one_at_the_ceiling_everything():
    floor, ceiling = scores(0.5), scores(0.9)
    nothing = performance_gap_recovered(floor, floor, ceiling, GROUPS, draws=500)
    everything = performance_gap_recovered(ceiling, floor, ceiling, GROUPS, draws=500)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    assert (everything.value, everything.low, everything.high) == (1.0, 1.0, 1.0)


def test_pgr_is_undefined_unless_the_ceiling_is_clearly_above_the_floor():
    # gap .03 +- .015: its lower bound is about 0
    found = performance_gap_recovered(scores(0.52), scores(0.5), scores(0.53), GROUPS, draws=1000)
    assert not found.defined
    assert np.isnan([found.value, found.low, found.high]).all()
    assert "ceiling - floor = 0.0300" in found.reason
    assert "needed above 0.02" in found.reason


def test_a_ceiling_below_the_floor_is_undefined_and_every_draw_is_counted():
    found = performance_gap_recovered(scores(0.6), scores(0.7), scores(0.5), GROUPS, draws=1000)
    assert not found.defined
    assert found.undefined_draws == 1000


def test_draws_without_a_gap_are_counted_and_leave_a_finite_interval():
    # 51 questions gained and 25 lost of 400: gap .065 +- .02155, so the lower bound is .0228 and a draw has no gap
    # with probability about .0013 (three standard errors)
    n = 400
    floor, ceiling, student = np.zeros((1, n)), np.zeros((1, n)), np.zeros((1, n))
    ceiling[0, :51] = 1.0
    floor[0, 51:76] = 1.0
    student[0, :40] = 1.0
    found = performance_gap_recovered(student, floor, ceiling, np.arange(n), draws=10_000)
    assert found.defined
    assert 1 <= found.undefined_draws <= 60
    assert found.value == pytest.approx((40 - 25) / (51 - 25))
    assert np.isfinite([found.low, found.high]).all()
    assert found.low < found.value < found.high


def test_draws_of_seeds_without_a_gap_are_counted_too():
    # one seed with a gap of 1, one with -1
    floor = np.stack([np.zeros(50), np.ones(50)])
    ceiling = np.stack([np.ones(50), np.zeros(50)])
    found = performance_gap_recovered(ceiling, floor, ceiling, np.arange(50), draws=2000)
    assert not found.defined
    assert 0.6 < found.undefined_draws / 2000 < 0.9  # (+,-) has gap 0, (-,-) is negative: 3 of 4
