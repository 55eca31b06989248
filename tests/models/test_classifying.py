"""Classes, with and without dropout."""

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.models import ModelRef, Stage, classify, load, read_classes, readings, save
from outgrow.models.batching import Sequences

PROMPTS = [f"question : w{i} " + "w7 " * (i % 5) for i in range(20)]


@pytest.fixture
def loaded(tiny_bert):
    return load(ModelRef(model=str(tiny_bert), head="classifier"), ("red", "green", "blue"), seed=3)


def test_rows_are_log_probabilities_that_do_not_depend_on_neighbours_or_padding(loaded):
    together = classify(loaded, PROMPTS)
    assert together.shape == (20, 3)
    np.testing.assert_allclose(np.exp(together).sum(axis=1), 1.0, atol=1e-12)
    alone = np.concatenate([classify(loaded, [prompt]) for prompt in PROMPTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_dropout_passes_are_seeded_and_differ_by_seed(loaded):
    plain, one, other = (classify(loaded, PROMPTS, dropout_seed=seed) for seed in (None, 1, 2))
    torch.rand(7)  # whatever was drawn before does not matter
    assert classify(loaded, PROMPTS, dropout_seed=1).tolist() == one.tolist()
    assert np.abs(one - plain).max() > 1e-3
    assert np.abs(one - other).max() > 1e-3


def test_dropout_pass_leaves_the_model_and_the_global_generator_as_they_were(loaded):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    before = classify(loaded, PROMPTS)
    classify(loaded, PROMPTS, dropout_seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert not loaded.head.training
    assert classify(loaded, PROMPTS).tolist() == before.tolist()


def test_dropout_pass_that_was_stopped_goes_on_with_the_same_bits(loaded):
    journal = []
    whole = classify(loaded, PROMPTS, dropout_seed=4, token_budget=30, stage=Stage(journal, "s"))
    assert len(journal) > 3
    again = classify(loaded, PROMPTS, dropout_seed=4, token_budget=30, stage=Stage(journal[1:3], "s"))
    assert again.tolist() == whole.tolist()


def test_prompt_longer_than_the_model_reads_is_cut_on_the_left(loaded):
    tail = " ".join(f"w{i}" for i in range(62))  # with [CLS] and [SEP]: 64
    short, long = classify(loaded, [tail, "w70 w71 " + tail])
    np.testing.assert_allclose(short, long, atol=1e-6)


def test_uncertainty_of_a_softmax_is_its_entropy(loaded):
    readout = read_classes(loaded, PROMPTS)
    shares = np.exp(classify(loaded, PROMPTS))
    np.testing.assert_allclose(readout.uncertainty, -(shares * np.log(shares)).sum(1), atol=1e-12)
    even = readings.softmax(torch.zeros(1, 3, dtype=torch.float64))
    assert float(even.uncertainty) == pytest.approx(np.log(3))
    sure = readings.softmax(torch.tensor([[0.0, 900.0]], dtype=torch.float64))
    assert float(sure.uncertainty) == 0.0


def test_probabilities_are_what_the_models_own_reading_makes_of_the_scores(loaded, monkeypatch, tmp_path):
    """Evidence e gives (e + 1) / sum, as in arXiv 1806.01768: with e = exp(score), not a softmax."""

    def evidence(scores):
        strength = scores.exp() + 1
        total = strength.sum(1, keepdim=True)
        return readings.Readout((strength / total).log(), scores.shape[1] / total[:, 0])

    plain = np.exp(classify(loaded, PROMPTS))
    monkeypatch.setitem(readings.READINGS, "evidence", evidence)
    loaded.reading = "evidence"
    save(loaded, tmp_path)
    again = load(loaded.ref, loaded.classes, weights=tmp_path)
    assert again.reading == "evidence"
    readout = read_classes(again, PROMPTS)
    with torch.no_grad():
        ids = torch.tensor([again.tokenizer(PROMPTS[0])["input_ids"]])
        strength = again.head(Sequences(ids, None, None, ids[0])).double().exp() + 1
    np.testing.assert_allclose(readout.logprobs[0].exp(), (strength / strength.sum())[0], atol=1e-6)
    assert float(readout.uncertainty[0]) == pytest.approx(3 / float(strength.sum()), abs=1e-6)
    assert np.abs(np.exp(classify(again, PROMPTS)) - plain).max() > 1e-3
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="saved with the reading 'evidence', which is not known here"):
        load(loaded.ref, loaded.classes, weights=tmp_path)


def test_no_prompts_give_an_empty_table(loaded):
    assert classify(loaded, []).shape == (0, 3)


def test_language_model_head_has_no_classes(tiny_lm):
    with pytest.raises(ConfigError, match="no classes"):
        classify(load(ModelRef(model=str(tiny_lm))), ["w1"])
