"""`outgrow plan` against real runs: predicted and measured time and peak memory of recipes it was not fitted to.

    python benchmarks/plan.py [--only NAME ...] [--rounds N] [--json FILE]

Each run is a process of its own, one job at a time, one thread. Measured are wall time (on an idle machine, with one
thread, that is processor time and waiting for disks) and the highest resident memory. A shared machine's speed changes
within minutes by more than what is checked here, so the machine is measured before, between and after the runs of a
recipe, and geometric means are compared. Every single number is printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import machine
import yaml

WORDS = [f"{a}{b}" for a in ("ba", "ko", "mi", "ru", "ve", "zo") for b in ("lan", "tik", "sor", "men", "pad", "gul")]


def model_folder(folder: Path, kind: str, **sizes: Any) -> str:
    """A model of random weights with the microworld's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from outgrow.models.files import resolve
    from outgrow.models.quiet import quiet

    tokenizer = AutoTokenizer.from_pretrained(resolve("microworld/base"))
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=2, **sizes)
    auto: Any = AutoModelForCausalLM
    with quiet():
        auto.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def questions(file: Path, count: int, shortest: int, longest: int) -> str:
    """Texts of so many words with a topic that one of their words tells."""
    draw = random.Random(0)
    topics = ("account", "billing", "technical")
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["example_id", "question", "topic"])
        for number in range(count):
            topic = draw.choice(topics)
            words = [draw.choice(WORDS) for _ in range(draw.randint(shortest, longest))]
            rows.writerow([f"q{number}", " ".join([*words, topic[:3], *words[:3]]), topic])
    return file.name


