"""Supervisors that are tuned on parts of `supervisor_train`: what a recipe may say, and what that comes to."""

import pytest

from outgrow.core.errors import ConfigError
from outgrow.experiment.dry import plan
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Counter
from outgrow.recipe.recipe import parse_recipe

QUESTIONS = {"supervisor_train": 200, "pool": 10, "validation": 5, "test": 5}
HALVES = ({"share": 0.5, "part": 0}, {"share": 0.5, "part": 1})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Reads a recipe of supervisors of one model, which is never opened."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "config.json").write_text("{}")

    def recipe(*golds, train=None, questions=QUESTIONS):
        shared = {"model": str(folder), **({} if train is None else train)}
        return parse_recipe(
            {
                "task": {"kind": "microworld2", "family": "choice", "questions": questions},
                "supervisors": [{**shared, **({} if gold is None else {"gold": gold})} for gold in golds],
                "student": {"model": str(folder)},
                "train": {"epochs": 2, "batch_size": 8},
                "methods": ["naive"],
            }
        )

    return recipe


def tunings(recipe):
    """The training of each supervisor as it would be asked for."""
    runner = StepRunner(recipe, Counter())
    for place in range(len(recipe.supervisors)):
        runner.tune_supervisor(place, 0)
    return [counted.request for counted in runner.steps.asked]


def questions_of(training):
    return set(training.rows["example_id"].to_pylist())


def test_other_parts_are_other_questions_and_no_group_is_in_two(made):
    recipe = made(*HALVES)
    examples = StepRunner(recipe, Counter()).examples("supervisor_train").to_pylist()
    assert len({row["group_id"] for row in examples}) < len(examples)  # there are groups to be torn
    first, second = map(questions_of, tunings(recipe))
    assert first | second == {row["example_id"] for row in examples}
    groups = [{row["group_id"] for row in examples if row["example_id"] in part} for part in (first, second)]
    assert not groups[0] & groups[1]


def test_equal_settings_are_one_training_and_the_whole_is_that_of_a_recipe_without(made):
    half, again, all_of_it, absent = tunings(made(HALVES[1], HALVES[1], {"share": 1.0}, None))
    assert half.step.key == again.step.key
    assert all_of_it.step.key == absent.step.key
    assert len({half.step.key, absent.step.key, *(each.step.key for each in tunings(made(HALVES[0])))}) == 3


def test_rows_and_steps_of_a_plan_are_those_of_the_part(made):
    sizes = {job.name: job for job in plan(made(*HALVES, None)) if job.stage == "supervisor"}
    recipe = made(*HALVES, None)
    for supervisor, training in zip(recipe.supervisors, tunings(recipe), strict=True):
        rows = len(questions_of(training))
        assert sizes[supervisor.name].rows == rows
        assert sizes[supervisor.name].steps == 2 * -(-rows // 8)  # two epochs of batches of eight
    assert sorted(job.rows for job in sizes.values())[-1] == 200


def test_a_setting_that_is_off_is_not_written_down(made):
    halves, plain = made(*HALVES).resolved()["supervisors"], made(None).resolved()["supervisors"]
    assert [each["gold"] for each in halves] == list(HALVES)
    assert "gold" not in plain[0]


@pytest.mark.parametrize(
    ("gold", "train", "message"),
    [
        ({"share": 0.6, "part": 1}, None, r"gold.part: a share of 0.6 leaves room for 1 part, .* at most 0.5"),
        ({"share": 0.333, "part": 3}, None, "room for 3 parts, counted from 0; take a part below 3"),
        ({"share": 0}, None, "gold.share: must be greater than 0"),
        ({"share": 0.5}, {"train": None}, "gold: says what a supervisor is tuned on; leave it out with train: null"),
    ],
)
def test_parts_that_cannot_be_are_refused_when_the_recipe_is_read(made, gold, train, message):
    with pytest.raises(ConfigError, match=message):
        made(gold, train=train)


def test_the_last_of_three_thirds_is_within_the_split_and_an_empty_part_is_refused(made):
    assert made({"share": 1 / 3, "part": 2}).supervisors[0].gold.part == 2
    tiny = made({"share": 0.01, "part": 0}, questions={**QUESTIONS, "supervisor_train": 8})
    with pytest.raises(ConfigError, match=r"'.*' is tuned on part 0 \(share 0.01\) of the split supervisor_train"):
        tunings(tiny)
