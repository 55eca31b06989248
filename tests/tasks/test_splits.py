"""Definition 11 by hand: normal forms, components, the order of assignment, and what may not be shared."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.core.errors import DataError
from outgrow.core.tables import EXAMPLES, build
from outgrow.tasks.splits import (
    assign_splits,
    connected_components,
    contradictions,
    foreign_rows,
    group_ids,
    normalise_text,
    overlap,
    part_of,
)


def by_hash(seed, groups):
    """The order of definition 11, written out: sha256 of the compact JSON list [seed, group]."""
    return sorted(set(groups), key=lambda g: hashlib.sha256(f'[{seed},"{g}"]'.encode()).hexdigest())


def test_normal_form_is_nfkc_casefold_and_collapsed_space():
    assert normalise_text("  Ｗake\tME \n up ") == "wake me up"  # full-width W
    assert normalise_text("Straße") == "strasse"
    assert normalise_text("ﬁsh") == "fish"  # ligature
    assert normalise_text("a\u00a0b") == "a b"  # no-break space


@given(st.text(max_size=30))
def test_normal_form_of_a_normal_form_is_itself(text):
    assert normalise_text(normalise_text(text)) == normalise_text(text)


def test_components_join_through_a_chain_of_shared_keys():
    # 0-2 share a, 2-3 share c; 1 and 4 stand alone (4 has no key at all)
    assert connected_components([["a"], ["b"], ["a", "c"], ["c"], []]) == [0, 1, 0, 0, 2]


def test_equal_texts_and_declared_groups_make_one_group():
    texts = ["Wake me", "wake  ME", "play jazz", "stop", "go"]
    groups = group_ids(texts, [None, "g1", "g1", "g2", None])
    # "Wake me" = "wake  ME" by text; the second shares g1 with "play jazz"
    assert groups[0] == groups[1] == groups[2]
    assert len({groups[0], groups[3], groups[4]}) == 3


def test_group_ids_do_not_depend_on_row_order():
    texts = ["b", "a", "c", "A"]
    declared = ["x", None, "x", None]
    forward = dict(zip(texts, group_ids(texts, declared), strict=True))
    backward = dict(zip(texts[::-1], group_ids(texts[::-1], declared[::-1]), strict=True))
    assert forward == backward


def test_splits_are_filled_in_hash_order():
    groups = [f"g{i}" for i in range(10)]
    order = by_hash(7, groups)
    splits = dict(
        zip(
            groups,
            assign_splits(groups, {"supervisor_train": 2, "validation": 3, "pool": "rest"}, seed=7),
            strict=True,
        )
    )
    assert [g for g in order if splits[g] == "supervisor_train"] == order[:2]
    assert [g for g in order if splits[g] == "validation"] == order[2:5]
    assert [g for g in order if splits[g] == "pool"] == order[5:]


def test_the_order_in_which_splits_are_named_does_not_matter():
    groups = [f"g{i}" for i in range(20)]
    a = assign_splits(groups, {"pool": "rest", "test": 0.25, "validation": 3}, seed=0)
    b = assign_splits(groups, {"validation": 3, "test": 0.25, "pool": "rest"}, seed=0)
    assert a == b
    assert a.count("test") == 5  # .25 * 20


def test_shares_that_add_up_to_one_leave_nothing_over():
    splits = assign_splits([f"g{i}" for i in range(7)], {"pool": 0.5, "validation": 0.25, "test": 0.25}, seed=1)
    # 7 * .5 = 3.5 -> 4; 7 * .25 = 1.75 -> 2; test takes the remaining 1
    assert (splits.count("pool"), splits.count("validation"), splits.count("test")) == (4, 2, 1)


def test_a_group_that_does_not_fit_goes_to_the_next_split_as_a_whole():
    groups = ["big"] * 5 + ["s1", "s2", "s3"]
    splits = assign_splits(groups, {"validation": 3, "pool": "rest"}, seed=0)
    assert set(splits[:5]) == {"pool"}
    assert splits[5:] == ["validation"] * 3


@given(st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40), st.integers(0, 5))
def test_no_group_is_ever_in_two_splits(groups, seed):
    groups = [*groups, "lone1", "lone2"]
    try:
        splits = assign_splits(groups, {"validation": 0.3, "test": 0.2, "pool": "rest"}, seed)
    except DataError:
        return  # groups too large to fill every split
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))
    assert splits.count("validation") <= int(0.3 * len(groups) + 0.5)


def test_asking_for_more_questions_than_there_are_is_refused():
    with pytest.raises(DataError, match="ask for 12 questions, but there are 3"):
        assign_splits(["a", "b", "c"], {"pool": 10, "test": 2}, seed=0)


def test_a_split_left_empty_is_refused():
    with pytest.raises(DataError, match="split 'validation' is left without a question"):
        assign_splits(["a", "a", "a"], {"validation": 1, "pool": "rest"}, seed=0)


def test_two_rests_and_shares_above_one_are_refused():
    with pytest.raises(DataError, match="more than one split takes the rest"):
        assign_splits(["a", "b"], {"pool": "rest", "test": "rest"}, seed=0)
    with pytest.raises(DataError, match=r"add up to 1\.1"):
        assign_splits(["a", "b"], {"pool": 0.6, "test": 0.5}, seed=0)


def test_a_group_in_two_files_stays_in_the_file_of_higher_priority():
    groups = ["x", "y", "x", "z"]
    files = ["devel", "devel", "test", "test"]
    assert foreign_rows(groups, files, ["test", "devel"]) == [True, False, False, False]
    assert foreign_rows(groups, files, ["devel", "test"]) == [False, False, True, False]


def test_parts_are_blocks_of_the_groups_in_hash_order():
    # by sha256("part", group) the order is a, c, d, f, b, e; of ten questions their middles lie at
    # a (2 questions) 1, c (1) 2.5, d (1) 3.5, f (3) 5.5, b (2) 8, e (1) 9.5
    groups = list("aabbcdefff")
    assert sorted(set(groups), key=lambda g: hashlib.sha256(f'["part","{g}"]'.encode()).hexdigest()) == list("acdfbe")

    def within(share, part):
        return "".join(g for g, inside in zip(groups, part_of(groups, share, part), strict=True) if inside)

    assert within(0.5, 0) == "aacd"  # below 5
    assert within(0.5, 1) == "bbefff"
    assert within(0.25, 1) == "cd"  # from 2.5, which belongs to it, to 5
    assert within(0.3, 2) == "bb"  # from 6 to 9; e is in no part of that share
    assert within(1.0, 0) == "aabbcdefff"


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40), st.integers(1, 12))
def test_parts_share_no_group_and_together_are_everything(groups, count):
    parts = [part_of(groups, 1 / count, part) for part in range(count)]
    assert [sum(each) for each in zip(*parts, strict=True)] == [1] * len(groups)
    for group in groups:
        rows = [row for row, other in enumerate(groups) if other == group]
        assert len({tuple(part[row] for part in parts) for row in rows}) == 1


def test_contradictory_gold_is_found_and_counted():
    found = contradictions(["q1", "q2", "q1", "q1"], ["yes", "no", "no", "yes"])
    assert found == {"q1": {"yes": 2, "no": 1}}


def test_overlap_counts_questions_shared_by_group_or_by_text():
    def examples(rows):
        ids, groups, questions = zip(*rows, strict=True) if rows else ((), (), ())
        return build(EXAMPLES, {"example_id": ids, "group_id": groups, "question": questions})

    shared = overlap(
        {
            "pool": examples([("1", "g1", "Go home"), ("2", "g2", "stop")]),
            "test": examples([("3", "g1", "other"), ("4", "g4", "STOP"), ("5", "g5", "new")]),
            "validation": examples([("6", "g6", "new")]),
            "known": pa.table({name: [] for name in EXAMPLES.names}, schema=EXAMPLES),
        }
    )
    assert shared == {"pool&test": 2, "pool&validation": 0, "test&validation": 1}
