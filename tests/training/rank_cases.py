"""Trainings whose result must not depend on the number of ranks.

`torchrun --nproc-per-node N rank_cases.py fast|all LM BERT WORK` carries them out, in DDP and FSDP; rank 0 writes what
came out to WORK.
"""

import os
import sys
from pathlib import Path

import torch

from outgrow.models import ModelRef, load, save
from outgrow.models.config import Lora
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

# lengths differ, so do the micro-batches of two ranks; weights are .1 or 1, and one row is soft
ROWS = [
    TrainRow(f"r{i}", " ".join(f"w{i + j}" for j in range(1 + i % 6)), " ".join(["yes", "w7", "w8"][: 1 + i % 3]),
             weight=0.1 if i % 3 else 1.0)
    for i in range(16)
] + [TrainRow("soft", "w1 w2", None, ("yes", "red w3"), (0.25, 0.75))]  # fmt: skip
CLASSES = [TrainRow(f"c{i}", f"w{i} w{2 * i} w3", "yes" if i % 3 else "no", weight=1.0 + i % 2) for i in range(11)]
BASE = TrainConfig(batch_size=8, learning_rate=1e-3, weight_decay=0.1, micro_batch_tokens=24, max_grad_norm=0.5)
LORA = {"lora": Lora(r=2, dropout=0.2), "learning_rate": 1e-2}
CASES = {
    "uneven": ("lm", {}),
    "tokens": ("lm", {"normalise": "token"}),
    "large": ("lm", {"micro_batch_tokens": 8192}),  # one micro-batch for one device, two for two
    "bf16": ("lm", {"precision": "bf16"}),
    "adapter": ("lm", LORA),
    "classifier": ("bert", {"batch_size": 4, "micro_batch_tokens": 8}),  # with dropout
    "recomputed": ("bert", {"batch_size": 4, "micro_batch_tokens": 8, "activation_checkpointing": True}),
}
STEPS = 5


def train(case, folders, work, progress=None):
    """The trained weights by name, and what `fit` found; the second of three checkpoints is chosen."""
    kind, changes = CASES[case]
    classes = ("yes", "no") if kind == "bert" else None
    ref = ModelRef(model=str(folders[kind]), head="lm" if classes is None else "classifier")
    loaded = load(ref, classes, seed=3)
    scores = iter([0.2, 0.3, 0.1])
    found = fit(
        loaded,
        ROWS if classes is None else CLASSES,
        imitation,
        BASE.model_copy(update=changes),
        seed=7,
        total_steps=STEPS,
        work=work,
        evaluate=lambda model: next(scores),
        progress=progress,
        save_seconds=0.0,
    )
    return loaded, found


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
    loaded, found = result
    tensors = {name: tensor.detach().clone() for name, tensor in loaded.head.state_dict().items()}
    assert all(type(tensor) is torch.Tensor for tensor in tensors.values())
    return {"weights": tensors, "history": found.history, "chosen": found.chosen_step}


FAST = {
    "ddp": ("uneven", "classifier", "classifier, stopped"),
    "fsdp": ("adapter", "adapter, stopped", "bf16"),
}
ALL = dict.fromkeys(FAST, (*CASES, "classifier, stopped", "adapter, stopped"))


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
    loaded, found = train("uneven", {"lm": lm}, where / "kept")
    own["fsdp", "uneven"] = plain((loaded, found))
    if int(os.environ["RANK"]) == 0:
        save(loaded, where / "model")
        torch.save(own, where / "results.pt")
