"""The DPO family: values by hand, gradients by differences, and what a label's probability does."""

import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.objectives import OBJECTIVES, Batch, Choices, Targets
from outgrow.objectives.preference import BradleyTerry, Dpo, Ipo, Orpo, SimPo

SETTINGS = [
    Dpo(),
    Dpo(beta=2.0, length_normalise=True, sft=0.3),
    Dpo(beta=0.5, smoothing=0.2),
    Dpo(beta=0.5, flips="corrected", smoothing=0.1, sft=0.2),
    Ipo(),
    Ipo(beta=0.4, length_normalise=False, smoothing=0.1),
    SimPo(),
    SimPo(beta=1.0, gamma=0.5, flips="corrected"),
    Orpo(),
    Orpo(beta=0.7, sft=0.0),
    BradleyTerry(),
    BradleyTerry(flips="corrected", smoothing=0.1),
]
LENGTHS = [[4.0, 2.0], [1.0, 3.0], [5.0, 5.0]]
POLICY = [[-4.0, -2.4], [-0.7, -6.0], [-9.0, -3.0]]
REFERENCE = [[-4.4, -2.3], [-1.0, -5.0], [-8.0, -5.5]]


def view_of(policy, second, lengths=LENGTHS):
    """Pairs in float64; `second` is the probability that the second answer of each is the better one."""
    logits = torch.tensor(policy, dtype=torch.float64, requires_grad=True)
    second = torch.tensor(second, dtype=torch.float64)
    target = torch.stack([1 - second, second], dim=1)
    return Choices(logits, torch.ones_like(logits).bool(), target, torch.tensor(lengths[: len(policy)]).double())


def batch_of(reference=REFERENCE):
    fields = {} if reference is None else {"reference": torch.tensor(reference, dtype=torch.float64)}
    rows = 3 if reference is None else len(reference)
    return Batch(tuple(map(str, range(rows))), torch.ones(rows), "mean", fields=fields)


def losses_of(objective, policy=POLICY, second=(0.0, 0.0, 0.0), reference=REFERENCE, lengths=LENGTHS):
    return objective.row_losses(view_of(policy, second, lengths), batch_of(reference), 0.5, {})


def turned(table):
    return [pair[::-1] for pair in table]


def test_values_by_hand():
    """One pair: 4 and 2 tokens, ln p -4 and -2.4, reference -4.4 and -2.3; so gains .4 and -.1, means -1 and -1.2."""

    def loss(objective, second=0.0):
        return float(losses_of(objective, POLICY[:1], [second], REFERENCE[:1]).detach())

    def minus_ln_sigmoid(x):
        return math.log(1 + math.exp(-x))

    assert loss(Dpo(beta=2.0)) == pytest.approx(minus_ln_sigmoid(2 * 0.5))
    # arXiv 2507.06187, section 8 of our notes: beta 5 on means -1.0, -1.2 against -1.1, -1.15
    assert loss(Dpo(beta=5.0, length_normalise=True)) == pytest.approx(0.38687, abs=5e-6)
    assert loss(Dpo(beta=2.0, smoothing=0.1)) == pytest.approx(0.9 * minus_ln_sigmoid(1) + 0.1 * minus_ln_sigmoid(-1))
    assert loss(Dpo(beta=2.0), 0.3) == pytest.approx(0.7 * minus_ln_sigmoid(1) + 0.3 * minus_ln_sigmoid(-1))
    corrected = (0.9 * minus_ln_sigmoid(1) - 0.1 * minus_ln_sigmoid(-1)) / 0.8
    assert loss(Dpo(beta=2.0, flips="corrected", smoothing=0.1)) == pytest.approx(corrected)
    assert loss(Dpo(beta=2.0, flips="corrected"), 0.1) == pytest.approx(corrected)
    assert loss(Dpo(beta=2.0, sft=0.5)) == pytest.approx(minus_ln_sigmoid(1) + 0.5 * 1.0)
    assert loss(Ipo(beta=0.25)) == pytest.approx((0.1 + 0.05 - 2) ** 2)
    assert loss(Ipo(beta=0.25, length_normalise=False)) == pytest.approx((0.5 - 2) ** 2)
    assert loss(SimPo(beta=2.0, gamma=1.0)) == pytest.approx(minus_ln_sigmoid(2 * 0.2 - 1))
    odds = [math.log(math.exp(mean) / (1 - math.exp(mean))) for mean in (-1.0, -1.2)]
    assert loss(Orpo(beta=0.1)) == pytest.approx(1.0 + 0.1 * minus_ln_sigmoid(odds[0] - odds[1]))


def test_conservative_dpo_by_hand():
    """Margin .2 and a tenth of flips: .9 x .598139 + .1 x .798139 = .618139."""
    loss = losses_of(Dpo(beta=1.0, smoothing=0.1), [[-1.0, -2.0]], [0.0], [[-1.1, -1.9]])
    assert float(loss.detach()) == pytest.approx(0.618139, abs=1e-6)


