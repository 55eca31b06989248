"""Accuracy without gold by decoys: questions asked again with one option exchanged for one that is surely wrong."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import EXAMPLES, build
from outgrow.reliability.accuracy import AccuracyEstimate
from outgrow.reliability.hashing import hash_order

DECOY_ASSUMPTIONS = (
    "Every question has its right answer among its options, and no decoy is right. A decoy tempts the source as much "
    "as the wrong options that the question came with do, and an exchanged question is no easier and no harder. "
    "Where questions offer what the source falsely believes (misconceptions, adversarial distractors), decoys tempt "
    "less and the estimate is too high. The interval holds the error of a sample of questions, not of the assumptions."
)


@dataclass(frozen=True)
class DecoyQuestions:
    """Questions to ask, and what is needed to read the answers.

    `key` has the columns `example_id` (of the exchanged question), `original`, `group_id`, `decoy` and `options`.
    """

    examples: pa.Table
    key: pa.Table
    left_out: int  # questions for which there is no decoy


def with_decoys(examples: pa.Table, *, per_option: int = 1, seed: int = 0) -> DecoyQuestions:
    """Each question once (`per_option` times) per option, with that option exchanged for a decoy.

    Decoys are drawn by sha256(seed, question, option) from the options that stand beside one of the question's own in
    other questions of the table, so that a colour is exchanged for a colour. Meta is dropped; groups are kept.

    Args:
        examples: examples table with choices.
        per_option: decoys for each option; the cost is C * per_option questions per question of C options.
        seed: of the draws.

    Raises:
        ConfigError: `per_option` below 1.
        PrerequisiteError: no question has choices, or none shares its options with others.
    """
    if per_option < 1:
        raise ConfigError(f"per_option must be at least 1, not {per_option!r}")
    beside: dict[str, set[str]] = defaultdict(set)
    for choices in examples.column("choices").to_pylist():
        for choice in choices or ():
            beside[choice].update(choices)
    rows: list[tuple[str, str, str, list[str], str, str, int]] = []
    left_out = 0
    for row in examples.select(["example_id", "group_id", "question", "choices"]).to_pylist():
        own = row["choices"] or []
        candidates = sorted(set().union(*(beside[c] for c in own)) - set(own))
        if not candidates:
            left_out += 1
            continue
        order = hash_order([seed, row["example_id"]], candidates).tolist()
        for i in range(len(own) * per_option):
            decoy = candidates[order[i % len(order)]]
            place = i % len(own)
            choices = [*own[:place], decoy, *own[place + 1 :]]
            name = sha256_text("decoy", row["example_id"], i, decoy)[:24]
            rows.append((name, row["group_id"], row["question"], choices, row["example_id"], decoy, len(own)))
    if not rows:
        raise PrerequisiteError(
            "no question has a decoy: a decoy is an option that other questions offer beside one of this question's "
            "own, and these questions share no options (or have none); estimate from the votes instead"
        )
    names, groups, questions, offered, originals, decoys, options = zip(*rows, strict=True)
    asked = build(EXAMPLES, {"example_id": names, "group_id": groups, "question": questions, "choices": offered})
    key = pa.table(
        {"example_id": names, "original": originals, "group_id": groups, "decoy": decoys, "options": options}
    )
    return DecoyQuestions(asked, key, left_out)


def accuracy_from_decoys(labels: pa.Table, key: pa.Table) -> AccuracyEstimate:
    """Accuracy of a source's labels, from how often it falls for decoys; of labels made as these were.

    An option drawn at random leaves, among C, is the right one with probability 1/C. Then all options are wrong and
    the decoy is the label with probability 1/C. Otherwise it is one of C - 1 wrong options, each the label equally
    often: 1/(C - 1) of the error rate e. So P(label is the decoy) = (e + 1/C)/C, and the accuracy 1 - e is
    1 + 1/C - C * P. No model of guessing is needed. The interval is a t interval with standard errors clustered by
    group; the estimate and its ends are cut to 0 to 1.

    Args:
        labels: labels of the exchanged questions, by the same wordings, samples and consensus as the labels in
            question; those without a value are left out.
        key: `DecoyQuestions.key`.

    Raises:
        DataError: a label is of no exchanged question, or fewer than two groups have a label.
    """
    facts = {row["example_id"]: row for row in key.to_pylist()}
    scores: dict[str, list[float]] = defaultdict(list)
    group_of: dict[str, str] = {}
    answers = 0
    columns = (labels.column(n).to_pylist() for n in ("example_id", "value", "n_valid", "n_invalid"))
    for name, value, n_valid, n_invalid in zip(*columns, strict=True):
        if name not in facts:
            raise DataError(f"label of {name!r}: the key has no such question; pass the key of the questions asked")
        answers += n_valid + n_invalid
        if value is not None:
            fact = facts[name]
            c = fact["options"]
            scores[fact["original"]].append(1 + 1 / c - c * (value == fact["decoy"]))
            group_of[fact["original"]] = fact["group_id"]
    score = np.array([np.mean(several) for several in scores.values()])
    groups = sorted(set(group_of.values()))
    if len(groups) < 2:
        raise DataError(f"{len(groups)} groups of questions have a label; an interval needs at least two")
    from scipy.special import stdtrit  # scipy.stats takes long to import

    place = {g: i for i, g in enumerate(groups)}
    code = np.array([place[group_of[name]] for name in scores])
    mean = float(score.mean())
    spread = np.bincount(code, weights=score - mean)
    error = np.sqrt((spread**2).sum() * len(groups) / (len(groups) - 1)) / len(score)
    reach = float(stdtrit(len(groups) - 1, 0.975) * error)
    estimate, low, high = np.clip([mean, mean - reach, mean + reach], 0.0, 1.0).tolist()
    return AccuracyEstimate(estimate, low, high, "decoys", len(score), answers, DECOY_ASSUMPTIONS)
