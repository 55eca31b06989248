"""The verbs of `outgrow microworld`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outgrow import tasks
from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.core.tables import SPLITS, iter_examples
from outgrow.recipe.yaml import apply_overrides
from outgrow.tasks.microworld.world import World, WorldConfig


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
