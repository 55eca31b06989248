"""Questions are made once for all jobs of a run, and anew when another begins."""

import pyarrow as pa
import pytest

from outgrow.experiment.question_tables import Questions, questions_of
from outgrow.recipe.recipe import parse_recipe


class Task:
    def __init__(self):
        self.asked = []

    def examples(self, split):
        self.asked.append(("examples", split))
        return pa.table({"examples": [split]})

    def gold(self, split):
        self.asked.append(("gold", split))
        return pa.table({"gold": [split]})


def test_every_table_is_made_once():
    questions = Questions(Task())
    for _ in range(2):
        assert questions.table("examples", "pool").to_pylist() == [{"examples": "pool"}]
        assert questions.table("gold", "pool").to_pylist() == [{"gold": "pool"}]
        assert questions.table("gold", "test").to_pylist() == [{"gold": "test"}]
    assert questions.task.asked == [("examples", "pool"), ("gold", "pool"), ("gold", "test")]


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "words.csv").write_text("".join(["text,label\n", *(f"w{i},{'ab'[i % 2]}\n" for i in range(60))]))
    raw = {
        "name": "words",
        "task": {
            "kind": "table", "path": "words.csv", "text": "text", "label": "label", "classes": ["a", "b"],
            "splits": {"supervisor_train": 10, "pool": 20, "validation": 10, "test": 20},
        },
        "supervisors": [{"model": "microworld/nano"}],
        "student": {"model": "microworld/base"},
        "methods": ["naive"],
        "seeds": [0],
        "data_dir": str(tmp_path),
    }  # fmt: skip
    return parse_recipe(raw)


def test_a_process_keeps_the_questions_of_its_run_until_another_run_begins(recipe, tmp_path):
    kept = questions_of(recipe, anew=True)
    assert questions_of(recipe) is kept
    before = set(kept.table("examples", "pool")["question"].to_pylist())
    (tmp_path / "words.csv").write_text((tmp_path / "words.csv").read_text().replace("\nw", "\nnew"))
    anew = questions_of(recipe, anew=True)
    assert questions_of(recipe) is anew
    assert before.isdisjoint(anew.table("examples", "pool")["question"].to_pylist())


def test_an_equal_recipe_may_stand_for_other_files(recipe):
    kept = questions_of(recipe, anew=True)
    assert questions_of(recipe.model_copy()) is not kept
