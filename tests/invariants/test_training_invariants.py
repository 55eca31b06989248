"""What must not change a training: how a step is cut up, padding, the scale of weights, rows of weight zero."""

import math

import numpy as np
import pytest
import torch

from outgrow.models import ModelRef, load, score_options
from outgrow.models.heads import LanguageHead
from outgrow.objectives import imitation
from outgrow.objectives.base import Outputs
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch

# targets of 1 to 3 words and prompts of 1 to 6, so that rows differ in length and in tokens to learn
ROWS = [
    TrainRow(f"r{i}", " ".join(f"w{i + j}" for j in range(1 + i % 6)), " ".join(["yes", "w7", "w8"][: 1 + i % 3]),
             weight=0.25 + 0.5 * (i % 4))
    for i in range(16)
]  # fmt: skip
SOFT = TrainRow("soft", "w1 w2", None, ("yes", "red w3"), (0.25, 0.75))
CONFIG = TrainConfig(batch_size=8, learning_rate=1e-3, weight_decay=0.1)


def train(folder, work, rows=ROWS, steps=6, seed=0, evaluate=None, **changes):
    loaded = load(ModelRef(model=str(folder)))
    config = CONFIG.model_copy(update=changes)
    found = fit(loaded, rows, imitation, config, seed=seed, total_steps=steps, work=work, evaluate=evaluate)
    return torch.cat([p.detach().flatten() for p in loaded.head.parameters()]), found


def gradient(loaded, rows, batches, normalise="mean"):
    """Gradient of a step over `rows`, cut into the given micro-batches of packs, by plain accumulation."""
    loaded.head.zero_grad()
    encoded = encode(loaded, rows, 64)
    for batch in batches:
        sequences, fields = micro_batch(loaded, encoded, batch, normalise)
        found = imitation(Outputs(loaded.head(sequences)), fields, 0.0, {})
        ((found.losses * fields.weight).sum() / len(rows)).backward()
    return torch.cat([p.grad.flatten() for p in loaded.head.parameters()])


@pytest.mark.parametrize("normalise", ["mean", "token"])
def test_eight_micro_batches_of_one_row_equal_one_of_eight(tiny_lm, tmp_path, normalise):
    """Tolerance 1e-6 on losses and gradient norms; 2e-5 on weights after six steps of Adam at 1e-3."""
    one, whole = train(tiny_lm, tmp_path / "a", normalise=normalise)
    cut, parts = train(tiny_lm, tmp_path / "b", normalise=normalise, micro_batch_tokens=1)
    for key in ("loss", "grad_norm"):
        np.testing.assert_allclose(
            [entry[key] for entry in parts.history], [entry[key] for entry in whole.history], rtol=1e-5
        )
    torch.testing.assert_close(cut, one, rtol=0, atol=2e-5)


def test_first_step_gradient_is_exact_under_any_cut(tiny_lm):
    """Tolerance 1e-6, the gradient's own size is about 1."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [*ROWS[:7], SOFT]
    whole = gradient(loaded, rows, [[[i] for i in range(8)]])
    cuts = [
        [[[i]] for i in range(8)],
        [[[0], [7]], [[1], [2], [3]], [[4], [5], [6]]],
        [[[0, 7, 3], [1, 2]], [[4, 5, 6]]],
    ]
    for cut in cuts:
        torch.testing.assert_close(gradient(loaded, rows, cut), whole, rtol=0, atol=1e-6)
    assert float(whole.norm()) > 0.1


@torch.no_grad()
def test_padding_and_shared_positions_change_no_loss(tiny_lm):
    """Tolerance 1e-6: each row alone, beside a row that is far longer, and in one sequence with it."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    long = TrainRow("long", " ".join(f"w{i}" for i in range(50)), "no")
    rows = [*ROWS, SOFT, long]
    encoded = encode(loaded, rows, 64)
    for i in range(len(rows) - 1):
        losses = []
        for batch in ([[i]], [[i], [len(rows) - 1]], [[i, len(rows) - 1]]):
            sequences, fields = micro_batch(loaded, encoded, batch, "mean")
            losses.append(float(imitation(Outputs(loaded.head(sequences)), fields, 0.0, {}).losses[0].detach()))
        assert losses[1:] == pytest.approx([losses[0]] * 2, abs=1e-6)


def test_padding_token_is_never_read_or_learned(tiny_lm, tmp_path):
    """Exact: other ids in the padding give the same bits."""
    results = []
    for name, pad in (("a", 0), ("b", 17)):
        loaded = load(ModelRef(model=str(tiny_lm)))
        loaded.pad = pad
        fit(loaded, [*ROWS, SOFT], imitation, CONFIG, seed=0, total_steps=3, work=tmp_path / name)
        results.append(torch.cat([p.detach().flatten() for p in loaded.head.parameters()]))
    assert torch.equal(*results)


def test_scaling_all_weights_changes_nothing_once_they_are_divided_by_their_mean(tiny_lm, tmp_path):
    """Exact for powers of two; 1e-6 for a factor of 7, by the rounding of weights."""

    def normalised(factor):
        mean = math.fsum(row.weight * factor for row in ROWS) / len(ROWS)
        return [TrainRow(r.row_id, r.prompt, r.target, weight=r.weight * factor / mean) for r in ROWS]

    one, _ = train(tiny_lm, tmp_path / "1", normalised(1.0))
    four, _ = train(tiny_lm, tmp_path / "4", normalised(4.0))
    seven, _ = train(tiny_lm, tmp_path / "7", normalised(7.0))
    assert torch.equal(one, four)
    torch.testing.assert_close(seven, one, rtol=0, atol=1e-6)


