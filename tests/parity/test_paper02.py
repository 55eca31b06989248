"""Worked values of arXiv 2406.03199 (notes 02, section 9)."""

import json

import numpy as np
import pytest
import torch
from scipy.stats import dirichlet

from outgrow.evaluation import METRICS
from outgrow.evaluation.slot_metrics import Entity, character_distance, matched, word_distance
from outgrow.models.readings import READINGS
from outgrow.objectives.base import Batch
from outgrow.objectives.evidential import Evidential, concentrations, kl_from_uniform, kl_without_each
from outgrow.objectives.options import Choices

# evidence, (p_0, vacuity), then for y = (1, 0), (0, 1), (.7, .3): NLL, KL, at z = (2, 0)
TABLE = [
    ("relu", (0.750000, 0.500000), (0.287682, 0.0), (1.386294, 0.431946), (0.617266, 0.095004)),
    ("exp", (0.807490, 0.192510), (0.213825, 0.193147), (1.647606, 1.246131), (0.643959, 0.282050)),
    ("softplus", (0.648730, 0.414931), (0.432738, 0.117205), (1.046200, 0.459854), (0.616777, 0.060213)),
]
LABELS = ((1.0, 0.0), (0.0, 1.0), (0.7, 0.3))


def view_of(scores, label):
    logits = torch.tensor([scores], dtype=torch.float64)
    ones = torch.ones_like(logits)
    return Choices(logits, ones.bool(), torch.tensor([label], dtype=torch.float64), ones)


def loss(scores, label, **settings):
    batch = Batch(("0",), torch.ones(1), "mean")
    return float(Evidential(**settings).row_losses(view_of(scores, label), batch, 1.0, {}))


@pytest.mark.parametrize(("evidence", "reading", "first", "second", "soft"), TABLE)
def test_the_table_of_evidence(evidence, reading, first, second, soft):
    readout = READINGS[f"dirichlet_{evidence}"](torch.tensor([[2.0, 0.0]], dtype=torch.float64))
    assert float(readout.logprobs.exp()[0, 0]) == pytest.approx(reading[0], abs=1e-6)
    assert float(readout.uncertainty[0]) == pytest.approx(reading[1], abs=1e-6)
    for label, (nll, kl) in zip(LABELS, (first, second, soft), strict=True):
        assert loss((2.0, 0.0), label, evidence=evidence, kl=0.0) == pytest.approx(nll, abs=1e-6)
        assert loss((2.0, 0.0), label, evidence=evidence, inside=True) - nll == pytest.approx(kl, abs=2e-6)
    hard = [loss((2.0, 0.0), label, evidence=evidence) for label in LABELS[:2]]
    assert hard[0] - first[0] == pytest.approx(first[1], abs=2e-6)
    assert hard[1] - second[0] == pytest.approx(second[1], abs=2e-6)
    # summed over classes the penalty is linear in the label
    assert loss((2.0, 0.0), LABELS[2], evidence=evidence) == pytest.approx(0.7 * hard[0] + 0.3 * hard[1])


@pytest.mark.parametrize(("evidence", "kl"), [("relu", 0.0), ("exp", 0.193147), ("softplus", 0.117205)])
def test_without_a_difference_in_scores(evidence, kl):
    assert loss((0.0, 0.0), (1.0, 0.0), evidence=evidence, kl=0.0) == pytest.approx(0.693147, abs=1e-6)
    assert loss((0.0, 0.0), (1.0, 0.0), evidence=evidence) - 0.693147 == pytest.approx(kl, abs=2e-6)


def test_soft_label_identity_of_the_tokens_target():
    """KL(q || p) with the rescaled target over all classes is the binary form: .283823 at z = (1, 0, -1)."""
    p, y, s = np.exp([1.0, 0.0, -1.0]) / np.exp([1.0, 0.0, -1.0]).sum(), 1, 0.6
    q = p * (1 - s) / (1 - p[y])
    q[y] = s
    assert float((q * np.log(q / p)).sum()) == pytest.approx(0.283823, abs=1e-6)
    assert s * np.log(s / p[y]) + (1 - s) * np.log((1 - s) / (1 - p[y])) == pytest.approx(0.283823, abs=1e-6)


@pytest.mark.parametrize("k", [2, 3, 50])
def test_the_penalty_is_the_divergence_from_the_uniform_dirichlet(k):
    rng = np.random.default_rng(k)
    alpha = 1 + rng.exponential(3.0, k)
    mask = torch.ones(1, k, dtype=torch.bool)
    expected = dirichlet(np.ones(k)).entropy() - dirichlet(alpha).entropy()  # uniform: cross-entropy is its entropy
    got = kl_from_uniform(torch.tensor(alpha)[None], mask)
    assert float(got) == pytest.approx(expected, rel=1e-9)
    each = kl_without_each(torch.tensor(alpha)[None], mask)[0]
    for i in range(k):
        without = alpha.copy()
        without[i] = 1.0
        assert float(each[i]) == pytest.approx(dirichlet(np.ones(k)).entropy() - dirichlet(without).entropy(), abs=1e-9)


