"""One label per question from the answers of one source, with every measure of its reliability."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.core.tables import LABELS, PROBABILITIES
from outgrow.reliability.consensus import consensus
from outgrow.reliability.groups import group_means
from outgrow.reliability.measures import entropy, softmax_reliability, vote_share
from outgrow.reliability.options import option_means
from outgrow.reliability.votes import Votes, column, count_votes

Estimator = Literal["softmax", "vote_share", "mean_logprob", "margin", "probability"]


def agreement(
    answers: pa.Table,
    *,
    seed: int = 0,
    temperature: float = 0.2,
    estimator: Estimator | str = "softmax",
    one_label_per_source: bool = False,
) -> pa.Table:
    """Consensus, votes and reliability of each question (definitions 1 and 2; arXiv 2406.19032).

    Args:
        answers: answers table; of its columns `example_id` and `value` must be there, `source`,
            `logprob` and `probabilities` are used if they are. Questions may have different K.
        seed: breaks ties that the counts and log-probabilities leave.
        temperature: T of the softmax reliability, above 0.
        estimator: which measure becomes the column `reliability`; high means reliable.
            `softmax`: R(consensus), 0 to 1. `vote_share`: share of the K answers, 0 to 1.
            `mean_logprob`: mean log-probability of the answers that gave the consensus, at most 0.
            `probability`: mean option probability of the consensus over the answers that have
            probabilities, 0 to 1. `margin`: the same minus the best other option, -1 to 1.
        one_label_per_source: give one label per question *and* source; without it, answers of several
            sources are refused.

    Returns:
        Labels table in order of first appearance. Maps list the consensus first. With K = 1 entropy,
        `softmax` and `vote_share` are NaN; with every answer invalid the value is null, entropy is ln K and
        these two are 0; the other measures are null where nothing was given to compute them from. The metadata hold
        the settings and, where answers have a `variant`, the number of `wordings`.

    Raises:
        ConfigError: unknown estimator, or a temperature that is not positive.
        DataError: a column is missing, or the table is empty.
        PrerequisiteError: several sources.

    Examples:
        Three of five agree; the others say one other thing, or nothing that could be parsed:

        >>> import pyarrow as pa
        >>> values = [*"aaabb", *"aaa", None, None]
        >>> labels = agreement(pa.table({"example_id": ["q1"] * 5 + ["q2"] * 5, "value": values}))
        >>> labels["value"].to_pylist()
        ['a', 'a']
        >>> labels["entropy"].to_numpy().round(4).tolist()
        [0.673, 0.9503]
        >>> labels["reliability"].to_numpy().round(4).tolist()
        [0.7311, 0.787]
    """
    if estimator not in get_args(Estimator):
        raise ConfigError(f"unknown estimator {estimator!r}; choose one of {', '.join(get_args(Estimator))}")
    votes = count_votes(answers, one_label_per_source=one_label_per_source)
    given = column(answers, "logprob")
    logprob = None if given is None else as_floats(given)
    chosen = consensus(votes, logprob, seed=seed)
    said = np.where(chosen >= 0, votes.entry_value[chosen] if len(votes.entry_value) else -1, -1)
    single, none = votes.asked == 1, chosen < 0

    def of_consensus(measure: Float[np.ndarray, "entries"]) -> Float[np.ndarray, "questions"]:
        found = np.zeros(len(chosen))
        found[~none] = measure[chosen[~none]]
        found[single] = np.nan
        return found

    softmax = softmax_reliability(votes, temperature)
    options = option_means(column(answers, "probabilities"), votes, said)
    measures = {
        "softmax": pa.array(of_consensus(softmax)),
        "vote_share": pa.array(of_consensus(vote_share(votes))),
        "mean_logprob": _or_null(_mean_logprob(votes, said, logprob)),
        "margin": _or_null(options.margin),
        "probability": _or_null(options.probability),
    }
    keys, offsets = _maps(votes, chosen)
    names = votes.values.take(pa.array(votes.entry_value[keys]))
    columns = {
        "example_id": votes.example_ids,
        "source": votes.sources,
        "value": votes.values.take(pa.array(said, mask=none)),
        "votes": _map(LABELS.field("votes").type, offsets, names, pa.array(votes.entry_count[keys])),
        "probabilities": _map(PROBABILITIES, offsets, names, pa.array(vote_share(votes)[keys])),
        "entropy": pa.array(entropy(votes)),
        "reliability": measures[estimator],
        "n_valid": pa.array(votes.asked - votes.invalid),
        "n_invalid": pa.array(votes.invalid),
        "softmax_reliability": measures["softmax"],
        "vote_share": measures["vote_share"],
        "mean_logprob": measures["mean_logprob"],
        "margin": measures["margin"],
    }
    metadata = {"estimator": estimator, "temperature": repr(float(temperature)), "seed": str(seed)}
    if (variant := column(answers, "variant")) is not None:
        metadata["wordings"] = str(pc.count_distinct(variant).as_py())
    return pa.table([columns[f.name] for f in LABELS], schema=LABELS.with_metadata(metadata))


def row_reliability(answers: pa.Table, *, temperature: float = 0.2) -> Float[np.ndarray, "rows"]:
    """R of the answer each row gave, in row order (the row weights of the published re-weighting).

    NaN for an invalid answer and where K = 1. Raises as `agreement` does.

    Examples:
        >>> import pyarrow as pa
        >>> answers = pa.table({"example_id": ["q"] * 5, "value": [*"aaabb"]})
        >>> row_reliability(answers).round(4).tolist()
        [0.7311, 0.7311, 0.7311, 0.2689, 0.2689]
    """
    votes = count_votes(answers, one_label_per_source=True)
    measure = softmax_reliability(votes, temperature)
    width = max(len(votes.values), 1)
    keys = votes.entry_question * width + votes.entry_value
    order = np.argsort(keys)
    valid = np.flatnonzero(votes.value >= 0)
    place = np.searchsorted(keys[order], votes.question[valid] * width + votes.value[valid])
    found = np.full(answers.num_rows, np.nan)
    found[valid] = measure[order[place]]
    return found


def as_floats(values: pa.ChunkedArray | pa.Array) -> Float[np.ndarray, "rows"]:
    """A numeric column as float64, null as NaN."""
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _mean_logprob(
    votes: Votes, said: Int[np.ndarray, "questions"], logprob: Float[np.ndarray, "rows"] | None
) -> Float[np.ndarray, "questions"]:
    if logprob is None:
        return np.full(len(said), np.nan)
    agrees = (votes.value >= 0) & (votes.value == said[votes.question])
    return group_means(votes.question[agrees], logprob[agrees], len(said))


def _maps(
    votes: Votes, chosen: Int[np.ndarray, "questions"]
) -> tuple[Int[np.ndarray, "entries"], Int[np.ndarray, "questions_plus_one"]]:
    """Entries in map order (each question's consensus moved to its front), and the questions' offsets."""
    entries = np.arange(len(votes.entry_question))
    first, winner = votes.offsets[votes.entry_question], chosen[votes.entry_question]
    place = np.where(entries < winner, entries + 1, np.where(entries == winner, first, entries))
    order = np.empty_like(entries)
    order[place] = entries
    return order, votes.offsets


def _map(kind: pa.DataType, offsets: Int[np.ndarray, "n"], keys: pa.Array, items: pa.Array) -> pa.Array:
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items).cast(kind)


def _or_null(x: Float[np.ndarray, "questions"]) -> pa.Array:
    return pa.array(x, mask=np.isnan(x))