WORDINGS = [
    TrainRow(f"{q}-{i}", f"question : w{q} w{q + 1} w{q + 2} w{q + 3} w{q + 4} w{q + 5} is w{i} ?", f"w{q + i}",
             weight=0.5 + 0.25 * i, question=str(q))
    for q in range(0, 40, 10) for i in range(4)
]  # fmt: skip


def test_prompts_that_share_positions_train_as_they_do_apart(tiny_lm, tmp_path, monkeypatch):
    """Tolerance 1e-5 on losses, 2e-5 on weights after six steps; sharing does happen, and saves half the positions."""
    read = []
    inner = LanguageHead.forward

    def forward(self, batch, cache=None):
        read.append(batch.ids.numel())
        return inner(self, batch, cache)

    monkeypatch.setattr(LanguageHead, "forward", forward)
    one, joined = train(tiny_lm, tmp_path / "a", WORDINGS, together=True)
    shared = sum(read)
    monkeypatch.setattr(LanguageHead, "random", lambda self: True)
    read.clear()
    two, apart = train(tiny_lm, tmp_path / "b", WORDINGS, together=True)
    assert shared < 0.6 * sum(read)
    np.testing.assert_allclose(
        [entry["loss"] for entry in joined.history], [entry["loss"] for entry in apart.history], rtol=1e-5
    )
    torch.testing.assert_close(one, two, rtol=0, atol=2e-5)


def test_weight_zero_is_removal(tiny_lm, tmp_path):
    """Exact: the same rows in the same order, so the same bits."""
    dropped = [TrainRow(r.row_id, r.prompt, r.target, weight=0.0 if i % 3 == 0 else 1.0) for i, r in enumerate(ROWS)]
    kept = [row for row in dropped if row.weight]
    one, found = train(tiny_lm, tmp_path / "a", dropped)
    two, _ = train(tiny_lm, tmp_path / "b", kept)
    assert found.removed_rows == 6
    assert torch.equal(one, two)


def test_step_loss_is_the_weighted_sum_over_rows_and_does_not_divide_by_weights(tiny_lm, tmp_path):
    """Tolerance 1e-6: twice the weights, twice the loss (weights are divided once, over the whole table, not here)."""
    light, heavy = (
        train(tiny_lm, tmp_path / name, [TrainRow(r.row_id, r.prompt, r.target, weight=w) for r in ROWS], steps=1)[1]
        for name, w in (("a", 1.0), ("b", 2.0))
    )
    assert heavy.history[0]["loss"] == pytest.approx(2 * light.history[0]["loss"], rel=1e-6)


@torch.no_grad()
def test_one_hot_soft_row_is_minus_log_of_the_option_probability(tiny_lm):
    """Tolerance 1e-5. It equals the option's own negative log-probability plus the log of what all options share."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    row = TrainRow("s", "w1 w2", None, ("yes", "red w3", "no"), (0.0, 1.0, 0.0))
    sequences, fields = micro_batch(loaded, encode(loaded, [row], 64), [[0]], "mean")
    loss = float(imitation(Outputs(loaded.head(sequences)), fields, 0.0, {}).losses[0].detach())
    score = score_options(loaded, [row.prompt], [row.options])[0]
    assert loss == pytest.approx(-math.log(score.probabilities[1]), abs=1e-5)
    shared = math.log(np.exp(score.logprobs).sum())
    assert loss == pytest.approx(-score.logprobs[1] + shared, abs=1e-5)


@torch.no_grad()
def test_hard_row_is_the_mean_of_its_scored_log_probability(tiny_lm):
    """Tolerance 1e-6: training and scoring see the same tokens, the end included."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    row = TrainRow("h", "w1 w2", "red w3")
    sequences, fields = micro_batch(loaded, encode(loaded, [row], 64), [[0]], "mean")
    loss = float(imitation(Outputs(loaded.head(sequences)), fields, 0.0, {}).losses[0].detach())
    score = score_options(loaded, [row.prompt], [("red w3",)])[0]
    assert score.n_tokens.tolist() == [3]
    assert loss == pytest.approx(-score.logprobs[0] / 3, abs=1e-6)


def test_token_normalisation_gives_the_loss_of_transformers_own_labels(tiny_lm, tmp_path):
    """Tolerance 1e-5: `normalise: token` is the mean over all target tokens of the step, as other trainers take it."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [TrainRow(r.row_id, r.prompt, r.target) for r in ROWS[:8]]
    encoded = encode(loaded, rows, 64)
    width = max(len(g.prompt) + len(g.answers[0]) for g in encoded.groups)
    ids, labels = torch.zeros(8, width, dtype=torch.int64), torch.full((8, width), -100)
    for i, group in enumerate(encoded.groups):
        both = group.prompt + group.answers[0]
        ids[i, : len(both)] = torch.tensor(both)
        labels[i, len(group.prompt) : len(both)] = torch.tensor(group.answers[0])
    expected = float(loaded.model(input_ids=ids, labels=labels).loss.detach())
    found = fit(
        loaded, rows, imitation, CONFIG.model_copy(update={"normalise": "token"}), seed=0, total_steps=1, work=tmp_path
    )
    assert found.history[0]["loss"] == pytest.approx(expected, abs=1e-5)
