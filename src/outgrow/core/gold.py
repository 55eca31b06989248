"""Gold of one objective: a question may have several truths, and no result may mix them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError


def choose_objective(gold: pa.Table, name: str | None = None) -> pa.Table:
    """The gold of one objective, in the table's order.

    Args:
        gold: gold labels (`tables.GOLD`); without the column `objective` they are all of one, unnamed objective.
        name: the objective; None takes the only one there is.

    Raises:
        ConfigError: there are several and none was named, or there is none of that name.
    """
    objectives = sorted(set(gold["objective"].to_pylist())) if "objective" in gold.column_names else []
    listed = ", ".join(map(repr, objectives)) or "none"
    if name is None:
        if len(objectives) > 1:
            raise ConfigError(f"gold has {len(objectives)} objectives ({listed}); name the one to use")
        return gold
    if name not in objectives:
        raise ConfigError(f"gold has no objective {name!r}; it has {listed}")
    return gold.filter(pc.equal(gold["objective"], name))
