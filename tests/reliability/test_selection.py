"""Keeping a part of the questions (definition 3)."""

import math

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import LABELS, build
from outgrow.reliability import (
    agreement,
    at_random,
    keep_lowest,
    label_mix,
    most_certain,
    published_filter,
)


def labels_of(rows):
    """Rows of (id, value, entropy, reliability, mean log-probability, answers)."""
    ids, values, entropy, reliability, logprob, asked = zip(*rows, strict=True)
    return build(
        LABELS,
        {
            "example_id": ids,
            "value": values,
            "entropy": entropy,
            "reliability": reliability,
            "mean_logprob": logprob,
            "n_valid": [n if v is not None else 0 for v, n in zip(values, asked, strict=True)],
            "n_invalid": [0 if v is not None else n for v, n in zip(values, asked, strict=True)],
        },
    )


TEN = labels_of([(f"q{i}", "yes" if i % 3 else "no", float(i), 1 - i / 10, -float(i), 5) for i in range(10)])
TIED = labels_of([(f"q{i}", "yes", 0.0 if i else 1.0, 1.0, -float(i), 5) for i in range(9)])


def ids(table):
    return table.column("example_id").to_pylist()


@pytest.mark.parametrize(("fraction", "k"), [(0.5, 5), (0.24, 2), (0.25, 3), (0.449, 4), (1.0, 10)])
def test_k_is_the_fraction_rounded_half_up(fraction, k):
    assert ids(most_certain(TEN, fraction=fraction, seed=0)) == [f"q{i}" for i in range(k)]


def test_ties_at_the_cut_are_ordered_by_hash_and_move_with_the_seed():
    for seed in range(3):
        expected = sorted([f"q{i}" for i in range(1, 9)], key=lambda q, s=seed: sha256_text(s, q))[:4]
        assert sorted(ids(most_certain(TIED, fraction=4 / 9, seed=seed))) == sorted(expected)
    assert len({tuple(ids(most_certain(TIED, fraction=4 / 9, seed=s))) for s in range(8)}) > 1


def test_the_mean_log_probability_breaks_ties_only_when_asked_to():
    assert ids(most_certain(TIED, fraction=4 / 9, seed=0, by="entropy_then_logprob")) == ["q1", "q2", "q3", "q4"]


def test_reliability_keeps_the_highest():
    assert ids(most_certain(TEN, fraction=0.3, seed=0, by="reliability")) == ["q0", "q1", "q2"]


def test_questions_without_a_consensus_are_neither_counted_nor_kept():
    table = labels_of([("a", None, 0.0, 0.0, None, 5), ("b", "x", 1.0, 0.5, None, 5), ("c", "x", 0.5, 0.9, None, 5)])
    assert ids(most_certain(table, fraction=0.5, seed=0)) == ["c"]  # k = floor(.5 * 2 + .5) = 1
    assert ids(at_random(table, fraction=1.0, seed=0)) == ["b", "c"]


def test_selection_does_not_depend_on_the_order_of_rows():
    back = TIED.take(pa.array(range(8, -1, -1)))
    assert set(ids(most_certain(TIED, fraction=0.5, seed=5))) == set(ids(most_certain(back, fraction=0.5, seed=5)))
    assert set(ids(at_random(TIED, fraction=0.5, seed=5))) == set(ids(at_random(back, fraction=0.5, seed=5)))


def test_stratifying_keeps_the_label_mix_by_largest_remainders():
    # 6 yes (entropies high), 3 no, 1 maybe; k = 5: exact quotas 3, 1.5, .5: the tie of remainders goes to the hash
    rows = [(f"y{i}", "yes", 2.0 + i, 0.5, None, 5) for i in range(6)]
    rows += [(f"n{i}", "no", 0.1 * i, 0.5, None, 5) for i in range(3)] + [("m", "maybe", 0.0, 0.5, None, 5)]
    kept = most_certain(labels_of(rows), fraction=0.5, seed=0, stratify="label")
    second = min(["no", "maybe"], key=lambda v: sha256_text(0, v))
    expected = ["y0", "y1", "y2", "n0", *(["n1"] if second == "no" else ["m"])]
    assert sorted(ids(kept)) == sorted(expected)
    unstratified = most_certain(labels_of(rows), fraction=0.5, seed=0)
    assert sorted(ids(unstratified)) == ["m", "n0", "n1", "n2", "y0"]


def test_the_random_part_is_redrawn_per_seed_and_independent_of_tie_breaking():
    n = 400
    table = labels_of([(f"q{i}", "x", 0.0, 1.0, None, 5) for i in range(n)])
    chosen = [set(ids(at_random(table, fraction=0.5, seed=s))) for s in range(2)]
    assert [len(c) for c in chosen] == [200, 200]
    overlap = [len(chosen[0] & chosen[1]), len(chosen[0] & set(ids(most_certain(table, fraction=0.5, seed=0))))]
    assert all(70 < o < 130 for o in overlap)  # 100 expected, standard deviation 5


def test_any_score_can_order_the_questions():
    wrong_first = np.array([1.0, 0, 0, 1, 0, 1, 1, 1, 1, 1])
    assert ids(keep_lowest(TEN, [wrong_first], fraction=0.3, seed=0)) == ["q1", "q2", "q4"]


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.1, math.nan])
def test_a_fraction_outside_zero_to_one_is_refused(fraction):
    with pytest.raises(PrerequisiteError, match="above 0 and at most 1"):
        most_certain(TEN, fraction=fraction, seed=0)


