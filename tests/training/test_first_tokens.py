"""Evidence from a language model: the scores of options' first tokens, in training, asking and after loading."""

import json
import math

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import EXAMPLES, build
from outgrow.models import ModelRef, load, save, score_options, score_texts
from outgrow.models.config import Lora
from outgrow.objectives.base import Outputs
from outgrow.objectives.evidential import Evidential
from outgrow.supervisors.local import answer
from outgrow.tasks.base import Wording
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch

LETTERS = ("red", "green", "blue")
ROWS = [
    TrainRow(f"r{i}", "question : w1 w2 w3 " + " ".join(f"w{i + j}" for j in range(1 + i % 3)), None,
             LETTERS[: 2 + i % 2], (0.7, 0.2, 0.1) if i % 2 else (0.75, 0.25), weight=0.5 + i % 2)
    for i in range(8)
]  # fmt: skip
CONFIG = TrainConfig(batch_size=4, learning_rate=3e-3)
PROMPT = "question : w1 w9 ?"


@pytest.fixture
def loaded(tiny_lm):
    return load(ModelRef(model=str(tiny_lm)))


def scores_by_hand(loaded, prompt, options):
    """The whole model on the prompt alone; what it gives each option's word at the end, before any softmax."""
    ids = loaded.tokenizer(prompt)["input_ids"]
    return loaded.model(torch.tensor([ids])).logits[0, -1][loaded.tokenizer.convert_tokens_to_ids(list(options))]


def gradients(loaded, losses):
    loaded.head.zero_grad()
    losses.backward()
    return torch.cat([p.grad.flatten() for p in loaded.head.parameters()])


def step(loaded, objective, batches):
    """Loss of all rows, cut into these micro-batches of packs."""
    encoded, total = encode(loaded, ROWS, 64), torch.zeros(())
    for batch in batches:
        sequences, fields = micro_batch(loaded, encoded, batch, "mean")
        found = objective(Outputs(loaded.head(sequences)), fields, 0.5, {})
        total = total + (found.losses * fields.weight).sum()
    return total


@pytest.mark.parametrize("evidence", ["exp", "softplus"])
def test_losses_and_gradients_are_those_of_the_raw_scores(loaded, evidence):
    """By hand: sum_k y_k ln(S / alpha_k) with alpha = g(z) + 1; tolerance 1e-4 of gradients of size 1 to 10."""
    function = {"exp": torch.exp, "softplus": torch.nn.functional.softplus}[evidence]
    by_hand = torch.zeros(())
    for row in ROWS:
        alpha = function(scores_by_hand(loaded, row.prompt, row.options)) + 1
        by_hand = by_hand + row.weight * (torch.tensor(row.probabilities) * (alpha.sum() / alpha).log()).sum()
    expected = gradients(loaded, by_hand)
    total = step(loaded, Evidential(evidence=evidence, kl=0.0), [[[i] for i in range(8)]])
    assert float(total.detach()) == pytest.approx(float(by_hand.detach()), rel=1e-5)
    assert float(expected.norm()) > 0.1
    torch.testing.assert_close(gradients(loaded, total), expected, rtol=1e-4, atol=1e-4)


