"""Head `reward`: one number for each option behind its question, learned and asked as a choice."""

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, load, save
from outgrow.models.classifying import classify, rewards
from outgrow.models.config import with_option
from outgrow.objectives import choices, imitation
from outgrow.objectives.base import Outputs
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch

ROWS = [
    TrainRow("a", "w1 w2", "w5 w6", ("w5 w6", "w7")),
    TrainRow("b", "w3", None, ("w5", "w7 w8", "w9"), (0.2, 0.5, 0.3)),
]


def reward_model(folder, **options):
    return load(ModelRef(model=str(folder), head="reward"), **options)


@pytest.fixture(params=["tiny_lm", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


def test_an_option_is_read_behind_its_question():
    assert with_option("Human: hi\n\nAssistant:", " Hello.") == "Human: hi\n\nAssistant: Hello."
    assert with_option("Human: hi\n\nAssistant:\n", "Hello.") == "Human: hi\n\nAssistant: Hello."


def test_training_sees_the_rewards_that_asking_gives(folder):
    loaded = reward_model(folder, seed=3)
    encoded = encode(loaded, ROWS, 64)
    assert encoded.targets.share.tolist() == [[1, 0, 0], [0.2, 0.5, 0.3]]
    sequences, batch = micro_batch(loaded, encoded, [[1], [0]], "mean")
    with torch.no_grad():
        view = choices(Outputs(loaded.head(sequences)), batch)
    assert view.mask.tolist() == [[True] * 3, [True, True, False]]
    torch.testing.assert_close(view.target, torch.tensor([[0.2, 0.5, 0.3], [1, 0, 0]]))
    asked = rewards(loaded, [with_option(row.prompt, option) for row in ROWS for option in row.options])
    np.testing.assert_allclose(view.logits[1, :2], asked[:2], atol=1e-5)
    np.testing.assert_allclose(view.logits[0], asked[2:], atol=1e-5)


def test_the_loss_of_a_pair_is_bradley_terry(tiny_bert):
    """-ln sigmoid(r1 - r2), and for soft labels the cross-entropy over all options."""
    loaded = reward_model(tiny_bert)
    sequences, batch = micro_batch(loaded, encode(loaded, ROWS, 64), [[0], [1]], "mean")
    outputs = Outputs(torch.tensor([[1.5], [0.5], [0.0], [1.0], [2.0]]))
    losses = imitation(outputs, batch, 0.0, {}).losses
    logs = np.array([0.0, 1.0, 2.0]) - np.log(np.exp([0.0, 1.0, 2.0]).sum())
    np.testing.assert_allclose(losses, [np.log1p(np.exp(-1.0)), -(np.array([0.2, 0.5, 0.3]) * logs).sum()], rtol=1e-6)
    assert len(sequences.ids) == 5


def test_a_preference_is_learned_and_kept(folder, tmp_path):
    """Responses with w1 are preferred; the model is as good after it was saved and loaded."""
    loaded, rng = reward_model(folder, seed=3), np.random.default_rng(0)
    pairs = [(f"w{i} w1 w{j}", f"w{i} w2 w{j}") for i, j in rng.integers(10, 60, (40, 2))]
    rows = [TrainRow(f"r{i}", "w3 w4", a, (a, b) if i % 2 else (b, a)) for i, (a, b) in enumerate(pairs)]
    config = TrainConfig(batch_size=8, learning_rate=5e-3)
    fit(loaded, rows[:30], imitation, config, seed=1, total_steps=40, work=tmp_path / "work")
    texts = [with_option("w3 w4", text) for pair in pairs[30:] for text in pair]
    found = np.array(rewards(loaded, texts)).reshape(-1, 2)
    assert (found[:, 0] > found[:, 1]).all()
    save(loaded, tmp_path / "model")
    again = reward_model(folder, weights=tmp_path / "model")
    np.testing.assert_allclose(rewards(again, texts), found.ravel(), atol=1e-6)


def test_micro_batches_do_not_matter(tiny_lm, tmp_path):
    """Tolerance 2e-5 on weights after four steps of Adam at 1e-3."""
    weights = []
    for budget in (8192, 1):
        loaded = reward_model(tiny_lm, seed=3)
        config = TrainConfig(batch_size=4, learning_rate=1e-3, micro_batch_tokens=budget)
        fit(loaded, ROWS * 3, imitation, config, seed=1, total_steps=4, work=tmp_path / str(budget))
        weights.append(torch.cat([p.detach().flatten() for p in loaded.head.parameters()]))
    torch.testing.assert_close(*weights, rtol=0, atol=2e-5)


def test_what_does_not_go_with_rewards_is_refused(tiny_bert, tmp_path):
    loaded = reward_model(tiny_bert)
    with pytest.raises(ConfigError, match="head 'reward' has no classes"):
        classify(loaded, ["w1"])
    other = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
    with pytest.raises(ConfigError, match="this model has head 'classifier'"):
        rewards(other, ["w1"])
    with pytest.raises(DataError, match="'t' has no options, and head 'reward' learns which option is better"):
        encode(loaded, [TrainRow("t", "w1", "w2")], 64)
    save(other, tmp_path / "classes")
    with pytest.raises(ConfigError, match="was saved with head 'classifier'"):
        reward_model(tiny_bert, weights=tmp_path / "classes")
    with pytest.raises(ConfigError, match="head 'reward' reads the prompt as it is"):
        load(ModelRef(model=str(tiny_bert), head="reward", chat=True))
