"""Trainings on pairs: the reference is computed as the student is, and what weights and flips do to a step."""

import math
from dataclasses import replace

import pytest
import torch

from outgrow.models import ModelRef, load
from outgrow.models.config import Lora
from outgrow.objectives.base import Outputs
from outgrow.objectives.preference import Dpo, Ipo, Orpo, SimPo
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch
from outgrow.training.reference import reference_scores

# prompts of 1 to 20 words, of which 12 tokens fit with the longest answer; answers of 1 to 4 words
PAIRS = [
    TrainRow(f"p{i}", " ".join(f"w{(i + j) % 70}" for j in range(1 + 19 * (i % 3) // 2)), None,
             (" ".join(["yes", "w7", "w8", "red"][: 1 + i % 4]), " ".join(["no", "w9"][: 1 + i % 2])),
             (1.0, 0.0), weight=0.5 + i % 2)
    for i in range(12)
]  # fmt: skip
CONFIG = TrainConfig(batch_size=12, learning_rate=1e-2, max_length=12, warmup=0.0)
LN2 = math.log(2)


def with_reference(loaded, rows, config=CONFIG):
    scores = reference_scores(loaded, rows, config)
    return [replace(row, fields={"reference": tuple(score)}) for row, score in zip(rows, scores, strict=True)]


@pytest.mark.parametrize("lora", [None, Lora(r=2, dropout=0.5)])
@pytest.mark.parametrize("objective", [Dpo(beta=5.0), Dpo(beta=5.0, length_normalise=True, smoothing=0.2)], ids=repr)
@pytest.mark.parametrize("micro", [8192, 24])
def test_the_first_loss_is_ln_2_with_truncated_prompts_and_adapters(tiny_lm, tmp_path, lora, objective, micro):
    """Tolerance 1e-6 in float32: the reference was read in micro-batches of another size."""
    config = CONFIG.model_copy(update={"lora": lora, "micro_batch_tokens": micro})
    rows = with_reference(load(ModelRef(model=str(tiny_lm))), PAIRS, CONFIG.model_copy(update={"lora": lora}))
    loaded = load(ModelRef(model=str(tiny_lm)))
    found = fit(loaded, rows, objective, config, seed=1, total_steps=3, work=tmp_path / "work")
    assert found.truncated_prompts >= 4
    first, *_, last = found.history
    mean_weight = sum(row.weight for row in rows) / len(rows)
    assert first["loss"] == pytest.approx(LN2 * mean_weight, abs=1e-6)
    assert first["margin"] == pytest.approx(0.0, abs=1e-5)
    assert first["gain_chosen"] == pytest.approx(0.0, abs=1e-6)
    assert last["margin"] > 0.1
    assert last["gain_rejected"] < last["gain_chosen"]


def test_a_training_that_was_stopped_goes_on_against_the_same_reference(tiny_lm, tmp_path):
    """Two steps, a stop, and a third: the first loss is ln 2 once, and all is as without the stop, to the bit."""
    rows = [replace(row, weight=1.0) for row in PAIRS]

    def run(work, stop=None):
        def progress(done, total, loss):
            if done == stop:
                raise KeyboardInterrupt

        own = with_reference(load(ModelRef(model=str(tiny_lm))), rows)  # made anew, as by another process
        loaded, total = load(ModelRef(model=str(tiny_lm))), 3
        arguments = {"seed": 1, "total_steps": total, "work": work, "save_seconds": 0.0, "progress": progress}
        return fit(loaded, own, Dpo(beta=5.0), CONFIG, **arguments), loaded.head.state_dict()

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "a", stop=2)
    (resumed, weights), (whole, expected) = run(tmp_path / "a"), run(tmp_path / "b")
    assert resumed.history == whole.history
    assert whole.history[0]["loss"] == pytest.approx(LN2, abs=1e-6)
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def step_gradient(loaded, rows, objective):
    """Loss and gradient of a step over rows whose weights have a mean of 1."""
    loaded.head.zero_grad()
    encoded = encode(loaded, rows, CONFIG.max_length)
    state = objective.prepare(encoded.targets)
    sequences, batch = micro_batch(loaded, encoded, [[i] for i in range(len(rows))], "mean")
    found = objective(Outputs(loaded.head(sequences)), batch, 0.0, state)
    loss = (found.losses * batch.weight).sum() / batch.weight.sum()
    loss.backward()
    return loss.detach(), torch.cat([p.grad.flatten() for p in loaded.head.parameters()])


OBJECTIVES = [
    Dpo(beta=0.5), Dpo(smoothing=0.1), Dpo(flips="corrected", smoothing=0.2), Ipo(), SimPo(), Orpo()
]  # fmt: skip


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_weight_2_equals_two_copies(tiny_lm, objective):
    """Tolerance 1e-6 relative to the gradient's norm."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = with_reference(loaded, [replace(row, weight=1.0) for row in PAIRS[:5]])
    rows = [replace(row, fields={"reference": tuple(s + 0.3 * i for s in row.fields["reference"])})
            for i, row in enumerate(rows)]  # fmt: skip
    heavy = [replace(row, weight=2.0) if i in (1, 4) else row for i, row in enumerate(rows)]
    copies = [*rows, *(replace(rows[i], row_id=f"again {i}") for i in (1, 4))]
    (one, gradient), (two, expected) = step_gradient(loaded, heavy, objective), step_gradient(loaded, copies, objective)
    torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-6 * float(expected.norm()))
    assert float(expected.norm()) > 1e-3


@pytest.mark.parametrize("objective", [each for each in OBJECTIVES if each.flips == "mixture"], ids=repr)
def test_a_flip_probability_equals_the_weighted_mixture_of_both_orders(tiny_lm, objective):
    """A pair with flip probability .3 is .7 of the pair and .3 of the turned one, in loss and gradient."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = with_reference(loaded, [replace(row, weight=1.0) for row in PAIRS[:5]])
    doubtful = [replace(row, probabilities=(0.7, 0.3)) for row in rows]
    turned = [
        replace(row, row_id=f"turned {row.row_id}", options=row.options[::-1], weight=0.3,
                fields={"reference": row.fields["reference"][::-1]})
        for row in rows
    ]  # fmt: skip
    both = [*(replace(row, weight=0.7) for row in rows), *turned]
    (one, gradient), (two, expected) = (
        step_gradient(loaded, doubtful, objective),
        step_gradient(loaded, both, objective),
    )
    torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=2e-6 * float(expected.norm()))
    assert float(expected.norm()) > 1e-3
