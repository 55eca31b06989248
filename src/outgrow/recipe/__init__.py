"""The typed recipe: what is asked of whom, and what is trained and compared. YAML in, canonical JSON out."""

from outgrow.recipe.recipe import (
    Labelling,
    Recipe,
    builtin_recipes,
    load_labelling,
    load_recipe,
    parse_labelling,
    parse_recipe,
)

__all__ = [
    "Labelling",
    "Recipe",
    "builtin_recipes",
    "load_labelling",
    "load_recipe",
    "parse_labelling",
    "parse_recipe",
]
