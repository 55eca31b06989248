"""Micro-batches, packs and their masks, by hand."""

from itertools import pairwise

import pytest
import torch

from outgrow.models.batches import Stage
from outgrow.models.batching import (
    Group,
    alone,
    collate,
    make_pack,
    pack_groups,
    plan,
    plan_step,
    spread_step,
)

CPU = torch.device("cpu")
PAD, END = 0, 9


def test_plan_puts_similar_lengths_together_within_the_budget():
    # longest first: 5 (item 1), 4 (item 3), then 2, 2, 1; budget 10 holds two of 5, then five of 2
    assert plan([2, 5, 1, 4, 2], 10) == [[1, 3], [0, 4, 2]]


def test_one_item_above_the_budget_stands_alone():
    assert plan([3, 20, 3], 6) == [[1], [0, 2]]


def test_plan_of_nothing_is_nothing():
    assert plan([], 10) == []
    assert plan_step([], 10, 1) == []


def test_step_is_cut_where_padding_costs_more_than_another_pass():
    # one batch: 10 x 4 = 40 + 5; cut after the long row: 10 + 5 and 3 x 3 + 5 = 29; three batches: 10 + 3 + 6 + 15 = 34
    assert plan_step([3, 10, 2, 3], 100, 5) == [[1], [0, 3, 2]]
    assert plan_step([3, 10, 2, 3], 100, 50) == [[1, 0, 3, 2]]
    assert plan_step([3, 10, 2, 3], 100, 0) == [[1], [0, 3], [2]]


def test_step_keeps_within_the_budget_and_a_row_above_it_stands_alone():
    assert plan_step([4, 4, 4, 4], 8, 100) == [[0, 1], [2, 3]]
    assert plan_step([9, 4, 4], 8, 100) == [[0], [1, 2]]


def test_cut_of_a_step_is_the_cheapest_of_all_cuts():
    lengths = [7, 3, 12, 5, 5, 1, 9, 2]
    ordered = sorted(lengths, reverse=True)
    costs = []
    for bits in range(2**7):  # every way to cut eight ordered rows
        edges = [0, *(i + 1 for i in range(7) if bits >> i & 1), 8]
        areas = [ordered[a] * (b - a) for a, b in pairwise(edges)]
        if all(area <= 30 or b - a == 1 for area, (a, b) in zip(areas, pairwise(edges), strict=True)):
            costs.append(sum(areas) + 4 * len(areas))
    found = plan_step(lengths, 30, 4)
    assert sorted(i for own in found for i in own) == list(range(8))
    assert sum(max(lengths[i] for i in own) * len(own) + 4 for own in found) == min(costs)


def test_a_step_is_spread_over_devices_that_wait_for_each_other():
    # one micro-batch of 8 x 10 for one device; two rows each for four; nine rows on four devices: one device has three
    assert [len(own) for own in spread_step([10] * 8, 100, 4, 1)] == [8]
    assert [len(own) for own in spread_step([10] * 8, 100, 4, 4)] == [2, 2, 2, 2]
    assert [len(own) for own in spread_step([10] * 9, 100, 4, 4)] == [3, 3, 3]
    # more devices than rows: a row each; costs of a pass above those of the rows change nothing, since they overlap
    assert sorted(spread_step([5, 7], 100, 50, 8)) == [[0], [1]]
    assert spread_step([], 100, 4, 4) == []


def test_spreading_keeps_every_row_and_the_budget_and_takes_no_longer():
    def turns(cut, devices):
        costs = [max(lengths[i] for i in own) * len(own) + 4 for own in cut]
        return sum(max(costs[first : first + devices]) for first in range(0, len(costs), devices))

    lengths = [7, 30, 12, 5, 5, 1, 9, 2, 14, 3, 3, 3, 21]
    for devices in (2, 3, 5, 8):
        cut = spread_step(lengths, 40, 4, devices)
        assert sorted(i for own in cut for i in own) == list(range(len(lengths)))
        assert all(len(own) == 1 or max(lengths[i] for i in own) * len(own) <= 40 for own in cut)
        assert turns(cut, devices) <= turns(plan_step(lengths, 40, 4), devices)


def test_plain_rows_are_padded_on_the_right_and_predict_every_target_token():
    groups = [Group([1, 2], [[3, END]]), Group([4], [[END]])]
    sequences, targets = collate([alone(g) for g in groups], PAD, share=True, unmasked=True, device=CPU)
    assert sequences.ids.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert sequences.mask is None
    assert sequences.positions is None
    assert sequences.places.tolist() == [1, 2, 3]  # after "2" and after "3" in row 0, after "4" in row 1
    assert targets.place.tolist() == [0, 1, 2]
    assert targets.token.tolist() == [3, END, END]
    assert targets.answer.tolist() == [0, 0, 1]
    assert targets.group.tolist() == [0, 1]
    assert targets.length.tolist() == [2, 1]


