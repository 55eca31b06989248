"""Pairs of a better and a worse answer, and what is done to them: merged, turned, shuffled, matched, weighed, split."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float
from outgrow.core.errors import DataError
from outgrow.core.tables import PAIRS, ROWS, build, make_example_id, with_column
from outgrow.methods.rows import said_in_words
from outgrow.reliability.hashing import hash_ranks

Match = Literal["length", "style"]
Weighing = Literal["equal", "confidence"]
Flips = Literal["none", "p_better"]
SIDES: tuple[Literal["chosen", "rejected"], ...] = ("chosen", "rejected")
NEAR = 0.1
"""Counts are alike when they differ by at most this share of the larger one."""


def of_sources(better: pa.Table, worse: pa.Table) -> pa.Table:
    """One pair per question that both answered with different values: whose answer it is decides which is chosen.

    Args:
        better: answers (`core.tables.ANSWERS`) of one source, one to a question.
        worse: of another source.

    Returns:
        Pairs (`core.tables.PAIRS`) in the order of `better`. Nobody judged them, so `p_better` and `margin` are null.
    """
    others = {row["example_id"]: row for row in _valid(worse)}
    found = []
    for row in _valid(better):
        other = others.get(row["example_id"])
        if other is not None and other["value"] != row["value"] and other["said"] != row["said"]:
            found.append(_pair(row, other, judge=None))
    return build(PAIRS, _columns(found))


def of_votes(answers: pa.Table, *, seed: int = 0) -> pa.Table:
    """One pair per question: the majority's answer over the minority's, of one source asked several times.

    The chosen answer is the first (by variant, then sample) that gives the most frequent value, the rejected one the
    first that gives the second most frequent; ties are broken by hash. `p_better` is the majority's share of the votes
    for either, `margin` the difference of both shares of all valid answers.

    Args:
        answers: of one source (`core.tables.ANSWERS`), canonical.
        seed: of ties.
    """
    said: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in _valid(answers):
        said[row["example_id"]][row["value"]].append(row)
    found = []
    for example, values in said.items():
        if len(values) < 2:
            continue
        rank = dict(zip(values, hash_ranks(["pairs", seed, example], list(values)).tolist(), strict=True))
        first, second, *_ = sorted(values, key=lambda value: (-len(values[value]), rank[value]))
        votes, total = (len(values[first]), len(values[second])), sum(map(len, values.values()))
        chosen, rejected = (min(values[v], key=lambda row: (row["variant"], row["sample"])) for v in (first, second))
        share, margin = votes[0] / sum(votes), (votes[0] - votes[1]) / total
        if chosen["said"] != rejected["said"]:  # a letter may stand for two options in two wordings
            found.append(_pair(chosen, rejected, judge="votes", p_better=share, margin=margin))
    return build(PAIRS, _columns(found))


def of_scores(
    answers: pa.Table, scores: Float[np.ndarray, "answers"], judge: str, *, log_odds: bool = False
) -> pa.Table:
    """One pair per question: the answer that a judge scores highest over the one it scores lowest.

    Args:
        answers: of any sources (`core.tables.ANSWERS`).
        scores: of each answer, the higher the better; NaN leaves an answer out.
        judge: who gave them.
        log_odds: the difference of two scores is that of a Bradley-Terry model, so `p_better = sigmoid(margin)`.

    Raises:
        DataError: not one score for each answer.
    """
    if len(scores) != answers.num_rows:
        raise DataError(f"{len(scores)} scores for {answers.num_rows} answers; a judge scores each")
    judged: dict[str, list[tuple[float, Mapping[str, Any]]]] = defaultdict(list)
    for row, score in zip(_said(answers), scores.tolist(), strict=True):
        if row["value"] is not None and not math.isnan(score):
            judged[row["example_id"]].append((score, row))
    found = []
    for each in judged.values():
        (high, best), (low, worst) = max(each, key=lambda one: one[0]), min(each, key=lambda one: one[0])
        if high > low and best["said"] != worst["said"]:
            p_better = 1 / (1 + math.exp(low - high)) if log_odds else None
            found.append(_pair(best, worst, judge=judge, p_better=p_better, margin=high - low))
    return build(PAIRS, _columns(found))


CHOICES = {"first": 1.0, "second": 0.0, "tie": 0.5}
"""What was chosen, and the probability that it gives to the first answer."""


def of_choices(table: pa.Table, *, seed: int = 0) -> pa.Table:
    """One pair per two answers that people chose between, in either order; a tie counts half for each.

    Args:
        table: `prompt`, `first`, `second`, `choice` (first, second or tie), and where there are any `example_id`,
            `judge`, `first_source` and `second_source`.
        seed: of ties.

    Returns:
        Pairs as `merged` makes them; of a single choice `p_better` is 1, and .5 of a tie.

    Raises:
        DataError: a column is missing, a cell of the four is blank or no such choice, or both answers are the same.

    Examples:
        >>> choices = pa.table({"prompt": ["?"] * 3, "first": [*"aab"], "second": [*"bba"], "choice": ["first"] * 3})
        >>> of_choices(choices).select(["chosen", "rejected", "p_better"]).to_pylist()
        [{'chosen': 'a', 'rejected': 'b', 'p_better': 0.6666666666666666}]
    """
    needed = ("prompt", "first", "second", "choice")
    if missing := [name for name in needed if name not in table.column_names]:
        raise DataError(f"choices: missing columns {missing}; found {table.column_names}")
    found = []
    for number, row in enumerate(table.to_pylist(), start=1):
        if blank := [name for name in needed if not str(row[name] or "").strip()]:
            raise DataError(f"choices, row {number}, column '{blank[0]}': empty; fill it in, or leave the row out")
        if row["choice"] not in CHOICES or row["first"] == row["second"]:
            rule = "choose between two different answers by first, second or tie"
            raise DataError(f"choices, row {number}: {row['choice']!r} of {row['first']!r}, {row['second']!r}; {rule}")
        share, words = CHOICES[row["choice"]], (row["prompt"],)
        names = (
            ("first", "second") if _better(words, (row["first"], row["second"]), share, seed) else ("second", "first")
        )
        example = row.get("example_id") or make_example_id("pairs", row["prompt"], None)
        pair = {
            "row_id": f"{example}/{number}", "example_id": example, "variant": 0, "prompt": row["prompt"],
            "weight": 1.0, "flip_probability": 0.0, "judge": row.get("judge"),
            "p_better": max(share, 1 - share), "margin": abs(2 * share - 1),
        }  # fmt: skip
        for side, name in zip(SIDES, names, strict=True):
            pair |= {side: row[name], f"{side}_source": row.get(f"{name}_source")}
        found.append(pair)
    return merged(build(PAIRS, _columns(found)), seed=seed)


def merged(pairs: pa.Table, *, seed: int = 0) -> pa.Table:
    """Several judgements of the same two answers to the same prompt as one pair; a pair that is there once stays.

    Each judgement counts once: with its `p_better`, and where that is null wholly for its chosen answer. The side that
    they prefer on average is chosen, ties fall by hash; that mean is `p_better`, `margin` the difference of both
    sides' shares. Weight and flip probability are the judgements' means, so a merged pair of plain ones weighs 1.

    Args:
        pairs: pairs (`core.tables.PAIRS`).
        seed: of ties.

    Returns:
        Pairs in the order of their first judgements, with those ids; the judge is "votes of N" where they differ.
    """
    groups: dict[tuple[tuple[Any, ...], tuple[str, str]], list[dict[str, Any]]] = defaultdict(list)
    for row in pairs.to_pylist():
        words = (row["example_id"], row["variant"]) if row["prompt"] is None else (row["prompt"],)
        groups[words, (min(row["chosen"], row["rejected"]), max(row["chosen"], row["rejected"]))].append(row)
    found = [
        rows[0] if len(rows) == 1 else _merged(rows, words, texts, seed) for (words, texts), rows in groups.items()
    ]
    return build(PAIRS, _columns(found))


def turned(pairs: pa.Table, which: Sequence[bool] | None = None) -> pa.Table:
    """Pairs the other way round: all of them, or those that `which` marks."""
    mask = pa.array(np.ones(pairs.num_rows, bool) if which is None else np.asarray(which, dtype=bool))
    columns = {name: pairs[name] for name in PAIRS.names}
    for one, other in (("chosen", "rejected"), ("chosen_source", "rejected_source")):
        columns[one], columns[other] = (
            pc.if_else(mask, pairs[other], pairs[one]), pc.if_else(mask, pairs[one], pairs[other])
        )  # fmt: skip
    columns["p_better"] = pc.if_else(mask, pc.subtract(1.0, pairs["p_better"]), pairs["p_better"])
    columns["margin"] = pc.if_else(mask, pc.negate(pairs["margin"]), pairs["margin"])
    return build(PAIRS, columns)


def shuffled(pairs: pa.Table, seed: int) -> pa.Table:
    """Half of the pairs the other way round, drawn by hash: a placebo whose order says nothing."""
    ranks = hash_ranks(["shuffled pairs", seed], pairs["row_id"].to_pylist())
    return turned(pairs, (ranks < pairs.num_rows / 2).tolist())


def matched(pairs: pa.Table, by: Match) -> pa.Table:
    """Pairs whose two answers are alike in length, or in style too.

    Args:
        pairs: pairs (`core.tables.PAIRS`).
        by: `length` compares words; `style` also sentences, punctuation, digits, capitals and line breaks. Counts are
            alike when they differ by at most a tenth.
    """
    measures = MEASURES if by == "style" else MEASURES[:1]
    keep = [
        all(_alike(measure(one), measure(other)) for measure in measures)
        for one, other in zip(pairs["chosen"].to_pylist(), pairs["rejected"].to_pylist(), strict=True)
    ]
    return pairs.filter(pa.array(keep, pa.bool_()))


def weighed(pairs: pa.Table, weights: Weighing = "equal", flips: Flips = "none") -> pa.Table:
    """Pairs that count by what their judge makes of them; where it makes nothing of them they stay as they are.

    Args:
        pairs: pairs (`core.tables.PAIRS`).
        weights: `confidence` multiplies a weight by `2 p_better - 1`, at least 0 (CW-PO, arXiv 2603.04968: of rewards
            with a difference m this is `2 (sigmoid(m) - 1/2)`).
        flips: `p_better` sets the probability that a pair stands the wrong way round to `1 - p_better`.
    """
    known = pairs["p_better"].is_valid()
    p_better = pc.fill_null(pairs["p_better"], 1.0).to_numpy()
    if weights == "confidence":
        pairs = with_column(pairs, "weight", pa.array(pairs["weight"].to_numpy() * np.maximum(2 * p_better - 1, 0)))
    if flips == "p_better":
        said = pc.if_else(known, pa.array(1 - p_better), pairs["flip_probability"])
        pairs = with_column(pairs, "flip_probability", said)
    return pairs


def one_side(pairs: pa.Table, side: Literal["chosen", "rejected"]) -> pa.Table:
    """Training rows (`core.tables.ROWS`) of the chosen or of the rejected answers."""
    columns = {name: pairs[name] for name in ("row_id", "example_id", "variant", "prompt", "weight")}
    return build(ROWS, {**columns, "source": pairs[f"{side}_source"], "target": pairs[side]})


def _merged(
    rows: Sequence[Mapping[str, Any]], words: tuple[Any, ...], texts: tuple[str, str], seed: int
) -> dict[str, Any]:
    sure = [1.0 if row["p_better"] is None else row["p_better"] for row in rows]
    share = fmean(p if row["chosen"] == texts[0] else 1 - p for row, p in zip(rows, sure, strict=True))
    sources = {rows[0][side]: rows[0][f"{side}_source"] for side in SIDES}
    chosen, rejected = texts if _better(words, texts, share, seed) else texts[::-1]
    judges = {row["judge"] for row in rows}
    return {
        **rows[0],
        "chosen": chosen,
        "rejected": rejected,
        "chosen_source": sources[chosen],
        "rejected_source": sources[rejected],
        **{name: fmean(row[name] for row in rows) for name in ("weight", "flip_probability")},
        "p_better": max(share, 1 - share),
        "margin": abs(2 * share - 1),
        "judge": f"votes of {len(rows)}" if len(judges) > 1 else rows[0]["judge"],
    }


def _better(words: tuple[Any, ...], texts: tuple[str, str], share: float, seed: int) -> bool:
    """Whether the first text is preferred, which has `share` of the judgements."""
    return share > 0.5 or (share == 0.5 and int(hash_ranks(["judgements", seed, *words], texts)[0]) == 0)


def _words(text: str) -> int:
    return len(text.split())


def _count(pattern: str) -> Callable[[str], int]:
    return lambda text: len(re.findall(pattern, text))


MEASURES: tuple[Callable[[str], int], ...] = (
    _words, _count(r"[.!?]+(\s|$)"), _count(r"[^\w\s]"), _count(r"\d"), _count(r"\b[A-Z]"), _count(r"\n"),
)  # fmt: skip


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= NEAR * max(one, other)


def _said(answers: pa.Table) -> Iterable[Mapping[str, Any]]:
    """Answers as they are trained on: the text of a generated one, else its value."""
    names = ["example_id", "source", "variant", "sample", "prompt", "value"]
    rows: list[Mapping[str, Any]] = answers.select(names).append_column("said", said_in_words(answers)).to_pylist()
    return rows


def _valid(answers: pa.Table) -> Iterable[Mapping[str, Any]]:
    return [row for row in _said(answers) if row["value"] is not None]


def _pair(chosen: Mapping[str, Any], rejected: Mapping[str, Any], **judged: Any) -> dict[str, Any]:
    sources = [row["source"] for row in (chosen, rejected)]
    ends = [f"{row['variant']}/{row['sample']}" for row in (chosen, rejected)]
    return {
        "row_id": "/".join([chosen["example_id"], sources[0], ends[0], sources[1], ends[1]]),
        "example_id": chosen["example_id"],
        "variant": chosen["variant"],
        "prompt": chosen["prompt"],
        "chosen": chosen["said"],
        "rejected": rejected["said"],
        "chosen_source": sources[0],
        "rejected_source": sources[1],
        "weight": 1.0,
        "flip_probability": 0.0,
        **judged,
    }


def _columns(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [pair.get(name) for pair in found] for name in PAIRS.names}
