"""The training loops that are compared, each made once and run for a few steps at a time."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE = 1e-5
RANK, ALPHA = 8, 16


@dataclass(frozen=True)
class Kind:
    """What is trained and in which precision; weights are held in float32, bfloat16 is autocast."""

    dtype: str
    lora: bool

    @property
    def label(self) -> str:
        """What the page calls it."""
        return f"{'LoRA' if self.lora else 'all weights'}, {self.dtype}"


@dataclass(frozen=True)
class Steps:
    """Seconds of the steps of one call, and what the loop says of each."""

    seconds: list[float]
    told: Sequence[Mapping[str, Any]]

    @property
    def losses(self) -> list[float]:
        """Of each step."""
        return [float(step["loss"]) for step in self.told]


Runner = Callable[[int], Steps]
Rows = Sequence[tuple[str, str]]


def make(key: str, folder: Path, rows: Rows, kind: Kind, device: str) -> Runner:
    """A loop whose step is all the rows."""
    return apart(lambda: _ours(folder, rows, kind) if key == "ours" else _theirs(key, folder, rows, kind, device))


def apart(build: Callable[[], Runner]) -> Runner:
    """What `build` makes, with a state of `accelerate` of its own."""
    state: dict[str, Any] = {}
    with _own_accelerator(state), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = build()

    def alone(steps: int) -> Steps:
        with _own_accelerator(state), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return run(steps)

    return alone


@contextmanager
def _own_accelerator(state: dict[str, Any]) -> Iterator[None]:
    """`accelerate` has one state per process; each loop gets its own while it runs, since their precisions differ."""
    from accelerate.state import AcceleratorState

    shared: dict[str, Any] = AcceleratorState._shared_state
    before = dict(shared)
    shared.clear()
    shared.update(state)
    try:
        yield
    finally:
        state.clear()
        state.update(shared)
        shared.clear()
        shared.update(before)


def _ours(folder: Path, rows: Rows, kind: Kind) -> Runner:
    from outgrow.models.config import ModelRef
    from outgrow.models.loading import load
    from outgrow.objectives import imitation
    from outgrow.training.rows import TrainRow

    loaded = load(ModelRef(model=str(folder), dtype="float32"))
    own = [TrainRow(str(i), prompt, target) for i, (prompt, target) in enumerate(rows)]
    return fitted(loaded, own, imitation, settings(kind, len(rows)))


def settings(kind: Kind, batch: int, rate: float = RATE) -> Any:
    """Ours, the same as `common`."""
    from outgrow.models.config import Lora
    from outgrow.training.config import TrainConfig

    return TrainConfig(
        batch_size=batch, learning_rate=rate, schedule="constant", warmup=0.0, checkpoints=1,
        lora=Lora(r=RANK, alpha=ALPHA) if kind.lora else None,
        precision="bf16" if kind.dtype == "bfloat16" else "fp32",
    )  # fmt: skip


def fitted(loaded: Any, rows: Sequence[Any], objective: Any, config: Any) -> Runner:
    """`fit` on rows of ours."""
    from outgrow.training.loop import fit

    def run(steps: int) -> Steps:
        seconds: list[float] = []
        last = [time.perf_counter()]

        def tick(done: int, total: int, loss: float) -> None:
            now = time.perf_counter()
            seconds.append(now - last[0])
            last[0] = now

        with tempfile.TemporaryDirectory() as work:
            found = fit(
                loaded, rows, objective, config, seed=0, total_steps=steps, work=Path(work), progress=tick,
                save_seconds=float("inf"),
            )  # fmt: skip
        if found.truncated_prompts:
            raise SystemExit("ours cut prompts that the others read whole")
        return Steps(seconds, found.history)

    return run


def _theirs(key: str, folder: Path, rows: Rows, kind: Kind, device: str) -> Runner:
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    clock, own, adapter = timer(), common(kind, len(rows), device), adapter_of(kind)
    if key == "trl":
        from trl import SFTConfig, SFTTrainer

        data = Dataset.from_list([{"prompt": prompt, "completion": f" {target}"} for prompt, target in rows])
        config = SFTConfig(**own, completion_only_loss=True, max_length=None, packing=False)
        trainer = SFTTrainer(
            model, config, train_dataset=data, processing_class=tokenizer, peft_config=adapter, callbacks=[clock]
        )
    else:
        from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

        if adapter is not None:
            from peft import get_peft_model

            model = get_peft_model(model, adapter)
        data = Dataset.from_list([_labelled(tokenizer, prompt, target) for prompt, target in rows])
        trainer = (Trainer if key == "trainer" else _careful(Trainer))(
            model, TrainingArguments(**own), DataCollatorForSeq2Seq(tokenizer, padding=True), data, callbacks=[clock]
        )
    return trained(trainer, clock)


def common(kind: Kind, batch: int, device: str, rate: float = RATE) -> dict[str, Any]:
    """Arguments of every trainer."""
    return {
        "output_dir": tempfile.mkdtemp(), "per_device_train_batch_size": batch, "max_steps": 1,
        "gradient_checkpointing": False, "learning_rate": rate, "lr_scheduler_type": "constant", "weight_decay": 0.0,
        "max_grad_norm": 1.0, "bf16": kind.dtype == "bfloat16", "use_cpu": device == "cpu", "report_to": [],
        "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True, "seed": 0,
    }  # fmt: skip


def adapter_of(kind: Kind) -> Any:
    """What `peft` is told, if an adapter is trained."""
    if not kind.lora:
        return None
    from peft import LoraConfig

    return LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear", task_type="CAUSAL_LM")


def trained(trainer: Any, clock: Any) -> Runner:
    """A trainer's own loop."""
    for callback in [c for c in trainer.callback_handler.callbacks if type(c).__name__ == "PrinterCallback"]:
        trainer.remove_callback(callback)

    def run(steps: int) -> Steps:
        trainer.args.max_steps = steps
        clock.seconds = []
        trainer.train()
        return Steps(clock.seconds, [step for step in trainer.state.log_history if "loss" in step])

    return run


def _careful(base: Any) -> Any:
    from torch.nn.functional import cross_entropy

    class Careful(base):  # type: ignore[misc]
        """A Trainer as somebody writes it who minds what it computes: the head at answer places alone."""

        def compute_loss(self, model: Any, inputs: Any, *args: Any, **named: Any) -> Any:
            labels = inputs.pop("labels")[:, 1:]
            inner = model.get_base_model() if hasattr(model, "get_base_model") else model
            hidden = inner.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1]
            answered = labels != -100
            return cross_entropy(inner.get_output_embeddings()(hidden[answered]).float(), labels[answered])

    return Careful


def _labelled(tokenizer: Any, prompt: str, target: str) -> dict[str, list[int]]:
    before = tokenizer(prompt)["input_ids"]
    after = [*tokenizer(f" {target}")["input_ids"], tokenizer.eos_token_id]
    return {"input_ids": before + after, "labels": [-100] * len(before) + after}


def timer() -> Any:
    """A callback that notes seconds."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Seconds from the end of one step to the end of the next."""

        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.last = 0.0

        def on_train_begin(self, *args: Any, **named: Any) -> None:
            self.last = time.perf_counter()

        def on_step_end(self, *args: Any, **named: Any) -> None:
            now = time.perf_counter()
            self.seconds.append(now - self.last)
            self.last = now

    return Clock()
