"""What a recipe can name, as tables: methods, kinds of task, and the recipes that ship with the package."""

from __future__ import annotations

import pyarrow as pa

from outgrow.methods import METHODS
from outgrow.recipe.recipe import builtin_recipes
from outgrow.tasks import TASKS


def list_methods() -> pa.Table:
    """The methods: `method`, `role` (method, control or oracle, which sees gold) and `doc`, one line."""
    roles = {(False, False): "method", (True, False): "control"}
    rows = [
        {"method": spec.name, "role": roles.get((spec.control, spec.uses_gold), "oracle"), "doc": spec.doc}
        for spec in METHODS.values()
    ]
    return pa.Table.from_pylist(rows)


def list_tasks() -> pa.Table:
    """The kinds of task: `kind` and `doc`, one line."""
    return pa.Table.from_pylist([{"kind": spec.kind, "doc": spec.doc} for spec in TASKS.values()])


def list_recipes() -> pa.Table:
    """The recipes that ship with the package: `recipe`, which `outgrow.run` takes, and `path` of the file."""
    return pa.Table.from_pylist([{"recipe": name, "path": str(path)} for name, path in builtin_recipes().items()])
