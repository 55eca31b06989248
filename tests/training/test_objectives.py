"""Objectives that keep statistics, in trainings: micro-batches do not matter, and a stop does not either."""

from pathlib import Path

import pytest
import torch

from outgrow.models import ModelRef, load
from outgrow.objectives.confidence import Confidence
from outgrow.objectives.noise import EarlyLearning, ForwardCorrection
from outgrow.training import TrainConfig, TrainRow, fit

NAMES = ("yes", "no", "red")
SHARES = ((0.7, 0.2, 0.1), (0.1, 0.6, 0.3), (0.2, 0.2, 0.6), (0.5, 0.4, 0.1))
ROWS = [
    TrainRow(f"r{i}", f"w{i % 7} w{i % 5 + 1} w{i % 3}", None, NAMES, SHARES[i % 4], weight=1.0 + i % 2)
    for i in range(11)
]
CONFIG = TrainConfig(batch_size=8, learning_rate=1e-3)
STATEFUL = [Confidence(alpha=0.75), EarlyLearning(), ForwardCorrection()]


class StopError(Exception):
    """Pulls the plug."""


def train(folder, work: Path, head, objective, stop_after=None, **changes):
    loaded = load(ModelRef(model=str(folder), head=head), NAMES if head == "classifier" else None, seed=3)

    def plug(done, total, loss):
        if done == stop_after:
            raise StopError

    config = CONFIG.model_copy(update=changes)
    result = fit(loaded, ROWS, objective, config, seed=7, total_steps=6, work=work, save_seconds=0.0, progress=plug)
    return torch.cat([p.detach().flatten() for p in loaded.head.parameters()]), result


@pytest.mark.parametrize("head", ["lm", "classifier"])
@pytest.mark.parametrize("objective", STATEFUL, ids=lambda objective: objective.name)
def test_one_micro_batch_of_eight_is_eight_of_one(tiny_lm, tmp_path, head, objective):
    """Tolerance 2e-5 on weights after six steps of Adam at 1e-3."""
    whole, found = train(tiny_lm, tmp_path / "a", head, objective)
    cut, again = train(tiny_lm, tmp_path / "b", head, objective, micro_batch_tokens=1)
    torch.testing.assert_close(cut, whole, rtol=0, atol=2e-5)
    assert [e["loss"] for e in again.history] == pytest.approx([e["loss"] for e in found.history], rel=1e-4)


@pytest.mark.parametrize("objective", STATEFUL, ids=lambda objective: objective.name)
def test_a_training_that_was_stopped_ends_with_the_same_bits(tiny_lm, tmp_path, objective):
    whole, found = train(tiny_lm, tmp_path / "a", "classifier", objective)
    with pytest.raises(StopError):
        train(tiny_lm, tmp_path / "b", "classifier", objective, stop_after=3)
    again, result = train(tiny_lm, tmp_path / "b", "classifier", objective)
    assert torch.equal(again, whole)
    assert result.history == found.history


def test_texts_harden_each_token_by_itself(tiny_lm, tmp_path):
    """With all weight on the student's own tokens its probabilities sharpen, whatever the target says."""
    rows = [TrainRow(f"t{i}", f"w{i} w{i + 1}", "yes no red") for i in range(4)]

    def first_and_last(alpha, work):
        loaded = load(ModelRef(model=str(tiny_lm)), seed=3)
        objective = Confidence(level="tokens", alpha=alpha, warmup=0.0)
        config = CONFIG.model_copy(update={"learning_rate": 1e-2})
        losses = [e["loss"] for e in fit(loaded, rows, objective, config, seed=7, total_steps=8, work=work).history]
        return losses[0], losses[-1]

    own, label = first_and_last(1.0, tmp_path / "a"), first_and_last(0.0, tmp_path / "b")
    assert own[0] < label[0]  # the most probable token against the target's
    assert own[1] < own[0]
    assert label[1] < label[0]
