"""The verb `status`: what is in a store, and what is going on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.options import Plugin
from outgrow.core.terminal import line, plain_table, show

if TYPE_CHECKING:
    from outgrow.store.status import Making, Status


def status(
    store: Annotated[str, typer.Argument(help="Folder or URL of the store.")] = "outgrow-store",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs.")] = False,
    recipe: Annotated[str | None, typer.Option(help="Instead, which jobs of this recipe are done.")] = None,
    plugin: Plugin = None,
) -> None:
    """Show what is in a store: results, steps under way, abandoned work, damage."""
    if recipe is not None:
        _jobs(store, recipe)
        return
    from outgrow.reporting.formatting import duration
    from outgrow.store.status import status as status_of

    state = status_of(store)
    if as_json:
        _as_json(state)
        return
    line(f"store {state.store}")
    results = plain_table("results of", "count", "size", "time to make")
    for kind in state.results:
        results.add_row(kind.step, f"{kind.count:,}", _size(kind.bytes), duration(kind.seconds))
    show(results if state.results else "no results yet")
    _list("under way", state.under_way)
    _list("abandoned (taken up by whoever wants the result)", state.abandoned)
    for key in state.damaged:
        line(f"damaged: the manifest of {key} cannot be read; its step is done again when it is wanted")
    if state.quarantined:
        line(f"set aside as damaged, in quarantine/: {len(state.quarantined):,}")
        for name in state.quarantined:
            line(f"  {name}")


def _jobs(store: str, recipe: str) -> None:
    """Print which jobs of a recipe are done on a store, and what is missing of the others; nothing is made."""
    from outgrow.experiment.progress import states
    from outgrow.recipe.recipe import load_recipe
    from outgrow.store import Store

    looked_up = states(load_recipe(recipe), Store(store, unsealed=True))
    table = plain_table("job", "steps made", "missing")
    for state in looked_up:
        made = ", ".join(f"{count} {kind}" for kind, count in sorted(state.made.items()))
        table.add_row(state.job.label, made, state.missing or "")
    show(table)
    done = sum(state.missing is None for state in looked_up)
    line(f"{done} of {len(looked_up)} jobs are done")


def _as_json(state: Status) -> None:
    """Print one object.

    It has `store` (text), `results` (list of `step`, `count`, `bytes`, `seconds`), `under_way` and `abandoned` (lists
    of `key`, `step`, `detail`, `host`, `pid`, `since`, `renewed`, `done`, `total`, `abandoned`), `damaged` (list of
    keys), `quarantined` (list of names). Times are ISO 8601 in UTC; a text that is not known is "", a number null.
    Later versions may add fields.
    """
    import json
    from dataclasses import asdict

    print(json.dumps(asdict(state), indent=1))


def _list(title: str, steps: Sequence[Making]) -> None:
    if not steps:
        return
    table = plain_table("step", "about", "done", "by", "since (UTC)", "renewed", "")
    for one in steps:
        done = "" if one.total is None else f"{one.done:,}/{one.total:,}"
        by = f"{one.host}, process {one.pid}" if one.host and one.pid is not None else ""
        times = (one.since.removesuffix("+00:00"), one.renewed.partition("T")[2].removesuffix("+00:00"))
        name = one.step or f"{one.key[:12]}"
        table.add_row(name, one.detail, done, by, *times, one.abandoned)
    line(f"\n{title}: {len(steps):,}")
    show(table)


def _size(count: int) -> str:
    size, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:,.0f} {units[0]}" if units[0] == "bytes" else f"{size:,.1f} {units[0]}"
