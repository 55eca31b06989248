"""A first table while a run is under way, refined as seeds come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from outgrow.core.errors import OutgrowError
from outgrow.execution.gather import gather
from outgrow.execution.job_graph import Graph
from outgrow.experiment.graph import Done
from outgrow.recipe.recipe import Recipe


class SoFar:
    """Shows results when 1, 2, 4, 8, ... seeds are complete and others are left.

    Nothing is shown as long as everything was in the store: such a run is over in seconds.

    Args:
        recipe: what is run.
        store: where its results are.
        graph: its jobs.
        render: the contents of `results.json` to text.
        say: shows text.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: Any,
        graph: Graph,
        render: Callable[[dict[str, Any]], str],
        say: Callable[[str], None],
    ) -> None:
        self._recipe, self._store, self._graph, self._render, self._say = recipe, store, graph, render, say
        self._due, self._seen = 1, 0

    def __call__(self, finished: Sequence[Done]) -> None:
        """Look whether it is time for a table of what has finished."""
        if len(finished) == self._seen:
            return
        self._seen = len(finished)
        left = {job.seed for job in set(self._graph.jobs).difference(done.job for done in finished)}
        seeds = tuple(seed for seed in self._recipe.seeds if seed not in left)
        if None in left or not self._due <= len(seeds) < len(self._recipe.seeds):
            return
        whole = [done for done in finished if done.job.seed is None or done.job.seed in seeds]
        if all(use.cached for done in whole for use in done.log):
            return
        self._due = 2 * len(seeds)
        counted = f"{len(seeds)} of {len(self._recipe.seeds)} seeds"
        try:
            results = gather(self._recipe.model_copy(update={"seeds": seeds}), self._store, whole).results
        except OutgrowError as error:  # it will be told when the run ends, and by then it may be mended
            self._say(f"no table of {counted}: {error}")
            return
        self._say(self._render({**results, "name": f"{self._recipe.name}: {counted}"}))
