"""A whole experiment, tiny: the same bytes every time, whatever the number of jobs and however often it is killed."""

import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from outgrow.__main__ import main
from outgrow.core.errors import RunFailedError
from outgrow.reporting import summary_text
from outgrow.store import Store

SCRIPT = Path(__file__).with_name("tiny_run.py")
_spec = importlib.util.spec_from_file_location("tiny_run", SCRIPT)
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    """A folder with data and two models."""
    folder = tmp_path_factory.mktemp("experiment")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


@pytest.fixture(scope="module")
def first(here):
    """An undisturbed run."""
    return tiny.run(here, here / "store", here / "out", tell)


TOLD = []


def tell(results):
    """The table of a run under way; what was in it is in `TOLD`."""
    TOLD.append(results)
    return summary_text(results)


def results_of(folder):
    return (folder / "results.json").read_bytes()


def test_two_runs_on_two_empty_stores_give_the_same_bytes(here, first, tmp_path):
    """One run in this process, one in a process of its own, whose hashes of strings are others."""
    command = [sys.executable, str(SCRIPT), str(here), str(tmp_path / "store"), str(tmp_path / "out"), "1"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    assert results_of(tmp_path / "out") == results_of(first.folder)
    for name in ("answers.parquet", "pool_labels.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (first.folder / name).read_bytes()
    keys = [{step["key"] for step in provenance(folder)["steps"]} for folder in (tmp_path / "out", first.folder)]
    assert keys[0] == keys[1]


def provenance(folder):
    return json.loads((folder / "provenance.json").read_text())


def test_a_second_run_does_no_step_again(here, first, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("a step was done again")

    import outgrow.supervisors.local
    import outgrow.training.loop

    monkeypatch.setattr(outgrow.supervisors.local, "answer", fail)
    monkeypatch.setattr(outgrow.training.loop, "fit", fail)
    again = tiny.run(here, here / "store", tmp_path / "out")
    assert results_of(again.folder) == results_of(first.folder)
    steps = provenance(again.folder)["steps"]
    assert all(step["cached"] for step in steps)
    assert {step["key"] for step in steps} == {step["key"] for step in provenance(first.folder)["steps"]}


def test_a_first_table_is_that_of_a_run_with_the_seeds_that_are_complete(here, first, tmp_path, capsys):
    (told,) = TOLD
    alone = tiny.run(here, here / "store", tmp_path / "out", lambda results: pytest.fail("all was there"), seeds=[0])
    assert told.pop("name") == "tiny: 1 of 2 seeds"
    assert told == {name: facts for name, facts in alone.results.items() if name != "name"}


def test_a_run_that_finds_every_step_in_the_store_loads_no_model(here, first, tmp_path):
    code = (
        "import sys; from pathlib import Path; import tiny_run; "
        f"tiny_run.run(*map(Path, {[str(here), str(here / 'store'), str(tmp_path / 'out')]!r}));"
        "print({'torch', 'transformers', 'scipy.stats'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600, cwd=SCRIPT.parent).stdout
    # Other builds of torch have to be asked whether there is a card.
    assert said.strip() == ("set()" if version("torch").endswith("+cpu") else "{'torch'}")
    assert results_of(tmp_path / "out") == results_of(first.folder)
    assert provenance(tmp_path / "out")["models"] == provenance(first.folder)["models"]


def test_every_checkpoint_answers_where_that_is_wanted(here, first, tmp_path):
    changes = {"methods": ["naive"], "primary": None, "seeds": [0], "evaluation": {"checkpoints": True}}
    folder = tiny.run(here, here / "store", tmp_path / "out", **changes).folder
    answers = pq.read_table(folder / "checkpoint_answers.parquet")
    # 40 pool questions in steps of 8, three times: 15 steps, of which two are kept; 20 questions and 48 of the test
    counts = answers.group_by(["arm", "seed", "step", "split"]).aggregate([("example_id", "count")]).to_pylist()
    found = {(row["step"], row["split"]): row["example_id_count"] for row in counts}
    assert found == {(8, "validation"): 20, (8, "test"): 48, (15, "validation"): 20, (15, "test"): 48}


def test_every_arm_shares_the_supervisor_and_its_answers(here, first):
    made = [step for step in provenance(first.folder)["steps"] if not step["cached"]]
    assert len({step["key"] for step in made}) == len(made)  # nothing is made twice
    # per seed: a tuned supervisor and five students; answers: the supervisor's to pool, validation and test, five
    # students' to test; and the untrained student's to test
    assert [step["name"] for step in made].count("train") == 2 * 6
    assert [step["name"] for step in made].count("answer") == 2 * 8 + 1


def test_results_hold_what_the_answers_say(here, first):
    results = json.loads(results_of(first.folder))
    assert results == first.results
    results = first.only
    table = pq.read_table(first.folder / "answers.parquet").to_pydict()
    gold = np.array(table["gold"])
    seeds = np.array(table["seed"])
    assert len(gold) == 2 * 48
    columns = {"supervisor_value": results["supervisor"]["floor"], "label": results["supervisor"]["vote"]}
    columns |= {"zero_shot": results["zero_shot"]}
    columns |= {f"arm:{arm['name']}": arm["accuracy"] for arm in results["arms"]}
    for column, accuracy in columns.items():
        right = np.array(table[column]) == gold
        assert accuracy["per_seed"] == pytest.approx([right[seeds == 0].mean(), right[seeds == 1].mean()])
        assert accuracy["value"] == pytest.approx(right.mean())
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    splits = {name: split["questions"] for name, split in results["task"]["splits"].items()}
    assert splits == {"supervisor_train": 30, "pool": 40, "validation": 20, "test": 48}
    assert set(results["task"]["overlap"].values()) == {0}
    assert sum(s["questions"] for s in results["strata"]) == 48


def test_arms_are_trained_alike(first):
    arms = {arm["name"]: arm for arm in first.only["arms"]}
    assert list(arms) == [m if isinstance(m, str) else m["name"] for m in tiny.METHODS]
    for arm in arms.values():
        assert arm["steps"] == [15, 15]  # 3 epochs of 5 steps of 8 rows, whatever the arm's rows
        assert all(step in (8, 15) for step in arm["chosen_step"])  # two checkpoints
        assert [len(curve["loss"]) for curve in arm["curves"]] == [15, 15]
        assert len(arm["curves"][0]["validation"]) == 2
    assert arms["naive"]["rows"] == [40, 40]
    assert arms["naive"]["asked"] == [40, 40]  # one wording
    assert arms["uncertainty_filtering"]["asked"] == [120, 120]  # three
    assert arms["uncertainty_filtering"]["rows"] == arms["random_filtering"]["rows"] == [20, 20]
    assert arms["strong_ceiling"]["label_accuracy"] == [1.0, 1.0]
    assert arms["strong_ceiling"]["uses_gold"]
    assert not arms["naive"]["uses_gold"]


def test_the_gap_recovered_is_measured_between_floor_and_ceiling(first):
    arms = {arm["name"]: arm for arm in first.only["arms"]}
    floor, ceiling = first.only["supervisor"]["floor"]["value"], arms["strong_ceiling"]["accuracy"]["value"]
    for arm in arms.values():
        if arm["pgr"]["defined"]:
            expected = (arm["accuracy"]["value"] - floor) / (ceiling - floor)
            assert arm["pgr"]["value"] == pytest.approx(expected)
        else:
            assert "the ceiling is not clearly above the floor" in arm["pgr"]["reason"]
            assert "lower limit -" in arm["pgr"]["reason"]
    assert ceiling > floor  # the ceiling learns this task, the small supervisor less
    assert len({arm["pgr"]["defined"] for arm in arms.values()}) == 1  # they have one gap


def test_results_name_no_place_and_no_time(here, first):
    text = results_of(first.folder).decode()
    assert "NaN" not in text
    assert str(here / "store") not in text
    assert str(here / "out") not in text
    assert json.loads(text)["recipe"]["data_dir"] is None
    facts = provenance(first.folder)
    assert facts["seconds"] > 0
    assert facts["models"][0]["parameters"] > facts["models"][1]["parameters"]


def test_the_report_and_the_table_come_out_of_the_command_line(here, first, tmp_path, monkeypatch, capfd):
    path = tmp_path / "recipe.json"  # JSON is YAML
    path.write_text(json.dumps(tiny.recipe(here)))
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["run", str(path), f"--store={here / 'store'}", f"--out={tmp_path / 'out'}", "--jobs=1"]
    monkeypatch.setattr(sys, "argv", ["outgrow", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    shown = capfd.readouterr().out
    assert all(arm["name"].split()[0] in shown for arm in first.only["arms"])
    assert f"report: {tmp_path / 'out' / 'report.html'}" in shown
    html = (tmp_path / "out" / "report.html").read_text()
    assert "uncertainty_filtering" in html
    assert (tmp_path / "out" / "report.md").is_file()
    assert results_of(tmp_path / "out") == results_of(first.folder)


def test_a_trained_model_is_exported_and_loads_anywhere(here, first, tmp_path, cli):
    from transformers import AutoModelForCausalLM

    out, seed, store = tmp_path / "model", ["--seed", 1], ["--store", here / "store"]
    found = cli("export", first.folder, "--arm", "naive", *seed, *store, "--out", out)
    assert (found.code, found.out) == (0, f"model: {out}\n"), found.err
    assert AutoModelForCausalLM.from_pretrained(out).config.hidden_size == 32
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def exported(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_an_arm_was_trained_on_is_exported_in_words(here, first, tmp_path, cli):
    out = tmp_path / "rows.jsonl"
    command = ["export", first.folder, "--store", here / "store", "--out", out, "--format"]
    found = cli(*command, "trl", "--arm", "strong_ceiling")
    assert (found.code, found.out) == (0, f"training rows: {out}\n"), found.err
    rows = exported(out)
    assert len(rows) == 40
    for row in rows:  # the identity wording, and the colour that the first word decides
        said = re.fullmatch(r"question : w(\d+) w\d+ w\d+ \? answer", row["prompt"])
        assert row["completion"] == f" {tiny.COLOURS[int(said[1]) % 3]}"
    found = cli(*command, "rows", "--arm", "reliability_reweighting")
    assert sum(row["weight"] for row in exported(out)) == pytest.approx(len(exported(out)))
    weighted = [*command, "axolotl", "--arm", "reliability_reweighting"]
    assert "--weights resample" in cli(*weighted).err
    assert cli(*weighted, "--weights", "keep-unused").code == 0
    assert {tuple(row) for row in exported(out)} == {("messages", "weight")}
    found = cli("export", first.folder, "--arm", "naive", "--out", out, "--weights", "resample")
    assert (found.code, "choose a --format" in found.err) == (2, True)


def test_the_pairs_of_an_arm_are_exported_in_words(here, tmp_path, cli):
    methods = [{"name": "dpo", "epochs": 1, "flips": "p_better"}]
    made = tiny.run(here, here / "store", tmp_path / "run", methods=methods, primary=None, seeds=[0])
    command = ["export", made.folder, "--arm", "dpo", "--store", here / "store", "--out", tmp_path / "p.jsonl"]
    found = cli(*command, "--format", "trl")
    assert (found.code, "format 'trl' holds rows, and these are pairs" in found.err) == (2, True)
    found = cli(*command, "--format", "trl-preference")
    assert (found.code, "flip probabilities" in found.err) == (2, True)
    assert cli(*command, "--format", "pairs").code == 0
    rows = exported(tmp_path / "p.jsonl")
    assert rows
    for row in rows:
        assert re.fullmatch(r"question : (w\d+ ){3}\? answer|(w\d+ ){3}is|answer : (w\d+ ){3}\?", row["prompt"])
        assert {row["chosen"], row["rejected"]} < set(tiny.COLOURS)
        assert row["flip_probability"] == pytest.approx(1 - row["p_better"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--out": "."}, ". exists already"),
        ({"--arm": "naiv"}, "did you mean 'naive'?"),
        ({"--seed": 9}, "there is no seed 9"),
        ({"--store": "nowhere"}, "no sound result"),
    ],
)
def test_an_export_that_cannot_be_is_told_and_leaves_nothing(here, first, tmp_path, cli, monkeypatch, change, said):
    monkeypatch.chdir(tmp_path)
    options = {"--arm": "naive", "--store": here / "store", "--out": "model"} | change
    found = cli("export", first.folder, *(part for option in options.items() for part in option))
    assert found.code in (1, 2)
    assert said in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_jobs_give_the_bytes_of_one(here, first, tmp_path):
    found = tiny.run(here, tmp_path / "store", tmp_path / "out", jobs=2)
    assert results_of(found.folder) == results_of(first.folder)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_bytes(here, first, tmp_path, jobs):
    chance = random.Random(jobs)
    command = [sys.executable, str(SCRIPT), str(here), str(tmp_path / "store"), str(tmp_path / "out"), str(jobs)]
    kills = 0
    for _ in range(40):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        child = subprocess.Popen(command, start_new_session=True, **quiet)
        deadline = time.monotonic() + 300
        while not (tmp_path / "store").is_dir() and child.poll() is None:  # let it come to its work first
            assert time.monotonic() < deadline
            time.sleep(0.05)
        try:
            child.wait(timeout=chance.uniform(2, 20 if kills else 6))  # the first before it can have ended
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)  # the run alone, not its workers
            child.wait()
            kills += 1
        assert child.returncode in (0, -signal.SIGKILL)
        wait_for_end_of(child.pid)
        if child.returncode == 0 or kills == 5:
            break
    assert kills > 0
    found = tiny.run(here, tmp_path / "store", tmp_path / "out")
    assert results_of(found.folder) == results_of(first.folder)
    assert not [path for path in (tmp_path / "store" / "work").glob("*/*") if path.name != "lease"]


def wait_for_end_of(session):
    """Workers end by themselves when the process that started them is gone."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("workers of a killed run are still there")


def test_a_loss_that_is_not_finite_stops_with_step_and_rows_and_leaves_nothing_half_written(here, first, tmp_path):
    shutil.copytree(here / "store", tmp_path / "store")
    before = {manifest["key"] for manifest in Store(tmp_path / "store").steps()}
    wild = {"epochs": 3, "batch_size": 8, "learning_rate": 1e30, "max_length": 64, "schedule": "constant"}
    supervisors = [
        {"model": str(here / "weak"), "train": {**tiny.recipe(here)["train"], "epochs": 2, "schedule": "linear"}}
    ]
    said = r"TrainingError: step \d+: the (loss|gradient) is not finite.*rows \w+/weak/0.*learning"
    with pytest.raises(RunFailedError, match=said) as raised:
        tiny.run(
            here,
            tmp_path / "store",
            tmp_path / "out",
            train=wild,
            supervisors=supervisors,
            methods=["naive"],
            primary=None,
        )
    assert {manifest["key"] for manifest in Store(tmp_path / "store").steps()} == before
    assert [(failure.job, failure.error) for failure in raised.value.failures] == [
        ("seed 0: naive", "TrainingError"),
        ("seed 1: naive", "TrainingError"),
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["failures.json"]
    for folder in (tmp_path / "store").iterdir():
        if len(folder.name) == 64:
            assert (folder / "manifest.json").is_file()  # no attempt without its commit
    good = tiny.run(here, tmp_path / "store", tmp_path / "out")  # and the store is as good as before
    assert results_of(good.folder) == results_of(first.folder)
    assert not (tmp_path / "out" / "failures.json").exists()


def test_what_fails_does_not_stop_the_rest_and_a_repaired_run_does_only_what_is_missing(here, first, tmp_path, cli):
    methods = ["calibrated_filtering", "naive"]  # the first wants questions of `known`, and there are none
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(tiny.recipe(here, methods=methods, primary=None, seeds=[0, 1])))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text("of an earlier recipe")
    found = cli("run", path, "--store", here / "store", "--out", tmp_path / "out", "--jobs", 1)
    assert found.code == 2  # the recipe is at fault
    assert "2 of 7 jobs failed\n  seed 0: calibrated_filtering, seed 1: calibrated_filtering: " in found.err
    assert f"where each came from: {tmp_path / 'out' / 'failures.json'}" in found.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.json", "results.json.before"]
    told = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert [failure["job"] for failure in told["failures"]] == [f"seed {s}: calibrated_filtering" for s in (0, 1)]
    assert all("Traceback" in failure["traceback"] for failure in told["failures"])
    assert {"seed 0: naive", "seed 1: naive"} < set(told["done"])
    assert told["not_begun"] == []
    again = cli("run", path, "methods=[naive]", "--store", here / "store", "--out", tmp_path / "out", "--jobs", 1)
    assert again.code == 0
    assert all(step["cached"] for step in provenance(tmp_path / "out")["steps"])
    assert not (tmp_path / "out" / "failures.json").exists()


def test_a_faulty_file_is_told_before_anything_begins(here, tmp_path, cli):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(tiny.recipe(here, data_dir=str(tmp_path))))
    found = cli("run", path, "--store", tmp_path / "store", "--out", tmp_path / "out", "--jobs", 2)
    assert found.code == 2
    assert "words.jsonl" in found.err
    assert "jobs failed" not in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.json"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--on", "spark"], "jobs cannot run on 'spark'; say local, ray, or ray://HOST:PORT"),
        (["--gpus", "1"], "gpus is for runs on Ray"),
    ],
)
def test_a_place_that_is_none_is_told(here, tmp_path, cli, options, said):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(tiny.recipe(here)))
    found = cli("run", path, "--store", tmp_path / "store", *options)
    assert (found.code, said in found.err) == (2, True)


@pytest.mark.slow
def test_two_runs_at_once_share_one_store_and_the_work(here, first, tmp_path):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    runs = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(here), str(tmp_path / "store"), str(tmp_path / out), jobs], **quiet
        )
        for out, jobs in (("one", "1"), ("two", "2"))
    ]
    assert [run.wait(timeout=600) for run in runs] == [0, 0]
    made = [[s["key"] for s in provenance(tmp_path / out)["steps"] if not s["cached"]] for out in ("one", "two")]
    assert results_of(tmp_path / "one") == results_of(tmp_path / "two") == results_of(first.folder)
    assert not set(made[0]) & set(made[1])  # no step was made twice
    assert len(made[0]) + len(made[1]) == 2 * 14 + 1


@pytest.mark.slow
def test_a_store_on_s3_gives_the_same_bytes_and_is_read_from_anywhere(here, first, s3_url, tmp_path, monkeypatch, cli):
    """Two processes share the store; then another host, with an empty cache, finds everything there."""
    shared = tiny.run(here, s3_url, tmp_path / "out", jobs=2)
    assert results_of(shared.folder) == results_of(first.folder)
    keys = [{step["key"] for step in provenance(folder)["steps"]} for folder in (shared.folder, first.folder)]
    assert keys[0] == keys[1]
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path / "another cache"))
    again = tiny.run(here, s3_url, tmp_path / "again")
    assert results_of(again.folder) == results_of(first.folder)
    assert all(step["cached"] for step in provenance(again.folder)["steps"])
    fetched = sorted(path.name for path in (tmp_path / "another cache").rglob("*") if path.is_file())
    assert "table.parquet" in fetched
    assert not [name for name in fetched if name.endswith(".tmp")]
    out = tmp_path / "model"
    command = ["export", shared.folder, "--arm", "naive", "--store", s3_url, "--out", out]
    assert cli(*command).code == 0
    assert (out / "model.safetensors").stat().st_size > 0
