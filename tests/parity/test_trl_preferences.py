"""The same losses and gradients as TRL's trainers, on the same tokens: truncated prompts, references and adapters."""

import warnings
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from outgrow.models import ModelRef, load
from outgrow.models.config import Lora
from outgrow.models.quiet import quiet
from outgrow.objectives.base import Outputs
from outgrow.objectives.preference import Dpo, Ipo, OfPairs, Orpo, SimPo
from outgrow.training import TrainConfig, TrainRow
from outgrow.training.encode import encode, micro_batch
from outgrow.training.reference import reference_scores
from outgrow.training.weights import open_weights

trl = pytest.importorskip("trl")

# prompts of 2 to 20 words, of which 16 tokens fit with the longest answer of the pair; answers of 1 to 4 words
PAIRS = [
    TrainRow(f"p{i}", " ".join(f"w{(3 * i + j) % 70}" for j in range(2 + 6 * (i % 4))), None, options, (1.0, 0.0))
    for i in range(8)
    for options in [(" ".join(["yes", "w7", "w8", "red"][: 1 + i % 4]), " ".join(["no", "w9", "blue"][: 1 + i % 3]))]
]
TURNED = [replace(row, options=row.options[::-1]) for row in PAIRS]
CONFIG = TrainConfig(max_length=16)
LORA = Lora(r=2, alpha=8.0)
DATA = [{"prompt": "w1 w2", "chosen": " yes", "rejected": " no"}] * 2


def moved(module, lora):
    """The weights that are trained, a little away from where they began; the same draws for both programs."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in sorted(module.named_parameters()):
        if parameter.requires_grad and (not lora or "lora_B" in name):
            with torch.no_grad():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))


@contextmanager
def theirs_quietly():
    """TRL's own passes; what it is warned of is not ours to fail on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def bare(name):
    return name.removeprefix("base_model.model.")


class Ours:
    """Tokens, reference, and the loss and gradient of a step of ours."""

    def __init__(self, folder, rows, lora=None):
        self.config = CONFIG.model_copy(update={"lora": lora})
        loaded = load(ModelRef(model=str(folder)))
        self.reference = reference_scores(loaded, rows, self.config)
        rows = [replace(row, fields={"reference": tuple(s)}) for row, s in zip(rows, self.reference, strict=True)]
        self.loaded = load(ModelRef(model=str(folder)))
        self.encoded = encode(self.loaded, rows, self.config.max_length)
        open_weights(self.loaded, self.config, 0, "all")
        self.module = self.loaded.model if lora is None else self.loaded.adapter
        moved(self.module, lora)

    def step(self, objective):
        self.loaded.head.zero_grad()
        state = objective.prepare(self.encoded.targets)
        rows = range(len(self.encoded.rows))
        sequences, batch = micro_batch(self.loaded, self.encoded, [[i] for i in rows], "mean")
        losses = objective(Outputs(self.loaded.head(sequences)), batch, 0.0, state).losses
        losses.mean().backward()
        grads = {bare(n): p.grad.clone() for n, p in self.module.named_parameters() if p.requires_grad}
        return losses.detach(), grads

    def inputs(self, rows=None):
        """TRL's collated batch of exactly our tokens: chosen answers first, then the rejected ones."""
        groups = [self.encoded.groups[i] for i in rows or range(len(self.encoded.rows))]
        texts = [(group.prompt, group.answers[side]) for side in (0, 1) for group in groups]
        width = max(len(prompt) + len(answer) for prompt, answer in texts)
        ids, mask, completion = (torch.zeros(len(texts), width, dtype=torch.long) for _ in range(3))
        for i, (prompt, answer) in enumerate(texts):
            ids[i, : len(prompt) + len(answer)] = torch.tensor(prompt + answer)
            mask[i, : len(prompt) + len(answer)] = 1
            completion[i, len(prompt) : len(prompt) + len(answer)] = 1
        return {"input_ids": ids, "attention_mask": mask, "completion_mask": completion}


