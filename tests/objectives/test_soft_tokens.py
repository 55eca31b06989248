"""Losses of tokens: soft targets of words across tokenizers, and scores as evidence."""

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, beam_search, generate, load, save, score_texts
from outgrow.models.token_readings import TOKEN_READINGS
from outgrow.objectives import Imitation
from outgrow.objectives.base import Batch, Outputs, Tokens
from outgrow.objectives.evidential import Evidential
from outgrow.objectives.options import Choices
from outgrow.objectives.preference import Dpo
from outgrow.objectives.soft_tokens import EvidentialTokens, SoftTokens, spread, two_outcomes
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch
from outgrow.training.reference import reference_scores

LOG4, LOG7 = float(np.log(0.4)), float(np.log(0.7))
CONFIG = TrainConfig(batch_size=4, learning_rate=0.01)


def batch_of(tokens, words=None, logprobs=None, normalise="mean"):
    """One row whose answer has these tokens, each predicted at a place of its own."""
    n = len(tokens)
    return Batch(
        ("0",), torch.ones(1), normalise,
        tokens=Tokens(
            place=torch.arange(n), token=torch.tensor(tokens), answer=torch.zeros(n, dtype=torch.int64),
            row=torch.tensor([0]), length=torch.tensor([n]), share=torch.ones(1), soft=torch.tensor([False]),
            word=None if words is None else torch.tensor(words),
            word_logprob=None if logprobs is None else torch.tensor(logprobs),
        ),
    )  # fmt: skip


def test_a_word_is_shared_among_its_tokens_as_in_the_notes():
    """P(word) = .36 over two tokens whose highest probabilities are .9 and .5: shares .4013 and .5987."""
    logits = torch.tensor([[0.9, 0.05, 0.05], [0.5, 0.25, 0.25]]).log()
    batch = batch_of([0, 1], [0, 0], [float(np.log(0.36))] * 2)
    targets = SoftTokens()._targets(logits.log_softmax(1), batch.tokens).exp()
    np.testing.assert_allclose(targets, [0.6636, 0.5425], atol=5e-5)
    assert float(targets.prod()) == pytest.approx(0.36)
    even = SoftTokens(shares="even")._targets(logits.log_softmax(1), batch.tokens).exp()
    np.testing.assert_allclose(even, [0.6, 0.6], rtol=1e-5)


def test_two_outcomes_are_the_divergence_from_what_the_target_stands_for():
    """z = (1, 0, -1), s = .6 for the second: .283823 by both forms."""
    logs = torch.tensor([[1.0, 0.0, -1.0]]).log_softmax(1)
    target, token = torch.tensor([0.6]).log(), torch.tensor([1])
    soft = spread(logs, token, target)
    assert float(soft.sum()) == pytest.approx(1)
    assert float(soft[0, 0] / soft[0, 2]) == pytest.approx(np.e**2, rel=1e-4)
    whole = (soft * (soft.log() - logs)).sum()
    assert float(whole) == pytest.approx(0.283823, abs=2e-6)
    assert float(two_outcomes(target, logs[:, 1])) == pytest.approx(0.283823, abs=2e-6)


def test_gradients_are_those_of_the_target_as_wide_as_the_vocabulary():
    torch.manual_seed(0)
    scores = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    token, target = torch.tensor([0, 3, 5, 2]), torch.tensor([0.3, 0.9, 0.5, 1.0], dtype=torch.float64).log()
    logs = scores.log_softmax(1)
    soft = spread(logs.detach(), token, target)
    wide = torch.autograd.grad(-(soft * logs).sum(), scores, retain_graph=True)[0]
    narrow = torch.autograd.grad(two_outcomes(target, logs.gather(1, token[:, None])[:, 0]).sum(), scores)[0]
    np.testing.assert_allclose(narrow, wide, atol=1e-7)


