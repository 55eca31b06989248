"""Objectives of the K-class view: values by hand, gradients against finite differences, and what each is made for."""

import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.objectives import OBJECTIVES, Batch, Choices, Targets
from outgrow.objectives.confidence import Confidence
from outgrow.objectives.cross_entropy import CrossEntropy
from outgrow.objectives.hardening import class_counts, offsets
from outgrow.objectives.noise import (
    EarlyLearning,
    ForwardCorrection,
    GeneralisedCrossEntropy,
    Reverse,
    SymmetricCrossEntropy,
)
from outgrow.objectives.of_choices import OfChoices, hardest
from outgrow.objectives.self_training import AdaptConf, ConfidenceTerm, Product, Window

P, HARD, SOFT = (0.7, 0.2, 0.1), (0.0, 1.0, 0.0), (0.5, 0.3, 0.2)
# "evidential" is in tests/parity/test_paper02.py
OF_PAIRS = {"dpo", "ipo", "simpo", "orpo", "bradley_terry", "explicit_conflict"}  # in test_preference
T = ((0.8, 0.1, 0.1), (0.2, 0.7, 0.1), (0.1, 0.1, 0.8))


def view_of(shares, targets):
    """The K-class view in float64 of rows with these probabilities."""
    logits = torch.log(torch.tensor(shares, dtype=torch.float64)).requires_grad_()
    ones = torch.ones_like(logits)
    return Choices(logits, ones.bool(), torch.tensor(targets, dtype=torch.float64), ones)


def batch_of(rows):
    return Batch(tuple(map(str, range(rows))), torch.ones(rows), "mean", index=torch.arange(rows))


def targets_of(share, options=("a", "b", "c")):
    share = np.array(share, dtype=np.float64)
    return Targets(tuple(map(str, range(len(share)))), np.ones(len(share)), (options,) * len(share), share)


def loss_of(objective, p, target, state=None, progress=1.0):
    view = view_of([p], [target])
    return float(objective.row_losses(view, batch_of(1), progress, {} if state is None else state).detach())


# -(.5 ln .7 + .3 ln .2 + .2 ln .1) = 1.12168; its reverse -(.7 ln .5 + .2 ln .3 + .1 ln .2) = .88694
@pytest.mark.parametrize(
    ("objective", "target", "value"),
    [
        (CrossEntropy(), HARD, -math.log(0.2)),
        (CrossEntropy(), SOFT, 1.12168),
        (CrossEntropy(hard=True), SOFT, -math.log(0.7)),
        (CrossEntropy(smoothing=0.3), HARD, -0.7 * math.log(0.2) - 0.1 * math.log(0.7 * 0.2 * 0.1)),
        (Confidence(alpha=0.5), HARD, 0.5 * -math.log(0.2) + 0.5 * -math.log(0.7)),
        (Confidence(alpha=0.5, hard=False), HARD, 0.5 * 1.60944 + 0.5 * 0.80182),  # the entropy of p
        (ConfidenceTerm("confidence_term", "square", 0.5), HARD, 0.5 * 1.60944 - 0.25 * (0.54 - 1 / 3)),
        (ConfidenceTerm("confidence_term", "entropy", 0.5), HARD, 0.5 * 1.60944 + 0.5 * 0.80182),
        (GeneralisedCrossEntropy(), HARD, (1 - 0.2**0.7) / 0.7),
        (GeneralisedCrossEntropy(q=1.0), HARD, 0.8),
        (GeneralisedCrossEntropy(truncate=0.5), HARD, 0.0),
        (GeneralisedCrossEntropy(truncate=0.5), (1.0, 0.0, 0.0), (0.5**0.7 - 0.7**0.7) / 0.7),
        (SymmetricCrossEntropy(a=0.1, b=1.0), HARD, 0.160944 + 0.8 * -math.log(1e-4)),
        (SymmetricCrossEntropy(a=0.0, b=1.0, floor=math.exp(-4)), HARD, 3.2),
        (Reverse(), SOFT, 0.7 * math.log(1.4) + 0.2 * math.log(2 / 3) + 0.1 * math.log(0.5)),
        (Reverse(divergence="ce"), SOFT, 0.88694),
        # AdaptConf: c = .2, m = .7, T = 1: a = .2 / .9; the divergence from a hard label is its cross-entropy
        (AdaptConf(temperature=1.0), HARD, 7 / 9 * 1.60944 + 2 / 9 * -math.log(0.7)),
    ],
    ids=repr,
)
def test_value_by_hand(objective, target, value):
    assert loss_of(objective, P, target) == pytest.approx(value, abs=2e-5)


