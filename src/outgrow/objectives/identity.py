"""What stands for an objective in the keys of results. Needs no torch."""

from __future__ import annotations

from typing import Any

from outgrow.core.errors import ConfigError
from outgrow.core.registry import code_identity


def identity(objective: Any) -> dict[str, Any]:
    """Name and settings of an objective, from 2 on its version, and whose code it is if it is not ours.

    Raises:
        ConfigError: its settings cannot be told from its `repr`.
    """
    kind = type(objective)
    if not any("__repr__" in vars(base) for base in kind.__mro__[:-1]):
        raise ConfigError(
            f"the objective {kind.__name__} does not say its settings, so its results could not be found again; "
            "make it a frozen dataclass"
        )
    parts = {"name": kind.__name__, "settings": repr(objective), **code_identity(objective)}
    return parts if objective.version == 1 else {**parts, "version": objective.version}
