"""The verbs of `outgrow microworld`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from outgrow.core.terminal import line, plain_table, show

app = typer.Typer(help="The generated worlds: their facts and their questions.", no_args_is_help=True)

Kind = Annotated[str, typer.Option(help="Which of the two worlds: microworld or microworld2.")]


def _check_kind(kind: str) -> None:
    from outgrow.core.errors import ConfigError
    from outgrow.core.names import unknown
    from outgrow.models.files import WORLDS

    if kind not in WORLDS:
        raise ConfigError(unknown("world", kind, WORLDS))


@app.command()
def facts(
    entity: Annotated[str | None, typer.Argument(help="An entity's name; none: the first ones.")] = None,
    world: Annotated[int, typer.Option(min=0, help="The world's seed.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many entities.")] = 5,
    kind: Kind = "microworld",
) -> None:
    """Show what is true, and what the names suggest."""
    from outgrow import tasks
    from outgrow.core.errors import ConfigError
    from outgrow.core.names import unknown

    _check_kind(kind)
    task: Any = tasks.load(kind, world=world)
    generated, ladder = task.world, task.config.ladder
    if entity is not None and entity not in generated.facts:
        raise ConfigError(unknown("entity", entity, generated.entities[:10]) + ", ...")
    table = plain_table("entity", "relation", "value", "the name suggests", "read by")
    for name in generated.entities[:count] if entity is None else (entity,):
        for relation, fact in generated.facts[name].items():
            readers = ", ".join(model for model, rung in ladder.items() if generated.reads(fact, rung))
            table.add_row(name, relation, fact.value, fact.cue or "", readers)
    show(table)


@app.command()
def sample(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options of the task, e.g. family=claim.")
    ] = None,
    split: Annotated[str, typer.Option(help="supervisor_train, pool, validation, test or known.")] = "pool",
    count: Annotated[int, typer.Option(min=1, help="How many questions.")] = 3,
    variants: Annotated[int, typer.Option(min=1, help="Wordings of each.")] = 1,
    kind: Kind = "microworld",
) -> None:
    """Show questions as they are put, with their gold answers."""
    from outgrow import tasks
    from outgrow.core.errors import ConfigError
    from outgrow.core.gold import choose_objective
    from outgrow.core.names import unknown
    from outgrow.core.tables import SPLITS, iter_examples
    from outgrow.recipe.yaml import apply_overrides

    if split not in SPLITS:
        raise ConfigError(unknown("split", split, SPLITS))
    _check_kind(kind)
    task: Any = tasks.load(kind, **apply_overrides({}, options or []))
    if variants > task.n_variants:
        raise ConfigError(f"--variants {variants}: {task.name} has {task.n_variants} wordings")
    table = choose_objective(task.gold(split), task.family.objective)
    gold = dict(zip(*(table[name].to_pylist() for name in ("example_id", "value")), strict=True))
    for example in list(iter_examples(task.examples(split)))[:count]:
        line(f"── {example.example_id}")
        for variant in range(variants):
            wording = task.wording(example, variant)
            line(wording.prompt)
            if wording.options and not all(option in wording.prompt for option in wording.options):
                line(f"options: {' | '.join(wording.options)}")
        line(f"gold: {task.solution(example, gold[example.example_id])}")
