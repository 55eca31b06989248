"""Student and annotators learnt together: first values by hand, gradients, and annotators that are found out."""

import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.objectives import Batch, Choices, Targets
from outgrow.objectives.annotators import CoNal, CrowdLayer, Madl

FACTS = {"crowd_layer": CrowdLayer, "conal": CoNal, "madl": Madl}


def view_of(logits, labels):
    logits = logits if isinstance(logits, torch.Tensor) else torch.tensor(logits, dtype=torch.float64)
    target = torch.nn.functional.one_hot(torch.tensor(labels), logits.shape[1]).to(logits.dtype)
    ones = torch.ones_like(target)
    return Choices(logits, ones.bool(), target, ones)


def batch_of(who, items=None, weight=None):
    rows = len(who)
    items = torch.zeros(rows, 1, dtype=torch.float64) if items is None else items
    fields = {"annotator": torch.tensor(who, dtype=torch.float32), "item": items}
    weight = torch.ones(rows) if weight is None else weight
    return Batch(tuple(map(str, range(rows))), weight, "mean", fields=fields, index=torch.arange(rows))


def targets_of(classes, rows=2):
    share = np.eye(classes)[np.arange(rows) % classes]
    names = tuple("abcdefg"[:classes])
    return Targets(tuple(map(str, range(rows))), np.ones(rows), (names,) * rows, share)


def first_loss(objective, p, label=0):
    state = objective.prepare(targets_of(len(p)))
    logits = torch.log(torch.tensor([p], dtype=torch.float64))
    return float(objective.row_losses(view_of(logits, [label]), batch_of([0]), 0.0, state))


