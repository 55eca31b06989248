"""Paper arXiv 2312.09390: its loss in both of its forms, its schedule, its thresholds, and the gaps of its figure 2."""

import math

import numpy as np
import pytest
import torch

from outgrow.evaluation import Joint, gap_recovered
from outgrow.objectives import Batch, Choices
from outgrow.objectives.confidence import Confidence
from outgrow.objectives.hardening import offsets
from outgrow.objectives.of_choices import hardest, ramp
from outgrow.objectives.self_training import AdaptConf, Product


def view_of(second, target):
    """Two classes; the student's and the label's probability of the second."""
    p, t = torch.tensor(second, dtype=torch.float64), torch.tensor(target, dtype=torch.float64)
    logits = torch.stack([1 - p, p], dim=1).log().requires_grad_()
    ones = torch.ones_like(logits)
    return Choices(logits, ones.bool(), torch.stack([1 - t, t], dim=1), ones)


def batch_of(rows):
    return Batch(tuple(map(str, range(rows))), torch.ones(rows), "mean")


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.05, 0.25), (0.1, 0.5), (0.2, 1.0), (0.9, 1.0)])
def test_warm_up_is_linear_over_a_fifth_of_the_training_and_does_not_jump(progress, share):
    assert 0.75 * ramp(progress, 0.2) == pytest.approx(0.75 * share)


def test_both_forms_of_the_loss_are_one_and_so_are_their_gradients():
    """Equation 1: (1 - a) CE(p, weak) + a CE(p, hardened); equation 2: CE(p, (1 - a) weak + a hardened)."""
    generator = np.random.default_rng(0)
    p, weak = generator.random(64), generator.random(64)
    view = view_of(p, weak)
    losses = Confidence(alpha=0.75, warmup=0.2).row_losses(view, batch_of(64), 0.1, {})
    losses.sum().backward()
    alpha = 0.75 / 2
    other = view_of(p, weak)
    mixed = (1 - alpha) * torch.tensor(weak) + alpha * torch.tensor((p > 0.5).astype(float))
    second = other.logits.log_softmax(1)
    again = -(mixed * second[:, 1] + (1 - mixed) * second[:, 0])
    again.sum().backward()
    assert float((losses - again).detach().abs().max()) < 1e-12
    assert float((view.logits.grad - other.logits.grad).abs().max()) < 1e-12


@pytest.mark.parametrize(("prior", "classes"), [(0.25, (1, 0, 0, 0)), (0.5, (1, 1, 0, 0))])
def test_thresholds(prior, classes):
    first = np.array([0.9, 0.7, 0.4, 0.2])
    logs = np.log(np.stack([1 - first, first], axis=1))
    found = hardest(torch.from_numpy(logs + offsets(logs, np.array([1 - prior, prior]))))
    assert found[:, 1].tolist() == list(classes)


def test_product_of_eight_tenths_and_six_tenths():
    view = view_of([0.6], [0.8])
    loss = Product(warmup=0.0).row_losses(view, batch_of(1), 0.0, {})
    q = 0.8571
    assert float(loss.detach()) == pytest.approx(-q * math.log(0.6) - (1 - q) * math.log(0.4), abs=1e-4)


@pytest.mark.parametrize(
    ("most", "weak", "temperature", "weight"), [(0.8, 0.2, 1, 0.2), (0.8, 0.2, 0.5, 0.0588), (0.6, 0.3, 1, 1 / 3)]
)
def test_weight_of_adaptconf(most, weak, temperature, weight):
    """arXiv 2402.03749: read off the loss (1 - a) (-ln weak) + a (-ln most), the label being hard."""
    shares = torch.tensor([[most, weak, max(1 - most - weak, 1e-9)]], dtype=torch.float64)
    ones = torch.ones(1, 3)
    view = Choices(shares.log(), ones.bool(), torch.tensor([[0.0, 1.0, 0.0]]).double(), ones)
    loss = float(AdaptConf(temperature=float(temperature)).row_losses(view, batch_of(1), 0.0, {}))
    assert (loss + math.log(weak)) / (math.log(weak) - math.log(most)) == pytest.approx(weight, abs=1e-4)


@pytest.mark.parametrize(
    ("weak", "naive", "ceiling", "gap"),
    [(61.9, 80.3, 93.8, 0.58), (28.6, 35.3, 83.8, 0.12), (60.4, 61.0, 64.9, 0.13)],
    ids=["nlp", "chess", "reward models"],
)
def test_gaps_of_figure_2(weak, naive, ceiling, gap):
    """Through the toolkit's own estimate, on 1,000 questions of these accuracies."""
    question, accuracies = np.arange(1000), {"weak": weak, "naive": naive, "ceiling": ceiling}
    right = {name: (question < round(10 * value))[None].astype(float) for name, value in accuracies.items()}
    found = gap_recovered(Joint(right, question), "naive", floor="weak", ceiling="ceiling")
    assert found.value == pytest.approx(gap, abs=0.005)
