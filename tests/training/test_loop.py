"""The loop: what is learned, chosen, counted and refused."""

import math

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from outgrow.core.errors import ConfigError, DataError, TrainingError
from outgrow.models import ModelRef, classify, load, score_options
from outgrow.models.config import Lora
from outgrow.models.hidden_states import hidden_states
from outgrow.models.quiet import quiet
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

ROWS = [TrainRow(f"r{i}", f"question : w{i} ?", "yes" if i % 2 else "no w1") for i in range(12)]
CONFIG = TrainConfig(batch_size=4, learning_rate=3e-3)


def weights(loaded):
    return {name: tensor.clone() for name, tensor in loaded.head.state_dict().items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def run(folder, work, *, rows=ROWS, config=CONFIG, steps=9, seed=0, classes=None, **options):
    ref = ModelRef(model=str(folder), head="classifier" if classes else "lm")
    loaded = load(ref, classes, seed=seed)
    return loaded, fit(loaded, rows, imitation, config, seed=seed, total_steps=steps, work=work, **options)


def test_training_lowers_the_loss_and_leaves_the_model_in_evaluation_mode(tiny_lm, tmp_path):
    loaded, found = run(tiny_lm, tmp_path, steps=30)
    losses = [entry["loss"] for entry in found.history]
    assert losses[-1] < 0.5 * losses[0]
    assert not loaded.head.training
    assert all(parameter.grad is None for parameter in loaded.head.parameters())


def test_history_has_one_entry_per_step(tiny_lm, tmp_path):
    _, found = run(tiny_lm, tmp_path, config=CONFIG.model_copy(update={"warmup": 0.0}), steps=3)
    assert [entry["step"] for entry in found.history] == [1, 2, 3]
    assert [entry["lr"] for entry in found.history] == pytest.approx([3e-3, 2e-3, 1e-3])
    # 12 rows in 3 steps: <s> question : w ? and "yes </s>" or "no w1 </s>"
    assert sum(entry["tokens"] for entry in found.history) == 6 * (5 + 2) + 6 * (5 + 3)
    assert all(math.isfinite(entry["grad_norm"]) for entry in found.history)


def test_progress_is_told_after_every_step(tiny_lm, tmp_path):
    seen = []
    _, found = run(tiny_lm, tmp_path, steps=4, progress=lambda *event: seen.append(event))
    assert seen == [(i + 1, 4, found.history[i]["loss"]) for i in range(4)]


def test_same_seed_same_bits_and_other_seed_other_bits(tiny_bert, tmp_path):
    # BERT has dropout, so this holds only if dropout too comes from (seed, step)
    rows = [TrainRow(f"r{i}", f"w{i} w{i + 1}", "yes" if i % 2 else "no") for i in range(12)]
    results = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(3)
        ref = ModelRef(model=str(tiny_bert), head="classifier")
        loaded = load(ref, ("yes", "no"), seed=0)
        fit(loaded, rows, imitation, CONFIG, seed=seed, total_steps=4, work=tmp_path / name)
        results.append(weights(loaded))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_global_generator_is_left_as_it_was(tiny_bert, tmp_path):
    rows = [TrainRow("r", "w1", "yes"), TrainRow("s", "w2", "no")]
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    run(tiny_bert, tmp_path, rows=rows, steps=2, classes=("yes", "no"))
    assert torch.equal(torch.rand(2), expected)


def test_best_checkpoint_is_chosen_and_the_earliest_of_equals(tiny_lm, tmp_path):
    seen = []

    def evaluate(loaded):
        seen.append(weights(loaded))
        return [0.1, 0.9, 0.9][len(seen) - 1]

    loaded, found = run(tiny_lm, tmp_path, steps=9, evaluate=evaluate)
    assert found.scores == [(3, 0.1), (6, 0.9), (9, 0.9)]
    assert found.chosen_step == 6
    assert same(weights(loaded), seen[1])
    assert not same(seen[1], seen[2])


def test_all_steps_are_done_before_the_first_checkpoint_is_evaluated(tiny_lm, tmp_path):
    events = []
    run(
        tiny_lm,
        tmp_path,
        steps=6,
        progress=lambda step, *_: events.append(step),
        evaluate=lambda loaded: events.append("evaluate") or 0.0,
    )
    assert events == [1, 2, 3, 4, 5, 6, "evaluate", "evaluate", "evaluate"]


def test_checkpoint_without_a_score_is_not_chosen(tiny_lm, tmp_path):
    scores = iter([math.nan, 0.2, math.nan])
    _, found = run(tiny_lm, tmp_path, steps=9, evaluate=lambda loaded: next(scores))
    assert found.chosen_step == 6


def test_without_an_evaluation_the_last_step_is_kept(tiny_lm, tmp_path):
    one, found = run(tiny_lm, tmp_path / "a", steps=5)
    assert (found.chosen_step, found.scores) == (5, [])
    two, _ = run(tiny_lm, tmp_path / "b", steps=5, config=CONFIG.model_copy(update={"checkpoints": 1}))
    assert same(weights(one), weights(two))


def test_evaluation_does_not_change_the_training(tiny_lm, tmp_path):
    def evaluate(loaded):
        torch.rand(5)
        return score_options(loaded, ["w1"], [("yes", "no")])[0].logprobs[0]

    one, _ = run(tiny_lm, tmp_path / "a", steps=6)
    config = CONFIG.model_copy(update={"checkpoints": 1})
    two, _ = run(tiny_lm, tmp_path / "b", steps=6, config=config, evaluate=evaluate)
    assert same(weights(one), weights(two))


def test_every_checkpoint_is_shown_in_evaluation_mode_without_touching_the_training(tiny_bert, tmp_path):
    """BERT has dropout, so neither the weights nor what it says would be the same otherwise."""
    rows = [TrainRow(f"r{i}", f"w{i} w{i + 1}", "yes" if i % 2 else "no") for i in range(12)]
    seen, judged = [], []

    def at_checkpoint(step, loaded):
        torch.rand(5)
        assert not any(module.training for module in loaded.head.modules())
        seen.append((step, weights(loaded), classify(loaded, ["w1 w2"]).tolist()))
        loaded.head.train()  # what is done to the mode does not last

    options = {"rows": rows, "steps": 6, "classes": ("yes", "no")}
    plain, expected = run(tiny_bert, tmp_path / "a", **options)
    loaded, result = run(tiny_bert, tmp_path / "b", at_checkpoint=at_checkpoint, **options)
    assert [step for step, _, _ in seen] == [2, 4, 6]
    assert same(weights(loaded), weights(plain))
    assert (result.history, result.scores, result.chosen_step) == (expected.history, [], 6)
    assert same(seen[2][1], weights(loaded))
    assert seen[2][2] == classify(loaded, ["w1 w2"]).tolist()
    assert not loaded.head.training
    said = [own for _, _, own in seen]
    seen.clear()

    def evaluate(loaded):
        judged.append(len(seen))
        return 0.0

    run(tiny_bert, tmp_path / "c", at_checkpoint=at_checkpoint, evaluate=evaluate, **options)
    assert judged == [1, 2, 3]  # a checkpoint is shown before it is judged
    assert [own for _, _, own in seen] == said


def test_loss_that_is_not_finite_names_the_step_and_the_row(tiny_lm, tmp_path):
    loaded = load(ModelRef(model=str(tiny_lm)))
    bad = loaded.tokenizer.convert_tokens_to_ids("w70")
    loaded.model.model.embed_tokens.weight.data[bad] = math.nan
    # the poisoned word is also an output: keep it out of the scores, so that only rows that read it are touched
    loaded.model.lm_head.weight = torch.nn.Parameter(loaded.model.lm_head.weight.detach().nan_to_num(0.0))
    rows = [*ROWS[:3], TrainRow("poisoned", "question : w70 ?", "yes")]
    with pytest.raises(
        TrainingError, match=r"step 1: the loss is not finite \(nan\); rows poisoned; lower the learning"
    ):
        fit(loaded, rows, imitation, CONFIG, seed=0, total_steps=3, work=tmp_path)


def test_head_alone_is_trained_and_reads_what_it_reads_without_dropout(tiny_bert, tmp_path):
    """The same as logistic regression on fixed hidden states: full-batch Adam by hand."""
    rows = [TrainRow(f"r{i}", f"w{i} w{i + 1}", "yes" if i % 2 else "no") for i in range(8)]
    config = TrainConfig(batch_size=8, learning_rate=0.05, schedule="constant", warmup=0.0, max_grad_norm=1e9)
    loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"), seed=0)
    loaded.head.dropout.p = 0.0  # the layer's own; that of the rest is off while it is frozen
    before = weights(loaded)
    states = hidden_states(loaded, [row.prompt for row in rows], [-1], pool="mean")[:, 0]
    layer = torch.nn.Linear(32, 2)
    layer.load_state_dict(loaded.head.linear.state_dict())
    adam = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(5):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(layer(states), torch.tensor([1, 0] * 4)).backward()
        adam.step()
    fit(loaded, rows, imitation, config, seed=0, total_steps=5, work=tmp_path, only="head")
    after = weights(loaded)
    torch.testing.assert_close(after["linear.weight"], layer.weight.detach(), rtol=0, atol=1e-4)
    torch.testing.assert_close(after["linear.bias"], layer.bias.detach(), rtol=0, atol=1e-4)
    assert not torch.equal(after["linear.weight"], before["linear.weight"])
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("linear"))