@pytest.mark.parametrize("k", [2, 3, 50])
@pytest.mark.parametrize("evidence", ["exp", "softplus"])
@pytest.mark.parametrize("settings", [{}, {"inside": True}, {"confidence": 0.4}])
def test_gradients_agree_with_finite_differences(k, evidence, settings):
    torch.manual_seed(k)
    target = torch.rand(2, k, dtype=torch.float64).softmax(1)
    batch, objective = Batch(("0", "1"), torch.ones(2), "mean"), Evidential(evidence=evidence, **settings)

    def losses(scores):
        ones = torch.ones_like(scores)
        return objective.row_losses(Choices(scores, ones.bool(), target, ones), batch, 0.7, {})

    assert torch.autograd.gradcheck(losses, (torch.randn(2, k, dtype=torch.float64, requires_grad=True),))


def test_options_that_a_row_has_not_count_for_nothing():
    lowest = torch.finfo(torch.float32).min
    logits = torch.tensor([[1.0, -0.5, lowest]], requires_grad=True)
    mask = torch.tensor([[True, True, False]])
    target = torch.tensor([[0.6, 0.4, 0.0]])
    batch = Batch(("0",), torch.ones(1), "mean")
    for settings in ({}, {"inside": True}, {"evidence": "softplus"}):
        objective = Evidential(**settings)
        three = objective.row_losses(Choices(logits, mask, target, torch.ones(1, 3)), batch, 1.0, {})
        two = objective.row_losses(Choices(logits[:, :2], mask[:, :2], target[:, :2], torch.ones(1, 2)), batch, 1.0, {})
        assert three.item() == pytest.approx(two.item(), rel=1e-5)
        (slope,) = torch.autograd.grad(three.sum(), logits)
        assert torch.isfinite(slope).all()
        assert slope[0, 2] == 0


@pytest.mark.parametrize("top", [3.0, 12.0, 40.0, 60.0])
def test_the_slope_of_strong_evidence_is_that_of_its_logarithm(top):
    """KL(Dir(a, 1, ..., 1) | Dir(1)) is near (K - 1) ln a for a large a: a slope of K - 1, in single precision too."""
    scores = torch.full((1, 50), -30.0)
    scores[0, 7] = top
    scores.requires_grad_()
    mask = torch.ones(1, 50, dtype=torch.bool)
    value = kl_without_each(concentrations(scores, mask, "exp"), mask)[0, 0]  # evidence for 7 where 0 is the label
    (slope,) = torch.autograd.grad(value, scores)
    exact = scores.detach().double().requires_grad_()
    reference = kl_from_uniform(concentrations(exact, mask, "exp"), mask)[0]  # 0 has a concentration of 1 + 1e-13
    (wanted,) = torch.autograd.grad(reference, exact)
    assert float(slope[0, 7]) == pytest.approx(float(wanted[0, 7]), rel=1e-4)
    if top >= 40:
        assert float(slope[0, 7]) == pytest.approx(49, rel=1e-4)


def test_large_scores_stay_finite():
    scores = torch.tensor([[500.0, -500.0]], requires_grad=True)
    ones = torch.ones(1, 2)
    view = Choices(scores, ones.bool(), torch.tensor([[0.5, 0.5]]), ones)
    value = Evidential().row_losses(view, Batch(("0",), torch.ones(1), "mean"), 1.0, {})
    assert torch.isfinite(value).all()
    assert concentrations(scores, ones.bool(), "exp").isfinite().all()


# gold, predicted, (TP, FP, FN) of words, of characters, SLU-F1
SLU_CASES = [
    ([("date", "friday")], [("date", "friday")], (1, 0, 0), (1, 0, 0), 1.0),
    ([("date", "friday")], [("date", "next friday")], (1, 1, 1), (1, 0.4545, 0.4545), 0.5789),
    (
        [("date", "friday"), ("time", "nine am")], [("date", "friday"), ("person", "joe")],
        (1, 1, 1), (1, 1, 1), 0.5,
    ),
    (
        [("time", "nine am"), ("time", "ten pm")], [("time", "ten am")],
        (1, 0.5, 1.5), (1, 0.1667, 1.1667), 0.5455,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "predicted", "words", "characters", "f1"), SLU_CASES)
def test_worked_cases_of_slu_f1(gold, predicted, words, characters, f1):
    truth, guess = ([Entity(*each) for each in some] for some in (gold, predicted))
    assert matched(truth, guess, word_distance) == pytest.approx(words)
    assert matched(truth, guess, character_distance) == pytest.approx(characters, abs=5e-5)
    one, other = (json.dumps([each._asdict() for each in some]) for some in (truth, guess))
    metric = METRICS["slu_f1"]
    statistics = metric.statistics([other], [one], ())
    np.testing.assert_allclose(statistics[0], np.add(words, characters), atol=5e-5)
    assert float(metric.value(statistics[0])) == pytest.approx(f1, abs=5e-5)


def test_slu_f1_adds_counts_over_utterances():
    """The second and the fourth case together; F = 2PR / (P + R)."""
    gold, predicted = (
        [json.dumps([Entity(*each)._asdict() for each in SLU_CASES[i][place]]) for i in (1, 3)] for place in (0, 1)
    )
    metric = METRICS["slu_f1"]
    sums = metric.statistics(predicted, gold, ()).sum(axis=0)
    tp, fp, fn = 4, 1 + 5 / 11 + 0.5 + 1 / 6, 1 + 5 / 11 + 1.5 + 7 / 6
    np.testing.assert_allclose(sums, [tp, fp, fn])
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    assert float(metric.value(sums)) == pytest.approx(2 * precision * recall / (precision + recall))
