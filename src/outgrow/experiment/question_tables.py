"""A recipe's task and the tables of its splits, made once for all jobs that a process does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.experiment.lab import public
from outgrow.experiment.opaque import OpaqueIds
from outgrow.recipe.recipe import Labelling
from outgrow.training.render import with_options


class Questions:
    """A task and the tables of its splits, each made once.

    Args:
        task: the task.
        without: ids of questions that are left out.

    Attributes:
        shifted: questions from outside the training distribution, once they are wanted
            (`outgrow.experiment.out_of_distribution`).
    """

    def __init__(self, task: Any, without: Collection[str] = ()) -> None:
        self.task = task
        self._without = pa.array(sorted(without), pa.string())
        self.shifted: Questions | None = None
        self._tables: dict[tuple[str, str], pa.Table] = {}
        self._public: dict[tuple[str, tuple[str, ...]], pa.Table] = {}
        self._with_options: dict[str, pa.Array] = {}
        self._split_of: dict[tuple[str, ...], dict[str, str]] = {}
        self._opaque: dict[tuple[str, ...], OpaqueIds] = {}

    def table(self, kind: str, split: str) -> pa.Table:
        """`examples` or `gold` of a split."""
        if (kind, split) not in self._tables:
            table = getattr(self.task, kind)(split)
            if len(self._without):
                table = table.filter(pc.invert(pc.is_in(table["example_id"], value_set=self._without)))
            self._tables[kind, split] = table
        return self._tables[kind, split]

    def public(self, split: str) -> pa.Table:
        """Examples of a split with public meta alone."""
        key = split, self.task.public_meta
        if key not in self._public:
            self._public[key] = public(self.table("examples", split), self.task.public_meta)
        return self._public[key]

    def with_options(self, split: str) -> pa.Array:
        """Ids of the questions of a split that are answered by choosing an option."""
        if split not in self._with_options:
            self._with_options[split] = with_options(self.task, self.table("examples", split))
        return self._with_options[split]

    def split_of(self, splits: tuple[str, ...]) -> dict[str, str]:
        """Question to the first of these splits that has it."""
        if splits not in self._split_of:
            names = ((split, self.table("examples", split)["example_id"].to_pylist()) for split in reversed(splits))
            self._split_of[splits] = {i: split for split, ids in names for i in ids}
        return self._split_of[splits]

    def opaque(self, splits: tuple[str, ...]) -> OpaqueIds:
        """The ids of these splits as methods see them."""
        if splits not in self._opaque:
            self._opaque[splits] = OpaqueIds(self.task.name, (self.table("examples", split) for split in splits))
        return self._opaque[splits]


_latest: tuple[Labelling, Questions] | None = None


def questions_of(recipe: Labelling, *, anew: bool = False) -> Questions:
    """The questions of a recipe. Those of the latest are kept, since a process does many jobs of one run.

    Args:
        recipe: this very object; an equal one may stand for files that have changed.
        anew: make them even if they are there: a run begins.
    """
    global _latest
    if anew or _latest is None or _latest[0] is not recipe:
        _latest = recipe, Questions(recipe.build_task())
    return _latest[1]
