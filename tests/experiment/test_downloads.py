"""What a dry run says about data and models that are not here."""

from pathlib import Path

import pytest

from outgrow.core.errors import ConfigError
from outgrow.experiment.downloads import Download, downloads
from outgrow.experiment.dry import plan, planned_task
from outgrow.recipe.recipe import load_recipe, parse_recipe

ROOT = Path(__file__).parents[2]


def recipe(task, **changes):
    raw = {
        "task": task,
        "supervisors": [{"model": "someone/weak-1b", "name": "weak", "revision": "v2"}],
        "student": {"model": "someone/strong-9b"},
        "methods": ["naive", "strong_ceiling"],
        "train": {"batch_size": 10, "epochs": 1},
        "seeds": [0],
    }
    return parse_recipe({**raw, **changes})


def test_models_and_the_set_are_named_with_revisions_splits_and_rows():
    assert downloads(recipe({"kind": "sciq"})) == [
        Download("model", "someone/weak-1b", "v2"),
        Download("model", "someone/strong-9b", None),
        Download(
            "data set", "allenai/sciq", "2c94ad3e1aafab77146f384e23536f97a4849815",
            ("configuration default", "splits train (11,679 rows expected), test (1,000 rows expected)"),
        ),
    ]  # fmt: skip


def test_a_download_reads_as_a_line():
    found = [str(needed) for needed in downloads(recipe({"kind": "piqa", "limit": 500}))]
    assert found[1] == "model someone/strong-9b, revision not pinned (the newest)"
    assert found[2] == (
        "data set baber/piqa, revision not pinned (the newest): configuration default; "
        "splits train (rows not known, 1,000 assumed), validation (rows not known, 1,000 assumed)"
    )


def test_a_model_named_twice_is_fetched_once_and_local_ones_not_at_all(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    local = {"model": str(tmp_path)}
    twice = recipe({"kind": "microworld"}, student={"model": "someone/weak-1b", "revision": "v2"})
    assert downloads(twice) == [Download("model", "someone/weak-1b", "v2")]
    assert downloads(recipe({"kind": "microworld"}, supervisors=[local], student=local)) == []


def test_a_paraphraser_is_fetched_and_what_answers_from_elsewhere_is_not():
    elsewhere = [
        {"kind": "server", "model": "someone/large", "base_url": "http://localhost:8000/v1"},
        {"kind": "file", "path": "answers.csv"},
    ]
    ask = {"kinds": ["paraphrase"], "variants": 2, "paraphraser": {"model": "someone/writer-3b"}}
    found = downloads(recipe({"kind": "microworld"}, supervisors=elsewhere, ask=ask))
    assert [needed.name for needed in found] == ["someone/writer-3b", "someone/strong-9b"]


def test_files_at_hand_are_not_downloaded(tmp_path):
    assert [d.kind for d in downloads(recipe({"kind": "gsm8k", "path": str(tmp_path)}))] == ["model", "model"]


@pytest.mark.parametrize("kind", ["gsm8k", "arc", "boolq", "ethics", "legalbench"])
def test_made_up_questions_give_the_plan_its_sizes(kind):
    made = recipe({"kind": kind, "limit": 100})
    task = planned_task(made)
    expected = {  # of 100 rows each: the defaults; legalbench has one file alone
        "legalbench": {"supervisor_train": 20, "validation": 10, "test": 20, "pool": 50},
    }.get(kind, {"supervisor_train": 50, "validation": 10, "test": 100, "pool": 40})
    if kind == "legalbench":  # its number of rows is not known
        expected = {split: 10 * n for split, n in expected.items()}
    assert {split: task.examples(split).num_rows for split in task.splits} == expected
    jobs = {job.name: job for job in plan(made)}
    assert jobs["naive"].rows == expected["pool"]
    assert jobs["naive"].steps == expected["pool"] / 10
    assert jobs["weak"].rows == expected["supervisor_train"]


def test_candidates_double_the_rows_of_a_plan():
    jobs = {job.name: job for job in plan(recipe({"kind": "sciq", "limit": 100}))}
    assert jobs["naive"].rows == 2 * 40


def test_a_set_that_is_on_no_hub_needs_its_files():
    with pytest.raises(ConfigError, match="slurp/scenario is on no hub in text form"):
        recipe({"kind": "slurp"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "supervisor", "pool", "steps", "prompts"),
    [
        # 4,000 / 24 = 166.7 steps an epoch, three epochs; test: 10,042 - 5,000
        ("hellaswag", 4000, 4000, 501, 5042 + 1000),
        # a tenth of 1,531 (153) validates; 1,378 / 24 = 57.4
        ("mmlu", 285, 1378, 174, 14_042 + 153),
        # paper 01, section 6: halves of 6,955, of one 80 % (5,564); 5,564 / 24 = 231.8
        ("ethics", 6955, 5564, 696, 3885 + 1391),
        # paper 01, section 6: 3,737, of the other half 80 % (2,989); 2,989 / 24 = 124.5
        ("gsm8k", 3737, 2989, 375, 1319 + 747),
    ],
)
def test_the_recipes_of_paper_01_have_the_papers_sizes(name, supervisor, pool, steps, prompts):
    path = ROOT / "src" / "outgrow" / "recipes" / f"paper01_{name}.yaml"
    made = load_recipe(path, ["methods=[naive, strong_ceiling]", "primary=null"])  # the others take the same steps
    jobs = {job.name: job for job in plan(made)}
    assert jobs["llama-2-7b-chat"].rows == supervisor
    assert (jobs["naive"].rows, jobs["naive"].steps, jobs["naive"].prompts) == (pool, steps, prompts)
    assert {job.steps for job in jobs.values() if job.stage == "arm"} == {steps}
    assert [d.name for d in downloads(made)][:2] == [
        "meta-llama/Llama-2-7b-chat-hf", "mistralai/Mistral-7B-Instruct-v0.2",
    ]  # fmt: skip


def test_supervisors_elsewhere_are_not_downloaded():
    server = {"kind": "server", "model": "someone/weak-1b", "base_url": "http://localhost:1/v1"}
    file = {"kind": "file", "path": "answers.csv"}
    found = downloads(recipe({"kind": "microworld"}, supervisors=[server, file]))
    assert [needed.name for needed in found] == ["someone/strong-9b"]
