"""How accurate a source's labels are, estimated from its answers alone: no gold, but assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.reliability.options import flatten
from outgrow.reliability.votes import column

ASSUMPTIONS = (
    "Each question is either known to the source or guessed. Its answers to a question are drawn independently from "
    "option probabilities of that question: Dirichlet(a, ..., a) for a guess, whatever the truth, and "
    "Dirichlet(a, ..., a + b, ..., a) with b at the truth for a known one; a, b and the share known are the same "
    "everywhere. Invalid answers are missing at random. A misconception, a wrong option that attracts as truth does, "
    "counts as knowledge: the estimate is then too high. The interval holds only the error of a sample of questions, "
    "not that of the assumptions. How often each pattern of votes occurs was compared with what the assumptions "
    "predict; that cannot show a misconception."
)
CHECKS = 200
"""Data sets drawn from the fitted model, against which the votes are held."""
LEAST_P = 0.01
"""A share of the drawn data sets: where no more of them fit as badly, the model is taken for wrong."""


@dataclass(frozen=True)
class AccuracyEstimate:
    """Share of right labels among those with a value, 0 to 1, with a 95 % interval that holds under `assumptions`."""

    estimate: float
    low: float
    high: float
    method: str
    questions: int
    answers: int  # asked for it
    assumptions: str


@dataclass(frozen=True)
class _Patterns:
    """Distinct vote patterns. A row is the counts of one: the consensus first, the others descending, 0 if unsaid.

    A question with fewer options than the widest has -1 for options it has not.
    """

    counts: Float[np.ndarray, "patterns options"]

    @cached_property
    def options(self) -> Int[np.ndarray, "patterns"]:
        return np.asarray((self.counts >= 0).sum(axis=1))

    @cached_property
    def _there(self) -> Bool[np.ndarray, "patterns options"]:
        return self.counts >= 0

    @cached_property
    def _n(self) -> Float[np.ndarray, "patterns options"]:
        return np.where(self._there, self.counts, 0.0)

    @cached_property
    def _asked(self) -> Float[np.ndarray, "patterns"]:
        return np.asarray(self._n.sum(axis=1))

    @cached_property
    def log_orders(self) -> Float[np.ndarray, "patterns"]:
        """Logarithm of the number of sequences of answers, over named options, that give the pattern."""
        from scipy.special import gammaln

        found = gammaln(self._asked + 1) - gammaln(self._n + 1).sum(axis=1) + gammaln(self.options + 1)
        for count in np.unique(self.counts[self._there]):
            found -= gammaln((self._there & (self.counts == count)).sum(axis=1) + 1)
        return np.asarray(found)

    @cached_property
    def designs(self) -> Int[np.ndarray, "patterns"]:
        """What was given: a number for each pair of options and answers."""
        _, code = np.unique(np.stack([self.options, self._asked]), axis=1, return_inverse=True)
        return np.asarray(code).ravel()

    def deviance(self, weight: Float[np.ndarray, "patterns"], theta: Float[np.ndarray, "3"]) -> float:
        """Twice the logarithm of how much better the observed shares of patterns fit than the model's.

        Args:
            weight: how often each pattern was seen.
            theta: of the model.
        """
        of_design = np.bincount(self.designs, weights=weight)[self.designs]
        seen = weight > 0
        share = np.log(weight[seen] / of_design[seen])
        return float(2 * weight[seen] @ (share - self.log_likelihood(theta)[seen] - self.log_orders[seen]))

    def drawn(
        self, weight: Float[np.ndarray, "patterns"], theta: Float[np.ndarray, "3"], rng: np.random.Generator
    ) -> tuple[_Patterns, Float[np.ndarray, "drawn"]]:
        """As many questions of each design, answered as the model says: their patterns and how often each occurs."""
        found = []
        a, b = np.exp(theta[1]), np.exp(theta[2])
        times = np.bincount(self.designs, weights=weight).astype(int)
        for design, first in enumerate(np.unique(self.designs, return_index=True)[1]):
            options, asked, n = int(self.options[first]), int(self._asked[first]), times[design]
            balls = np.full((n, options), a)
            balls[:, 0] += b * (rng.random(n) < 1 / (1 + np.exp(-theta[0])))
            gamma = rng.standard_gamma(balls) + 1e-300
            said = rng.multinomial(asked, gamma / gamma.sum(axis=1, keepdims=True))
            rows = np.full((n, self.counts.shape[1]), -1.0)
            rows[:, :options] = -np.sort(-said, axis=1)
            found.append(rows)
        counts, times = np.unique(np.concatenate(found), axis=0, return_counts=True)
        return _Patterns(counts), times.astype(float)

    def log_parts(
        self, log_a: float, log_b: float
    ) -> tuple[Float[np.ndarray, "patterns"], Float[np.ndarray, "patterns options"]]:
        """Logarithms of P(answers | a guess) and of P(answers, truth is this option | known)."""
        from scipy.special import gammaln

        a, b = np.exp(log_a), np.exp(log_b)
        n, total = self._n, self.options * a
        each = gammaln(n + a) - gammaln(a)  # 0 for an option that is not there
        guess = each.sum(axis=1) - gammaln(total + self._asked) + gammaln(total)
        swapped = each.sum(axis=1, keepdims=True) - each + gammaln(n + a + b) - gammaln(a + b)
        scale = (gammaln(total + b + self._asked) - gammaln(total + b) + np.log(self.options))[:, None]
        return guess, np.where(self._there, swapped - scale, -np.inf)

    def log_likelihood(self, theta: Float[np.ndarray, "3"]) -> Float[np.ndarray, "patterns"]:
        """Logarithm of P(answers) for each pattern; theta = log odds of known, ln a, ln b."""
        guess, known = self.log_parts(theta[1], theta[2])
        return _mixed(theta[0], guess, _log_sum(known))

    def with_gradient(
        self, theta: Float[np.ndarray, "3"]
    ) -> tuple[Float[np.ndarray, "patterns"], Float[np.ndarray, "patterns 3"]]:
        """`log_likelihood` and its derivatives by the three entries of theta."""
        from scipy.special import digamma, expit

        a, b = np.exp(theta[1]), np.exp(theta[2])
        guess, known = self.log_parts(theta[1], theta[2])
        known_any = _log_sum(known)
        found = _mixed(theta[0], guess, known_any)
        known_share = np.exp(known_any - np.logaddexp(0, -theta[0]) - found)  # P(known | answers)
        truth = np.exp(known - known_any[:, None])  # P(truth is this option | answers, known)
        n, total = self._n, self.options * a
        each = digamma(n + a) - digamma(a)
        lifted = digamma(n + a + b) - digamma(a + b)
        scale = digamma(total + b + self._asked) - digamma(total + b)
        by_b = (truth * lifted).sum(axis=1) - scale
        guess_by_a = each.sum(axis=1) - self.options * (digamma(total + self._asked) - digamma(total))
        known_by_a = each.sum(axis=1) + (truth * (lifted - each)).sum(axis=1) - self.options * scale
        return found, np.stack(
            [
                known_share - expit(theta[0]),
                a * ((1 - known_share) * guess_by_a + known_share * known_by_a),
                b * known_share * by_b,
            ],
            axis=1,
        )

    def right(self, theta: Float[np.ndarray, "3"]) -> Float[np.ndarray, "patterns"]:
        """P(the consensus is the truth | answers) of each pattern."""
        guess, known = self.log_parts(theta[1], theta[2])
        whole = self.log_likelihood(theta)
        guessed = np.exp(guess - np.logaddexp(0, theta[0]) - whole) / self.options
        return np.asarray(guessed + np.exp(known[:, 0] - np.logaddexp(0, -theta[0]) - whole))


_STARTS = ((0.5, -1.0, 2.0), (0.0, 0.0, 3.5), (1.0, -0.5, 1.0))
_BOUNDS = ((-6.0, 6.0), (-4.0, 4.0), (-2.0, 6.0))


def accuracy_from_votes(
    labels: pa.Table,
    *,
    options: int | Mapping[str, int] | None = None,
    groups: Mapping[str, str] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> AccuracyEstimate:
    """Accuracy of the consensus labels, from how the votes of each question agree.

    A mixture of known and guessed questions with three parameters, fitted by maximum likelihood to the vote patterns;
    a Dirichlet lets a guess lean to one option, so that its answers agree although they are wrong. The estimate is the
    mean over questions of P(the consensus is the truth | votes), its interval the percentile bootstrap over groups.
    The assumptions are `ASSUMPTIONS`. Votes can show that they do not hold, not that they do: the deviance of the
    patterns is held against that of `CHECKS` data sets drawn from the fitted model and fitted again (a predictive
    check), and the estimate is refused where at most `LEAST_P` of them fit as badly. Members of a crowd differ in what
    they know, and passes of one model over one wording share what that wording makes it believe, so the answers of both
    are refused. On the microworld's ignorance mix, where guesses are guesses, the interval held the truth for 14 of 18
    supervisors, and two were refused (`benchmarks/label_side.py`). Where questions can be asked again with other
    options, `accuracy_from_decoys` assumes less.

    Args:
        labels: labels table of one source, which answered several wordings (the `wordings` of its metadata, if they
            are there); labels without a value are left out.
        options: how many options each question has, or `example_id` to that number. Free text has no such number,
            and without it a guess cannot be told from knowledge.
        groups: `example_id` to `group_id`; a question that is not listed is its own group.
        draws: bootstrap draws, at least 1.
        seed: of the bootstrap.

    Raises:
        ConfigError: fewer than two options, or no draws.
        DataError: no label has a value, a question is missing in `options`, or has more distinct answers than options.
        PrerequisiteError: `options` is not given, the answers are a crowd's or those to one wording, there are fewer
            than four different patterns of votes, or the patterns are not what the model predicts.
    """
    _refuse_others(labels)
    if options is None:
        raise PrerequisiteError(
            "the number of options per question is unknown (free text, or options not given): without it, how often "
            "a guess is right by chance is unknown too; give options=..., a number or one per question"
        )
    if draws < 1:
        raise ConfigError(f"draws must be at least 1, not {draws!r}")
    labels = labels.filter(labels.column("value").is_valid())
    if labels.num_rows == 0:
        raise DataError("no label has a value; there is no accuracy to estimate")
    ids = labels.column("example_id").to_pylist()
    rows = _counts(labels, _options(ids, options))
    counts, code = np.unique(rows, axis=0, return_inverse=True)
    patterns = _Patterns(counts)
    if len(counts) < 4:  # for three parameters; unanimous answers alone fit knowledge and bias alike
        raise PrerequisiteError(
            f"the votes show {len(counts)} different patterns (such as 4 + 1); telling knowledge from guesses "
            "needs at least four: ask each question in at least five wordings"
        )
    code = np.asarray(code).ravel()
    cluster = encode(pa.chunked_array([[(groups or {}).get(i, i) for i in ids]], pa.string())).codes
    member = np.zeros((int(cluster.max()) + 1, len(counts)))
    np.add.at(member, (cluster, code), 1.0)
    weight = member.sum(axis=0)
    rng = np.random.default_rng(seed)
    drawn = []
    with _one_thread():
        theta = min((_fit(patterns, weight, np.array(start)) for start in _STARTS), key=lambda found: found[1])[0]
        _check_fit(patterns, weight, theta, np.random.default_rng([seed, 1]))
        for _ in range(draws):
            times = np.bincount(rng.integers(len(member), size=len(member)), minlength=len(member))
            again = times @ member
            drawn.append(_mean_right(patterns, again, _fit(patterns, again, theta)[0]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return AccuracyEstimate(
        estimate=_mean_right(patterns, weight, theta),
        low=float(low),
        high=float(high),
        method="votes",
        questions=len(ids),
        answers=int(labels.column("n_valid").to_numpy().sum() + labels.column("n_invalid").to_numpy().sum()),
        assumptions=ASSUMPTIONS,
    )


def _refuse_others(labels: pa.Table) -> None:
    """Refuse labels whose answers are not those of one source to several wordings, as far as the table says."""
    told = "the accuracy cannot be told from these votes: "
    instead = "; buy gold labels of some questions (calibrate, --known), or ask one model in at least five wordings"
    sources = pc.unique(labels["source"]).to_pylist() if "source" in labels.column_names else []
    if len(sources) > 1:
        raise PrerequisiteError(
            f"{told}the labels are of {len(sources)} sources, which know different things; take one source{instead}"
        )
    wordings = (labels.schema.metadata or {}).get(b"wordings")
    if wordings is not None and int(wordings) < 2:
        raise PrerequisiteError(
            f"{told}they are all answers to one wording (variant) of each question, as those of a crowd or of repeated "
            f"passes of one model are, and such answers go wrong together{instead}"
        )


def _check_fit(
    patterns: _Patterns, weight: Float[np.ndarray, "patterns"], theta: Float[np.ndarray, "3"], rng: np.random.Generator
) -> None:
    """Refuse votes that the fitted model does not predict."""
    found, worse = patterns.deviance(weight, theta), 0
    for _ in range(CHECKS):
        other, times = patterns.drawn(weight, theta, rng)
        worse += other.deviance(times, _fit(other, times, theta)[0]) >= found
        if worse > LEAST_P * CHECKS:
            return  # enough of them fit as badly
    raise PrerequisiteError(
        "the accuracy cannot be told from these votes: their patterns are not those that the model of known and "
        f"guessed questions predicts (of {CHECKS} data sets drawn from it {worse} fit as badly); buy gold labels of "
        "some questions (calibrate, --known), or ask again with other options (decoys)"
    )


def _options(ids: list[str], options: int | Mapping[str, int]) -> Int[np.ndarray, "questions"]:
    if isinstance(options, Mapping):
        lacking = [i for i in ids if i not in options]
        if lacking:
            raise DataError(f"{len(lacking)} of {len(ids)} questions have no number of options; first {lacking[0]!r}")
        found = np.array([options[i] for i in ids], dtype=np.int64)
    else:
        found = np.full(len(ids), options, dtype=np.int64)
    if found.min() < 2:
        raise ConfigError(f"a question needs at least two options, not {int(found.min())}")
    return found


def _counts(labels: pa.Table, options: Int[np.ndarray, "questions"]) -> Float[np.ndarray, "questions options"]:
    """Vote counts in the order of the maps (consensus first, others descending), 0 unsaid, -1 no such option."""
    votes = column(labels, "votes")
    assert votes is not None, "labels with a value have votes"
    flat = flatten(votes)
    said = np.bincount(flat.row, minlength=len(options))
    many = np.flatnonzero(said > options)
    if len(many):
        name = labels.column("example_id")[int(many[0])].as_py()
        raise DataError(
            f"question {name!r} has {int(said[many[0]])} distinct answers, but only {int(options[many[0]])} options; "
            "correct the number of options"
        )
    starts = np.cumsum(said) - said
    rows = np.where(np.arange(options.max()) < options[:, None], 0.0, -1.0)
    rows[flat.row, np.arange(len(flat.row)) - starts[flat.row]] = flat.items
    rows[:, 1:] = -np.sort(-rows[:, 1:], axis=1)
    return rows


def _mixed(
    odds: float, guess: Float[np.ndarray, "patterns"], known: Float[np.ndarray, "patterns"]
) -> Float[np.ndarray, "patterns"]:
    """Logarithm of P(answers) from those of P(answers | a guess) and P(answers | known), and the log odds of known."""
    return np.asarray(np.logaddexp(guess - np.logaddexp(0, odds), known - np.logaddexp(0, -odds)))


def _log_sum(x: Float[np.ndarray, "patterns options"]) -> Float[np.ndarray, "patterns"]:
    top = x.max(axis=1)
    return np.asarray(top + np.log(np.exp(x - top[:, None]).sum(axis=1)))


def _one_thread() -> AbstractContextManager[Any]:
    """One thread for matrices of 3 x 3: several cost ten times as much as they do."""
    import scipy.optimize  # noqa: F401  # only a BLAS that is loaded can be told
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _fit(
    patterns: _Patterns, weight: Float[np.ndarray, "patterns"], start: Float[np.ndarray, "3"]
) -> tuple[Float[np.ndarray, "3"], float]:
    from scipy.optimize import minimize

    share = weight / weight.sum()

    def lost(theta: Float[np.ndarray, "3"]) -> tuple[float, Float[np.ndarray, "3"]]:
        value, gradient = patterns.with_gradient(theta)
        return -float(share @ value), -(share @ gradient)

    found = minimize(
        lost, start, jac=True, method="L-BFGS-B", bounds=_BOUNDS,
        options={"ftol": 1e-12, "gtol": 1e-7},  # the likelihood is flat along a ridge
    )  # fmt: skip
    return found.x, float(found.fun)


def _mean_right(patterns: _Patterns, weight: Float[np.ndarray, "patterns"], theta: Float[np.ndarray, "3"]) -> float:
    return float(weight @ patterns.right(theta) / weight.sum())
