"""Properties that hold for any answers."""

import math
from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.reliability import agreement

ANSWER = st.tuples(
    st.sampled_from(["q0", "q1", "q2", "q3"]),
    st.sampled_from(["a", "b", "c", "", "é", None]),
    st.one_of(st.none(), st.floats(-20, 0)),
)
TABLES = st.lists(ANSWER, min_size=1, max_size=40)


def table_of(rows):
    ids, values, logprobs = zip(*rows, strict=True)
    return pa.table(
        {
            "example_id": pa.array(ids, pa.string()),
            "value": pa.array(values, pa.string()),
            "logprob": pa.array(logprobs, pa.float64()),
        }
    )


def by_id(labels):
    return {row["example_id"]: repr(row) for row in labels.to_pylist()}  # repr: NaN equals NaN


@settings(max_examples=60, deadline=None)
@given(TABLES, st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_order_of_rows_changes_no_bit_of_a_label(rows, random, seed):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert by_id(agreement(table_of(rows), seed=seed)) == by_id(agreement(table_of(shuffled), seed=seed))


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_every_label_follows_the_definition(rows):
    answers = {}
    for question, value, _ in rows:
        answers.setdefault(question, []).append(value)
    for found in agreement(table_of(rows)).to_pylist():
        given_ = answers[found["example_id"]]
        k, counts = len(given_), Counter(v for v in given_ if v is not None)
        invalid = k - counts.total()
        assert dict(found["votes"]) == counts
        assert (found["n_valid"], found["n_invalid"]) == (counts.total(), invalid)
        if not counts:
            assert found["value"] is None
        else:
            assert counts[found["value"]] == max(counts.values())
            assert found["votes"][0][0] == found["value"]
        if k == 1:
            assert math.isnan(found["entropy"])
            continue
        h = -sum(n / k * math.log(n / k) for n in counts.values()) + invalid / k * math.log(k)
        assert abs(found["entropy"] - h) < 1e-12
        assert 0 <= found["entropy"] <= math.log(k) + 1e-12
        scale = sum(math.exp(n / k / 0.2) for n in counts.values()) + invalid * math.exp(1 / k / 0.2)
        r = math.exp(counts[found["value"]] / k / 0.2) / scale if counts else 0.0
        assert abs(found["softmax_reliability"] - r) < 1e-12


@settings(max_examples=40, deadline=None)
@given(TABLES, st.integers(2, 5))
def test_asking_everything_n_times_over_changes_shares_and_entropy_not_at_all_without_invalid_answers(rows, n):
    valid = [row for row in rows if row[1] is not None]
    if not valid:
        return
    once, often = agreement(table_of(valid)), agreement(table_of(valid * n))
    several = ~np.isnan(once.column("entropy").to_numpy())
    for name in ("entropy", "vote_share", "softmax_reliability"):
        a, b = once.column(name).to_numpy()[several], often.column(name).to_numpy()[several]
        np.testing.assert_allclose(a, b, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_an_invalid_answer_equals_one_more_answer_that_nobody_else_gave(rows):
    named = [(q, f"singleton {i}" if v is None else v, lp) for i, (q, v, lp) in enumerate(rows)]
    holed, filled = agreement(table_of(rows)).to_pylist(), agreement(table_of(named)).to_pylist()
    for with_null, without in zip(holed, filled, strict=True):
        assert repr(with_null["entropy"]) == repr(without["entropy"])
        if with_null["value"] is not None and max(n for _, n in with_null["votes"]) > 1:
            assert repr(with_null["softmax_reliability"]) == repr(without["softmax_reliability"])


@settings(max_examples=30, deadline=None)
@given(TABLES)
def test_renaming_questions_changes_nothing_but_ties(rows):
    renamed = [("other " + q, v, lp) for q, v, lp in rows]
    a, b = agreement(table_of(rows)), agreement(table_of(renamed))
    for name in ("entropy", "softmax_reliability", "vote_share", "n_valid", "n_invalid"):
        assert repr(a.column(name).to_pylist()) == repr(b.column(name).to_pylist())