def recipes(folder: Path) -> dict[str, dict]:
    """What is run, by name: those of `SEEN`, and those that the formulas were not changed after."""
    short, long = questions(folder / "short.csv", 520, 10, 25), questions(folder / "long.csv", 400, 30, 50)
    gpt2 = model_folder(folder / "gpt2-like", "gpt2", n_embd=320, n_layer=5, n_head=5, n_positions=512)
    neox = model_folder(
        folder / "neox-like", "gpt_neox", hidden_size=256, num_hidden_layers=8, num_attention_heads=4,
        intermediate_size=1024, max_position_embeddings=512,
    )  # fmt: skip
    qwen3 = model_folder(
        folder / "qwen3-like", "qwen3", hidden_size=384, num_hidden_layers=7, num_attention_heads=6,
        num_key_value_heads=2, head_dim=64, intermediate_size=1152, max_position_embeddings=512,
    )  # fmt: skip
    llama = model_folder(
        folder / "llama-like", "llama", hidden_size=640, num_hidden_layers=8, num_attention_heads=10,
        num_key_value_heads=10, intermediate_size=1728, max_position_embeddings=512,
    )  # fmt: skip
    world = {"kind": "microworld"}
    table = {"kind": "table", "text": "question", "label": "topic", "id": "example_id"}
    return {
        "fitted": {
            "task": {**world, "family": "choice", "wordings": "permutations", "mix": "default"},
            "supervisors": [{"model": "microworld/mini", "train": {"epochs": 4, "checkpoints": 1}}],
            "ask": {"variants": 5, "temperature": 1.0}, "student": {"model": "microworld/base"},
            "train": {"epochs": 3, "batch_size": 32, "learning_rate": 5e-4},
            "methods": ["naive", "majority_vote", "soft_labels"], "seeds": [0],
        },
        "claims": {
            "task": {**world, "family": "claim", "questions": {
                "supervisor_train": 300, "pool": 600, "validation": 80, "test": 500, "known": 0}},
            "supervisors": [{"model": "microworld/nano", "train": {"epochs": 3, "batch_size": 16}}],
            "ask": {"variants": 2}, "student": {"model": "microworld/small"},
            "train": {"epochs": 4, "batch_size": 16, "learning_rate": 5e-4, "checkpoints": 2},
            "methods": ["naive", "uncertainty_filtering", "strong_ceiling"], "seeds": [0, 1],
        },
        "table": {
            "task": {**table, "path": short,
                     "splits": {"supervisor_train": 100, "validation": 50, "test": 150, "pool": 200}},
            "supervisors": [{"model": "microworld/base", "train": {"epochs": 2, "batch_size": 20, "checkpoints": 1}}],
            "ask": {"variants": 1, "samples": 3, "temperature": 1.0}, "student": {"model": gpt2},
            "train": {"epochs": 2, "batch_size": 24, "learning_rate": 3e-4, "checkpoints": 1},
            "methods": ["majority_vote", "reliability_reweighting"], "seeds": [3], "data_dir": str(folder),
        },
        "lora": {
            "task": {**world, "family": "choice", "wordings": "permutations", "mix": "ignorance", "questions": {
                "supervisor_train": 200, "pool": 500, "validation": 60, "test": 800, "known": 0}},
            "supervisors": [{"model": "microworld/small", "train": {"epochs": 2, "checkpoints": 1}}],
            "ask": {"variants": 4}, "student": {"model": "microworld/base"},
            "train": {"epochs": 4, "batch_size": 48, "learning_rate": 2e-3, "checkpoints": 3, "lora": {"r": 16}},
            "methods": ["naive", "confidence_filtering"], "seeds": [0],
        },
        "sums": {
            "task": {**world, "family": "sums", "wordings": "instructions", "questions": {
                "supervisor_train": 200, "pool": 300, "validation": 40, "test": 200, "known": 0}},
            "supervisors": [{"model": "microworld/mini", "train": {"epochs": 2, "checkpoints": 1}}],
            "ask": {"variants": 2, "temperature": 0.7}, "student": {"model": "microworld/small"},
            "train": {"epochs": 2, "batch_size": 40, "learning_rate": 1e-3, "checkpoints": 1},
            "methods": ["naive", "strong_ceiling"], "seeds": [0],
        },
        "neox": {
            "task": {**table, "path": long,
                     "splits": {"supervisor_train": 80, "validation": 40, "test": 100, "pool": 160}},
            "supervisors": [{"model": "microworld/mini",
                             "train": {"epochs": 3, "batch_size": 16, "checkpoints": 2, "lora": None}}],
            "ask": {"variants": 1, "samples": 5, "temperature": 0.8}, "student": {"model": neox},
            "train": {"epochs": 3, "batch_size": 20, "learning_rate": 1e-3, "checkpoints": 2,
                      "lora": {"r": 8, "target_modules": ["query_key_value", "dense"]}},
            "methods": ["naive", "majority_vote", "confidence_filtering"], "seeds": [1], "data_dir": str(folder),
        },
        "qwen3": {
            "task": {**world, "family": "choice", "wordings": "instructions", "mix": "misconceptions", "questions": {
                "supervisor_train": 200, "pool": 400, "validation": 60, "test": 600, "known": 0}},
            "supervisors": [{"model": "microworld/mini", "train": {"epochs": 2, "batch_size": 32, "checkpoints": 1}},
                            {"model": "microworld/nano", "train": {"epochs": 2, "batch_size": 32, "checkpoints": 1}}],
            "ask": {"variants": 3}, "student": {"model": qwen3},
            "train": {"epochs": 2, "batch_size": 64, "learning_rate": 3e-4, "checkpoints": 2},
            "methods": ["naive", "majority_vote"], "seeds": [0, 1],
        },
        "llama": {
            "task": {**table, "path": long,
                     "splits": {"supervisor_train": 80, "validation": 20, "test": 60, "pool": 120}},
            "supervisors": [{"model": "microworld/small", "train": {"epochs": 2, "batch_size": 16, "checkpoints": 1}}],
            "ask": {"variants": 1, "samples": 3, "temperature": 1.0}, "student": {"model": llama},
            "train": {"epochs": 2, "batch_size": 32, "learning_rate": 1e-4, "checkpoints": 1},
            "methods": ["majority_vote"], "seeds": [0], "data_dir": str(folder),
        },
        "recomputed": {
            "task": {**world, "family": "claim", "questions": {
                "supervisor_train": 200, "pool": 500, "validation": 50, "test": 400, "known": 0}},
            "supervisors": [{"model": "microworld/small", "train": {"epochs": 2, "batch_size": 20, "checkpoints": 1}}],
            "ask": {"variants": 3, "temperature": 0.7}, "student": {"model": qwen3},
            "train": {"epochs": 2, "batch_size": 50, "learning_rate": 5e-4, "checkpoints": 1,
                      "activation_checkpointing": True},
            "methods": ["naive", "uncertainty_filtering"], "seeds": [5],
        },
    }  # fmt: skip