@pytest.mark.parametrize(
    "objective", [SoftTokens(), EvidentialTokens(kl=0.3), EvidentialTokens(kl=0.3, confidence=0.2)]
)
def test_gradients_agree_with_finite_differences(objective):
    torch.manual_seed(1)
    token, target = torch.tensor([0, 3]), torch.tensor([0.4, 0.8], dtype=torch.float64).log()

    def loss(scores):
        logs = scores.log_softmax(1)
        fixed = torch.full_like(scores, -2.0).log_softmax(1)  # what the penalty spreads by carries no gradient
        whole = objective.token_losses(scores, logs, token, target, 0.5)
        if isinstance(objective, EvidentialTokens):
            moving = spread(logs.detach(), token, target) - spread(fixed, token, target)
            from outgrow.objectives.evidential import kl_without_each

            whole = whole - 0.15 * (moving * kl_without_each(scores.exp(), scores.exp() > 0)).sum(1)
        return whole

    scores = 1 + torch.rand(2, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, (scores.requires_grad_(),))


def test_without_a_weak_model_it_is_cross_entropy():
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(3))
    batch = batch_of([1, 4, 6])
    for normalise in ("mean", "token"):
        batch = batch_of([1, 4, 6], normalise=normalise)
        ours = SoftTokens()(Outputs(logits), batch, 0.0, {})
        theirs = Imitation()(Outputs(logits), batch, 0.0, {})
        torch.testing.assert_close(ours.losses, theirs.losses)
        assert ours.units.tolist() == theirs.units.tolist() == ([1.0] if normalise == "mean" else [3.0])


@pytest.mark.parametrize("evidence", ["exp", "softplus", "relu"])
def test_evidence_of_one_token_is_that_of_classes(evidence):
    """The scores that the head hands on are ln alpha; the K-class loss takes scores as they are."""
    raw = torch.tensor([[2.0, 0.0, -1.0, 0.5]])
    objective = EvidentialTokens(evidence=evidence, kl=0.7, confidence=0.3, warmup=0.0)
    scores = TOKEN_READINGS[objective.reading](raw)
    batch = batch_of([1], [0], [float(np.log(0.6))])
    ours = objective(Outputs(scores), batch, 0.5, {}).losses
    soft = spread(scores.log_softmax(1), torch.tensor([1]), torch.tensor([0.6]).log())
    classes = Evidential(evidence=evidence, kl=0.7, confidence=0.3, warmup=0.0)
    view = Choices(raw, torch.ones(1, 4, dtype=torch.bool), soft, torch.ones(1, 4))
    theirs = classes.row_losses(view, batch, 0.5, {})
    entropy = -(soft * soft.log()).sum() * (1 - 0.3)  # a divergence against a cross-entropy
    assert float(ours) == pytest.approx(float(theirs - entropy), rel=1e-4)


