"""`python scripts/build_microworld.py`: the ladder from world to model folders and model card."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microworld.card import knowledge, write_card
from microworld.pretrain import pretrain, train_tokenizer
from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.tasks.microworld.ladder import LADDER
from outgrow.tasks.microworld.world import World, WorldConfig

Tell = Callable[[str, int, int, float], None]


def build(
    folder: Path,
    *,
    models: Sequence[str] = tuple(LADDER),
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
        models: names of the ladder.
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
    for name in models:
        if name not in LADDER:
            raise ConfigError(unknown("model", name, LADDER))
    world = World(WorldConfig(seed=world_seed))
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "world.json"
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) != asdict(world.config):
        raise ConfigError(f"{folder} holds models of another world ({mark}); choose another folder")
    mark.write_text(json.dumps(asdict(world.config), indent=1) + "\n", encoding="utf-8")
    missing = [name for name in models if not (folder / name / "facts.json").exists()]
    largest_first = sorted(missing, key=lambda name: -LADDER[name].tokens)
    if jobs == 1:
        for name in largest_first:
            _one(folder, name, world_seed, seed, threads, tell)
    else:
        import multiprocessing

        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            tasks = [pool.submit(_one, folder, name, world_seed, seed, threads, None) for name in largest_first]
            for task in tasks:
                task.result()
    done = [name for name in LADDER if (folder / name / "facts.json").exists()]
    facts = {name: json.loads((folder / name / "facts.json").read_text(encoding="utf-8")) for name in done}
    return write_card(folder, world, facts)


def _one(folder: Path, name: str, world_seed: int, seed: int, threads: int, tell: Tell | None) -> None:
    world = World(WorldConfig(seed=world_seed))
    tokenizer = train_tokenizer(world)

    def progress(step: int, steps: int, loss: float) -> None:
        if tell is not None:
            tell(name, step, steps, loss)

    facts: dict[str, Any] = pretrain(
        world, LADDER[name], tokenizer, folder / name, seed=seed, threads=threads, progress=progress
    )
    facts["knows"] = knowledge(world, LADDER[name], folder / name)
    text = json.dumps({**asdict(LADDER[name]), **facts}, indent=1) + "\n"
    (folder / name / "facts.json").write_text(text, encoding="utf-8")  # last: it marks the folder as complete