SEEN = ("fitted", "claims", "table", "lora", "sums", "neox")
"""`fitted` is what the fixed costs come from; formulas were changed after runs of the others had been looked at."""
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def measured(recipe: Path, folder: Path) -> dict[str, float]:
    """A real run in a process whose children are its alone."""
    place = ["--jobs", "1", "--store", str(folder / "store"), "--out", str(folder / "out")]
    outgrow = [sys.executable, "-m", "outgrow", "run", str(recipe), *place]
    found = machine.spent(*outgrow, **ALONE)
    found["disk"] = sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file())
    return found


def planned(recipe: Path, kept: Path) -> dict[str, Any]:
    """The plan by a machine that is measured now."""
    call = [sys.executable, "-m", "outgrow", "plan", str(recipe), "--measure", "--machine", str(kept), "--json"]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, **ALONE}, check=False)
    if done.returncode:
        raise SystemExit(f"outgrow plan {recipe.name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(recipe: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Plans and runs of a recipe in turns, a plan first and last."""
    plans = [planned(recipe, folder / "machine-0.json")]
    runs = []
    for turn in range(rounds):
        runs.append(measured(recipe, folder / f"run-{turn}"))
        plans.append(planned(recipe, folder / f"machine-{turn + 1}.json"))
    return {
        "plans": [plan["seconds"] for plan in plans],
        "runs": runs,
        "seconds": [geometric_mean(plan["seconds"] for plan in plans), geometric_mean(run["wall"] for run in runs)],
        "memory": [plans[0]["total"]["memory"]["total"], max(run["memory"] for run in runs)],
        "disk": [plans[0]["total"]["disk"], runs[0]["disk"]],
        "parts": plans[0]["total"]["memory"],
        "load": os.getloadavg()[0],
    }


def shown(name: str, found: dict[str, Any]) -> str:
    """A row of `docs/scaling.md`'s table."""
    plans = " ".join(f"{seconds:.0f}" for seconds in found["plans"])
    runs = " ".join(f"{run['wall']:.0f}" for run in found["runs"])
    time, memory = found["seconds"], [size / 2**20 for size in found["memory"]]
    return (
        f"| {name} | {plans} | {runs} | {time[0] / time[1]:.2f} | {memory[0]:,.0f} | {memory[1]:,.0f} "
        f"| {memory[0] / memory[1]:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of recipes")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each recipe")
    parser.add_argument("--json", help="write the numbers here")
    chosen = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print("| recipe | plans, s | runs, wall s | ratio | predicted MiB | peak MiB | ratio |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name, raw in recipes(folder).items():
            if chosen.only and name not in chosen.only:
                continue
            file, own = folder / f"{name}.yaml", folder / f"of-{name}"
            own.mkdir()
            file.write_text(yaml.safe_dump({"name": name, "jobs": 1, **raw}), encoding="utf-8")
            rows[name] = compare(file, own, chosen.rounds)
            print(shown(f"{name} (seen)" if name in SEEN else name, rows[name]), flush=True)
    print("load at the end:", *(f"{load:.1f}" for load in os.getloadavg()))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
