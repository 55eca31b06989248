"""What is in a store and what is going on there, found by looking: nothing is changed."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from outgrow.core.errors import PrerequisiteError
from outgrow.store.artefact import DamageError, decode_manifest
from outgrow.store.backend import Backend, StepUnderWay
from outgrow.store.lease import owner_is_gone
from outgrow.store.opening import backend_of


@dataclass(frozen=True)
class Results:
    """The results of all steps of one name.

    Attributes:
        step: the name.
        count: how many.
        bytes: of their files.
        seconds: that making them took, in all.
    """

    step: str
    count: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Making:
    """A step without a result on which there is, or was, work. Texts are "" and numbers None where nothing is known.

    Attributes:
        key: the step's.
        step: its name.
        detail: what it is about.
        host: where its maker runs.
        pid: the maker's process.
        since: when the maker began, by its own clock.
        renewed: when its lease was last renewed.
        done: how far it is, in units of its own.
        total: of how many.
        abandoned: why nobody is at work; "" if somebody is.
    """

    key: str
    step: str
    detail: str
    host: str
    pid: int | None
    since: str
    renewed: str
    done: int | None
    total: int | None
    abandoned: str


@dataclass(frozen=True)
class Status:
    """A store at one moment.

    Attributes:
        store: folder or URL.
        results: by name.
        under_way: steps that somebody makes.
        abandoned: steps whose maker was stopped; whoever wants the result goes on with what it left.
        damaged: keys of results whose manifest cannot be read.
        quarantined: what was found damaged, as it is called in `quarantine/`.
    """

    store: str
    results: tuple[Results, ...]
    under_way: tuple[Making, ...]
    abandoned: tuple[Making, ...]
    damaged: tuple[str, ...]
    quarantined: tuple[str, ...]


def status(store: str | os.PathLike[str]) -> Status:
    """Look at a store.

    Raises:
        PrerequisiteError: there is none.
        StoreError: it cannot be read.
    """
    place = backend_of(store)
    if not place.exists():
        raise PrerequisiteError(f"there is no store at {place.location}; `outgrow run --store` makes one")
    keys, results, damaged = _results(place)
    making = [_making(job) for job in place.jobs() if job.key not in keys]
    return Status(
        place.location,
        results,
        tuple(one for one in making if not one.abandoned),
        tuple(one for one in making if one.abandoned),
        damaged,
        tuple(place.quarantine()),
    )


def _results(place: Backend) -> tuple[set[str], tuple[Results, ...], tuple[str, ...]]:
    counts: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    keys, damaged = set(), []
    for key, raw in place.manifests():
        try:
            manifest = decode_manifest(raw, key)
        except DamageError:
            damaged.append(key)
            continue
        keys.add(key)
        sums = counts[str(manifest["step"])]
        sums[0] += 1
        sums[1] += sum(facts["bytes"] for facts in manifest["files"].values())
        sums[2] += manifest["seconds"]
    found = (Results(step, int(n), int(size), round(seconds, 3)) for step, (n, size, seconds) in sorted(counts.items()))
    return keys, tuple(found), tuple(damaged)


def _making(job: StepUnderWay) -> Making:
    card = job.card
    pid = card.get("pid")
    done, total = job.progress or (None, None)
    return Making(
        key=job.key,
        step=str(card.get("step", "")),
        detail=str(card.get("detail", "")),
        host=" ".join(str(card.get("host", "")).split()[:1]),
        pid=pid if isinstance(pid, int) else None,
        since=str(card.get("since", "")),
        renewed="" if job.renewed is None else job.renewed.isoformat(timespec="seconds"),
        done=done,
        total=total,
        abandoned=_abandoned(job),
    )


def _abandoned(job: StepUnderWay) -> str:
    if job.renewed is None or job.card.get("released"):
        return "stopped"
    if owner_is_gone(job.card):
        return "its process is gone"
    silent = (datetime.now(UTC) - job.renewed).total_seconds()
    seconds = job.card.get("seconds")
    if isinstance(seconds, int | float) and silent > seconds:
        return f"not renewed for {silent:.0f} s, {seconds:g} were promised"
    return ""
