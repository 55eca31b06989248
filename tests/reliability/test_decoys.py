"""Accuracy from decoys: the identity by enumeration, the questions asked, the interval by hand, and bad input."""

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import EXAMPLES, build
from outgrow.reliability import accuracy_from_decoys, agreement, with_decoys

COLOURS = ("red", "blue", "green", "white", "black", "pink")


def examples_of(choices, groups=None):
    n = len(choices)
    names = [f"q{i}" for i in range(n)]
    return build(
        EXAMPLES,
        {
            "example_id": names,
            "group_id": groups or names,
            "question": [f"What is {q}?" for q in names],
            "choices": choices,
        },
    )


def test_the_decoy_rate_gives_the_error_rate_exactly_when_all_questions_that_could_be_are_counted():
    # A source with likings: of wrong options it prefers the earlier colour, and it knows the truth if that is among
    # the first three (as a label) or if the liked colour is not offered. Every truth, set of distractors, exchanged
    # option and decoy counts once.
    def source(offered, truth):
        return truth if truth in COLOURS[:3] or "red" not in offered else min(offered, key=COLOURS.index)

    errors, decoys = [], []
    for truth in COLOURS:
        wrong = [c for c in COLOURS if c != truth]
        for distractors in itertools.combinations(wrong, 2):
            offered = (truth, *distractors)
            errors.append(source(offered, truth) != truth)
            for gone in offered:
                for decoy in set(wrong) - set(distractors):
                    left = [c for c in offered if c != gone] + [decoy]
                    said = source(left, truth) if gone != truth else min(left, key=COLOURS.index)
                    decoys.append(said == decoy)
    error, rate = np.mean(errors), np.mean(decoys)
    assert 0 < error < 1
    assert rate == pytest.approx((error + 1 / 3) / 3, abs=1e-12)


def test_each_option_is_exchanged_once_for_one_that_stands_beside_it_elsewhere():
    examples = examples_of(
        [["red", "blue", "green"], ["red", "white", "black"], ["cat", "dog", "cow"], ["dog", "hen", "fox"]]
    )
    found = with_decoys(examples)
    assert found.examples.schema.equals(EXAMPLES)
    assert (found.examples.num_rows, found.left_out) == (12, 0)
    original = dict(zip(examples["example_id"].to_pylist(), examples["choices"].to_pylist(), strict=True))
    places = {q: [] for q in original}
    for row, key in zip(found.examples.to_pylist(), found.key.to_pylist(), strict=True):
        before = original[key["original"]]
        changed = [i for i in range(3) if row["choices"][i] != before[i]]
        assert len(changed) == 1
        assert row["choices"][changed[0]] == key["decoy"]
        assert key["decoy"] not in before
        assert key["decoy"] in (
            {"white", "black", "red", "blue", "green"} if "red" in before else {"cat", "cow", "hen", "fox", "dog"}
        )
        assert (row["example_id"], row["group_id"], key["options"]) == (key["example_id"], key["group_id"], 3)
        assert row["question"] == f"What is {key['original']}?"
        places[key["original"]].append(changed[0])
    assert all(sorted(p) == [0, 1, 2] for p in places.values())
    assert len(set(found.examples["example_id"].to_pylist())) == 12


def test_decoys_are_drawn_evenly_and_by_the_seed():
    examples = examples_of([list(c) for c in itertools.combinations(COLOURS, 3)] * 1)
    counts = dict.fromkeys(COLOURS, 0)
    for seed in range(30):
        for decoy in with_decoys(examples, seed=seed).key["decoy"].to_pylist():
            counts[decoy] += 1
    # 20 questions x 3 options x 30 seeds = 1,800 decoys, 300 of each colour; the SD is below 16
    assert all(abs(n - 300) < 64 for n in counts.values())
    assert with_decoys(examples, seed=1).key.equals(with_decoys(examples, seed=1).key)
    assert not with_decoys(examples, seed=1).key.equals(with_decoys(examples, seed=2).key)


def test_per_option_multiplies_the_questions_with_other_decoys():
    examples = examples_of([list(c) for c in itertools.combinations(COLOURS, 3)])
    found = with_decoys(examples, per_option=2)
    assert found.key.num_rows == 120
    first = [r["decoy"] for r in found.key.to_pylist() if r["original"] == "q0"]
    assert first[:3] == first[3:]  # three candidates, so every option meets each place twice
    assert sorted(set(first)) == sorted(set(COLOURS) - set(examples["choices"][0].as_py()))


