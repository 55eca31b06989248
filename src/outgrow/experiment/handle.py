"""What steps start from: a base model or one trained by an earlier step, and tables by their content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Source
from outgrow.models.config import ModelRef
from outgrow.store import Artefact


@dataclass(frozen=True)
class ModelHandle:
    """A base model, or a model trained by an earlier step."""

    source: Source
    ref: ModelRef
    trained: Artefact | None = None  # whose weights
    kind: Literal["local"] = "local"

    @property
    def folder(self) -> Path | None:
        """The folder of trained weights, brought here if they are behind a URL; None for a base model."""
        return None if self.trained is None else model_folder(self.trained)


def settings_of(ref: ModelRef) -> dict[str, Any]:
    """How a model's files are used: head, layers, pooling and the like."""
    return ref.model_dump(mode="json", exclude={"model", "revision", "trust_remote_code", "kind", "name", "train"})


def model_folder(artefact: Artefact) -> Path:
    """The folder of trained weights in a training step's result."""
    return artefact.path("model")


def content_hash(table: pa.Table) -> str:
    """A hash of a table's rows, whatever its chunks and metadata."""
    return sha256_text(table.schema.names, table.to_pylist())
