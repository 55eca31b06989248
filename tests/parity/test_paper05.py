"""Paper arXiv 2406.11431: its losses by hand, the deception score, and the references without which it says nothing."""

import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.evaluation import PairedScores
from outgrow.evaluation.deception import ShareWithin, conflict_tax, deception, known, regions, score_statistics
from outgrow.objectives import Batch, Choices
from outgrow.objectives.conflict import ExplicitConflict
from outgrow.objectives.preference import BradleyTerry, Dpo, SimPo

WITHOUT = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 0], bool)
WITH = np.array([0, 0, 0, 0, 1, 1, 1, 1, 0, 0], bool)
STRONG = np.array([1, 1, 1, 1, 1, 0, 0, 1, 0, 0], bool)
WEAK = np.array([0, 0, 0, 1, 1, 0, 1, 0, 0, 1], bool)


def test_simpo_loss_by_hand():
    """Beta 2, gamma 1, mean log-probabilities .5 apart: argument 0, loss ln 2."""
    view = Choices(
        torch.tensor([[-1.0, -2.0]]), torch.ones(1, 2).bool(), torch.tensor([[1.0, 0.0]]), torch.full((1, 2), 2.0)
    )
    batch = Batch(("pair",), torch.ones(1), "mean")
    assert float(SimPo(beta=2.0, gamma=1.0).row_losses(view, batch, 0.0, {})) == pytest.approx(math.log(2), abs=1e-6)


def conflict_loss(objective, scores, second, harmless, reference=None):
    """Of one pair; `second` is the label's probability of the second answer, `harmless` the place of that answer."""
    logits = torch.tensor([scores], dtype=torch.float64, requires_grad=True)
    fields = {"harmless": torch.tensor([float(harmless)])}
    if reference is not None:
        fields["reference"] = torch.tensor([reference], dtype=torch.float64)
    target = torch.tensor([[1 - second, second]], dtype=torch.float64)
    view = Choices(logits, torch.ones(1, 2).bool(), target, torch.full((1, 2), 2.0).double())
    loss = objective.row_losses(view, Batch(("pair",), torch.ones(1), "mean", fields=fields), 0.5, {})
    loss.sum().backward()
    return float(loss.detach()), logits.grad[0].tolist()


def test_explicit_conflict_of_a_reward_model_by_hand():
    """f_w = .8, the first harmless: z = -1 is rewarded for harm, 1.1133 + .5 x .3133 = 1.2699; z = +1 is not, .5133."""
    objective = ExplicitConflict(loss="bradley_terry", weight=0.5)
    assert conflict_loss(objective, (0.0, 1.0), 0.2, 0)[0] == pytest.approx(1.2699, abs=5e-5)
    assert conflict_loss(objective, (1.0, 0.0), 0.2, 0)[0] == pytest.approx(0.5133, abs=5e-5)
    assert conflict_loss(objective, (1.0, 0.0), 0.8, 1)[0] == pytest.approx(1.2699, abs=5e-5)  # turned
    assert conflict_loss(ExplicitConflict(weight=0.0), (0.0, 1.0), 0.2, 0)[0] == pytest.approx(1.1133, abs=5e-5)
    plain, _ = conflict_loss(BradleyTerry(), (0.0, 1.0), 0.2, 0)
    assert plain == pytest.approx(1.1133, abs=5e-5)


def test_explicit_conflict_of_preference_training_is_triggered_by_raw_log_probabilities():
    """The policy says the harmful answer rather than the other (-2 against -3) though it has gained less than the
    reference's: margin .1 (0 + 1) = .1; loss -ln s(.1) + .5 x -ln s(-.1)."""

    def minus_ln_sigmoid(x):
        return math.log(1 + math.exp(-x))

    objective = ExplicitConflict(loss="dpo", weight=0.5)
    found, gradient = conflict_loss(objective, (-3.0, -2.0), 0.0, 0, (-3.0, -1.0))
    assert found == pytest.approx(minus_ln_sigmoid(0.1) + 0.5 * minus_ln_sigmoid(-0.1))
    pull = 0.1 * (-1 / (1 + math.exp(0.1)) + 0.5 / (1 + math.exp(-0.1)))
    assert gradient == pytest.approx([pull, -pull])
    plain, _ = conflict_loss(Dpo(beta=0.1), (-3.0, -2.0), 0.0, 0, (-3.0, -1.0))
    assert plain == pytest.approx(minus_ln_sigmoid(0.1))
    assert conflict_loss(objective, (-2.0, -3.0), 0.0, 0, (-3.0, -1.0))[0] == pytest.approx(minus_ln_sigmoid(0.3))
    simpo = ExplicitConflict(loss="simpo", weight=0.5)
    assert conflict_loss(simpo, (-3.0, -2.0), 0.0, 0)[0] == pytest.approx(
        minus_ln_sigmoid(2 * -0.5 - 1) + 0.5 * minus_ln_sigmoid(2 * 0.5 - 1)
    )
    assert objective.needs_reference
    assert not simpo.needs_reference
    with pytest.raises(ConfigError, match="which answer is harmless"):
        objective.row_losses(
            Choices(torch.zeros(1, 2), torch.ones(1, 2).bool(), torch.tensor([[1.0, 0.0]]), torch.ones(1, 2)),
            Batch(("pair",), torch.ones(1), "mean", fields={"reference": torch.zeros(1, 2)}), 0.5, {},
        )  # fmt: skip


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