def labels_of(values):
    return agreement(pa.table({"example_id": list(values), "value": pa.array(list(values.values()), pa.string())}))


def key_of(rows):
    names = ("example_id", "original", "group_id", "decoy", "options")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def test_the_estimate_and_its_interval_by_hand():
    # Two options. Questions a, b, c with decoys chosen in 1 of 2, 0 of 2, 1 of 1 labels: scores 1.5 - 2 * share are
    # .5, 1.5, -.5; mean .5. Groups {a, b} and {c}: sums of deviations 0 + 1 = 1 and -1; SE = sqrt(2 * 2/1) / 3.
    key = key_of([
        ("a0", "a", "g", "D", 2), ("a1", "a", "g", "D", 2), ("b0", "b", "g", "D", 2), ("b1", "b", "g", "D", 2),
        ("c0", "c", "h", "D", 2), ("c1", "c", "h", "D", 2),
    ])  # fmt: skip
    said = {"a0": "D", "a1": "x", "b0": "x", "b1": "y", "c0": "D", "c1": None}
    found = accuracy_from_decoys(labels_of(said), key)
    assert found.estimate == pytest.approx(0.5)
    assert (found.questions, found.answers, found.method) == (3, 6, "decoys")
    assert (found.low, found.high) == (0, 1)  # t with one degree of freedom reaches far beyond
    assert "no decoy is right" in found.assumptions


def test_the_interval_is_a_t_interval_over_groups():
    rng = np.random.default_rng(0)
    hit = rng.random(400) < 0.16
    rows = [(f"q{i}", f"q{i}", f"q{i}", "D", 4) for i in range(400)]
    found = accuracy_from_decoys(labels_of({f"q{i}": "D" if h else "x" for i, h in enumerate(hit)}), key_of(rows))
    score = 1.25 - 4 * hit
    reach = stats.t.ppf(0.975, 399) * score.std(ddof=1) / math.sqrt(400)
    assert found.low == pytest.approx(score.mean() - reach, abs=1e-12)
    assert found.high == pytest.approx(score.mean() + reach, abs=1e-12)


def test_a_source_that_leans_to_colours_is_estimated_without_bias_and_covered():
    covered, errors = 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        liking = dict(zip(COLOURS, rng.normal(size=6) * 2, strict=True))
        sets = [[str(c) for c in rng.permutation(COLOURS)[:4]] for _ in range(200)]
        truth = {f"q{i}": s[rng.integers(4)] for i, s in enumerate(sets)}
        knows = {q: rng.random() < 0.6 for q in truth}
        taste = {q: {c: liking[c] + rng.normal() for c in COLOURS} for q in truth}

        def said(q, offered, truth=truth, knows=knows, taste=taste):
            return truth[q] if knows[q] and truth[q] in offered else max(offered, key=taste[q].__getitem__)

        found = with_decoys(examples_of(sets), seed=seed)
        pairs = zip(found.examples.to_pylist(), found.key.to_pylist(), strict=True)
        labels = labels_of({row["example_id"]: said(key["original"], row["choices"]) for row, key in pairs})
        estimate = accuracy_from_decoys(labels, found.key)
        right = np.mean([said(f"q{i}", s) == truth[f"q{i}"] for i, s in enumerate(sets)])
        covered += estimate.low <= right <= estimate.high
        errors.append(estimate.estimate - right)
    assert covered >= 16  # 19 expected; with p = .95 fewer than 16 come three times in a thousand
    assert abs(np.mean(errors)) < 0.045  # three standard errors: the SD of one is .065


def test_questions_that_share_no_options_have_no_decoys():
    own = examples_of([["a", "b"], ["c", "d"]])
    with pytest.raises(PrerequisiteError, match=r"no question has a decoy.*estimate from the votes"):
        with_decoys(own)
    with pytest.raises(PrerequisiteError, match="no question has a decoy"):
        with_decoys(examples_of([None, None]))
    mixed = with_decoys(examples_of([["a", "b"], ["c", "d"], ["d", "e"], None]))
    assert (mixed.left_out, sorted(set(mixed.key["original"].to_pylist()))) == (2, ["q1", "q2"])


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match="per_option must be at least 1, not 0"):
        with_decoys(examples_of([["a", "b"]]), per_option=0)
    key = key_of([("a0", "a", "g", "D", 2)])
    with pytest.raises(DataError, match="label of 'z': the key has no such question"):
        accuracy_from_decoys(labels_of({"z": "x"}), key)
    with pytest.raises(DataError, match="1 groups of questions have a label"):
        accuracy_from_decoys(labels_of({"a0": "x"}), key)
