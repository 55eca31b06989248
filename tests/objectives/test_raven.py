"""Weights of supervisors learnt with the student: worked values, what it is made for, and what breaks it."""

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.objectives import Batch, Choices, Outputs
from outgrow.objectives.raven import Raven


def batch_of(who, target, easy=None):
    rows = len(who)
    fields = {
        "annotator": torch.tensor(who, dtype=torch.float32),
        "easy": torch.ones(rows) if easy is None else torch.tensor(easy, dtype=torch.float32),
    }
    names = tuple(map(str, range(rows)))
    return Batch(names, torch.ones(rows), "mean", classes=target, fields=fields, index=torch.arange(rows))


def test_a_step_of_the_weights_by_hand():
    """Paper 08, section 6: p = (.7, .3), labels (.9, .1), (.4, .6), (.5, .5), eta .1."""
    objective = Raven(annotators=3, rate=0.1, start=0.0)
    logits = torch.log(torch.tensor([[0.7, 0.3]] * 3))
    batch = batch_of([0, 1, 2], torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]]))
    state = objective.prepare(None)
    found = objective(Outputs(logits), batch, 0.5, state)
    torch.testing.assert_close(found.observed["loss"], torch.tensor([0.4414, 0.8651, 0.7803]), atol=5e-5, rtol=0)
    after = objective.advance(state, found.observed)["weights"]
    torch.testing.assert_close(after, torch.tensor([0.3588, 0.3164, 0.3249]), atol=6e-5, rtol=0)


def test_the_loss_is_that_of_the_weighted_label():
    objective, weights = Raven(annotators=2, start=0.0), torch.tensor([0.8, 0.2])
    logits, target = torch.randn(1, 3).repeat(2, 1), torch.rand(2, 3).softmax(1)
    losses = objective(Outputs(logits), batch_of([0, 1], target), 0.9, {"weights": weights}).losses
    mixed = -((weights[:, None] * target).sum(0) * logits[0].log_softmax(0)).sum()
    assert losses.mean().item() == pytest.approx(mixed.item(), rel=1e-5)


def test_at_first_only_what_all_agree_on_is_learnt_and_the_weights_stay():
    objective = Raven(annotators=2, rate=0.5, start=0.5)
    batch, state = batch_of([0, 1], torch.eye(2), easy=[1.0, 0.0]), objective.prepare(None)
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    early, late = (objective(Outputs(logits), batch, progress, state) for progress in (0.49, 0.5))
    assert early.losses[0] == late.losses[0] > 0
    assert early.losses[1] == 0 < late.losses[1]
    assert objective.advance(state, early.observed)["weights"].tolist() == [0.5, 0.5]
    assert objective.advance(state, late.observed)["weights"][0] > 0.5


def linear_task(constant):
    """The student's accuracy and the weights: two classes, supervisors right 90, 70 and 60 % at confidence .9."""
    rng = np.random.default_rng(0)
    n, steps = 2000, 400
    truth = rng.integers(2, size=n)
    x = torch.tensor(np.stack([truth - 0.5 + 0.25 * rng.normal(size=n), np.ones(n)], 1), dtype=torch.float32)
    labels = []
    for share in (0.9, 0.7, 0.6):
        said = np.where(rng.random(n) < share, truth, 1 - truth)
        labels.append(np.where(said[:, None] == np.arange(2), 0.9, 0.1))
    if constant:
        labels[2] = np.tile([0.99, 0.01], (n, 1))
    target = torch.tensor(np.concatenate(labels), dtype=torch.float32)
    batch = batch_of(np.repeat(np.arange(3), n).tolist(), target)
    objective = Raven(annotators=3, rate=0.05, start=0.0)
    student, state = torch.nn.Linear(2, 2, bias=False), objective.prepare(None)
    torch.nn.init.zeros_(student.weight)
    adam = torch.optim.Adam(student.parameters(), lr=0.05)
    for step in range(steps):
        adam.zero_grad()
        found = objective(Outputs(student(x).repeat(3, 1)), batch, step / steps, state)
        found.losses.mean().backward()
        adam.step()
        state = objective.advance(state, {name: value.detach() for name, value in found.observed.items()})
    return float((student(x).argmax(1).numpy() == truth).mean()), state["weights"].numpy().round(2).tolist()


def test_the_supervisor_that_is_right_most_gets_the_weight():
    accuracy, weights = linear_task(constant=False)
    assert accuracy > 0.95
    assert weights == [1.0, 0.0, 0.0]


def test_one_who_always_says_the_same_takes_it_all():
    """The documented failure: the loss rewards supervisors whose labels are easy."""
    accuracy, weights = linear_task(constant=True)
    assert accuracy < 0.6
    assert weights == [0.0, 0.0, 1.0]


def test_rows_have_to_say_whose_they_are():
    view = Choices(torch.zeros(1, 2), torch.ones(1, 2).bool(), torch.eye(2)[:1], torch.ones(1, 2))
    with pytest.raises(ConfigError, match=r"RAVEN needs to know .* fields"):
        Raven().row_losses(view, Batch(("0",), torch.ones(1), "mean"), 0.0, {})