@pytest.mark.parametrize("objective", SETTINGS, ids=repr)
def test_gradient_equals_differences(objective):
    """Float64, central differences of 1e-5: relative 1e-6."""
    second, step = [0.0, 0.25, 0.9], 1e-5
    view = view_of(POLICY, second)
    objective.row_losses(view, batch_of(), 0.5, {}).sum().backward()
    found = torch.zeros_like(view.logits)
    for row in range(3):
        for side in range(2):
            up, down = ([list(pair) for pair in POLICY] for _ in range(2))
            up[row][side] += step
            down[row][side] -= step
            difference = losses_of(objective, up, second).sum() - losses_of(objective, down, second).sum()
            found[row, side] = difference.detach() / (2 * step)
    torch.testing.assert_close(view.logits.grad, found, rtol=1e-6, atol=1e-8)
    assert float(found.abs().min(dim=1).values.max()) > 1e-3


@pytest.mark.parametrize("objective", SETTINGS, ids=repr)
def test_the_order_of_a_pair_says_nothing_besides_its_label(objective):
    second = [0.0, 0.25, 0.9]
    other = losses_of(objective, turned(POLICY), [1 - p for p in second], turned(REFERENCE), turned(LENGTHS))
    torch.testing.assert_close(losses_of(objective, second=second), other)


@pytest.mark.parametrize("objective", [each for each in SETTINGS if each.flips == "mixture"], ids=repr)
def test_a_flip_probability_is_the_mixture_of_both_orders(objective):
    one, other = losses_of(objective), losses_of(objective, second=[1.0] * 3)
    torch.testing.assert_close(losses_of(objective, second=[0.3] * 3), 0.7 * one + 0.3 * other)


@pytest.mark.parametrize("objective", [Dpo(flips="corrected"), SimPo(flips="corrected", sft=0.4)], ids=repr)
def test_corrected_flips_are_on_average_the_loss_without_flips(objective):
    """Of pairs of which .2 stand the wrong way round: .8 of the loss as they are and .2 of the turned ones'."""
    right, wrong = losses_of(objective, second=[0.2] * 3), losses_of(objective, second=[0.8] * 3)
    torch.testing.assert_close(0.8 * right + 0.2 * wrong, losses_of(objective))


def test_what_is_shown_is_as_the_label_has_it():
    """The second pair is labelled the other way round; its margin is beta (-5 + 6 + .7 - 1)."""
    shown = Dpo(beta=2.0).monitor(view_of(POLICY, [0.0, 1.0, 0.3]), batch_of())
    assert shown["margin"].tolist() == pytest.approx([2 * 0.5, 2 * (-1.0 - 0.3), 2 * (-1.0 - 2.5)])
    assert shown["preferred"].tolist() == [1.0, 0.0, 0.0]
    assert shown["logprob_chosen"].tolist() == [-4.0, -6.0, -9.0]
    assert shown["logprob_rejected"].tolist() == [-2.4, -0.7, -3.0]
    assert shown["gain_chosen"].tolist() == pytest.approx([0.4, -1.0, -1.0])
    assert shown["gain_rejected"].tolist() == pytest.approx([-0.1, 0.3, 2.5])
    assert set(SimPo().monitor(view_of(POLICY, [0.0] * 3), batch_of(None))) == {
        "margin", "preferred", "logprob_chosen", "logprob_rejected",
    }  # fmt: skip


@pytest.mark.parametrize("mean", [-1e-9, -30.0, -200.0])
def test_odds_of_what_is_nearly_certain_or_impossible_are_finite(mean):
    """In float32, as trained: losses and gradients."""
    logits = torch.tensor([[mean, -1.0]], requires_grad=True)
    ones = torch.ones(1, 2)
    view = Choices(logits, ones.bool(), torch.tensor([[1.0, 0.0]]), ones)
    loss = Orpo().row_losses(view, batch_of(None), 0.5, {})
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()


def test_what_is_no_pair_or_has_no_reference_is_refused():
    def targets(share, options):
        share = np.array(share)
        return Targets(tuple(f"r{i}" for i in range(len(share))), np.ones(len(share)), options, share)

    three = targets([[1.0, 0.0, 0.0]], (("a", "b", "c"),))
    with pytest.raises(DataError, match="row 'r0' has 3 options; 'ipo' compares pairs"):
        Ipo().prepare(three)
    even = targets([[1.0, 0.0], [0.5, 0.5]], (("a", "b"),) * 2)
    assert Dpo().prepare(even) == {}
    with pytest.raises(DataError, match=r"row 'r1' says that either answer is as good; flips: corrected divides"):
        Dpo(flips="corrected").prepare(even)
    for objective in (Dpo(), Ipo()):
        assert objective.needs_reference
        with pytest.raises(ConfigError, match=f"'{objective.name}' compares the student with a reference"):
            objective.row_losses(view_of(POLICY, [0.0] * 3), batch_of(None), 0.5, {})
    assert not SimPo().needs_reference


def test_recipes_can_name_them_and_their_settings_are_checked():
    assert OBJECTIVES["dpo"].build(OBJECTIVES["dpo"].settings()(beta=3.0, flips="corrected")) == Dpo(
        beta=3.0, flips="corrected"
    )
    with pytest.raises(ValueError, match="smoothing"):
        OBJECTIVES["simpo"].settings()(smoothing=0.5)