def test_forward_correction_predicts_what_the_matrix_makes_of_the_truth():
    objective = ForwardCorrection(transition=T)
    state = objective.prepare(targets_of([HARD, SOFT]))
    assert loss_of(objective, P, HARD, state) == pytest.approx(-math.log(0.7 * 0.1 + 0.2 * 0.7 + 0.1 * 0.1), abs=1e-6)


def test_forward_correction_estimates_its_matrix_from_soft_labels():
    """Two rows labelled a with .8 .2 and .6 .4, one labelled b with .1 .9: truth a has mass 1.5, of which 1.4 is
    labelled a; truth b has mass 1.5, of which .6 is labelled a."""
    state = ForwardCorrection().prepare(targets_of([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], ("a", "b")))
    np.testing.assert_allclose(state["transition"].numpy(), [[1.4 / 1.5, 0.1 / 1.5], [0.6 / 1.5, 0.9 / 1.5]], rtol=1e-6)


def test_forward_correction_puts_its_classes_in_the_order_of_the_rows():
    plain = ForwardCorrection(transition=((0.9, 0.1), (0.3, 0.7)))
    named = ForwardCorrection(transition=((0.7, 0.3), (0.1, 0.9)), classes=("b", "a"))
    targets = targets_of([[1.0, 0.0], [0.0, 1.0]], ("a", "b"))
    torch.testing.assert_close(plain.prepare(targets)["transition"], named.prepare(targets)["transition"])
    with pytest.raises(ConfigError, match=r"classes are \['b', 'c'\], and the rows have \['a', 'b'\]"):
        ForwardCorrection(transition=((0.7, 0.3), (0.1, 0.9)), classes=("b", "c")).prepare(targets)


@pytest.mark.parametrize(
    ("objective", "share", "message"),
    [
        (ForwardCorrection(), [HARD, HARD], "these are hard; give transition"),
        (ForwardCorrection(transition=((1.0, 0.0), (0.0, 1.0))), [SOFT], "3 rows of 3 shares"),
        (ForwardCorrection(transition=((0.5, 0.0, 0.0),) * 3), [SOFT], "that sum to 1"),
    ],
)
def test_matrix_that_is_none_is_refused(objective, share, message):
    with pytest.raises(ConfigError, match=message):
        objective.prepare(targets_of(share))


def test_early_learning_holds_on_to_a_running_mean_of_the_rows_own_predictions():
    """e = .7 (.1 .8 .1) + .3 (.7 .2 .1) = (.28 .62 .1); e.p = .33; ln .67 = -.40048."""
    objective = EarlyLearning(weight=1.0)
    state = {"means": torch.tensor([(0.1, 0.8, 0.1)], dtype=torch.float64)}
    assert loss_of(objective, P, HARD, state) == pytest.approx(1.60944 + math.log(0.67), abs=1e-5)
    view, batch = view_of([P], [HARD]), batch_of(1)
    after = objective.advance(state, objective.observe(view, batch, state))
    torch.testing.assert_close(after["means"], torch.tensor([[0.28, 0.62, 0.1]], dtype=torch.float64))
    assert objective.prepare(targets_of([HARD, SOFT]))["means"].tolist() == [[0.0] * 3] * 2


def test_early_learning_keeps_the_means_of_rows_apart():
    objective, state = EarlyLearning(decay=0.5), {"means": torch.zeros(3, 2, dtype=torch.float64)}
    batch = Batch(("c", "a"), torch.ones(2), "mean", index=torch.tensor([2, 0]))
    seen = objective.observe(view_of([(0.8, 0.2), (0.4, 0.6)], [(1.0, 0.0)] * 2), batch, state)
    means = objective.advance(state, seen)["means"]
    torch.testing.assert_close(means, torch.tensor([[0.2, 0.3], [0, 0], [0.4, 0.1]], dtype=torch.float64))


def test_window_leaves_out_what_the_student_is_surer_of_than_labels_are():
    objective = Window()
    state = objective.prepare(targets_of([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7]], ("a", "b")))  # median of .6 .9 .7
    assert state == {"below": pytest.approx(0.7)}
    view = view_of([(0.8, 0.2), (0.35, 0.65)], [(0.0, 1.0)] * 2)
    losses = objective.row_losses(view, batch_of(2), 0.5, state)
    assert losses.tolist() == pytest.approx([0.0, -math.log(0.65)])


