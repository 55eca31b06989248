"""Asking and training in bfloat16 on a GPU, with achieved TFLOP/s beside the card's own ceiling.

python benchmarks/gpu.py

Runs `asking.py` and `training.py` with `--device cuda` and gathers their rows; without a GPU it writes that nothing was
measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
from harness import Report

RUNS = {
    "asking.py": ["--shapes", "gpt2-124m", "qwen-0.5b", "--types", "bfloat16"],
    "training.py": ["--shapes", "gpt2-124m", "qwen-0.5b", "--types", "bfloat16", "--lora", "0", "--wordings", "1"],
}


def main() -> None:
    options = harness.parser(__doc__).parse_args()
    options.device = "cpu"
    report = Report("gpu", "On a GPU", options)
    card = _card()
    if card is None:
        report.note("Not measured: there was no GPU.")
    else:
        report.note(f"Card: {card}.")
        options.device = "cuda"
        for script, arguments in RUNS.items():
            with tempfile.TemporaryDirectory() as folder:
                call = [sys.executable, str(Path(__file__).parent / script), "--device", "cuda", "--results", folder]
                subprocess.run([*call, "--seconds", str(options.seconds), *arguments], check=True)
                found = json.loads((Path(folder) / script.replace(".py", ".json")).read_text(encoding="utf-8"))
            report.rows += found["rows"]
            report.notes += found["notes"]
            report.ceilings.append(found["ceiling"])
    report.write()


def _card() -> str | None:
    """The first GPU's name."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


if __name__ == "__main__":
    main()
