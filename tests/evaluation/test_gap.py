"""Performance gap recovered (definition 8)."""

import numpy as np
import pytest

from outgrow.evaluation import METRICS, MeanScore, PairedScores


def performance_gap_recovered(student, floor, ceiling, groups, metric=METRICS["accuracy"], chance=None):
    arms = {"student": student, "floor": floor, "ceiling": ceiling}
    counted = {name: np.stack([scores, np.ones(scores.shape)], axis=2) for name, scores in arms.items()}
    return PairedScores(metric, groups, counted).gap_recovered(
        "student", floor="floor", ceiling="ceiling", chance=chance
    )


def scores(*shares, n=500):
    """One row per seed; the first `share` of the questions are right."""
    return np.stack([(np.arange(n) < share * n).astype(float) for share in shares])


GROUPS = np.arange(500)


def test_the_value_is_the_ratio_of_means_over_seeds_not_the_mean_of_ratios():
    # floor .5 and .55, ceiling .9 and .92, student .7 and .75: (.725 - .525) / (.91 - .525)
    found = performance_gap_recovered(scores(0.7, 0.75), scores(0.5, 0.55), scores(0.9, 0.92), GROUPS)
    assert found.value == pytest.approx(0.2 / 0.385, abs=1e-12)
    assert found.defined
    assert found.low < found.value < found.high


def test_over_questions_alone_the_interval_matches_a_simulation_of_its_own():
    floor, student, ceiling = scores(0.5, 0.5), scores(0.6, 0.6), scores(0.9, 0.9)
    found = performance_gap_recovered(student, floor, ceiling, GROUPS)
    rng = np.random.default_rng(9)
    ratios = []
    for _ in range(4000):
        pick = rng.integers(0, 500, 500)
        f, s, c = (x[0, pick].mean() for x in (floor, student, ceiling))
        ratios.append((s - f) / (c - f))
    np.testing.assert_allclose([found.low, found.high], np.percentile(ratios, [2.5, 97.5]), atol=0.01)


def test_a_student_at_the_floor_recovers_nothing_and_one_at_the_ceiling_everything():
    floor, ceiling = scores(0.5, 0.5), scores(0.9, 0.9)
    nothing = performance_gap_recovered(floor, floor, ceiling, GROUPS)
    everything = performance_gap_recovered(ceiling, floor, ceiling, GROUPS)
    assert (nothing.value, nothing.low, nothing.high) == (0.0, 0.0, 0.0)
    assert (everything.value, everything.low, everything.high) == pytest.approx((1.0, 1.0, 1.0))


def test_pgr_is_undefined_unless_the_ceiling_is_clearly_above_the_floor():
    # gap .03, error over questions .0076: lower limit .015
    found = performance_gap_recovered(scores(0.52, 0.52), scores(0.5, 0.5), scores(0.53, 0.53), GROUPS)
    assert not found.defined
    assert np.isnan([found.value, found.low, found.high]).all()
    assert "ceiling - floor = 0.0300, lower limit 0.0150" in found.reason
    assert "needed above 0.02" in found.reason


def test_pgr_is_undefined_below_chance():
    """Who guesses one of two recovers .2 of the gap from .4 to .9."""
    arms = scores(0.5, 0.5), scores(0.4, 0.4), scores(0.9, 0.9), GROUPS
    assert performance_gap_recovered(*arms).value == pytest.approx(0.2)
    found = performance_gap_recovered(*arms, chance=0.5)
    assert (found.defined, found.reason) == (
        False,
        "the supervisor is below chance: 0.4000, where guessing reaches 0.5000",
    )
    assert performance_gap_recovered(*arms, chance=0.4).defined
    harm = MeanScore("harm", lambda predicted, gold: 0.0, higher_is_better=False)
    assert not performance_gap_recovered(
        scores(0.3, 0.3), scores(0.6, 0.6), scores(0.1, 0.1), GROUPS, harm, 0.5
    ).defined


def test_seeds_that_disagree_about_the_gap_leave_it_undefined():
    # gaps .5 and .3 over two seeds: .4 -+ 12.7 * .1
    found = performance_gap_recovered(scores(0.6, 0.6), scores(0.4, 0.5), scores(0.9, 0.8), GROUPS)
    assert not found.defined
    assert "ceiling - floor = 0.4000, lower limit -0.8" in found.reason


def test_one_seed_gives_the_value_without_an_interval():
    found = performance_gap_recovered(scores(0.7), scores(0.5), scores(0.9), GROUPS)
    assert (found.value, found.defined) == (pytest.approx(0.5), True)
    assert np.isnan([found.low, found.high]).all()
    assert not performance_gap_recovered(scores(0.52), scores(0.5), scores(0.53), GROUPS).defined


def test_of_a_harm_less_is_better():
    harm = MeanScore("harm", lambda predicted, gold: 0.0, higher_is_better=False)
    found = performance_gap_recovered(scores(0.3, 0.3), scores(0.5, 0.5), scores(0.1, 0.1), GROUPS, harm)
    assert found.value == pytest.approx(0.5)
    assert performance_gap_recovered(scores(0.3, 0.3), scores(0.5, 0.5), scores(0.1, 0.1), GROUPS).defined is False
