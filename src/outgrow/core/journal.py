"""What keeps the records of a long step, as those who write them see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Records(Protocol):
    """An append-only list of JSON objects that survives a crash (`outgrow.store.Journal`)."""

    def append(self, record: Any) -> None:
        """Keep one more object."""
        ...

    def __iter__(self) -> Iterator[Any]: ...
