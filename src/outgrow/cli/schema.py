"""The verb `schema`."""

from __future__ import annotations

from outgrow.cli.options import Plugin


def schema(plugin: Plugin = None) -> None:
    """Print the JSON Schema of a recipe, for editors: every key with its type, default and meaning."""
    import json

    import typer

    from outgrow.core.registry import registries
    from outgrow.recipe.json_schema import recipe_schema

    typer.echo(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))
    for registry in registries():
        for reason in registry.loaded()[1].values():
            typer.echo(f"note: left out: {reason}", err=True)
