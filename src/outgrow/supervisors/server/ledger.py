"""What has been answered and spent: kept in the journal as it arrives, read back from it, summed up at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from outgrow.core.journal import Records
from outgrow.supervisors.server.config import ServerConfig


class Key(NamedTuple):
    """Which answer."""

    example_id: str
    variant: int
    sample: int


@dataclass(eq=False)
class Spent:
    """What one answer has cost so far.

    Attributes:
        tries: requests by endpoint.
        prompt: tokens of all tries' prompts.
        completion: tokens generated.
        estimated: replies that did not say how many tokens they took.
        seconds: how long the answering request took.
    """

    tries: Counter[str] = field(default_factory=Counter)
    prompt: int = 0
    completion: int = 0
    estimated: int = 0
    seconds: float | None = None

    def plain(self) -> dict[str, Any]:
        """For the journal."""
        return {
            "tries": dict(self.tries),
            "tokens": [self.prompt, self.completion],
            "estimated": self.estimated,
            "seconds": self.seconds,
        }


class Ledger:
    """Answers by key, and everything that was spent on them.

    Args:
        journal: where they are kept; None keeps nothing.
        asked: for every key a digest of what is asked; journal records of anything else are left alone.
    """

    def __init__(self, journal: Records | None, asked: Mapping[Key, str]) -> None:
        self._journal = journal
        self._asked = asked
        self._entries: list[Mapping[str, Any]] = []
        self.found: dict[Key, Mapping[str, Any]] = {}
        for record in journal if journal is not None else ():
            key = Key(*record["key"]) if record["key"] is not None else None
            if key is not None and asked.get(key) != record["asked"]:
                continue
            self._take(key, record)
        self.resumed = len(self.found)

    def keep(self, key: Key, found: Mapping[str, Any], spent: Spent) -> None:
        """One more answer."""
        self._append(key, {"key": list(key), "asked": self._asked[key], "found": dict(found), **spent.plain()})

    def keep_spent(self, unfinished: list[Spent]) -> None:
        """What requests without an answer have cost."""
        total = Spent()
        for spent in unfinished:
            total.tries += spent.tries
            total.prompt += spent.prompt
            total.completion += spent.completion
            total.estimated += spent.estimated
        if total.tries:
            self._append(None, {"key": None, **total.plain()})

    def _append(self, key: Key | None, record: Mapping[str, Any]) -> None:
        if self._journal is not None:
            self._journal.append(record)
        self._take(key, record)

    def _take(self, key: Key | None, record: Mapping[str, Any]) -> None:
        self._entries.append(record)
        if key is not None:
            self.found[key] = record["found"]

    @property
    def requests(self) -> int:
        """Sent in all, retries included."""
        return sum(sum(entry["tries"].values()) for entry in self._entries)

    @property
    def tokens(self) -> tuple[int, int]:
        """Of prompts and of answers."""
        return sum(e["tokens"][0] for e in self._entries), sum(e["tokens"][1] for e in self._entries)

    def kept(self, total: int) -> str:
        """For the end of an error message."""
        if self._journal is None:
            return f"{len(self.found)} of {total} answers had arrived"
        return f"{len(self.found)} of {total} answers are kept; running again goes on from there"

    def usage(self, config: ServerConfig, seconds: float) -> dict[str, Any]:
        """Requests, tokens, cost and latency of all answers, those of earlier interrupted runs included.

        Args:
            config: prices.
            seconds: that this run took; latencies are per answering request, in seconds.
        """
        prompt, completion = self.tokens
        by_endpoint: Counter[str] = Counter()
        for entry in self._entries:
            by_endpoint.update(entry["tries"])
        latencies = [e["seconds"] for e in self._entries if e["seconds"] is not None]
        p50, p95 = np.quantile(latencies, [0.5, 0.95]).tolist() if latencies else (None, None)
        prices = (config.prompt_price, config.completion_price)
        cost = None
        if prices != (None, None):
            cost = (prompt * (prices[0] or 0.0) + completion * (prices[1] or 0.0)) / 1e6
        return {
            "answers": len(self.found),
            "resumed": self.resumed,
            "requests": self.requests,
            "retries": self.requests - len(self.found),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "replies_without_token_counts": sum(entry["estimated"] for entry in self._entries),
            "cost": cost,
            "latency_p50": p50,
            "latency_p95": p95,
            "seconds": seconds,
            "endpoints": dict(sorted(by_endpoint.items())),
            "finish_reasons": dict(sorted(Counter(str(f["finish_reason"]) for f in self.found.values()).items())),
        }
