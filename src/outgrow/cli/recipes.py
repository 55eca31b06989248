"""The verb `recipes`."""

from __future__ import annotations

from outgrow.core.terminal import plain_table, show


def recipes() -> None:
    """List the recipes that ship, with what they show and what they need."""
    from outgrow.recipe.recipe import about, builtin_recipes

    table = plain_table("recipe", "what it shows", "what it needs")
    for name, path in builtin_recipes().items():
        table.add_row(name, *about(path))
    show(table)