def test_mask_marks_real_positions_where_padding_could_be_seen():
    groups = [Group([1, 2], [[3, END]]), Group([4], [[END]])]
    sequences, _ = collate([alone(g) for g in groups], PAD, share=True, unmasked=False, device=CPU)
    assert sequences.mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_answers_share_their_prompt_and_do_not_see_each_other():
    group = Group([1, 2], [[3, 4, END], [5, END]])
    sequences, targets = collate([alone(group)], PAD, share=True, unmasked=True, device=CPU)
    assert sequences.ids.tolist() == [[1, 2, 3, 4, 5]]
    assert sequences.positions.tolist() == [[0, 1, 2, 3, 2]]
    sees = (sequences.mask[0, 0] == 0).int().tolist()
    assert sees == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]
    assert sequences.places.tolist() == [1, 2, 3, 4]
    assert targets.place.tolist() == [0, 1, 2, 0, 3]  # both answers begin after the prompt
    assert targets.token.tolist() == [3, 4, END, 5, END]


def test_prompts_share_their_beginning_and_answers_see_only_their_own_prompt():
    pack = make_pack([Group([1, 2, 3], [[6, END]]), Group([1, 2, 4], [[6, END], [END]]), Group([1, 2], [[7, END]])])
    assert pack.shared == 2
    sequences, targets = collate([pack], PAD, share=True, unmasked=True, device=CPU)
    assert sequences.ids.tolist() == [[1, 2, 3, 6, 4, 6, 7]]
    assert sequences.positions.tolist() == [[0, 1, 2, 3, 2, 3, 2]]
    sees = (sequences.mask[0, 0] == 0).int().tolist()
    assert sees == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [1, 1, 0, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 0, 1],
    ]
    # places: after 3, after 6; after 4, after 6; the third prompt ends within the shared part, after 2; after 7
    assert sequences.places.tolist() == [2, 3, 4, 5, 1, 6]
    assert targets.place.tolist() == [0, 1, 2, 3, 2, 4, 5]
    assert targets.group.tolist() == [0, 1, 1, 2]


def test_without_sharing_every_answer_has_its_own_copy_in_the_same_order():
    pack = make_pack([Group([1, 3], [[6, END]]), Group([1, 4], [[6, END], [END]])])
    sequences, targets = collate([pack], PAD, share=False, unmasked=True, device=CPU)
    assert sequences.ids.tolist() == [[1, 3, 6], [1, 4, 6], [1, 4, 0]]
    assert sequences.positions is None
    assert targets.token.tolist() == [6, END, 6, END, END]
    assert targets.group.tolist() == [0, 1, 1]


def test_prompts_are_packed_when_that_saves_a_quarter_of_their_positions():
    like = [Group([1, 2, 3, 4, i], [[END]]) for i in (5, 6)]
    unlike = Group([1, 8, 8, 8, 8], [[END]])  # shares one of five positions
    assert pack_groups([like[0], unlike, like[1]]) == [[0, 2], [1]]
    assert pack_groups([*like, *like], most=3) == [[0, 2, 1], [3]]  # sorted: 5, 5, 6, 6
    assert pack_groups(like, longest=5) == [[0], [1]]  # together they take 6


def test_packs_hold_every_group_once():
    groups = [Group([i % 3, i % 5, i % 2, 7], [[END]]) for i in range(40)]
    packs = pack_groups(groups)
    assert sorted(i for own in packs for i in own) == list(range(40))
    assert len(packs) < 40


def test_stage_skips_what_its_journal_holds_and_tells_stages_apart():
    journal = [{"stage": "other", "batch": 0, "results": ["no"]}, {"stage": "mine", "batch": 1, "results": ["kept"]}]
    asked, seen = [], []

    def work(number, items):
        asked.append((number, list(items)))
        return [f"new {i}" for i in items]

    found = Stage(journal, "mine").run([[2, 0], [1]], work, lambda *event: seen.append(event))
    assert asked == [(0, [2, 0])]
    assert found == {2: "new 2", 0: "new 0", 1: "kept"}
    assert seen == [(2, 3), (3, 3)]
    assert journal[-1] == {"stage": "mine", "batch": 0, "results": ["new 2", "new 0"]}


def test_progress_counts_items_by_their_sizes():
    seen = []
    Stage().run([[0], [1]], lambda n, items: [None], lambda *event: seen.append(event), sizes=[3, 2])
    assert seen == [(3, 5), (5, 5)]


@pytest.mark.parametrize(("share", "expected"), [(True, 5), (False, 8)])
def test_positions_of_a_group_with_and_without_sharing(share, expected):
    # prompt 2, answers 3 and 2 tokens: shared 2 + 2 + 1; apart two padded sequences of 2 + 2
    assert Group([1, 2], [[3, 4, END], [5, END]]).positions(share) == expected
