"""Who answers: a model on this machine, a server, a file of answers given before.

`SUPERVISORS` lists the kinds a recipe may name. What they are asked, and the table their answers become, is the same
for all of them (`outgrow.supervisors.queries`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import BaseModel

from outgrow.core.names import import_attr


@dataclass(frozen=True)
class SupervisorSpec:
    """A kind of supervisor as YAML names it.

    Attributes:
        kind: the name.
        doc: one line for people.
        config: `module:attr` of its frozen pydantic model.
        title: the key whose value names the supervisor when it has no `name`.
    """

    kind: str
    doc: str
    config: str
    title: str

    def config_model(self) -> type[BaseModel]:
        """The configuration model, imported now."""
        model: type[BaseModel] = import_attr(self.config)
        return model


SUPERVISORS: Mapping[str, SupervisorSpec] = MappingProxyType(
    {
        spec.kind: spec
        for spec in (
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
    }
)

__all__ = ["SUPERVISORS", "SupervisorSpec"]
