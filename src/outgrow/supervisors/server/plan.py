"""Which requests an asking consists of, and how answers are read from what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.supervisors.queries import Found, Query, draw, is_greedy, scored_answer
from outgrow.supervisors.server.bodies import Request, api_of, option_request, seed_of, text_request
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.ledger import Key
from outgrow.supervisors.server.replies import Usage, answer_of, count
from outgrow.supervisors.server.scoring import score_options
from outgrow.supervisors.server.secret import Secret
from outgrow.tasks.base import Task


class Plan:
    """Which requests there are, and what their replies mean.

    Args:
        config: the server.
        task: reads generated answers, and says how long they may be.
        queries: the questions in their wordings.
        kind: `generate` or `options`.
        samples: answers per wording.
        temperature: of drawn answers.
        seed: of drawn answers.

    Raises:
        ConfigError: a system message for an interface that has none.
    """

    def __init__(
        self,
        config: ServerConfig,
        task: Task,
        queries: Sequence[Query],
        kind: str,
        samples: int,
        temperature: float,
        seed: int,
    ) -> None:
        self.config, self.task, self.kind, self.temperature, self.seed = config, task, kind, temperature, seed
        self.api = api_of(config, kind)
        if config.system is not None and self.api == "completions":
            raise ConfigError("api 'completions' has no system message; remove 'system', or use api 'chat'")
        self.max_new_tokens = config.max_new_tokens or task.max_new_tokens
        self._identity = config.identity()
        self._queries = {self.key(query, sample): query for query in queries for sample in range(samples)}
        self.keys = list(self._queries)

    def key(self, query: Query, sample: int) -> Key:
        """The request that an answer comes from: scores of options serve all samples."""
        return Key(query.example.example_id, query.variant, 0 if self.kind == "options" else sample)

    def request(self, key: Key) -> Request:
        """What is sent for an answer.

        Raises:
            ConfigError: its options cannot be scored with this interface.
        """
        query = self._queries[key]
        if self.kind == "options":
            return option_request(self.config, query, self.api)
        own = self.config.temperature is None  # the model's, at which everything is drawn
        greedy = not own and is_greedy(key.variant, key.sample, self.temperature)
        return text_request(
            self.config,
            query,
            self.api,
            max_new_tokens=self.max_new_tokens,
            temperature=0.0 if greedy else self.temperature,
            seed=None if greedy else seed_of(self.seed, *key),
        )

    def digest(self, key: Key) -> str:
        """Of everything that decides the reply."""
        request = self.request(key)
        return sha256_text(self._identity, self.kind, request.path, request.body)[:16]

    def read(
        self, key: Key, request: Request, secret: Secret
    ) -> Callable[[list[dict[str, Any]], Usage], dict[str, Any]]:
        """How a reply becomes what the journal keeps."""
        if self.kind == "options":
            return lambda choices, usage: score_options(choices, request, self._queries[key])
        return lambda choices, usage: answer_of(choices[0], request, usage, secret)

    def answer(self, query: Query, sample: int, kept: Found) -> Found:
        """A row of the answers table, made of what the journal keeps."""
        if kept.get("logprobs") is not None:
            return self._picked(query, sample, kept)
        text = kept["text"] if self.kind == "generate" else None
        filtered = kept["finish_reason"] == "content_filter"  # what it let through is no answer
        value = None if text is None or filtered else query.read(self.task, text, kept["finish_reason"])
        return {
            "text": text,
            "value": value,
            "logprob": kept.get("logprob"),
            "n_tokens": count(kept.get("n_tokens")),
            "finish_reason": kept["finish_reason"],
        }

    def _picked(self, query: Query, sample: int, kept: Found) -> Found:
        """The most probable option, or one drawn from softmax(log p / temperature)."""
        logprobs = np.array([-math.inf if p is None else p for p in kept["logprobs"]])
        if not np.isfinite(logprobs).any():
            return {"finish_reason": "no_option"}
        shares = np.exp(logprobs - logprobs.max())
        pick = int(np.argmax(logprobs))
        if not is_greedy(query.variant, sample, self.temperature):
            uniform = seed_of(self.seed, query.example.example_id, query.variant, sample) * 2.0**-31
            pick = draw(np.exp((logprobs - logprobs.max()) / self.temperature), uniform)
        return scored_answer(
            pick,
            query.options,
            query.values,
            logprobs,
            shares / shares.sum(),
            kept["n_tokens"],
            kept["finish_reason"],
        )
