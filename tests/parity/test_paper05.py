"""Paper arXiv 2406.11431: its losses by hand, the deception score, and the references without which it says nothing."""

import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import DataError
from outgrow.evaluation import PairedScores
from outgrow.evaluation.deception import ShareWithin, conflict_tax, deception, known, regions, score_statistics
from outgrow.objectives import Batch, Choices
from outgrow.objectives.preference import SimPo

WITHOUT = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], bool)
WITH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], bool)
STRONG = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 0], bool)
WEAK = np.array([0, 0, 0, 1, 1, 0, 1, 0, 0, 1], bool)


def test_simpo_loss_by_hand():
    """Beta 2, gamma 1, mean log-probabilities .5 apart: argument 0, loss ln 2."""
    view = Choices(
        torch.tensor([[-1.0, -3.0]]), torch.ones(1, 2).bool(), torch.tensor([[1.0, 0.0]]), torch.full((1, 2), 2.0)
    )
    batch = Batch(("pair",), torch.ones(1), "mean")
    view = view._replace(logits=torch.tensor([[-1.0, -2.0]]))
    assert float(SimPo(beta=2.0, gamma=1.0).row_losses(view, batch, 0.0, {})) == pytest.approx(math.log(2), abs=1e-6)


def test_deception_score_of_the_toy_set():
    """Four in the tax, three of them known to the strong model alone; four of ten questions are such."""
    found = deception(WITHOUT, WITH, STRONG, WEAK)
    assert conflict_tax(WITHOUT, WITH).sum() == 4
    assert found.tax == 4
    assert found.score == 0.75
    assert found.chance == pytest.approx(0.4)
    assert found.chance_right == pytest.approx(3 / 7)
    counts = {name: (r.questions, r.right, r.tax) for name, r in found.by_region.items()}
    assert counts == {"both know": (2, 2, 1), "strong knows": (4, 3, 3), "weak knows": (2, 1, 0),
                      "neither knows": (2, 1, 0)}  # fmt: skip
    assert found.by_region["both know"].rate == 0.5
    assert sum(mask.sum() for mask in regions(STRONG, WEAK).values()) == 10


def test_a_tax_that_is_empty_has_no_score():
    found = deception(WITHOUT, WITHOUT, STRONG, WEAK)
    assert math.isnan(found.score)
    assert found.tax == 0
    nothing = deception(np.zeros(10, bool), WITH, STRONG, WEAK)
    assert math.isnan(nothing.chance_right)
    assert math.isnan(nothing.by_region["strong knows"].rate)


def test_at_a_threshold_of_one_half_what_is_known_is_what_is_right():
    p = np.array([0.1, 0.5, 0.7, 0.75, 0.9])
    assert known(p, 0.5).tolist() == [False, True, True, True, True]
    assert known(p).tolist() == [False, False, False, True, True]
    with pytest.raises(DataError, match=r"a confidence of 1\.2"):
        known(np.array([0.5, 1.2]))


def test_scores_and_their_references_have_paired_intervals():
    """Two seeds of 200 questions whose tax falls where it may: the score is its chance reference within the interval;
    tax that falls on what the strong model alone knows is told from it."""
    rng = np.random.default_rng(0)
    n, seeds = 400, 3
    strong, weak = rng.random(n) < 0.8, rng.random(n) < 0.5
    here = regions(strong, weak)["strong knows"]
    arms = {name: [] for name in ("random", "deceptive", "chance")}
    for _ in range(seeds):
        without = rng.random(n) < 0.9
        for name, rate in (("random", 0.2 * np.ones(n)), ("deceptive", np.where(here, 0.4, 0.1))):
            arms[name].append(score_statistics(without & (rng.random(n) < rate), here))
        arms["chance"].append(score_statistics(without, here))
    paired = PairedScores(ShareWithin(), np.arange(n), {name: np.stack(each) for name, each in arms.items()})
    random, deceptive = (paired.difference(name, "chance") for name in ("random", "deceptive"))
    assert random.low < 0 < random.high
    assert deceptive.low > 0.1
    assert paired.interval("chance").value == pytest.approx(here.mean(), abs=0.03)
    with pytest.raises(DataError, match="compares two students"):
        ShareWithin().statistics([], [], [])
