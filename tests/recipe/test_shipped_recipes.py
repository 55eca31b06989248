"""Every recipe in the repository and the package is read, and run dry where its files are there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.cli.run import run
from outgrow.experiment.cells import cells_of
from outgrow.experiment.dry import plan
from outgrow.recipe.recipe import builtin_recipes, load_recipe, parse_recipe
from outgrow.supervisors.file import answer

ROOT = Path(__file__).parents[2]
SHARED = ROOT / ".." / "shared" / "data"
RECIPES = sorted(builtin_recipes().values())


PAPER01 = ("hellaswag", "mmlu", "ethics", "gsm8k")


@pytest.fixture(params=RECIPES, ids=lambda path: path.stem)
def recipe(request):
    return load_recipe(request.param, [f"data_dir={SHARED}"])


@pytest.fixture
def small(recipe):
    """The recipe as it is run dry here, one seed: sets that would be downloaded are cut to 40 rows a file."""
    if recipe.task.kind not in PAPER01:
        return load_recipe(recipe.path, [f"data_dir={SHARED}", f"seeds=[{recipe.seeds[0]}]"])
    shares = ["task.limit=40", "task.splits={supervisor_train: 10, pool: 20, validation: 5, test: rest}"]
    return load_recipe(recipe.path, shares)


def test_there_are_recipes():
    assert {"demo", "slurp_scenario"} <= {path.stem for path in RECIPES}


def test_a_recipe_reads_and_its_resolved_form_reads_back(recipe):
    assert parse_recipe(recipe.resolved()).canonical_json() == recipe.canonical_json()


def test_a_recipe_is_named_like_its_file(recipe):
    assert recipe.name == Path(recipe.path).stem


def test_a_recipe_runs_dry(small):
    recipe = small
    if recipe.task.kind == "slurp" and not (SHARED / "slurp_test.jsonl").exists():
        pytest.skip("SLURP's files are not in ../shared/data")
    if recipe.task.kind == "table" and not (SHARED / next(iter(recipe.task.paths().values()))).exists():
        pytest.skip("the recipe's files are not in ../shared/data")
    jobs = [job for job in plan(recipe) if job.stage == "arm"]
    # Cells that need the same training ask for it once: others have nothing left to do.
    arms = [
        max((job for job in jobs if job.name.partition(", ")[0] == arm.id), key=lambda job: job.rows)
        for arm in recipe.methods
    ]
    assert len(jobs) == len(recipe.methods) * len(cells_of(recipe))
    named = list(zip((arm.name for arm in recipe.methods), arms, strict=True))
    assert all(arm.rows > 0 or arm.prompts > 0 for name, arm in named if name != "logit_contrast")  # of what is there
    once = {
        arm.steps
        for name, arm in named
        if not name.startswith(("bootstrapping", "generative")) and not name.endswith("_conflict")
    }  # of language models in two stages
    assert len(once - {0}) == 1  # the same budget for every arm that trains once (definition 6); probes train nothing


@pytest.mark.parametrize("name", PAPER01)
def test_a_recipe_of_paper_01_has_the_papers_settings(name):
    """Section 5 of the notes on the paper."""
    made = load_recipe(ROOT / "src" / "outgrow" / "recipes" / f"paper01_{name}.yaml")
    assert made.supervisors[0].model == "meta-llama/Llama-2-7b-chat-hf"
    assert made.student.model == "mistralai/Mistral-7B-Instruct-v0.2"
    for train in (made.train, made.supervisors[0].train):
        assert (train.lora.r, train.lora.alpha, train.lora.dropout) == (16, 32, 0.05)
        assert train.lora.target_modules == ("q_proj", "v_proj")
        assert (train.learning_rate, train.batch_size, train.epochs) == (5e-5, 24, 3)
        assert (train.schedule, train.warmup, train.weight_decay, train.max_grad_norm) == ("linear", 0, 0, 1)
        assert train.max_length == {"ethics": 1600, "gsm8k": 1024}.get(name, 512)  # gsm8k: ours, reasoning needs room
    heat = 1.0 if name == "ethics" else 0.2
    assert made.ask.variants == (2 if name == "ethics" else 5)
    assert made.reliability.temperature == heat
    weighted = [arm for arm in made.methods if arm.name == "reliability_reweighting"]
    assert {arm.config.temperature for arm in weighted} == {heat}
    assert {arm.config.form for arm in weighted} == {"corrected", "published"}


@pytest.mark.parametrize("name", PAPER01)
def test_a_recipe_of_paper_01_runs_dry_on_files_and_names_the_models_to_download(name, tmp_path, capsys):
    """Rows of our own in the set's form; only the models are missing."""
    rows = {
        "hellaswag": lambda i: {
            "ctx": f"Ann takes tool {i} and",
            "endings": ["digs", "sings", "melts", "naps"],
            "label": "0",
        },
        "mmlu": lambda i: {"question": f"What is tool {i}?", "subject": "tools", "choices": list("wxyz"), "answer": 3},
        "ethics": lambda i: {"label": i % 2, "input": f"I took tool {i}.", "is_short": i % 3 == 0},
        "gsm8k": lambda i: {"question": f"Twice {i}?", "answer": f"It is 2 * {i}.\n#### {2 * i}"},
    }[name]
    for number, split in enumerate(("train", "dev", "validation", "test")):
        if split != "dev" or name == "mmlu":
            lines = [json.dumps(rows(100 * number + i)) for i in range(40)]
            (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    cut = {"hellaswag": ["task.splits={supervisor_train: 40, validation: 10, pool: 20, test: rest}"]}.get(name, [])
    arguments = [str(ROOT / "src" / "outgrow" / "recipes" / f"paper01_{name}.yaml"), f"task.path={tmp_path}", *cut]
    run(arguments, store=str(tmp_path / "store"), out=None, jobs=None, dry=True)
    said = capsys.readouterr().out
    assert "strong_ceiling" in said
    assert [line for line in said.splitlines() if line.startswith("to download")] == [
        "to download: model meta-llama/Llama-2-7b-chat-hf, revision not pinned (the newest)",
        "to download: model mistralai/Mistral-7B-Instruct-v0.2, revision not pinned (the newest)",
    ]
    assert ("note: split 'test' of" in said) == (name != "hellaswag")  # 40 rows are not what was expected
    assert not (tmp_path / "store").exists()


def test_the_released_labels_of_sciq_find_their_questions():
    """The file has 5,000 rows of 4,994 texts, whose labels are right on .733 of the rows."""
    path = SHARED / "sciq_weak_labels.jsonl"
    if not path.exists():
        pytest.skip("sciq_weak_labels.jsonl is not in ../shared/data")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    weak = {f"{row['question']}\n{row['candidate']}": (str(row["weak"]), row["weak_probability"]) for row in rows}
    made = load_recipe(builtin_recipes()["sciq_ensemble"], [f"data_dir={SHARED}"])
    task = made.build_task()
    assert sum(task.examples(split).num_rows for split in task.splits) + task.audit.unassigned == len(weak) == 4_994
    answers = answer(made.supervisors[0], SHARED, task, task.examples("test"), first_only=True)
    assert sorted(answers["example_id"].to_pylist()) == sorted(task.examples("test")["example_id"].to_pylist())
    for row in answers.to_pylist():
        assert (row["value"], dict(row["probabilities"])["1"]) == weak[row["prompt"]]
    gold = dict(zip(*(task.gold("test")[name].to_pylist() for name in ("example_id", "value")), strict=True))
    right = [gold[row["example_id"]] == row["value"] for row in answers.to_pylist()]
    assert sum(right) / len(right) == pytest.approx(0.733, abs=0.05)  # 3.6 standard errors of 1,000 questions


def test_the_guide_to_slurp_reduces_the_public_form(tmp_path):
    """The record of SLURP's own documentation: token 4, "eight", is the time."""
    words = ["wake", "me", "up", "at", "eight", "o'clock"]
    record = {
        "slurp_id": 4489,
        "sentence": "wake me up at eight o'clock",
        "intent": "alarm_set",
        "action": "set",
        "tokens": [{"surface": word, "id": i} for i, word in enumerate(words)],
        "scenario": "alarm",
        "recordings": [],
        "entities": [{"span": [4], "type": "time"}],
    }
    for split in ("devel", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(record) + "\n")
    guide = (ROOT / "docs" / "slurp.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", guide, re.DOTALL).group(1)
    subprocess.run([sys.executable, "-c", script, tmp_path, tmp_path / "out"], check=True, timeout=60)
    reduced = json.loads((tmp_path / "out" / "slurp_devel.jsonl").read_text())
    assert reduced == {
        "slurp_id": 4489,
        "sentence": "wake me up at eight o'clock",
        "scenario": "alarm",
        "action": "set",
        "slots": [{"type": "time", "filler": "eight"}],
    }
