"""Measures the gates of the second world's families: is there something to elicit, and room for it?

python scripts/measure_gates.py MODELS [--world 101] [--families claim,slots] [--seeds 0,1,2] [--store FOLDER]
    [--jobs 1]

MODELS is a folder that `build_microworld.py --edition 2` wrote, or `microworld2` for the shipped ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from microworld.gates import GATES, SEEDS, measure


def main() -> None:
    """Read the command line, measure, and print a table."""
    parser = argparse.ArgumentParser(description="Measure the gates of the second world's families.")
    parser.add_argument("models", help="a folder of models, or microworld2")
    parser.add_argument("--world", type=int, default=0, help="seed of the world that the models read about")
    parser.add_argument("--families", default=",".join(GATES), help="with commas")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="with commas")
    parser.add_argument("--store", type=Path, default=Path(tempfile.gettempdir()) / "outgrow-gates")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    print("| family | metric | before training | supervisor | naive | ceiling | AUROC of agreement | s | passes |")
    print("|---|---|--:|--:|--:|--:|--:|--:|---|")
    for family in given.families.split(","):
        m = measure(family, f"{given.models}/", given.world, given.store, seeds=seeds, jobs=given.jobs)
        numbers = " | ".join(f"{value:.3f}" for value in (m.zero_shot, m.weak, m.naive, m.ceiling, m.auroc))
        verdict = "; ".join(m.faults()) or "yes"
        print(f"| {family} | {GATES[family].metric} | {numbers} | {m.seconds:.0f} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
