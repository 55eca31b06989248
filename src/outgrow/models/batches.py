"""Long inference in micro-batches that are fixed beforehand, so that a stopped run goes on with the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from outgrow.core.journal import Records
from outgrow.models.ranks import Ranks, ranks

Progress = Callable[[int, int], None]


def default_budget(device: torch.device) -> int:
    """Positions of one forward pass: what stays in a CPU's cache, and what keeps a GPU busy."""
    return 2048 if device.type == "cpu" else 16384


class Stage:
    """A part of a journal under one name: `run` does what is not in it yet.

    Args:
        journal: where results are kept; None keeps nothing.
        name: tells apart the parts that share a journal.
    """

    def __init__(self, journal: Records | None = None, name: str = "") -> None:
        self.journal, self.name = journal, name

    def run(
        self,
        plan: Sequence[Sequence[int]],
        work: Callable[[int, Sequence[int]], list[Any]],
        progress: Progress | None,
        sizes: Sequence[int] | None = None,
    ) -> dict[int, Any]:
        """Results by item.

        Args:
            plan: items of each micro-batch.
            work: called with the micro-batch's number and items; returns one JSON-able result per item.
            progress: called with (done, all) after every micro-batch.
            sizes: what an item counts for in `progress`; 1 by default.
        """
        done = {}
        for entry in self.journal if self.journal is not None else ():
            if entry["stage"] == self.name:
                done[entry["batch"]] = entry["results"]
        size = (lambda i: 1) if sizes is None else sizes.__getitem__
        total, count = sum(size(i) for items in plan for i in items), 0
        found: dict[int, Any] = {}
        team = ranks()
        done = team.tell(done) if team.splitting else done
        for number, results in _in_turn(team, plan, done, work):
            items = plan[number]
            if number not in done and self.journal is not None:
                self.journal.append({"stage": self.name, "batch": number, "results": results})
            found.update(zip(items, results, strict=True))
            count += sum(map(size, items))
            if progress is not None:
                progress(count, total)
        return found


def _in_turn(
    team: Ranks,
    plan: Sequence[Sequence[int]],
    done: Mapping[int, list[Any]],
    work: Callable[[int, Sequence[int]], list[Any]],
) -> Iterator[tuple[int, list[Any]]]:
    """Micro-batches with their results in the order of the plan, several at a time where ranks share them."""
    missing = [number for number in range(len(plan)) if number not in done]
    ready: dict[int, list[Any]] = dict(done)
    share = team.size if team.splitting else 1
    for number in range(len(plan)):
        if number not in ready:
            turn, missing = missing[:share], missing[share:]
            if share == 1:
                ready[number] = work(number, plan[number])
            else:
                own = turn[team.rank : team.rank + 1]
                ready.update(zip(turn, team.agree(partial(_do, work, plan, own)), strict=False))
                ready.update({n: ready[n][0] for n in turn})
        yield number, ready.pop(number)


def _do(
    work: Callable[[int, Sequence[int]], list[Any]], plan: Sequence[Sequence[int]], numbers: Sequence[int]
) -> list[list[Any]]:
    return [work(number, plan[number]) for number in numbers]
