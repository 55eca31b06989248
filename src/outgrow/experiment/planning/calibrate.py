"""`--measure`: the machine, the fixed costs of a run on it, and the models of a recipe."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from outgrow.core.errors import PrerequisiteError
from outgrow.experiment.planning.machine import Machine, Pace, pace_key, use_of
from outgrow.experiment.planning.steps import Planner
from outgrow.models.config import Lora

TRIAL = {
    "name": "trial",
    "task": {
        "kind": "microworld", "family": "choice",
        "questions": {"supervisor_train": 32, "pool": 32, "validation": 16, "test": 32, "known": 0},
    },
    "supervisors": [{"model": "microworld/nano", "train": {"epochs": 1, "checkpoints": 1}}],
    "ask": {"variants": 2},
    "student": {"model": "microworld/nano"},
    "train": {"epochs": 1, "batch_size": 16, "checkpoints": 1},
    "methods": ["naive", "majority_vote"],
    "seeds": [0],
    "jobs": 1,
}  # fmt: skip
"""A run with next to no work: what it takes is what every run takes."""


def _program(program: str, *arguments: str) -> dict[str, float]:
    """What a program in a process of its own prints last.

    Raises:
        PrerequisiteError: it failed.
    """
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PrerequisiteError(f"a small trial failed, so this machine cannot be measured: {done.stderr[-800:]}")
    facts: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


_RUN = """
import json, sys, time
from pathlib import Path
from outgrow.cli.run import run
import torch, transformers, accelerate, sklearn
run([sys.argv[1]], store=Path(sys.argv[2]) / "store", out=Path(sys.argv[2]) / "out", jobs=1, dry=False)
peak = next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("VmHWM"))
print(json.dumps({"seconds": time.process_time(), "peak": peak}))
"""

_ADAPT = """
import json, time
import outgrow.training.loop, torch, accelerate
from transformers.models.llama import LlamaConfig, LlamaForCausalLM
sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 64}
model = LlamaForCausalLM(LlamaConfig(**sizes))
model(input_ids=torch.tensor([[1]])).logits.sum().backward()
torch.optim.AdamW(model.parameters()).step()
def held():
    return next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("VmRSS"))
before, start = held(), time.process_time()
from peft import LoraConfig, get_peft_model
get_peft_model(model, LoraConfig(target_modules="all-linear"))
print(json.dumps({"adapter": time.process_time() - start, "adapter_memory": held() - before}))
"""


# How a run's fixed time divides, fitted on the demo, and scaled by what the trial takes on the machine.
REFERENCE = {
    "start": 7.2, "job": 0.2, "step": 0.1, "answer": 2.5e-4, "row": 3e-4, "report": 4.0, "arm": 0.2, "votes": 4.5,
}  # fmt: skip
TRIAL_SECONDS = 14.4
SPARE = 1.5
"""A C library's heap has holes: one pass takes 1.2 to 1.7 times what it keeps, and passes of many shapes more."""


def measure_machine(say: Callable[[str], None]) -> Machine:
    """This machine, without any model.

    Raises:
        PrerequisiteError: a run with next to no work failed.
    """
    import torch

    from outgrow.experiment.planning import measure

    say("matrix products and memory bandwidth")
    widths = {str(width): measure.product_rate(width) for width in measure.WIDTHS}
    half = measure.product_rate(2048, torch.bfloat16)
    bandwidth = measure.bandwidth()
    say("a run with next to no work, and the adapters' library")
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "trial.yaml"
        recipe.write_text(yaml.safe_dump(TRIAL), encoding="utf-8")
        trial = _program(_RUN, str(recipe), folder)
    pace = trial["seconds"] / TRIAL_SECONDS
    fixed: dict[str, Any] = {**{name: seconds * pace for name, seconds in REFERENCE.items()}, **_program(_ADAPT)}
    return Machine(
        name=measure.name(), kind="cpu", flops={"float32": max(widths.values()), "bfloat16": half}, widths=widths,
        bandwidth=bandwidth, fraction=0.6, spare=SPARE, base=trial["peak"], **fixed,
    )  # fmt: skip


def measure_models(machine: Machine, planner: Planner, say: Callable[[str], None]) -> Machine:
    """The machine with a pace for every model of a recipe that can be built from its configuration here."""
    from transformers import AutoConfig

    from outgrow.experiment.planning.measure import model_pace
    from outgrow.models.known_shapes import configuration

    paces: dict[str, Pace] = dict(machine.paces)
    for step in (step for job in planner.jobs() for step in job.steps):
        ref = step.request.model
        if ref is None or ref.head != "lm" or (raw := configuration(ref)) is None:
            continue
        uses: list[tuple[str, Lora | None]] = [("write" if step.work.answer_bound else "ask", None)]
        if step.training is not None:
            uses.append((use_of(step.lora), step.lora))
        shape = planner.shape(ref)
        longest = max(step.work.largest_asked.width, step.work.largest_trained.width)
        for use, lora in uses:
            key = pace_key(shape, use, "float32")
            if key not in paces:
                say(f"{ref.model}: {use}")
                options = dict(raw)
                config = AutoConfig.for_model(options.pop("model_type"), **options)
                if ref.layers is not None:
                    config.get_text_config().num_hidden_layers = ref.layers
                paces[key] = model_pace(config, use, lora, longest)
    return replace(machine, paces=paces)
