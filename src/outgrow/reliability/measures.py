"""How much the answers of a question agree: entropy and reliability of vote counts (definition 1).

An invalid answer agrees with nobody: it counts as one more answer given once. The sums below treat
answers given once and invalid answers alike, so that equal patterns get equal bits.
"""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.groups import group_sums
from outgrow.reliability.votes import Votes


def entropy(votes: Votes) -> Float[np.ndarray, "questions"]:
    """Entropy of the vote shares in nats, 0 to ln K; low means agreement. NaN where K = 1.

    H = -sum_a (n_a/K) ln(n_a/K) + (n_inv/K) ln K, arXiv 2406.19032 ("uncertainty"), computed as
    ln K - (1/K) sum_a n_a ln n_a from counts in lowest terms: 8 + 2 of ten has every bit of 4 + 1 of five.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.reliability.votes import count_votes
        >>> answers = pa.table({"example_id": [*"pppqqq"], "value": [*"aab", "a", None, None]})
        >>> entropy(count_votes(answers, one_label_per_source=False)).round(4).tolist()
        [0.6365, 1.0986]
    """
    terms = votes.divisor
    asked = (votes.asked // terms).astype(np.float64)
    counts = (votes.entry_count // terms[votes.entry_question]).astype(np.float64)
    spread = _per_question(votes, counts * np.log(counts))
    found = np.log(asked) - spread / asked
    found[votes.top == votes.asked] = 0.0
    found[votes.asked == 1] = np.nan
    return np.asarray(found)


def _scaled(
    votes: Votes, count: Int[np.ndarray, "any"], question: Int[np.ndarray, "any"], temperature: float
) -> Float[np.ndarray, "any"]:
    terms = votes.divisor[question]
    above = (np.maximum(votes.top, 1)[question] - count) / terms
    return np.asarray(np.exp(-above / (votes.asked[question] // terms * temperature)))


def softmax_reliability(votes: Votes, temperature: float) -> Float[np.ndarray, "entries"]:
    """R of each entry, 0 to 1; high means reliable. NaN where K = 1.

    R(a) = exp(n_a/(KT)) / (sum_b exp(n_b/(KT)) + n_inv exp(1/(KT))), arXiv 2406.19032 ("reliability").

    Raises:
        ConfigError: the temperature is not a positive number.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature must be a positive number, not {temperature!r}")
    question, count = votes.entry_question, votes.entry_count
    power = _scaled(votes, count, question, temperature)
    several = _per_question(votes, np.where(count > 1, power, 0.0))
    once = votes.invalid + _per_question(votes, (count == 1).astype(np.float64))
    all_questions = np.arange(len(votes.asked))
    total = several + once * _scaled(votes, np.ones_like(all_questions), all_questions, temperature)
    found = power / total[question]
    found[votes.asked[question] == 1] = np.nan
    return np.asarray(found)


def vote_share(votes: Votes) -> Float[np.ndarray, "entries"]:
    """n_a / K of each entry, above 0 up to 1."""
    return np.asarray(votes.entry_count / votes.asked[votes.entry_question])


def _per_question(votes: Votes, x: Float[np.ndarray, "entries"]) -> Float[np.ndarray, "questions"]:
    return group_sums(votes.entry_question, x, len(votes.asked))
