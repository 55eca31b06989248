"""Who answers: a model on this machine, a server, a file of answers given before.

`SUPERVISORS` lists the kinds a recipe may name. What they are asked, and the table their answers become, is the same
for all of them (`outgrow.supervisors.queries`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outgrow.core.registry import KindSpec, Registry


@dataclass(frozen=True)
class SupervisorSpec(KindSpec):
    """A kind of supervisor as YAML names it.

    Attributes:
        title: the key whose value names the supervisor when it has no `name`.
        answer: how a kind that others bring answers: a function of (config, data folder, task, examples,
            `outgrow.supervisors.asking.Asking`) to a table of answers (`outgrow.core.tables.ANSWERS`), or `module:attr`
            of it.
    """

    title: str = "name"
    answer: str | Callable[..., Any] | None = None


_OURS = (
    SupervisorSpec(
        kind="local",
        doc="a model by hub name or folder, tuned on supervisor_train or taken as it is",
        config="outgrow.supervisors.config:LocalSupervisor",
        title="model",
    ),
    SupervisorSpec(
        kind="server",
        doc="any OpenAI-compatible endpoint; answers are kept as they arrive",
        config="outgrow.supervisors.config:ServerSupervisor",
        title="model",
    ),
    SupervisorSpec(
        kind="file",
        doc="answers given before, by people or machines: JSON Lines, CSV or Parquet",
        config="outgrow.supervisors.config:FileSupervisor",
        title="path",
    ),
)

SUPERVISORS = Registry("supervisor", SupervisorSpec, {spec.kind: spec for spec in _OURS})

__all__ = ["SUPERVISORS", "SupervisorSpec"]
