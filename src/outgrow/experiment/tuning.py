"""What a supervisor on this machine is tuned on: gold of `supervisor_train`, all of it or a part."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError
from outgrow.methods.rows import gold_rows
from outgrow.supervisors.config import LocalSupervisor
from outgrow.tasks.splits import part_of


def tuning_rows(supervisor: LocalSupervisor, examples: pa.Table, gold: pa.Table) -> pa.Table:
    """Training rows (`core.tables.ROWS`) of a supervisor.

    Args:
        supervisor: of the recipe.
        examples: the questions of `supervisor_train`.
        gold: their gold.

    Raises:
        ConfigError: there are none, in the split or in the supervisor's part of it.
    """
    part, where = supervisor.gold, ""
    if part is not None:
        inside = pa.array(part_of(examples["group_id"].to_pylist(), part.share, part.part), pa.bool_())
        ids = examples["example_id"].filter(inside).combine_chunks()
        gold = gold.filter(pc.is_in(gold["example_id"], value_set=ids))
        where = f"part {part.part} (share {part.share:g}) of "
    if not gold.num_rows:
        raise ConfigError(
            f"supervisor '{supervisor.name}' is tuned on {where}the split supervisor_train, which has no questions; "
            "give it some (task.splits), or take the supervisor as it is (train: null)"
        )
    return gold_rows(gold)
