"""Wordings of several kinds: how they are dealt, and what a question looks like in each."""

import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.tables import iter_examples
from outgrow.supervisors.queries import Turn, pose
from outgrow.tasks import load
from outgrow.tasks.base import MISSING, Task
from outgrow.tasks.variants import Dealt, VariedTask, deal_kinds


@pytest.fixture(scope="module")
def task():
    return load("microworld", mix="natural", questions={"supervisor_train": 4, "pool": 6, "validation": 2, "test": 2})


@pytest.fixture(scope="module")
def example(task):
    return next(iter(iter_examples(task.examples("pool"))))


def test_kinds_take_turns_and_one_that_is_used_up_is_passed_over():
    limits = {"task": 3, "paraphrase": 1, "demonstrations": 9}
    dealt = deal_kinds(("task", "paraphrase"), limits, 5)
    assert dealt == [Dealt("task", 1), Dealt("paraphrase", 1), Dealt("task", 2), Dealt("task", 3)]


def test_a_kind_that_stands_twice_gets_two_turns():
    dealt = deal_kinds(("task", "task", "paraphrase"), {"task": 9, "paraphrase": 9}, 5)
    assert [d.kind for d in dealt] == ["task", "task", "paraphrase", "task"]


def test_too_few_wordings_are_told_with_what_there_is():
    with pytest.raises(ConfigError, match=r"ask.variants is 6, but besides the identity there are only 4 wordings"):
        deal_kinds(("task", "paraphrase"), {"task": 3, "paraphrase": 1}, 6)


def test_each_variant_is_worded_by_its_kind(task, example):
    dealt = [Dealt("task", 2), Dealt("paraphrase", 1), Dealt("demonstrations", 1), Dealt("paraphrase", 2)]
    varied = VariedTask(task, dealt, {example.example_id: ["In other words, what?"]})
    assert isinstance(varied, Task)
    assert varied.n_variants == 5
    identity, own, reworded, rotated, lacking = (varied.wording(example, v) for v in range(5))
    assert identity == task.wording(example, 0)
    assert own == task.wording(example, 2)
    assert reworded.kind == "paraphrase"
    assert "In other words, what?" in reworded.prompt
    assert example.question not in reworded.prompt
    assert reworded.values == identity.values
    assert (rotated.kind, rotated.rotation, rotated.prompt) == ("demonstrations", 1, identity.prompt)
    assert lacking.kind == MISSING
    with pytest.raises(ConfigError, match="variant 5 asked of"):
        varied.wording(example, 5)


def test_a_wording_that_a_question_lacks_is_not_asked(task):
    pool = task.examples("pool")
    first = pool["example_id"][0].as_py()
    varied = VariedTask(task, [Dealt("paraphrase", 1)], {first: ["Said otherwise?"]})
    asked = [(q.example.example_id, q.variant) for q in pose(varied, pool, 2)]
    assert asked == [(first, 0), (first, 1), *((i, 0) for i in pool["example_id"].to_pylist()[1:])]


def test_demonstrations_are_rotated_where_a_wording_says_so(task):
    turns = [Turn("one?", "1"), Turn("two?", "2"), Turn("three?", "3")]
    varied = VariedTask(task, [Dealt("demonstrations", 1), Dealt("task", 1)], {})
    zero, one, two = pose(varied, task.examples("pool").slice(0, 1), 3, turns)
    assert [turn.answer for turn in zero.turns] == ["1", "2", "3"]
    assert [turn.answer for turn in one.turns] == ["2", "3", "1"]
    assert [turn.answer for turn in two.turns] == ["1", "2", "3"]
    assert zero.asked == f"one? 1\n\ntwo? 2\n\nthree? 3\n\n{zero.wording.prompt}"


def test_the_fingerprint_follows_kinds_and_paraphrases(task):
    prints = {
        VariedTask(task, dealt, texts).fingerprint()
        for dealt in ([Dealt("task", 1)], [Dealt("paraphrase", 1)])
        for texts in ({"q": ["a"]}, {"q": ["b"]})
    }
    assert len(prints) == 4
    assert VariedTask(task, [Dealt("task", 1)], {"q": ["a"]}).fingerprint() in prints
