"""How fast requests are sent, and how many at most."""

from __future__ import annotations

import time
from collections.abc import Callable

from outgrow.core.errors import ConfigError


class BudgetError(ConfigError):
    """What may be spent is spent."""


class Bucket:
    """A token bucket: `rate` units flow in per minute, and nobody passes while it is empty.

    It holds what flows in within a second, at least one unit, so there are no bursts. What passes may take more than
    is there; those behind wait until that is made up for.

    Args:
        rate: units per minute; None for no limit.
        clock: seconds.
    """

    def __init__(self, rate: int | float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = None if rate is None else rate / 60
        self._most = 1.0 if rate is None else max(1.0, rate / 60)
        self._level = self._most
        self._clock = clock
        self._then = clock()

    def take(self, units: int | float) -> float:
        """Take units; how many seconds the taker must wait before it may go on."""
        if self._rate is None:
            return 0.0
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._then) * self._rate)
        self._then = now
        behind = max(0.0, min(units, 1.0) - self._level) / self._rate
        self._level -= units
        return behind

    def give_back(self, units: int | float) -> None:
        """Return what was taken too much; a negative number takes more."""
        self._level += units


class Budget:
    """What may be spent in all on these answers.

    Args:
        max_requests: most requests; None for no limit.
        max_tokens: most tokens.
    """

    def __init__(self, max_requests: int | None, max_tokens: int | None) -> None:
        self.max_requests, self.max_tokens = max_requests, max_tokens
        self.requests = 0
        self.tokens = 0
        self._reserved = 0

    def spent(self, requests: int, tokens: int) -> None:
        """Count what earlier, interrupted runs have spent."""
        self.requests += requests
        self.tokens += tokens

    def reserve(self, tokens: int) -> None:
        """Make room for one request of about so many tokens.

        Raises:
            BudgetError: the budget does not allow it.
        """
        if self.max_requests is not None and self.requests >= self.max_requests:
            raise BudgetError(
                f"the budget max_requests: {self.max_requests} is used up; raise it to ask for the other answers"
            )
        if self.max_tokens is not None and self.tokens + self._reserved + tokens > self.max_tokens:
            raise BudgetError(
                f"the budget max_tokens: {self.max_tokens} is used up: {self.tokens} tokens are spent, and the next "
                f"request may need {tokens}; raise it to ask for the other answers"
            )
        self.requests += 1
        self._reserved += tokens

    def settle(self, reserved: int, used: int) -> None:
        """Replace what was reserved for a request by what it took."""
        self._reserved -= reserved
        self.tokens += used