def test_head_alone_that_was_stopped_goes_on_with_the_same_bits(tiny_lm, tmp_path):
    rows = [TrainRow(f"r{i}", f"w{i} w{i + 1}", "yes" if i % 2 else "no") for i in range(8)]
    options = {"rows": rows, "steps": 4, "classes": ("yes", "no"), "only": "head", "save_seconds": 0.0}

    def stop(step, total, loss):
        if step == 2:
            raise KeyboardInterrupt

    whole, _ = run(tiny_lm, tmp_path / "a", **options)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_lm, tmp_path / "b", progress=stop, **options)
    again, _ = run(tiny_lm, tmp_path / "b", **options)
    assert same(weights(whole), weights(again))


def test_head_alone_is_refused_where_there_is_none_or_beside_an_adapter(tiny_lm, tmp_path):
    with pytest.raises(ConfigError, match="head 'lm' has no such layer; load the model with head: classifier"):
        run(tiny_lm, tmp_path, only="head")
    rows, config = [TrainRow("a", "w1", "yes"), TrainRow("b", "w2", "no")], CONFIG.model_copy(update={"lora": Lora()})
    with pytest.raises(ConfigError, match=r"nothing for train\.lora"):
        run(tiny_lm, tmp_path, rows=rows, config=config, classes=("yes", "no"), only="head")