@pytest.fixture
def trainer(tiny_lm, tmp_path):
    """A trainer of TRL's on the same model, its weights moved in the same way."""

    def make(kind, config, lora=None, **settings):
        import datasets
        from peft import LoraConfig
        from transformers import AutoModelForCausalLM, AutoTokenizer

        datasets.disable_progress_bars()
        with quiet(), theirs_quietly():
            peft = None
            if lora is not None:
                peft = LoraConfig(r=lora.r, lora_alpha=lora.alpha, target_modules=lora.target_modules,
                                  task_type="CAUSAL_LM")  # fmt: skip
            arguments = config(output_dir=str(tmp_path / "trl"), report_to=[], use_cpu=True, bf16=False,
                               gradient_checkpointing=False, disable_tqdm=True, **settings)  # fmt: skip
            found = kind(
                model=AutoModelForCausalLM.from_pretrained(tiny_lm, dtype=torch.float32),
                args=arguments,
                train_dataset=datasets.Dataset.from_list(DATA),
                processing_class=AutoTokenizer.from_pretrained(tiny_lm),
                peft_config=peft,
            )
        return found

    return make


def their_gradient(trainer, loss):
    trainer.model.zero_grad()
    loss.backward()
    return {bare(n): p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}


def dpo(trainer, ours, lora, loss_type, **settings):
    found = trainer(trl.DPOTrainer, trl.DPOConfig, lora, loss_type=loss_type, **settings)
    if lora is not None:
        found.model.load_state_dict(ours.module.state_dict())
    else:
        moved(found.model, None)
    return found


def assert_equal(ours, theirs):
    """Tolerance 1e-5 on the loss, and on every gradient relative to the norm of all."""
    (loss, grads), (expected, expected_grads) = ours, theirs
    assert float(loss) == pytest.approx(float(expected), abs=1e-5, rel=1e-5)
    assert grads.keys() == expected_grads.keys()
    size = torch.cat([grad.flatten() for grad in expected_grads.values()]).norm()
    assert float(size) > 1e-3
    for name, grad in expected_grads.items():
        torch.testing.assert_close(grads[name], grad, rtol=0, atol=1e-5 * max(1.0, float(size)), msg=name)


@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "adapter"])
@pytest.mark.parametrize(
    ("objective", "loss_type", "settings"),
    [
        (Dpo(beta=0.5), "sigmoid", {"beta": 0.5}),
        (Dpo(beta=5.0, length_normalise=True), "sigmoid_norm", {"beta": 5.0}),
        (Ipo(beta=0.2), "ipo", {"beta": 0.2}),
        (Dpo(beta=0.5, flips="corrected", smoothing=0.1), "robust", {"beta": 0.5, "label_smoothing": 0.1}),
        (Dpo(beta=0.5, sft=1.0), ["sigmoid", "sft"], {"beta": 0.5}),
    ],
    ids=["sigmoid", "sigmoid_norm", "ipo", "robust", "sigmoid+sft"],
)
def test_dpo_losses_and_gradients_are_those_of_trl(tiny_lm, trainer, lora, objective, loss_type, settings):
    rows = PAIRS
    if objective.sft:  # TRL's likelihood is a mean over all tokens of a batch: pairs of answers of one length
        rows = [PAIRS[i] for i in (1, 5)]
    ours = Ours(tiny_lm, rows, lora)
    assert objective.sft or ours.encoded.truncated >= 3
    theirs = dpo(trainer, ours, lora, loss_type, **settings)
    losses, grads = ours.step(objective)
    with theirs_quietly():
        expected = theirs._compute_loss(theirs.model, ours.inputs(), False)
    assert_equal((losses.mean(), grads), (expected.detach(), their_gradient(theirs, expected)))


def test_conservative_dpo_is_the_mixture_of_trls_losses_of_both_orders(tiny_lm, trainer):
    """TRL has no smoothing of its sigmoid loss any more: .8 of its loss of the pairs and .2 of the turned ones'."""
    ours, turned = Ours(tiny_lm, PAIRS), Ours(tiny_lm, TURNED)
    theirs = dpo(trainer, ours, None, "sigmoid", beta=0.5)
    with theirs_quietly():
        one, other = (theirs._compute_loss(theirs.model, each.inputs(), False) for each in (ours, turned))
    expected = 0.8 * one + 0.2 * other
    gradient = their_gradient(theirs, expected)
    doubtful = Ours(tiny_lm, [replace(row, probabilities=(0.8, 0.2)) for row in PAIRS])
    for own, objective in ((ours, Dpo(beta=0.5, smoothing=0.2)), (doubtful, Dpo(beta=0.5))):
        losses, grads = own.step(objective)
        assert_equal((losses.mean(), grads), (expected.detach(), gradient))


