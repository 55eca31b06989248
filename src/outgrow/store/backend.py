"""Where a store can be: what the protocol of results, leases and work in progress needs of a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from outgrow.store.artefact import Artefact


@runtime_checkable
class Held(Protocol):
    """A promise that one process makes a step (`lease.Lease`, `heartbeat.BeatLease`)."""

    progress: tuple[int, int] | None

    def acquire(self) -> bool:
        """Take it if it is free or abandoned."""

    def held(self) -> bool:
        """Whether it is still this owner's."""

    def release(self) -> None:
        """Give it back."""

    def holder(self) -> str:
        """Who has it, in words."""


@dataclass(frozen=True)
class Desk:
    """What one attempt at a step works with.

    Attributes:
        key: the step's.
        lease: under which it works.
        dir: `Work.dir`.
        out: `Work.out`; its name is the attempt's.
        resumed: whether `dir` holds earlier work.
    """

    key: str
    lease: Held
    dir: Path
    out: Path
    resumed: bool


@dataclass(frozen=True)
class StepUnderWay:
    """Work on a step, as it is found in a store.

    Attributes:
        key: the step's.
        card: what stands on its lease; empty if there is none, or it cannot be understood.
        renewed: when the lease was renewed last: by the file system's clock, or by its owner's behind a URL.
        progress: (done, total), if it is known.
    """

    key: str
    card: Mapping[str, Any]
    renewed: datetime | None = None
    progress: tuple[int, int] | None = None


@runtime_checkable
class Backend(Protocol):
    """A folder, or objects behind a URL.

    Attributes:
        location: what users call it.
        disk: the local folder whose space is used.
        patience: the longest pause, in seconds, between two looks at a step that another process makes.
    """

    location: str
    disk: Path
    patience: float

    def prepare(self) -> None:
        """Make sure that results can be put here.

        Raises:
            StoreError: they cannot.
        """

    def exists(self) -> bool:
        """Whether there is a store."""

    def find(self, key: str) -> Artefact | None:
        """The result of a key; a damaged one is set aside with a `StoreWarning`."""

    def manifests(self) -> Iterator[tuple[str, bytes]]:
        """Key and manifest of every result, by key."""

    def jobs(self) -> list[StepUnderWay]:
        """The steps on which there is work, by key."""

    def quarantine(self) -> list[str]:
        """Names of what was found damaged and set aside."""

    def lease(self, key: str, seconds: int | float, about: Mapping[str, Any]) -> Held:
        """A lease on a key, not yet acquired."""

    def begin(self, key: str, lease: Held) -> Desk:
        """A desk for a new attempt, with what is left of earlier work."""

    def commit(self, desk: Desk, fields: Mapping[str, Any]) -> Artefact | None:
        """Create the manifest once everything is there; None if another process has created one.

        Raises:
            LeaseLostError: another process makes the step now.
        """

    def committed(self, key: str) -> bool:
        """Whether there is a manifest, sound or not."""

    def abandon(self, desk: Desk) -> None:
        """Remove the attempt, unless it was committed; its work stays."""

    def set_work_aside(self, key: str) -> str:
        """Move damaged work away, so that the step begins anew; says where it is now."""

    def finish(self, artefact: Artefact, lease: Held) -> None:
        """Remove what other attempts left, and the work, after a commit."""

    def leave(self, lease: Held, key: str) -> None:
        """Release a lease and remove what is empty."""

    def unswept(self, key: str) -> bool:
        """Whether work of a step that has a result is left: its process died right after the commit."""