def test_certain_tokens_stay_finite():
    logits = torch.tensor([[80.0, -80.0], [80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    batch = batch_of([0, 0, 0], [0, 1, 2], [0.0, -0.5, -0.5])
    for objective in (SoftTokens(), EvidentialTokens(), SoftTokens(confidence=0.5, warmup=0.0)):
        scores = TOKEN_READINGS[objective.reading](logits) if isinstance(objective, EvidentialTokens) else logits
        loss = objective(Outputs(scores), batch, 1.0, {}).losses
        (slope,) = torch.autograd.grad(loss.sum(), logits, retain_graph=True)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(slope).all()


def spelled(text, probability):
    """A weak model of characters that is equally sure of each, the end included."""
    return tuple((i, min(i + 1, len(text)), float(np.log(probability))) for i in range(len(text) + 1))


def test_rows_carry_words_of_another_tokenizer(tiny_lm):
    """Characters of .5 on one side, words on the other: "yes", and " red" with the end."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [TrainRow("a", "w1", "yes red", weak_tokens=spelled("yes red", 0.5)), TrainRow("b", "w2 w3", "no")]
    encoded = encode(loaded, rows, 64)
    _, batch = micro_batch(loaded, encoded, [[1], [0]], "mean")
    words, logs = batch.tokens.word, batch.tokens.word_logprob
    hard = int(batch.tokens.length[0])
    assert words[:hard].tolist() == list(range(hard))
    assert not logs[:hard].any()
    soft = {int(word): float(p / np.log(0.5)) for word, p in zip(words[hard:], logs[hard:], strict=True)}
    assert soft == {hard: pytest.approx(3), hard + 1: pytest.approx(5)}
    with pytest.raises(DataError, match="training row 'a' has a weak token behind the end of its target 'yes'"):
        encode(loaded, [TrainRow("a", "w1", "yes", weak_tokens=spelled("yes red", 0.5))], 64)


def test_a_student_learns_how_sure_the_weak_model_was(tiny_lm, tmp_path):
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [
        TrainRow("a", "w1 w2", "yes red", weak_tokens=((0, 3, LOG7), (3, 7, LOG4), (7, 7, 0.0))),
        TrainRow("b", "w5 w6", "no"),
    ]  # fmt: skip
    fit(loaded, rows, SoftTokens(), CONFIG, seed=0, total_steps=150, work=tmp_path)
    sure, hard = score_texts(loaded, ["w1 w2", "w5 w6"], ["yes red", "no"])
    assert sure.logprob == pytest.approx(np.log(0.28), abs=0.1)
    assert hard.logprob == pytest.approx(0, abs=0.1)


@pytest.fixture(scope="module")
def evidential(tiny_lm, tmp_path_factory):
    """A language model read by its evidence, and the folder it was saved in."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [TrainRow(f"r{i}", f"w{i}", text) for i, text in enumerate(("yes w7", "no", "red w3 w4", "green"))]
    fit(loaded, rows, EvidentialTokens(), CONFIG, seed=0, total_steps=120, work=tmp_path_factory.mktemp("work"))
    folder = tmp_path_factory.mktemp("model")
    save(loaded, folder)
    return loaded, folder


def test_evidence_is_kept_with_the_model(evidential, tiny_lm):
    loaded, folder = evidential
    again = load(ModelRef(model=str(tiny_lm)), weights=folder)
    assert again.reading == loaded.reading == "tokens_dirichlet_exp"
    prompts = [f"w{i}" for i in range(4)]
    texts = generate(again, prompts, max_new_tokens=6)
    assert [one.text for one in texts] == ["yes w7", "no", "red w3 w4", "green"]
    scored = score_texts(again, prompts, [one.text for one in texts])
    np.testing.assert_allclose([one.logprob for one in texts], [one.logprob for one in scored], atol=1e-4)
    best = [several[0] for several in beam_search(again, prompts, beams=2, max_new_tokens=6)]
    np.testing.assert_allclose([one.logprob for one in best], [one.logprob for one in scored], atol=1e-4)


def test_pairs_begin_at_ln_2_from_a_model_of_evidence(evidential, tiny_lm, tmp_path):
    """Training goes on with the reading that the model has learnt, so student and reference are one at first."""
    loaded = load(ModelRef(model=str(tiny_lm)), weights=evidential[1])
    pairs = [TrainRow(f"p{i}", f"w{i}", None, ("yes w7", "no"), (1.0, 0.0)) for i in range(4)]
    scores = reference_scores(load(ModelRef(model=str(tiny_lm)), weights=evidential[1]), pairs, CONFIG)
    rows = [
        TrainRow(row.row_id, row.prompt, None, row.options, row.probabilities, fields={"reference": tuple(score)})
        for row, score in zip(pairs, scores, strict=True)
    ]
    run = fit(loaded, rows, Dpo(), CONFIG, seed=0, total_steps=2, work=tmp_path)
    assert run.history[0]["loss"] == pytest.approx(np.log(2), abs=1e-4)
    assert loaded.reading == "tokens_dirichlet_exp"


def test_classifiers_have_no_tokens(tiny_bert, tmp_path):
    loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
    rows = [TrainRow("a", "w1", "yes"), TrainRow("b", "w2", "no")]
    with pytest.raises(ConfigError, match="'evidential_tokens' is a loss of tokens; load the model with head: lm"):
        fit(loaded, rows, EvidentialTokens(), CONFIG, seed=0, total_steps=1, work=tmp_path)
    with pytest.raises(ConfigError, match="soft_tokens is a loss of tokens, for head 'lm' alone"):
        fit(loaded, rows, SoftTokens(), CONFIG, seed=0, total_steps=1, work=tmp_path)