def test_hard_row_with_options_is_learned_as_the_choice_among_them(tiny_lm, tmp_path):
    """The same as all probability on the target: a soft row, whose loss is -log of its share among the options."""
    options = ("yes", "red w5")
    hard = [TrainRow("a", "w1 w2", "red w5", options), TrainRow("b", "w3", "no")]
    soft = [TrainRow("a", "w1 w2", None, options, (0.0, 1.0)), TrainRow("b", "w3", "no")]
    one, two = (run(tiny_lm, tmp_path / name, rows=rows, steps=3) for name, rows in (("a", hard), ("b", soft)))
    assert same(weights(one[0]), weights(two[0]))


def test_long_prompts_are_cut_on_the_left_and_counted(tiny_lm, tmp_path):
    long = " ".join(f"w{i}" for i in range(30))
    rows = [TrainRow("long", long + " question", "yes"), TrainRow("short", "question", "no")]
    config = CONFIG.model_copy(update={"max_length": 10})
    one, found = run(tiny_lm, tmp_path / "a", rows=rows, config=config, steps=3)
    assert found.truncated_prompts == 1
    # what is left: <s>, the last seven tokens of the prompt, "yes" and the end
    same_rows = [TrainRow("long", "w24 w25 w26 w27 w28 w29 question", "yes"), rows[1]]
    two, found = run(tiny_lm, tmp_path / "b", rows=same_rows, config=config, steps=3)
    assert found.truncated_prompts == 0
    assert same(weights(one), weights(two))


def test_target_that_does_not_fit_is_an_error_and_never_cut(tiny_lm, tmp_path):
    rows = [*ROWS, TrainRow("wide", "question", "w1 w2 w3 w4 w5 w6")]
    with pytest.raises(DataError, match="'wide': the target has 7 tokens, max_length is 7; targets are never cut"):
        run(tiny_lm, tmp_path, rows=rows, config=CONFIG.model_copy(update={"max_length": 7}))


def test_class_that_the_model_does_not_know_is_an_error(tiny_bert, tmp_path):
    rows = [TrainRow("r0", "w1", "yes"), TrainRow("r1", "w2", "maybe")]
    with pytest.raises(DataError, match=r"'r1': 'maybe' is none of the classes \['yes', 'no'\]"):
        run(tiny_bert, tmp_path, rows=rows, classes=("yes", "no"))


def test_rows_of_weight_zero_are_counted(tiny_lm, tmp_path):
    rows = [*ROWS, TrainRow("z", "w1", "yes", weight=0.0)]
    _, found = run(tiny_lm, tmp_path, rows=rows, steps=2)
    assert (found.n_rows, found.removed_rows) == (12, 1)


def test_no_steps_is_an_error(tiny_lm, tmp_path):
    with pytest.raises(ConfigError, match="at least one step"):
        run(tiny_lm, tmp_path, steps=0)


def test_work_folder_of_another_training_is_refused(tiny_lm, tmp_path):
    run(tiny_lm, tmp_path, steps=2)
    with pytest.raises(ConfigError, match="checkpoints of another training"):
        run(tiny_lm, tmp_path, steps=2, seed=1)


def test_adapter_training_leaves_the_base_weights_alone(tiny_lm, tmp_path):
    before = weights(load(ModelRef(model=str(tiny_lm))))
    config = CONFIG.model_copy(update={"lora": Lora(r=2, alpha=4.0, dropout=0.1), "learning_rate": 0.02})
    loaded, found = run(tiny_lm, tmp_path, config=config, steps=30, evaluate=lambda loaded: 0.0)
    assert found.history[-1]["loss"] < found.history[0]["loss"]
    after = {name.replace(".base_layer", ""): tensor for name, tensor in weights(loaded).items() if "lora_" not in name}
    assert same(before, after)
    assert found.chosen_step == 10


