"""`python scripts/build_microworld.py`: the ladder from world to model folders and model card."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microworld.card import write_card
from microworld.editions import FIRST, Edition
from microworld.pretrain import pretrain, train_tokenizer
from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown

Tell = Callable[[str, int, int, float], None]


def build(
    folder: Path,
    *,
    edition: Edition = FIRST,
    models: Sequence[str] | None = None,
    world_seed: int = 0,
    seed: int = 0,
    threads: int = 1,
    jobs: int = 1,
    tell: Tell | None = None,
) -> Path:
    """Pretrain base models from scratch and write them with their card.

    A model whose folder is complete is left as it is, and one that was stopped goes on from its last checkpoint.

    Args:
        folder: where `<model>/` folders, `world.json` and `README.md` (the card) go.
        edition: which of the two worlds.
        models: names of its ladder; None for all.
        world_seed: which world the models read about.
        seed: of initial weights and of the order of the text.
        threads: per model.
        jobs: models at a time, largest first.
        tell: called with (model, step, steps, loss); only with `jobs=1`.

    Returns:
        The card.

    Raises:
        ConfigError: unknown model, or `folder` holds models of another world.
    """
    ladder = edition.ladder
    for name in models or ():
        if name not in ladder:
            raise ConfigError(unknown("model", name, ladder))
    world = edition.make(world_seed)
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "world.json"
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) != asdict(world.config):
        raise ConfigError(f"{folder} holds models of another world ({mark}); choose another folder")
    mark.write_text(json.dumps(asdict(world.config), indent=1) + "\n", encoding="utf-8")
    missing = [name for name in models or ladder if not (folder / name / "facts.json").exists()]
    largest_first = sorted(missing, key=lambda name: -ladder[name].tokens)
    if jobs == 1:
        for name in largest_first:
            _one(folder, edition, name, world_seed, seed, threads, tell)
    else:
        import multiprocessing

        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            tasks = [
                pool.submit(_one, folder, edition, name, world_seed, seed, threads, None) for name in largest_first
            ]
            for task in tasks:
                task.result()
    done = [name for name in ladder if (folder / name / "facts.json").exists()]
    facts = {name: json.loads((folder / name / "facts.json").read_text(encoding="utf-8")) for name in done}
    return write_card(folder, edition, world, facts)


def _one(
    folder: Path, edition: Edition, name: str, world_seed: int, seed: int, threads: int, tell: Tell | None
) -> None:
    world, rung = edition.make(world_seed), edition.ladder[name]
    seed += rung.seed
    tokenizer = train_tokenizer(world, edition, rung)

    def progress(step: int, steps: int, loss: float) -> None:
        if tell is not None:
            tell(name, step, steps, loss)

    facts: dict[str, Any] = pretrain(
        world, rung, tokenizer, folder / name, edition=edition, seed=seed, threads=threads, progress=progress
    )
    facts |= edition.measure(world, rung, folder / name)
    text = json.dumps({**asdict(rung), **facts}, indent=1) + "\n"
    (folder / name / "facts.json").write_text(text, encoding="utf-8")  # last: it marks the folder as complete