OBJECTIVE_SETTINGS = [
    CrossEntropy(smoothing=0.2),
    Confidence(alpha=0.6),
    Confidence(alpha=0.6, hard=False),
    Product(),
    ConfidenceTerm("confidence_term", "square"),
    ConfidenceTerm("confidence_term", "entropy"),
    AdaptConf(),
    Window(),
    GeneralisedCrossEntropy(),
    GeneralisedCrossEntropy(truncate=0.1),
    SymmetricCrossEntropy(),
    Reverse(),
    Reverse(divergence="ce"),
    ForwardCorrection(transition=T),
    EarlyLearning(),
]


@pytest.mark.parametrize("objective", OBJECTIVE_SETTINGS, ids=repr)
def test_gradient_is_that_of_finite_differences_with_targets_held(objective, monkeypatch):
    """What a loss detaches stays as it was at the point of the derivative."""
    generator = np.random.default_rng(0)
    shares, targets = generator.dirichlet([2.0] * 3, 5), generator.dirichlet([2.0] * 3, 5)
    state = objective.prepare(targets_of(targets))
    state = {name: value.double() if torch.is_tensor(value) else value for name, value in state.items()}
    view, batch = view_of(shares, targets), batch_of(5)
    objective.row_losses(view, batch, 0.5, state).sum().backward()
    point, held = view.logits.detach(), view.logs.detach()
    monkeypatch.setattr(torch.Tensor, "detach", lambda tensor: held)
    step, found = 1e-6, torch.zeros_like(point)
    for i in range(5):
        for k in range(3):
            change = torch.zeros_like(point)
            change[i, k] = step
            up, down = (
                objective.row_losses(view._replace(logits=point + sign * change), batch, 0.5, state).sum()
                for sign in (1, -1)
            )
            found[i, k] = (up - down) / (2 * step)
    torch.testing.assert_close(view.logits.grad, found, rtol=1e-6, atol=1e-7)
    assert float(found.abs().max()) > 1e-3


@pytest.mark.parametrize("objective", OBJECTIVE_SETTINGS, ids=repr)
def test_options_that_a_row_does_not_have_change_nothing(objective):
    """Three options, and three of five: the same losses and gradients, all finite."""
    if isinstance(objective, ForwardCorrection):
        return  # of classes that all rows share
    lowest, found = torch.finfo(torch.float32).min, []
    for width in (3, 5):
        logits = torch.full((2, width), lowest)
        logits[:, :3] = torch.log(torch.tensor([P, SOFT]))
        logits.requires_grad_()
        target = torch.zeros(2, width)
        target[:, :3] = torch.tensor([HARD, SOFT])
        state = objective.prepare(targets_of(target.numpy(), ("a",) * width))
        state = {name: value for name, value in state.items() if name not in ("prior", "offsets", "recent")}
        losses = objective.row_losses(
            Choices(logits, logits > lowest, target, torch.ones_like(logits)), batch_of(2), 0.5, state
        )
        losses.sum().backward()
        found.append((losses.detach(), logits.grad[:, :3]))
        assert torch.isfinite(logits.grad).all()
    torch.testing.assert_close(found[0], found[1])


def test_every_objective_of_ours_has_a_name_a_docstring_and_settings_that_make_it():
    for name in OBJECTIVES:
        spec = OBJECTIVES[name]
        made = spec.build(spec.settings()())
        assert made.name == name
        assert spec.doc.endswith((".", ")"))
    assert {each.name for each in OBJECTIVE_SETTINGS} | OF_PAIRS | {
        "evidential",
        "soft_tokens",
        "evidential_tokens",
    } == set(OBJECTIVES) - {"imitation"}


# Hardening ---------------------------------------------------------------------------------------------------


def hardened(shares, prior):
    logs = np.log(np.array(shares, dtype=np.float64))
    return hardest(torch.from_numpy(logs + offsets(logs, np.array(prior)))).numpy()


