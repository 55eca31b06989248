"""The verb `recipes`."""

from __future__ import annotations


def recipes() -> None:
    """List the recipes that ship, with what they show and what they need."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from outgrow.recipe.recipe import about, builtin_recipes

    table = Table("recipe", "what it shows", "what it needs", box=None, pad_edge=False)
    for name, path in builtin_recipes().items():
        table.add_row(name, *map(escape, about(path)))
    Console().print(table)
