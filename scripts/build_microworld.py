"""Pretrains the microworld's base models from scratch and writes them with their card.

python scripts/build_microworld.py FOLDER [--edition 1] [--models nano,mini] [--world 0] [--seed 0] [--threads 1]
    [--jobs 1]

What was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from microworld.build import build
from microworld.editions import EDITIONS
from outgrow.core.events import Event
from outgrow.core.progress import Progress


def main() -> None:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Pretrain the base models of the microworld.")
    parser.add_argument("folder", type=Path, help="where the models and their card go")
    parser.add_argument("--edition", choices=list(EDITIONS), default="1", help="which of the two worlds")
    parser.add_argument("--models", default="", help="names of the ladder, with commas; none: all of them")
    parser.add_argument("--world", type=int, default=0, help="seed of the world that the models read about")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and of the order of the text")
    parser.add_argument("--threads", type=int, default=1, help="per model")
    parser.add_argument("--jobs", type=int, default=1, help="models at a time")
    given = parser.parse_args()
    with Progress() as progress:

        def tell(name: str, done: int, total: int, loss: float) -> None:
            progress(Event(name, f"pretraining {name}", done, total, f"loss {loss:.3f}", closed=done >= total))

        names = [name.strip() for name in given.models.split(",") if name.strip()]
        card = build(
            given.folder, edition=EDITIONS[given.edition], models=names or None, world_seed=given.world,
            seed=given.seed, threads=given.threads, jobs=given.jobs, tell=tell,
        )  # fmt: skip
    print(f"model card: {card}")


if __name__ == "__main__":
    main()
