"""Several servers of one model: who is asked next, and who is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FAILURES = 3  # in a row, before an endpoint is rested
FIRST_REST = 1.0  # seconds; doubled as long as it keeps failing
LONGEST_REST = 60.0


@dataclass(eq=False)
class Endpoint:
    """One server and how it has behaved.

    Attributes:
        url: its base URL.
        under_way: requests that have not come back.
        failures: in a row.
        rests_until: when it may be asked again, by the pool's clock.
        logprobs: whether it still is asked for log-probabilities.
        answered: whether it ever answered at all.
    """

    url: str
    under_way: int = 0
    failures: int = 0
    rests_until: float = 0.0
    logprobs: bool = True
    answered: bool = False


class Pool:
    """The endpoints of a model.

    Args:
        urls: their base URLs.
        clock: seconds.
    """

    def __init__(self, urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.endpoints = [Endpoint(url) for url in urls]
        self._clock = clock

    def choose(self, avoid: Sequence[Endpoint] = ()) -> Endpoint:
        """The endpoint with the fewest requests under way, among those that do not rest; else the first to be back.

        Args:
            avoid: where the same request has failed already; taken only if there is no other.
        """
        now = self._clock()
        awake = [e for e in self.endpoints if e.rests_until <= now]
        others = [e for e in awake if e not in avoid]
        if others or awake:
            return min(others or awake, key=lambda e: e.under_way)
        return min(self.endpoints, key=lambda e: e.rests_until)

    def delay(self) -> float:
        """Seconds until an endpoint may be asked; 0 when one may be asked now."""
        return max(0.0, min(e.rests_until for e in self.endpoints) - self._clock())

    @property
    def answered(self) -> bool:
        """Whether any endpoint ever answered."""
        return any(e.answered for e in self.endpoints)

    def succeeded(self, endpoint: Endpoint) -> None:
        """It has answered as it should."""
        endpoint.failures, endpoint.answered = 0, True

    def failed(self, endpoint: Endpoint) -> None:
        """It has failed once more; after some failures in a row it is rested, longer each time, if there are others."""
        endpoint.failures += 1
        if endpoint.failures >= FAILURES and len(self.endpoints) > 1:
            seconds = min(LONGEST_REST, FIRST_REST * 2.0 ** min(endpoint.failures - FAILURES, 10))
            endpoint.rests_until = self._clock() + seconds

    def pause(self, endpoint: Endpoint, seconds: int | float) -> None:
        """It asked to be left alone for so long."""
        endpoint.rests_until = max(endpoint.rests_until, self._clock() + seconds)