def test_adapter_of_an_earlier_training_is_merged_before_the_next(tiny_lm, tmp_path):
    config = CONFIG.model_copy(update={"lora": Lora(r=2, alpha=4.0), "learning_rate": 0.02})
    loaded, _ = run(tiny_lm, tmp_path / "a", config=config, steps=5)
    before = score_options(loaded, ["w1"], [("yes", "no")])[0].logprobs
    tiny = CONFIG.model_copy(update={"learning_rate": 1e-12})
    fit(loaded, ROWS, imitation, tiny, seed=0, total_steps=1, work=tmp_path / "b")
    assert loaded.adapter is None
    np.testing.assert_allclose(score_options(loaded, ["w1"], [("yes", "no")])[0].logprobs, before, atol=1e-5)


def test_classifier_on_a_causal_model_learns_hard_and_soft_labels(tiny_lm, tmp_path):
    rows = [
        TrainRow("a", "w1 w2", "red"),
        TrainRow("b", "w3 w4", None, ("green", "red"), (0.75, 0.25)),
        TrainRow("c", "w5 w6", "blue"),
    ]
    config = TrainConfig(batch_size=3, learning_rate=5e-3)
    loaded, _ = run(tiny_lm, tmp_path, rows=rows, config=config, steps=40, classes=("red", "green", "blue"))
    found = np.exp(classify(loaded, [row.prompt for row in rows]))
    np.testing.assert_allclose(found, [[1, 0, 0], [0.25, 0.75, 0], [0, 0, 1]], atol=0.03)


def test_language_model_learns_the_shares_of_soft_rows(tiny_lm, tmp_path):
    rows = [TrainRow("a", "w1 w2", None, ("yes", "red w5"), (0.3, 0.7)), TrainRow("b", "w3", "no")]
    config = TrainConfig(batch_size=2, learning_rate=5e-3)
    loaded, _ = run(tiny_lm, tmp_path, rows=rows, config=config, steps=60)
    found = score_options(loaded, ["w1 w2"], [("yes", "red w5")])[0]
    np.testing.assert_allclose(found.probabilities, [0.3, 0.7], atol=0.03)


def test_bfloat16_passes_stay_near_float32(tiny_lm, tmp_path):
    _, full = run(tiny_lm, tmp_path / "a", steps=3, config=CONFIG.model_copy(update={"precision": "fp32"}))
    loaded, half = run(tiny_lm, tmp_path / "b", steps=3, config=CONFIG.model_copy(update={"precision": "bf16"}))
    one, two = ([entry["loss"] for entry in found.history] for found in (full, half))
    np.testing.assert_allclose(one, two, rtol=0.02)
    assert one != two
    assert loaded.model.dtype == torch.float32


def test_model_held_in_bfloat16_is_trained_in_float32_and_returned_in_bfloat16(tiny_lm, tmp_path):
    loaded = load(ModelRef(model=str(tiny_lm), dtype="bfloat16"))
    # a step of 1e-4 is lost when added to bfloat16 weights of size .2, but 100 of them are not in float32
    config = TrainConfig(batch_size=4, learning_rate=1e-4, schedule="constant", warmup=0.0)
    fit(loaded, ROWS, imitation, config, seed=0, total_steps=40, work=tmp_path)
    assert loaded.model.dtype == torch.bfloat16
    before = load(ModelRef(model=str(tiny_lm), dtype="bfloat16"))
    assert not same(weights(loaded), weights(before))


def test_model_with_dropout_shares_no_positions(tiny_lm, tmp_path):
    """Rows that share positions would share their draws."""
    with quiet():
        GPT2LMHeadModel(GPT2Config(vocab_size=94, n_embd=32, n_layer=1, n_head=4)).save_pretrained(tmp_path / "model")
        load(ModelRef(model=str(tiny_lm))).tokenizer.save_pretrained(tmp_path / "model")
    loaded = load(ModelRef(model=str(tmp_path / "model")))
    assert loaded.head.random()
    assert not load(ModelRef(model=str(tiny_lm))).head.random()
    rows = [TrainRow(str(i), f"question : w1 w2 w3 w4 w5 is w{i} ?", "yes") for i in range(4)]
    widths = []
    loaded.head.register_forward_pre_hook(lambda module, given: widths.append(tuple(given[0].ids.shape)))
    fit(loaded, rows, imitation, CONFIG, seed=0, total_steps=1, work=tmp_path)
    assert widths[-1][0] == 4  # a sequence for each row
