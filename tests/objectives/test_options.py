"""The K-class view is the same for classes and for options of a language model."""

import math

import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.objectives import Batch, Outputs, Tokens, choices

THREE = torch.log(torch.tensor([0.5, 0.25, 0.25]))


def options_batch(row, share, most=1, soft=None):
    """One-token answers, answer i predicted at place i with token i % 3."""
    n = len(row)
    tokens = Tokens(
        place=torch.arange(n),
        token=torch.arange(n) % 3,
        answer=torch.arange(n),
        row=torch.tensor(row),
        length=torch.ones(n, dtype=torch.int64),
        share=torch.tensor(share),
        soft=torch.tensor(soft or [True] * (max(row) + 1)),
        most=most,
    )
    return Batch(tuple(f"r{i}" for i in range(max(row) + 1)), torch.ones(max(row) + 1), "mean", tokens=tokens)


def test_classes_are_what_the_head_says_of_them():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    batch = Batch(("a", "b"), torch.ones(2), "mean", classes=torch.tensor([[0.0, 1.0], [0.5, 0.5]]))
    view = choices(Outputs(logits), batch)
    assert torch.equal(view.logits, logits)
    assert view.mask.tolist() == [[True, True], [True, True]]
    assert view.target.tolist() == [[0.0, 1.0], [0.5, 0.5]]


def test_options_are_their_log_probabilities_and_rows_with_fewer_are_filled_up():
    # tokens 0 1 | 2 0 1, so P = .5 .25 | .25 .5 .25; K = 4 is the most of another micro-batch
    batch = options_batch([0, 0, 1, 1, 1], [1.0, 0.0, 0.2, 0.3, 0.5], most=4)
    view = choices(Outputs(THREE.repeat(5, 1)), batch)
    assert view.mask.tolist() == [[True, True, False, False], [True, True, True, False]]
    torch.testing.assert_close(view.target, torch.tensor([[1, 0, 0, 0], [0.2, 0.3, 0.5, 0]]))
    torch.testing.assert_close(view.logits[0, :2].exp(), torch.tensor([0.5, 0.25]))
    torch.testing.assert_close(view.logits[1, :3].exp(), torch.tensor([0.25, 0.5, 0.25]))
    shares = view.logits.softmax(1)
    torch.testing.assert_close(shares, torch.tensor([[2 / 3, 1 / 3, 0, 0], [0.25, 0.5, 0.25, 0]]))


def test_entropy_cross_entropy_and_their_gradients_need_no_care_for_what_is_filled_up():
    scores = THREE.repeat(5, 1).requires_grad_()
    view = choices(Outputs(scores), options_batch([0, 0, 1, 1, 1], [1.0, 0.0, 0.0, 1.0, 0.0]))
    logs = view.logits.log_softmax(1)
    entropy = -(logs.exp() * logs).sum(1)
    by_hand = [math.log(3) - 2 / 3 * math.log(2), 1.5 * math.log(2)]  # of 2/3, 1/3 and of 1/4, 1/2, 1/4
    torch.testing.assert_close(entropy, torch.tensor(by_hand))
    losses = -(view.target * logs).sum(1)
    torch.testing.assert_close(losses, torch.tensor([math.log(1.5), math.log(2)]))
    (entropy + losses).sum().backward()
    assert torch.isfinite(scores.grad).all()


def test_rows_without_options_are_refused_with_the_remedy():
    batch = options_batch([0, 0, 1], [1.0, 0.0, 1.0], soft=[True, False])
    with pytest.raises(ConfigError, match="some rows have none; it has to declare of_options = True"):
        choices(Outputs(THREE.repeat(3, 1)), batch)
