"""Demonstrations: solved questions of the supervisor's own half, said as the task says them."""

import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.gold import choose_objective
from outgrow.core.tables import iter_examples
from outgrow.supervisors.demonstrations import choose
from outgrow.tasks import load

QUESTIONS = {"supervisor_train": 6, "pool": 4, "validation": 2, "test": 2}


def chosen(task, count, seed, objective=None):
    return choose(task, choose_objective(task.gold("supervisor_train"), objective), count, seed)


def test_they_come_from_supervisor_train_with_their_gold():
    task = load("microworld", mix="natural", questions=QUESTIONS)
    prompts = {task.wording(e, 0).prompt: e.example_id for e in iter_examples(task.examples("supervisor_train"))}
    gold = task.gold("supervisor_train")
    truth = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    turns = chosen(task, 4, 0)
    assert len({turn.prompt for turn in turns}) == 4
    assert [turn.answer for turn in turns] == [truth[prompts[turn.prompt]] for turn in turns]


def test_more_of_them_begin_with_the_fewer_and_the_seed_draws_others():
    task = load("microworld", mix="natural", questions=QUESTIONS)
    assert chosen(task, 4, 0)[:2] == chosen(task, 2, 0)
    assert any(chosen(task, 2, 0) != chosen(task, 2, seed) for seed in (1, 2, 3))


def test_sums_are_demonstrated_with_their_working():
    task = load("microworld", family="sums", mix="sums", questions=QUESTIONS)
    assert all("So " in turn.answer and "=" in turn.answer for turn in chosen(task, 3, 0))


def test_more_than_there_are_is_refused():
    task = load("microworld", mix="natural", questions=QUESTIONS)
    with pytest.raises(ConfigError, match=r"ask.demonstrations is 7, but supervisor_train has 6 questions"):
        chosen(task, 7, 0)


def test_of_several_truths_they_say_the_one_that_is_meant():
    task = load("microworld2", family="conflict", answer="content", questions=QUESTIONS)
    examples = {task.wording(e, 0).prompt: e for e in iter_examples(task.examples("supervisor_train"))}
    helpful, harmless = (chosen(task, 6, 0, objective) for objective in ("helpful", "harmless"))
    assert [turn.prompt for turn in helpful] == [turn.prompt for turn in harmless]
    for turn in helpful:
        assert turn.answer == max(examples[turn.prompt].choices, key=lambda report: report.count("."))
    assert helpful != harmless