def test_micro_batches_and_shared_prompts_change_nothing(loaded):
    """With the penalty; each row alone, some together, and all prompts in one sequence."""
    cuts = ([[[i]] for i in range(8)], [[[0, 2], [1]], [[3, 4, 5, 6, 7]]], [[[0, 1, 2, 3, 4, 5, 6, 7]]])
    one, *others = (gradients(loaded, step(loaded, Evidential(), cut)) for cut in cuts)
    for other in others:
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lora", [None, Lora(r=2)], ids=["full", "adapter"])
def test_a_trained_model_is_read_by_its_concentrations_also_after_loading(loaded, tmp_path, lora):
    config = CONFIG.model_copy(update={"lora": lora})
    found = fit(loaded, ROWS, Evidential(evidence="softplus"), config, seed=0, total_steps=6, work=tmp_path / "work")
    assert found.history[-1]["loss"] < found.history[0]["loss"]
    save(loaded, tmp_path / "saved")
    again = load(loaded.ref, weights=tmp_path / "saved")
    assert again.reading == "dirichlet_softplus"
    (score,) = score_options(again, [PROMPT], [LETTERS])
    with torch.no_grad():
        alpha = scores_by_hand(again, PROMPT, LETTERS).double().exp().log1p().numpy() + 1
    np.testing.assert_allclose(score.probabilities, alpha / alpha.sum(), atol=1e-6)
    np.testing.assert_allclose(score.logprobs, np.log(alpha / alpha.sum()), atol=1e-6)
    assert score.uncertainty == pytest.approx(3 / alpha.sum(), abs=1e-6)
    several = score_options(again, [PROMPT, "w4", PROMPT], [LETTERS, LETTERS[:2], LETTERS[::-1]], token_budget=1)
    np.testing.assert_allclose(several[2].probabilities, score.probabilities[::-1], atol=1e-6)
    (text,) = score_texts(again, [PROMPT], ["red"])  # of texts it remains a language model
    (plain,) = score_options(load(loaded.ref), [PROMPT], [LETTERS])
    assert plain.uncertainty is None
    assert text.logprob < math.log(score.probabilities[0])


class Asked:
    """One question with these options; None leaves the answer free."""

    name, classes, splits, n_variants, public_meta, max_new_tokens = "asked", None, ("pool",), 1, (), 4

    def __init__(self, *options):
        self.options = options

    def fingerprint(self):
        return "asked 1"

    def examples(self, split):
        return build(EXAMPLES, {"example_id": ["e"], "group_id": ["e"], "question": [PROMPT]})

    def gold(self, split):
        raise AssertionError("nobody asks for gold here")

    def wording(self, example, variant):
        return Wording(example.question, self.options or None)

    def solution(self, example, value):
        return value

    def extract(self, text, example, wording):
        return text

    def canonicalise(self, answers):
        return answers


def ask(loaded, *options):
    task = Asked(*options)
    return answer(loaded, task, task.examples("pool"), source="student", variants=1, seed=0)


def test_answers_carry_the_reading_and_how_unsure_it_is(loaded):
    assert b"uncertainty" not in ask(loaded, *LETTERS).schema.metadata
    loaded.reading = "dirichlet_exp"
    found = ask(loaded, *LETTERS)
    with torch.no_grad():
        alpha = scores_by_hand(loaded, PROMPT, LETTERS).double().exp().numpy() + 1
    assert [dict(p) for p in found["probabilities"].to_pylist()] == [
        pytest.approx(dict(zip(LETTERS, alpha / alpha.sum(), strict=True)), rel=1e-4)
    ]
    assert found.schema.metadata[b"reading"] == b"dirichlet_exp"
    vacuity = json.loads(found.schema.metadata[b"uncertainty"])
    assert vacuity == {"e": pytest.approx(3 / alpha.sum(), rel=1e-4)}


def test_options_that_one_token_does_not_tell_apart_are_refused_with_the_remedy(loaded, tmp_path):
    def train(*options):
        row = TrainRow("r9", "w1", options[0], options)
        fit(loaded, [row], Evidential(), CONFIG, seed=0, total_steps=1, work=tmp_path)

    with pytest.raises(DataError, match=r"row 'r9': the option 'is red' has 2 tokens, \['is', 'red'\].*classifier"):
        train("is red", "is green")
    with pytest.raises(DataError, match=r"row 'r9': some of the options \['apple', 'pear'\] have the same token"):
        train("apple", "pear")  # both unknown to the tokenizer
    train("red", "green")
    with pytest.raises(DataError, match=r"prompt 'question : w1 w9 \?': the option 'is red' has 2 tokens"):
        ask(loaded, "is red", "is green")
    with pytest.raises(ConfigError, match="read by 'dirichlet_exp': it weighs options and writes no texts"):
        ask(loaded)
