"""`outgrow plan` against real runs: predicted and measured time and peak memory of recipes it was not fitted to.

    python benchmarks/plan.py [--only NAME] [--json FILE]

Each run is a process of its own, one job at a time, one thread. Measured are wall time, processor time (on a shared
machine wall time holds what others took; with one thread an idle machine's wall time is the processor time and the
waiting for disks) and the highest resident memory. The machine is measured before each run and again after it, and the
prediction is the geometric mean of both: a shared machine's speed changes within minutes by more than what is checked
here, and both predictions are printed to show by how much. The fixed costs in `outgrow/planning/calibrate.py` were
fitted on the demo recipe (`fitted` below), which is shown for comparison and not part of the check.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
import yaml

WORDS = [f"{a}{b}" for a in ("ba", "ko", "mi", "ru", "ve", "zo") for b in ("lan", "tik", "sor", "men", "pad", "gul")]


def model_folder(folder: Path) -> Path:
    """A GPT-2-like model of random weights with the microworld's tokenizer, dropout included."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from outgrow.training.models import resolve

    tokenizer = AutoTokenizer.from_pretrained(resolve("microworld/base"))
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=320, n_layer=5, n_head=5, n_positions=512,
                        bos_token_id=1, eos_token_id=2)  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def questions(file: Path, count: int) -> None:
    """Texts of 10 to 25 words with a topic that one of their words tells."""
    draw = random.Random(0)
    topics = ("account", "billing", "technical")
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["example_id", "question", "topic"])
        for number in range(count):
            topic = draw.choice(topics)
            words = [draw.choice(WORDS) for _ in range(draw.randint(10, 25))]
            rows.writerow([f"q{number}", " ".join([*words, topic[:3], *words[:3]]), topic])


def recipes(folder: Path) -> dict[str, dict]:
    """What is run, by name; `fitted` is what the constants come from."""
    questions(folder / "questions.csv", 520)
    own = str(model_folder(folder / "gpt2-like"))
    world = {"kind": "microworld"}
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
            "task": {"kind": "table", "path": "questions.csv", "text": "question", "label": "topic", "id": "example_id",
                     "splits": {"supervisor_train": 100, "validation": 50, "test": 150, "pool": 200}},
            "supervisors": [{"model": "microworld/base", "train": {"epochs": 2, "batch_size": 20, "checkpoints": 1}}],
            "ask": {"variants": 1, "samples": 3, "temperature": 1.0}, "student": {"model": own},
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
    }  # fmt: skip


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`outgrow`, one thread."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "outgrow", *arguments], capture_output=True, text=True, env=env, check=False
    )
    if done.returncode:
        raise SystemExit(f"outgrow {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return done


def measured(recipe: Path, folder: Path) -> dict[str, float]:
    """A real run in a process whose children are its alone."""
    place = ["--jobs", "1", "--store", str(folder / "store"), "--out", str(folder / "out")]
    outgrow = [sys.executable, "-m", "outgrow", "run", str(recipe), *place]
    found = machine.spent(*outgrow, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    found["disk"] = sum(f.stat().st_size for f in (folder / "store").rglob("*") if f.is_file())
    return found


def planned(recipe: Path, kept: Path) -> tuple[dict, float]:
    """The plan by a machine that is measured now, and the seconds that took."""
    started = time.perf_counter()
    plan = json.loads(command("plan", str(recipe), "--measure", "--machine", str(kept), "--json").stdout)
    return plan, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of recipes")
    parser.add_argument("--json", help="write the numbers here")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(f"{'recipe':10} {'':8} {'before':>8} {'after':>8} {'mean':>8} {'wall':>8} {'ratio':>6} {'cpu':>8} "
              f"{'ratio':>6}")  # fmt: skip
        for name, raw in recipes(folder).items():
            if chosen.only and name not in chosen.only:
                continue
            file = folder / f"{name}.yaml"
            file.write_text(yaml.safe_dump({"name": name, "jobs": 1, **raw}), encoding="utf-8")
            plan, planning = planned(file, folder / f"{name}-before.json")
            real = measured(file, folder / name)
            again, _ = planned(file, folder / f"{name}-after.json")
            both = plan["seconds"], again["seconds"]
            mean = math.sqrt(both[0] * both[1])
            print(
                f"{name:10} {'seconds':8} {both[0]:8.1f} {both[1]:8.1f} {mean:8.1f} {real['wall']:8.1f} "
                f"{mean / real['wall']:6.2f} {real['cpu']:8.1f} {mean / real['cpu']:6.2f}"
            )
            memory, disk = plan["total"]["memory"]["total"], plan["total"]["disk"]
            for what, size, own, found in (
                ("MiB", 2**20, memory, real["memory"]), ("disk MB", 10**6, disk, real["disk"])
            ):  # fmt: skip
                print(f"{'':10} {what:8} {'':17} {own / size:8.1f} {found / size:8.1f} {own / found:6.2f}", flush=True)
            rows.append({"recipe": name, "planning": planning, "predicted": both, "memory": memory, "disk": disk,
                         "measured": real, "load": os.getloadavg()[0]})  # fmt: skip
    print("load at the end:", *(f"{load:.1f}" for load in os.getloadavg()))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
