"""What may be the matter with a task: clear, hard for everybody, or one on which many are drawn to another label."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.reliability.annotators.crowd import CrowdVotes

GUESSED = (0.3, 0.6, 0.9)
"""Shares of answers to a hard task that are guesses."""
DRAWN = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of answers to an ambiguous task that are given as if its other label were the right one."""
MOST_PAIRS = 45
"""Pairs of classes that a task may be ambiguous between: those that occur together in most tasks."""


@dataclass(frozen=True)
class TaskStates:
    """The states that a task can be in. In state s, P(a says l) = sum_k mix[s, k] confusion_a[k, l] + guess[s] / K.

    Attributes:
        mix: (states, classes).
        guess: of each state, the share of answers that are guesses.
        level: of each state its kind: 0 clear, then each share of `GUESSED`, then ambiguous.
        given: (states, classes): P(state | right class, level).
    """

    mix: Float[np.ndarray, "states classes"]
    guess: Float[np.ndarray, "states"]
    level: Int[np.ndarray, "states"]
    given: Float[np.ndarray, "states classes"]

    @property
    def levels(self) -> int:
        """How many kinds of states there are."""
        return int(self.level.max()) + 1

    def joint(
        self, prior: Float[np.ndarray, "classes"], share: Float[np.ndarray, "levels"]
    ) -> Float[np.ndarray, "states classes"]:
        """P(state, right class) from P(class) and the share of each level."""
        return np.asarray(self.given * prior * share[self.level][:, None])


def task_states(votes: CrowdVotes, *, difficulty: bool) -> TaskStates:
    """The states of tasks; without `difficulty` all are clear.

    In an ambiguous state a crowd is right as often as its share says: where a share a of the answers is drawn to
    another label, P(a) is proportional to 1 - a. Which label is right on such a task cannot be told from the votes
    any better.
    """
    k = len(votes.classes)
    identity = np.eye(k)
    if not difficulty or k == 1:
        return TaskStates(identity, np.zeros(k), np.zeros(k, np.int64), identity)
    mix, guess, level, given = [identity], [np.zeros(k)], [np.zeros(k, np.int64)], [identity]
    for i, share in enumerate(GUESSED):
        mix.append((1 - share) * identity)
        guess.append(np.full(k, share))
        level.append(np.full(k, i + 1))
        given.append(identity)
    pairs = _pairs(votes)
    rows, truth = np.zeros((len(pairs) * len(DRAWN), k)), np.zeros((len(pairs) * len(DRAWN), k))
    for i, (a, b) in enumerate(pairs):
        for j, drawn in enumerate(DRAWN):
            at = i * len(DRAWN) + j
            rows[at, a] = truth[at, a] = 1 - drawn
            rows[at, b] = truth[at, b] = drawn
    mix.append(rows)
    guess.append(np.zeros(len(rows)))
    level.append(np.full(len(rows), len(GUESSED) + 1))
    given.append(truth / np.maximum(truth.sum(axis=0), 1e-12))
    return TaskStates(np.concatenate(mix), np.concatenate(guess), np.concatenate(level), np.concatenate(given))


def _pairs(votes: CrowdVotes) -> list[tuple[int, int]]:
    """Pairs of classes, at most `MOST_PAIRS`: those that most tasks have both votes for."""
    every = list(combinations(range(len(votes.classes)), 2))
    if len(every) <= MOST_PAIRS:
        return every
    there = votes.shares.copy()
    there.data = np.ones_like(there.data)
    both = (there.T @ there).toarray()
    order = sorted(every, key=lambda pair: (-both[pair], pair))
    return sorted(order[:MOST_PAIRS])
