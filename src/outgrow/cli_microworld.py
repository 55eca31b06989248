"""The verbs of `outgrow microworld`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outgrow import tasks
from outgrow.errors import ConfigError
from outgrow.microworld.world import World, WorldConfig
from outgrow.names import unknown
from outgrow.progress import Event, Progress
from outgrow.recipe_yaml import apply_overrides
from outgrow.records import SPLITS, iter_examples


def build(folder: Path, *, models: str, world: int, seed: int, threads: int, jobs: int) -> None:
    """Pretrain base models and print where their card is."""
    from outgrow.microworld.build import build as make
    from outgrow.microworld.pretrain import LADDER

    names = [name.strip() for name in models.split(",") if name.strip()] or list(LADDER)
    with Progress() as progress:

        def tell(name: str, done: int, total: int, loss: float) -> None:
            progress(Event(name, f"pretraining {name}", done, total, f"loss {loss:.3f}", closed=done >= total))

        card = make(folder, models=names, world_seed=world, seed=seed, threads=threads, jobs=jobs, tell=tell)
    Console(highlight=False, soft_wrap=True).print(f"model card: {card}", markup=False)


def facts(entity: str | None, *, world: int, count: int) -> None:
    """Print the facts of entities: value, what the name suggests, and which models have read it."""
    found = World(WorldConfig(seed=world))
    if entity is not None and entity not in found.facts:
        raise ConfigError(unknown("entity", entity, found.entities[:10]) + ", ...")
    table = Table("entity", "relation", "value", "the name suggests", "read by models above", box=None, pad_edge=False)
    for name in found.entities[:count] if entity is None else (entity,):
        for relation, fact in found.facts[name].items():
            table.add_row(name, relation, fact.value, fact.cue or "", f"{fact.rank:.2f}")
    Console().print(table)


def sample(options: Sequence[str], *, split: str, count: int, variants: int) -> None:
    """Print questions of a split in their wordings, each with its gold answer."""
    if split not in SPLITS:
        raise ConfigError(unknown("split", split, SPLITS))
    task = tasks.load("microworld", **apply_overrides({}, options))
    if variants > task.n_variants:
        raise ConfigError(f"--variants {variants}: {task.name} has {task.n_variants} wordings")
    gold = dict(zip(*(task.gold(split)[name].to_pylist() for name in ("example_id", "value")), strict=True))
    console = Console(highlight=False, soft_wrap=True)
    for example in list(iter_examples(task.examples(split)))[:count]:
        console.rule(escape(example.example_id), align="left")
        for variant in range(variants):
            console.print(task.wording(example, variant).prompt, markup=False)
        console.print(f"gold: {task.solution(example, gold[example.example_id])}", markup=False)
