"""Trainings whose result must not depend on the number of ranks.

`torchrun --nproc-per-node N rank_cases.py fast|all LM BERT WORK` carries them out, in DDP and FSDP; rank 0 writes what
came out to WORK.
"""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from outgrow.models import ModelRef, load, save
from outgrow.models.config import Lora
from outgrow.models.ranks import ranks
from outgrow.objectives import Losses, choices, imitation
from outgrow.objectives.preference import Dpo
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.reference import reference_scores

# lengths differ, so do the micro-batches of two ranks; weights are .1 or 1, and one row is soft
ROWS = [
    TrainRow(f"r{i}", " ".join(f"w{i + j}" for j in range(1 + i % 6)), " ".join(["yes", "w7", "w8"][: 1 + i % 3]),
             weight=0.1 if i % 3 else 1.0)
    for i in range(16)
] + [TrainRow("soft", "w1 w2", None, ("yes", "red w3"), (0.25, 0.75))]  # fmt: skip
CLASSES = [TrainRow(f"c{i}", f"w{i} w{2 * i} w3", "yes" if i % 3 else "no", weight=1.0 + i % 2) for i in range(11)]
# two or three options of one or two words; `number` tells the order in which rows arrive
CHOICES = [
    TrainRow(f"o{i}", "w3 w4 w5", options[i % len(options)], options, weight=1.0 + i % 2, fields={"number": float(i)})
    for i in range(11)
    for options in [("yes", "no w7", "red")[: 2 + i % 2]]
]
PAIRS = [  # half of the prompts are too long
    TrainRow(f"p{i}", " ".join(f"w{i + j}" for j in range(1 + 4 * (i % 6))), None, options, (1.0, 0.0))
    for i in range(11)
    for options in [("yes w7", "no") if i % 2 else ("no", "w8 red blue")]
]
BASE = TrainConfig(batch_size=8, learning_rate=1e-3, weight_decay=0.1, micro_batch_tokens=24, max_grad_norm=0.5)
LORA = {"lora": Lora(r=2, dropout=0.2), "learning_rate": 1e-2}
CASES = {
    "uneven": ("lm", {}),
    "tokens": ("lm", {"normalise": "token"}),
    "large": ("lm", {"micro_batch_tokens": 8192}),  # one micro-batch for one device, two for two
    "bf16": ("lm", {"precision": "bf16"}),
    "adapter": ("lm", LORA),
    "classifier": ("bert", {"batch_size": 4, "micro_batch_tokens": 8}),  # with dropout
    "pairs": ("lm", {"max_length": 16}),  # against a reference, prompts truncated
    "pairs with an adapter": ("lm", {**LORA, "max_length": 16}),
    "options": ("lm", {}),  # with statistics that go from step to step
    "head": ("bert", {"batch_size": 4, "micro_batch_tokens": 8, "learning_rate": 0.1}),  # alone
    "recomputed": ("bert", {"batch_size": 4, "micro_batch_tokens": 8, "activation_checkpointing": True}),
}
STEPS = 5


@dataclass(frozen=True)
class Levelling:
    """Cross-entropy over K options, each score lowered by the log of how probable its place was lately.

    The running mean takes row after row, so it depends on their order.
    """

    decay: float = 0.8
    states: list = field(default_factory=list, repr=False, compare=False)

    name, version, of_options, reading = "levelling", 2, True, "softmax"

    def prepare(self, targets):
        return {"places": torch.tensor(targets.share.mean(0), dtype=torch.float32), "numbers": []}

    def __call__(self, outputs, batch, progress, state):
        view = choices(outputs, batch)
        logits, target = view.logits, view.target
        shares = logits.detach().softmax(1)
        losses = -(target * (logits - state["places"].log()).log_softmax(1)).sum(1)
        observed = {"shares": shares, "number": batch.fields["number"]}
        return Losses(losses, torch.ones_like(losses), {"surest": shares.amax(1)}, observed)

    def advance(self, state, observed):
        places = state["places"]
        for shares in observed["shares"]:
            places = self.decay * places + (1 - self.decay) * shares
        self.states.append({"places": places, "numbers": [*state["numbers"], *observed["number"].tolist()]})
        return self.states[-1]


def train(case, folders, work, progress=None):
    """The trained weights by name, and what `fit` found; the second of three checkpoints is chosen."""
    kind, changes = CASES[case]
    classes = ("yes", "no") if kind == "bert" else None
    ref = ModelRef(model=str(folders[kind]), head="lm" if classes is None else "classifier")
    loaded = load(ref, classes, seed=3)
    objective = Levelling() if case == "options" else Dpo(beta=0.5) if case.startswith("pairs") else imitation
    config = BASE.model_copy(update=changes)
    rows = CHOICES if case == "options" else ROWS if classes is None else CLASSES
    if case.startswith("pairs"):
        known = reference_scores(load(ref), PAIRS, config)
        rows = [replace(row, fields={"reference": tuple(own)}) for row, own in zip(PAIRS, known, strict=True)]
    scores = iter([0.2, 0.3, 0.1])
    found = fit(
        loaded,
        rows,
        objective,
        config,
        seed=7,
        total_steps=STEPS,
        work=work,
        only="head" if case == "head" else "all",
        evaluate=lambda model: next(scores),
        progress=progress,
        save_seconds=0.0,
    )
    return loaded, found, getattr(objective, "states", [None])[-1]


def stopped(case, folders, work):
    """The same, after a stop in the middle."""

    def stop(step, total, loss):
        if step == 3:
            raise KeyboardInterrupt

    try:
        train(case, folders, work, stop)
    except KeyboardInterrupt:
        return train(case, folders, work)
    raise AssertionError("it was not stopped")


def plain(result):
    loaded, found, state = result
    tensors = {name: tensor.detach().clone() for name, tensor in loaded.head.state_dict().items()}
    assert all(type(tensor) is torch.Tensor for tensor in tensors.values())
    states = ranks().gather(state)
    return {"weights": tensors, "history": found.history, "chosen": found.chosen_step, "states": states}


FAST = {
    "ddp": ("uneven", "classifier", "classifier, stopped", "options", "options, stopped", "pairs"),
    "fsdp": ("adapter", "adapter, stopped", "bf16", "pairs with an adapter"),
}
ALL = dict.fromkeys(FAST, (*CASES, "classifier, stopped", "adapter, stopped", "options, stopped", "pairs, stopped"))


def everything(folders, work, wanted):
    """The cases of each way that this launch can go: way and case to what came out."""
    results = {}
    for way, cases in wanted.items():
        os.environ["ACCELERATE_USE_FSDP"] = str(way == "fsdp").lower()
        for case in cases:
            name, _, stop = case.partition(", ")
            results[way, case] = plain((stopped if stop else train)(name, folders, work / way / case))
    os.environ.pop("ACCELERATE_USE_FSDP", None)
    return results


if __name__ == "__main__":
    os.environ["FSDP_VERSION"] = "2"
    lm, bert, where = map(Path, sys.argv[2:5])
    own = everything({"lm": lm, "bert": bert}, where, {"fast": FAST, "all": ALL}[sys.argv[1]])
    os.environ["ACCELERATE_USE_FSDP"] = "true"
    kept = train("uneven", {"lm": lm}, where / "kept")
    own["fsdp", "uneven"] = plain(kept)
    if int(os.environ["RANK"]) == 0:
        save(kept[0], where / "model")
        torch.save(own, where / "results.pt")