def test_madl_starts_with_a_table_of_eighty_percent():
    assert math.exp(-first_loss(Madl(), (0.9, 0.1))) == pytest.approx(0.74, abs=1e-6)  # paper 08, section 6
    # K = 4: .7 .8 + .3 .2 / 3
    assert math.exp(-first_loss(Madl(), (0.7, 0.1, 0.1, 0.1))) == pytest.approx(0.7 * 0.8 + 0.3 * 0.2 / 3, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_crowd_layer_cannot_be_sure_at_the_start(classes):
    sure = [1 - 1e-9 * (classes - 1)] + [1e-9] * (classes - 1)
    p = math.exp(-first_loss(CrowdLayer(), sure))
    assert p == pytest.approx(math.e / (math.e + classes - 1), abs=1e-6)
    if classes == 2:
        assert (round(p, 3), round(-math.log(p), 4)) == (0.731, 0.3133)


def test_conal_starts_with_twice_the_identity_whichever_matrix_is_taken():
    # u cancels: p 2I either way, so logits are twice the probabilities
    expected = math.exp(1.8) / (math.exp(1.8) + math.exp(0.2))
    assert math.exp(-first_loss(CoNal(), (0.9, 0.1))) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", FACTS)
def test_gradients_of_student_and_annotators_agree_with_finite_differences(name):
    torch.manual_seed(1)
    rows, classes = 6, 3
    objective = FACTS[name](annotators=2, **({} if name == "crowd_layer" else {"items": 2, "width": 3}))
    state = objective.prepare(targets_of(classes, rows))
    state = {k: v.double() + 0.1 * torch.randn(v.shape).double() if torch.is_tensor(v) else v for k, v in state.items()}
    at = {k.removeprefix("at/"): v.requires_grad_() for k, v in state.items() if k.startswith("at/")}
    items, labels, who = torch.randn(rows, 2).double(), [0, 1, 2, 0, 1, 2], [0, 1, 0, 1, 0, 1]
    batch, logits = batch_of(who, items), torch.randn(rows, classes).double().requires_grad_()

    def loss(logits, *values):
        now = {**state, **{f"at/{k}": v for k, v in zip(at, values, strict=True)}}
        return objective.row_losses(view_of(logits, labels), batch, 0.0, now)

    if name == "madl":  # weights of annotators have no gradient
        objective = Madl(annotators=2, items=2, width=3, gamma=0.0)
    assert torch.autograd.gradcheck(loss, (logits, *at.values()))


def test_a_step_of_the_annotators_is_adam_on_the_loss_of_the_step():
    torch.manual_seed(2)
    objective = CrowdLayer(annotators=2, rate=0.05)
    state = objective.prepare(targets_of(3, 6))
    matrices = torch.nn.Parameter(state["at/tables"].clone())
    adam = torch.optim.Adam([matrices], lr=0.05)
    labels, who, weight = torch.tensor([0, 1, 2, 0, 1, 1]), [0, 1, 0, 1, 0, 1], torch.tensor([1.0, 2, 1, 0.5, 1, 1])
    for _ in range(3):
        logits = torch.randn(6, 3)
        view, batch = view_of(logits, labels.tolist()), batch_of(who, weight=weight)
        state = objective.advance(state, objective.observe(view, batch, state))
        adam.zero_grad()
        scores = torch.einsum("rk,rkc->rc", logits.softmax(1), matrices[torch.tensor(who)])
        (torch.nn.functional.cross_entropy(scores, labels, reduction="none") * weight).mean().backward()
        adam.step()
    torch.testing.assert_close(state["at/tables"], matrices.detach())


@pytest.mark.parametrize("name", ["crowd_layer", "madl"])
def test_an_adversary_is_found_out(name):
    """Two right nine times of ten, one who says the opposite: the student's classes come out, his table is turned."""
    rng = np.random.default_rng(0)
    n, objective = 600, FACTS[name](annotators=3, rate=0.05)
    truth, who = rng.integers(2, size=n), rng.integers(3, size=n)
    right = np.where(who == 2, rng.random(n) < 0.1, rng.random(n) < 0.9)
    labels = np.where(right, truth, 1 - truth)
    x = torch.tensor(np.stack([truth, 1 - truth], 1) + 0.3 * rng.normal(size=(n, 2)), dtype=torch.float32)
    student = torch.nn.Linear(2, 2)
    torch.nn.init.zeros_(student.weight)
    steps = torch.optim.Adam(student.parameters(), lr=0.05)
    state, batch = objective.prepare(targets_of(2, n)), batch_of(who.tolist(), torch.zeros(n, 1))
    for _ in range(150):
        view = view_of(student(x), labels.tolist())
        observed = objective.observe(view, batch, state)
        steps.zero_grad()
        objective.row_losses(view, batch, 0.0, state).mean().backward()
        steps.step()
        state = objective.advance(state, observed)
    assert float((student(x).argmax(1).numpy() == truth).mean()) > 0.97
    at = {k.removeprefix("at/"): v for k, v in state.items() if k.startswith("at/")}
    fields = {"annotator": torch.tensor([0, 1, 2]), "item": torch.zeros(3, 1)}
    tables = [objective.predicted(at, torch.eye(2)[[k] * 3], fields).exp() for k in (0, 1)]
    diagonal = torch.stack([tables[0][:, 0], tables[1][:, 1]]).mean(0)
    assert (diagonal[:2] > 0.8).all()
    assert diagonal[2] < 0.2


def test_annotators_that_are_alike_share_their_weight():
    objective = Madl(annotators=3, width=2)
    alike = {"who": torch.tensor([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0]])}
    torch.testing.assert_close(objective.importance(alike), torch.tensor([0.75, 0.75, 1.5]))


def test_what_cannot_be_learnt_is_refused():
    options = (("a", "b"), ("c", "d"))
    with pytest.raises(ConfigError, match=r"crowd_layer learns who takes which class .* options of their own"):
        CrowdLayer().prepare(Targets(("0", "1"), np.ones(2), options, np.eye(2)))
    bare = Batch(("0",), torch.ones(1), "mean")
    with pytest.raises(ConfigError, match="madl needs to know who answered: a field 'annotator'"):
        Madl().row_losses(view_of([[0.0, 0.0]], [0]), bare, 0.0, Madl().prepare(targets_of(2)))