def test_two_classes_harden_to_the_prior_at_the_midpoint_of_the_log_odds():
    first = np.array([0.9, 0.7, 0.4, 0.2])
    shares = np.stack([1 - first, first], axis=1)
    np.testing.assert_array_equal(hardened(shares, [0.75, 0.25])[:, 1], [1, 0, 0, 0])
    np.testing.assert_array_equal(hardened(shares, [0.5, 0.5])[:, 1], [1, 1, 0, 0])
    found = offsets(np.log(shares), np.array([0.5, 0.5]))
    assert found[0] - found[1] == pytest.approx((math.log(7 / 3) + math.log(4 / 6)) / 2)


@pytest.mark.parametrize("prior", [(0.2, 0.3, 0.5), (0.62, 0.38, 0.0), (1.0, 0.0, 0.0), (0.34, 0.33, 0.33)])
def test_more_classes_harden_to_the_counts_of_the_prior(prior):
    shares = np.random.default_rng(1).dirichlet([0.6, 0.3, 0.2], 200)
    counts = class_counts(np.array(prior), 200)
    np.testing.assert_array_equal(hardened(shares, prior).sum(0), counts)
    assert counts.sum() == 200


def test_sixty_classes_too():
    generator = np.random.default_rng(2)
    prior, shares = generator.dirichlet([1.0] * 60), generator.dirichlet([0.2] * 60, 256)
    found = hardened(shares + 1e-12, prior)
    np.testing.assert_array_equal(found.sum(0), class_counts(prior, 256))


def test_ties_are_spread_and_do_not_all_go_to_one_class():
    """A head of zeros: every row ties between all classes."""
    np.testing.assert_allclose(hardened(np.full((8, 4), 0.25), [0.25] * 4), 0.25)
    assert hardest(torch.tensor([[0.4, 0.4, 0.2]])).tolist() == [[0.5, 0.5, 0.0]]


def test_hardened_predictions_keep_the_share_of_a_class_that_the_student_neglects():
    """.62 and .38: a student that says the frequent class everywhere would teach itself that alone."""
    generator = np.random.default_rng(0)
    truth = generator.random(2000) < 0.38
    logit = np.where(truth, 1.0, -1.0) + generator.normal(0, 1, 2000) - 3.0
    first = 1 / (1 + np.exp(-logit))
    shares = np.stack([1 - first, first], axis=1)
    plain = hardest(torch.from_numpy(shares)).numpy()[:, 1]
    assert plain.mean() < 0.03
    fair = hardened(shares, [0.62, 0.38])[:, 1]
    assert fair.mean() == pytest.approx(0.38)
    assert (fair == truth).mean() > 0.8


def test_thresholds_come_from_the_labels_of_the_whole_set_and_the_predictions_of_earlier_steps():
    objective = Confidence(alpha=1.0, warmup=0.0, window=4)
    share = [[0.0, 1.0]] + [[1.0, 0.0]] * 3
    state = objective.prepare(targets_of(share, ("no", "yes")))
    assert state["prior"].tolist() == [0.75, 0.25]
    first = np.array([0.9, 0.7, 0.4, 0.2])
    shares = np.stack([1 - first, first], axis=1)
    view, batch = view_of(shares, [[1.0, 0.0]] * 4), batch_of(4)
    torch.testing.assert_close(  # nothing was seen yet: the higher probability decides
        objective.row_losses(view, batch, 0.0, state).detach(), -torch.log(torch.tensor([0.9, 0.7, 0.6, 0.8]).double())
    )
    older = objective.observe(view_of(np.full((3, 2), 0.5), [[1.0, 0.0]] * 3), batch_of(3), state)
    state = objective.advance(objective.advance(state, older), objective.observe(view, batch, state))
    assert len(state["recent"]) == 4
    torch.testing.assert_close(
        objective.row_losses(view, batch, 0.0, state).detach(), -torch.log(torch.tensor([0.9, 0.3, 0.6, 0.8]).double())
    )


def test_questions_with_options_of_their_own_have_no_class_shares():
    targets = Targets(("a", "b"), np.ones(2), (("reef", "cave"), ("cave", "reef")), np.array([[1.0, 0], [1.0, 0]]))
    assert Confidence().prepare(targets) == {}
    with pytest.raises(ConfigError, match="classes that all rows share"):
        ForwardCorrection().prepare(targets)


def test_of_options_is_a_matter_of_the_level():
    assert Confidence().of_options == "if any"
    assert Confidence(level="options").of_options is True
    assert not Confidence(level="tokens").of_options
    assert OfChoices.of_options