def test_questions_asked_once_have_no_entropy_to_filter_by():
    labels = agreement(pa.table({"example_id": ["a", "b", "b"], "value": ["x", "x", "y"]}))
    with pytest.raises(PrerequisiteError, match="1 of 2 questions have no entropy"):
        most_certain(labels, fraction=0.5, seed=0)
    with pytest.raises(PrerequisiteError, match="2 of 2 questions have no mean_logprob"):
        most_certain(
            agreement(pa.table({"example_id": list("aabb"), "value": list("xxyy")})),
            fraction=0.5,
            seed=0,
            by="entropy_then_logprob",
        )


def test_several_labels_of_one_question_nothing_to_keep_and_unknown_names_are_refused():
    twice = pa.concat_tables([TEN, TEN])
    with pytest.raises(DataError, match="several rows for one question"):
        most_certain(twice, fraction=0.5, seed=0)
    with pytest.raises(DataError, match="no question has a consensus"):
        at_random(labels_of([("a", None, 1.0, 0.0, None, 5)]), fraction=0.5, seed=0)
    with pytest.raises(ConfigError, match="unknown order 'mood'"):
        most_certain(TEN, fraction=0.5, seed=0, by="mood")
    with pytest.raises(ConfigError, match="unknown stratify 'mood'"):
        most_certain(TEN, fraction=0.5, seed=0, stratify="mood")


def test_the_published_filter_counts_rows_and_keeps_all_ties():
    # entropies per row: 0 0 | 1 1 1 1 | 2 2 -> the 50th percentile is 1, so 3 of 4 questions stay; the one without
    # a consensus counts its rows but is dropped
    table = labels_of(
        [
            ("a", "x", 0.0, 1.0, None, 2),
            ("b", "x", 1.0, 1.0, None, 2),
            ("c", "y", 1.0, 1.0, None, 2),
            ("d", None, 2.0, 0.0, None, 2),
        ]
    )
    kept = published_filter(table)
    assert ids(kept) == ["a", "b", "c"]
    assert kept.schema.metadata[b"threshold"] == b"1.0"
    assert ids(published_filter(table, percentile=100)) == ["a", "b", "c"]
    assert ids(published_filter(table, percentile=0)) == ["a"]
    with pytest.raises(PrerequisiteError, match="between 0 and 100"):
        published_filter(table, percentile=101)


def test_the_published_percentile_interpolates_between_rows():
    # 10 rows: 5 of entropy 0 and 5 of entropy 1: the median is .5, which keeps the first question
    table = labels_of([("a", "x", 0.0, 1.0, None, 5), ("b", "x", 1.0, 1.0, None, 5)])
    kept = published_filter(table)
    assert ids(kept) == ["a"]
    assert kept.schema.metadata[b"threshold"] == b"0.5"


def test_the_label_mix_is_the_share_of_each_consensus():
    assert label_mix(TEN) == {"yes": 0.6, "no": 0.4}
    table = labels_of([("a", None, 1.0, 0.0, None, 5), ("b", "x", 1.0, 0.5, None, 5)])
    assert label_mix(table) == {"x": 1.0}


def test_equal_shares_of_votes_are_ties_whatever_the_number_of_answers():
    """4 + 1 of five and 8 + 2 of ten are equally certain; their order is the hash's, so that both are kept alike."""
    answers = [(f"five{i}", v) for i in range(200) for v in "aaaab"]
    answers += [(f"ten{i}", v) for i in range(200) for v in "aaaaaaaabb"]
    labels = agreement(pa.table({"example_id": [i for i, _ in answers], "value": [v for _, v in answers]}))
    assert len(set(labels["entropy"].to_pylist())) == len(set(labels["reliability"].to_pylist())) == 1
    kept = most_certain(labels, fraction=0.5, seed=0)["example_id"].to_pylist()
    assert len(kept) == 200
    assert 80 <= sum(name.startswith("five") for name in kept) <= 120


@pytest.mark.parametrize("temperature", [0.2, 0.3, 0.07])
@pytest.mark.parametrize(("small", "factor"), [((2, 1), 2), ((4, 1), 3), ((3, 2, 1), 5), ((5, 2), 7), ((1, 1, 1), 2)])
def test_patterns_that_are_equal_as_fractions_have_equal_bits(small, factor, temperature):
    rows = [(f"x{k}", f"v{i}") for k in (1, factor) for i, n in enumerate(small) for _ in range(n * k)]
    table = pa.table({"example_id": [i for i, _ in rows], "value": [v for _, v in rows]})
    labels = agreement(table, temperature=temperature)
    for name in ("entropy", "reliability", "vote_share"):
        first, second = labels[name].to_pylist()
        assert first == second


def test_a_share_that_keeps_nothing_says_so():
    with pytest.raises(PrerequisiteError, match=r"a share of 0\.04 of 10 questions .* keeps none; keep at least 0\.05"):
        most_certain(TEN, fraction=0.04, seed=0)
    assert most_certain(TEN, fraction=0.05, seed=0).num_rows == 1
