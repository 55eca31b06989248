"""What a method gets to see of ids and order: neither tells what a question's gold is.

A user's own ids and the order of a file often do (`yes/0123`, a file sorted by its labels). So the tables of a lab hold
opaque ids, in an order drawn by hash, and what a method gives back is put under the questions' own ids again.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.hashing import sha256_text
from outgrow.core.tables import iter_examples, make_example_id, with_column
from outgrow.reliability.hashing import hash_order


class OpaqueIds:
    """The ids of some questions and what methods see in their place; ids that a task made of its texts stay.

    Args:
        task: its name, from which such ids are made (`core.tables.make_example_id`).
        examples: tables of questions; an id that is in several is one question.
    """

    def __init__(self, task: str, examples: Iterable[pa.Table]) -> None:
        named: dict[str, str] = {}
        for example in (each for table in examples for each in iter_examples(table)):
            made = make_example_id(task, example.question, example.choices)
            own = example.example_id
            named.setdefault(own, own if own == made else sha256_text("opaque", own)[:24])
        self._own, self._opaque = pa.array(named.keys(), pa.string()), pa.array(named.values(), pa.string())

    def hide(self, table: pa.Table, seed: int) -> pa.Table:
        """The table with opaque ids, its questions in ascending order of sha256(seed, opaque id).

        Rows of one question stay in their order; questions that are not known come last, as they are. A `group_id` is
        hashed too.
        """
        at = pc.index_in(table["example_id"], value_set=self._own)
        found = with_column(table, "example_id", pc.coalesce(self._opaque.take(at), table["example_id"]))
        if "group_id" in table.column_names:
            groups = [sha256_text("opaque", group)[:24] for group in table["group_id"].to_pylist()]
            found = with_column(found, "group_id", pa.array(groups, pa.string()))
        known = at.fill_null(len(self._own)).to_numpy()
        rank = np.full(len(self._own) + 1, len(self._own))
        present = np.unique(known[known < len(self._own)])
        rank[present[hash_order([seed], self._opaque.take(pa.array(present)).to_pylist())]] = np.arange(len(present))
        return found.take(pa.array(np.argsort(rank[known], kind="stable")))

    def show(self, table: pa.Table) -> pa.Table:
        """A method's table under the questions' own ids, in `row_id` as well; the order of its rows stays."""
        ids = table["example_id"]
        own = pc.coalesce(self._own.take(pc.index_in(ids, value_set=self._opaque)), ids)
        found = with_column(table, "example_id", own)
        if "row_id" not in table.column_names:
            return found
        pairs = zip(table["row_id"].to_pylist(), ids.to_pylist(), own.to_pylist(), strict=True)
        rows = [theirs + row[len(mine) :] if row.startswith(mine + "/") else row for row, mine, theirs in pairs]
        return with_column(found, "row_id", pa.array(rows, pa.string()))
