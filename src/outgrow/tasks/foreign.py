"""Tasks that others bring: the keys of steps about them say whose code made the questions."""

from __future__ import annotations

from collections.abc import Mapping

from outgrow.core.hashing import sha256_text
from outgrow.core.tables import Example
from outgrow.tasks.base import Task, Wording
from outgrow.tasks.variants import VariedTask


class ForeignTask(VariedTask):
    """`task` as it is, its fingerprint joined with the package and version, or the file, that it comes from.

    Args:
        task: the task.
        identity: `outgrow.core.registry.Origin.identity`.
    """

    def __init__(self, task: Task, identity: Mapping[str, str]) -> None:
        super().__init__(task, (), {})
        self._identity = dict(identity)
        self.n_variants = task.n_variants

    def fingerprint(self) -> str:
        """The task's, with its origin."""
        return sha256_text("foreign", self._task.fingerprint(), self._identity)

    def wording(self, example: Example, variant: int) -> Wording:
        """The task's."""
        return self._task.wording(example, variant)