@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "adapter"])
def test_reference_log_probabilities_are_those_of_trl(tiny_lm, trainer, lora):
    """Of the frozen copy, or of the same weights with the adapter off."""
    ours = Ours(tiny_lm, PAIRS, lora)
    theirs = dpo(trainer, ours, lora, "sigmoid")
    with theirs_quietly():
        found = theirs.compute_ref_log_probs(theirs.model if lora else theirs.ref_model, ours.inputs())
    torch.testing.assert_close(torch.stack(found, 1), torch.tensor(ours.reference), rtol=1e-5, atol=1e-5)


def their_answers(trainer, ours, **facts):
    """TRL's log-probabilities of chosen and rejected answers by its own forward pass; `labels` as its collator's."""
    inputs = ours.inputs()
    half = len(ours.encoded.rows)
    labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, -100)
    batch = {}
    for side, part in (("chosen", slice(0, half)), ("rejected", slice(half, None))):
        batch[f"{side}_input_ids"] = inputs["input_ids"][part]
        batch[f"{side}_attention_mask"] = inputs["attention_mask"][part]
        batch[f"{side}_labels"] = labels[part]
    return trainer.concatenated_forward(trainer.model, batch)


@pytest.mark.parametrize(
    ("objective", "settings"),
    [
        (SimPo(beta=2.0, gamma=1.0), {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 1.0, "cpo_alpha": 0.0}),
        (
            SimPo(beta=2.0, gamma=1.0, sft=0.5),
            {"loss_type": "simpo", "beta": 2.0, "simpo_gamma": 1.0, "cpo_alpha": 0.5},
        ),
    ],
    ids=["simpo", "simpo+sft"],
)
def test_simpo_losses_and_gradients_are_those_of_trls_cpo_trainer(tiny_lm, trainer, objective, settings):
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    ours = Ours(tiny_lm, [PAIRS[i] for i in (1, 5)] if objective.sft else PAIRS)
    theirs = trainer(CPOTrainer, CPOConfig, **settings)
    moved(theirs.model, None)
    chosen, rejected, _, _, nll = their_answers(theirs, ours)
    expected = theirs.cpo_loss(chosen, rejected)[0].mean() + settings["cpo_alpha"] * nll
    losses, grads = ours.step(objective)
    assert_equal((losses.mean(), grads), (expected.detach(), their_gradient(theirs, expected)))


@pytest.mark.parametrize("lora", [None, LORA], ids=["all weights", "adapter"])
def test_orpo_losses_and_gradients_are_those_of_trls_trainer(tiny_lm, trainer, lora):
    """Its odds ratio; its likelihood covers the prompt as well, ours the answer alone, so that is taken from CPO's."""
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    ours = Ours(tiny_lm, PAIRS, lora)
    theirs = trainer(ORPOTrainer, ORPOConfig, lora, beta=0.3)
    if lora is None:
        moved(theirs.model, None)
    else:
        theirs.model.load_state_dict(ours.module.state_dict())
    chosen, rejected, *_ = their_answers(theirs, ours)
    lengths = torch.tensor([len(group.answers[0]) for group in ours.encoded.groups])
    expected = -theirs.odds_ratio_loss(chosen, rejected)[0].mean()
    losses, grads = ours.step(Orpo(beta=0.3, sft=0.0))
    assert_equal((losses.mean(), grads), (expected.detach(), their_gradient(theirs, expected)))
    both = ours.step(Orpo(beta=0.3))[0]
    torch.testing.assert_close(both - losses, -chosen.detach(), rtol=1e-5, atol=1e-5)
    assert int(lengths.min()) < int(lengths.max())  # means over answers of several lengths


def test_every_objective_of_pairs_is_compared():
    """That of reward models is, with everything else of theirs, in `tests/objectives` and `tests/models`."""
    assert {each.__name__ for each in OfPairs.__subclasses__()} == {"Dpo", "Ipo", "SimPo", "Orpo", "BradleyTerry"}
