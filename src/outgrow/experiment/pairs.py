"""Preference pairs out of any answers table or preference file: made, merged, matched and weighed, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float
from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.names import unknown
from outgrow.core.tables import PAIRS, check, of_pairs
from outgrow.experiment.curate import texts_of, with_prompts
from outgrow.methods.pairs import (
    Flips,
    Match,
    Weighing,
    matched,
    merged,
    of_scores,
    of_sources,
    of_votes,
    turned,
    weighed,
)
from outgrow.methods.rows import earliest, normalise_weights
from outgrow.methods.weights import Weights, check_weights, settle_weights


@dataclass(frozen=True)
class Summary:
    """How pairs came about, in counts.

    Attributes:
        given: how many answers, or judgements of a preference file.
        what: "answers" or "judgements".
        questions: that were answered; of a preference file the different prompts.
        made: pairs, several judgements of one merged.
        without: why questions gave no pair, and how many.
        match: what the answers of a pair are alike in, where the user said so.
        unmatched: pairs whose answers are not alike in that.
        pairs: that are left.
        mean_weight: of the pairs, before it was set to 1.
        removed: pairs of weight 0.
        known: share of pairs with a `p_better`.
        weights: what became of them, where the user said so.
        left_out: pairs that resampling did not draw, or lighter than `min_weight`.
    """

    given: int
    what: str
    questions: int
    made: int
    without: Mapping[str, int]
    match: str | None
    unmatched: int
    pairs: int
    mean_weight: float
    removed: int
    known: float
    weights: str | None
    left_out: int


@dataclass(frozen=True)
class Paired:
    """Pairs (`outgrow.core.tables.PAIRS`) and the summary of how they came about."""

    pairs: pa.Table
    summary: Summary


def pairs(
    table: pa.Table,
    *,
    chosen: str | None = None,
    rejected: str | None = None,
    scores: Float[np.ndarray, "answers"] | None = None,
    judge: str = "scores",
    log_odds: bool = False,
    match: Match | str | None = None,
    weigh: Weighing | str = "equal",
    flips: Flips | str = "none",
    reverse: bool = False,
    questions: pa.Table | None = None,
    weights: Weights | str | None = None,
    min_weight: float | int | None = None,
    seed: int = 0,
) -> Paired:
    """Preference pairs of answers, or of a preference file.

    Answers give one pair per question: of two sources by whose answer it is (`chosen`, `rejected`), of scores the
    highest over the lowest, else of one source the majority's answer over the minority's. Pairs stay what they are;
    several judgements of one pair are merged (`outgrow.methods.pairs.merged`).

    Args:
        table: answers (`outgrow.read_answers`) or pairs (`outgrow.read_pairs`, `outgrow.methods.pairs.of_choices`).
        chosen: the source whose answers are chosen; of each its first to a question (lowest variant, then sample).
        rejected: the source whose answers are rejected.
        scores: of each answer, higher for better; NaN leaves an answer out (`outgrow.io.answers.read_scores`).
        judge: who gave the scores.
        log_odds: the difference of two scores is that of a Bradley-Terry model, so `p_better` is its sigmoid.
        match: keep pairs whose answers are alike in "length", or in "style" too.
        weigh: "confidence" lets a pair count by `2 p_better - 1`, at least 0.
        flips: "p_better" takes `1 - p_better` for the probability that a pair stands the wrong way round.
        reverse: turn all pairs in the end, for a placebo; their weights and flip probabilities stay.
        questions: prompts for answers without (`outgrow.read_questions`).
        weights: "resample", "threshold" or "keep-unused" (the pairs stay as they are).
        min_weight: with "threshold", the least weight to keep; 1 is the mean.
        seed: of ties and of resampling.

    Returns:
        Pairs of weight above 0, mean weight 1, and a summary.

    Raises:
        ConfigError: an unknown choice or source, or an option without meaning for the table.
        DataError: no pair comes out, or no question belongs to an answer.
        PrerequisiteError: several sources of which none is named, or `p_better` is asked for and no pair has one.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.io import as_answers
        >>> table = pa.table({"example_id": [*"pppqqq"], "value": [*"aab", *"bbb"], "prompt": ["p?"] * 3 + ["q?"] * 3})
        >>> paired = pairs(as_answers(table), weigh="confidence")
        >>> paired.pairs.select(["prompt", "chosen", "rejected", "p_better"]).to_pylist()
        [{'prompt': 'p?', 'chosen': 'a', 'rejected': 'b', 'p_better': 0.6666666666666666}]
        >>> paired.summary.without
        {'all valid answers are the same': 1}
    """
    _check_choices(match, weigh, flips)
    check_weights(weights, min_weight)
    if log_odds and scores is None:
        raise ConfigError("log odds are those of scores, and there are none; give scores, or leave log_odds out")
    if of_pairs(table):
        if chosen is not None or rejected is not None or scores is not None:
            raise ConfigError("chosen, rejected and scores are for answers; a preference file says which is better")
        table = check(table, PAIRS, "pairs")
        made, without = merged(table, seed=seed), dict[str, int]()
        asked = pc.count_distinct(pc.coalesce(table["prompt"], table["example_id"])).as_py()
    else:
        answers = texts_of(table, None, questions)
        if chosen is not None or rejected is not None:
            if scores is not None:
                raise ConfigError("scores have no meaning beside chosen and rejected; leave one or the other out")
            answers = _of_two(answers, chosen, rejected)
            made = of_sources(*(answers.filter(pc.equal(answers["source"], name)) for name in (chosen, rejected)))
        elif scores is not None:
            made = of_scores(answers, scores, judge, log_odds=log_odds)
            answers = answers.filter(pa.array(~np.isnan(scores)))
        else:
            _refuse_several(answers)
            made = of_votes(answers, seed=seed)
        without, asked = _without(table, answers, made), pc.count_distinct(table["example_id"]).as_py()
    if questions is not None and made.num_rows:
        made = with_prompts(made, questions)
    kept = made if match is None else matched(made, cast(Match, match))
    if not kept.num_rows:
        reasons = [f"{reason} ({count:,})" for reason, count in without.items()]
        reasons += [f"not alike in {match} ({made.num_rows:,} pairs)"] if made.num_rows else []
        raise DataError(f"no pair comes out of {asked:,} questions: {'; '.join(reasons)}")
    known = 1 - kept["p_better"].null_count / kept.num_rows
    if not known and (weigh == "confidence" or flips == "p_better"):
        raise PrerequisiteError(
            "no pair has a p_better, which confidence and flip probabilities come from; give a column 'p_better', "
            "several judgements of a pair, or scores whose differences are log odds (--log-odds)"
        )
    weighted = weighed(kept, cast(Weighing, weigh), cast(Flips, flips))
    mean = float(np.mean(weighted["weight"].to_numpy()))
    normal = normalise_weights(weighted)
    settled = settle_weights(normal.rows, weights, seed=seed, min_weight=min_weight)
    found = turned(settled.rows) if reverse else settled.rows
    summary = Summary(
        given=table.num_rows,
        what="judgements" if of_pairs(table) else "answers",
        questions=asked,
        made=made.num_rows,
        without=without,
        match=match,
        unmatched=made.num_rows - kept.num_rows,
        pairs=found.num_rows,
        mean_weight=mean,
        removed=normal.removed,
        known=known,
        weights=weights,
        left_out=settled.left_out,
    )
    return Paired(found, summary)


def _check_choices(match: str | None, weigh: str, flips: str) -> None:
    for what, value, known in (
        ("match", match, get_args(Match)),
        ("way to weigh", weigh, get_args(Weighing)),
        ("source of flip probabilities", flips, get_args(Flips)),
    ):
        if value is not None and value not in known:
            raise ConfigError(unknown(what, value, known))


def _of_two(answers: pa.Table, chosen: str | None, rejected: str | None) -> pa.Table:
    """The first answer of either source to each question."""
    names = pc.unique(answers["source"]).to_pylist()
    if chosen is None or rejected is None or chosen == rejected:
        raise ConfigError(f"chosen and rejected are two sources of answers, name both; there are {', '.join(names)}")
    if strange := [name for name in (chosen, rejected) if name not in names]:
        raise ConfigError(unknown("source of answers", strange[0], names))
    two = answers.filter(pc.is_in(answers["source"], pa.array([chosen, rejected])))
    codes = encode(pc.binary_join_element_wise(two["example_id"], two["source"], "\0")).codes
    return two.take(earliest(two, codes, int(codes.max()) + 1))


def _refuse_several(answers: pa.Table) -> None:
    names = pc.unique(answers["source"]).to_pylist()
    if len(names) > 1:
        raise PrerequisiteError(
            f"the answers are of {len(names)} sources ({', '.join(names[:5])}{', ...' if names[5:] else ''}): name "
            "whose are chosen and whose rejected, give scores, or take them for one crowd's (--together)"
        )


def _without(table: pa.Table, answers: pa.Table, made: pa.Table) -> dict[str, int]:
    """Why questions of `table` gave no pair though pairs were made of `answers`, and how many."""
    values: dict[str, list[str]] = {example: [] for example in pc.unique(table["example_id"]).to_pylist()}
    for example, value in zip(answers["example_id"].to_pylist(), answers["value"].to_pylist(), strict=True):
        values[example] += [] if value is None else [value]
    done = set(made["example_id"].to_pylist())
    return dict(Counter(_reason(each) for example, each in values.items() if example not in done))


def _reason(values: list[str]) -> str:
    if len(values) < 2:
        return "fewer than two valid answers to compare"
    return "all valid answers are the same" if len(set(values)) == 1 else "no answer scores above a different one"
