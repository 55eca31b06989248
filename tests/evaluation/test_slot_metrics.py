"""Metrics of slots: counts by hand, and what holds of any entities."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.core.errors import DataError
from outgrow.evaluation import METRICS
from outgrow.evaluation.slot_metrics import (
    Entity,
    character_distance,
    edit_distance,
    f1_by_type,
    matched,
    word_distance,
)

SLOT_F1, SLU_F1, EXACT = (METRICS[name] for name in ("slot_f1", "slu_f1", "slot_exact_match"))
cases = settings(max_examples=60, deadline=None, database=None)


def slots(*pairs):
    return json.dumps([{"type": kind, "filler": filler} for kind, filler in pairs])


def measured(metric, predicted, gold):
    return float(metric.value(metric.statistics(predicted, gold, ()).sum(axis=0)))


def test_slots_are_counted_over_all_questions():
    gold = [slots(("item", "moss"), ("place", "cave")), slots(("day", "monday")), slots(("item", "fish")), slots()]
    predicted = [slots(("item", "moss"), ("place", "reef")), slots(("day", "monday")), None, slots(("item", "moss"))]
    # 2 hits, 4 slots of gold, 4 predicted
    assert measured(SLOT_F1, predicted, gold) == pytest.approx(2 * 2 / (4 + 4))
    assert np.isnan(measured(SLOT_F1, [None], [slots()]))
    swapped = [slots(("place", "cave"), ("item", "moss"))]
    assert measured(SLOT_F1, swapped, gold[:1]) == 1.0
    with pytest.raises(DataError, match=r"slot_f1 wants answers like .* and there is 'moss'"):
        SLOT_F1.statistics(["moss"], [slots()])


def test_each_type_has_its_own_f1():
    gold = [slots(("item", "moss"), ("item", "moss"), ("day", "monday")), slots(("item", "fish"))]
    predicted = [slots(("item", "moss"), ("place", "cave")), None]
    # item: 1 hit of 3 and 1; day: none of 1 and 0; place: none of 0 and 1
    found = {each.type: (each.gold, each.predicted, each.hits, each.f1) for each in f1_by_type(predicted, gold)}
    assert found == {"item": (3, 1, 1, 2 / 4), "day": (1, 0, 0, 0.0), "place": (0, 1, 0, 0.0)}
    assert list(found) == ["item", "day", "place"]
    # together: 2 x 1 / (4 + 2)
    assert measured(SLOT_F1, predicted, gold) == pytest.approx(2 / 6)


def test_an_exact_match_has_every_slot_as_often_and_nothing_else():
    gold = slots(("time", "nine"), ("time", "nine"), ("day", "monday"))
    right = slots(("day", "monday"), ("time", "nine"), ("time", "nine"))
    once = slots(("time", "nine"), ("day", "monday"))
    assert EXACT.statistics([right, once, None], [gold] * 3)[:, 0].tolist() == [1, 0, 0]
    # a question without slots is answered by an empty list, not by what cannot be read
    assert EXACT.statistics([slots(), None], [slots()] * 2)[:, 0].tolist() == [1, 0]


def test_where_there_is_no_entity_slu_f1_has_no_value():
    assert np.isnan(measured(SLU_F1, [None, slots()], [slots(), slots()]))
    assert measured(SLU_F1, [None], [slots(("day", "monday"))]) == 0.0
    with pytest.raises(DataError, match=r"slu_f1 wants answers like .* and there is 'moss'"):
        SLU_F1.statistics([slots()], ["moss"])


def test_distances():
    assert edit_distance("kitten", "sitting") == 3
    assert word_distance("nine", "about half past nine") == 3.0  # three words too many, one word in gold
    assert character_distance("ab", "xyz") == 1.0
    assert character_distance("next friday", "friday") == pytest.approx(5 / 11)


def test_the_nearest_gold_entity_that_is_left_is_matched_and_of_equally_near_ones_the_first():
    gold = [Entity("t", "a b"), Entity("t", "c d"), Entity("t", "c e")]
    # "c d" is met by itself (0), "c x" then by "c e" (.5) and not by "a b" (1), which is left over
    assert matched(gold, [Entity("t", "c d"), Entity("t", "c x")], word_distance) == (2, 0.5, 1.5)
    # the other way round "c x" takes "c d", the first of two at .5, and "c d" is left with "c e" (.5)
    assert matched(gold, [Entity("t", "c x"), Entity("t", "c d")], word_distance) == (2, 1.0, 2.0)


fillers = (
    st.text(st.sampled_from("ab "), min_size=1, max_size=7).filter(str.strip).map(lambda text: " ".join(text.split()))
)
some = st.lists(st.tuples(st.sampled_from("xyz"), fillers), max_size=4)
distinct = st.dictionaries(st.sampled_from("vwxyz"), fillers, max_size=5).map(lambda found: list(found.items()))


@cases
@given(some, some)
def test_counts_keep_their_bounds(gold, predicted):
    [(tp, fp, fn)] = SLU_F1.statistics([slots(*predicted)], [slots(*gold)]).tolist()
    # of each of the two passes: a match per predicted entity at most; a distance counts for FP and FN alike
    assert 0 <= tp <= 2 * min(len(gold), len(predicted))
    assert fp - fn == pytest.approx(2 * (len(predicted) - len(gold)))
    assert fp >= 2 * len(predicted) - tp - 1e-9
    assert fn >= 2 * len(gold) - tp - 1e-9
    assert (tp, fp, fn) == (2 * len(gold), 0, 0) or gold != predicted


@cases
@given(some, distinct, st.randoms(use_true_random=False))
def test_the_order_of_predictions_of_different_types_does_not_count(gold, predicted, random):
    mixed = random.sample(predicted, len(predicted))
    counts = SLU_F1.statistics([slots(*predicted), slots(*mixed)], [slots(*gold)] * 2)
    np.testing.assert_allclose(counts[0], counts[1])


@cases
@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_edits_are_a_metric_between_the_difference_of_lengths_and_the_longer_length(a, b, c):
    assert edit_distance(a, b) == edit_distance(b, a)
    assert (edit_distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
