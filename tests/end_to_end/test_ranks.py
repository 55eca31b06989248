"""A whole experiment over two processes, started as people start it."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from outgrow.store import Store


def _module(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


tiny = _module("tiny_run")
ONE_SEED = {"seeds": [0], "methods": ["naive", "strong_ceiling"], "primary": None}


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    """A folder with data, two models and a recipe."""
    folder = tmp_path_factory.mktemp("ranks")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny.recipe(folder, **ONE_SEED)))
    return folder


# On a CPU accelerate's launcher knows MPI alone; told of GPUs it starts what `torchrun` does, and ranks take the CPU.
ACCELERATE = ("-m", "accelerate.commands.launch", "--num_processes", "2", "--num_machines", "1")
ACCELERATE += ("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0")


@pytest.mark.slow
@pytest.mark.parametrize(
    "by",
    [(), (*ACCELERATE, "--multi_gpu"), (*ACCELERATE, "--use_fsdp", "--fsdp_version", "2")],
    ids=["torchrun", "accelerate", "fsdp"],
)
def test_experiment_over_two_ranks_gives_the_results_of_one(launch, here, tmp_path, by):
    """Accuracies within two of 48 questions: sums over ranks round otherwise. Answers of the untrained: equal."""
    one = tiny.run(here, tmp_path / "store-1", tmp_path / "one", **ONE_SEED).results["cells"][0]
    command = ["-m", "outgrow", "run", here / "tiny.yaml", "--store", tmp_path / "store-2", "--out", tmp_path / "two"]
    for attempt in ("anew", "from the store"):
        code, output = launch(*command, by=by)
        assert code == 0, output
        assert output.count("report:") == 1, (attempt, output)
    two = json.loads((tmp_path / "two" / "results.json").read_text())["cells"][0]
    assert [arm["name"] for arm in two["arms"]] == [arm["name"] for arm in one["arms"]]
    for own, other in zip(one["arms"], two["arms"], strict=True):
        assert own["accuracy"]["value"] == pytest.approx(other["accuracy"]["value"], abs=2 / 48)
    stores = [list(Store(tmp_path / f"store-{n}", unsealed=True).steps()) for n in (1, 2)]
    untrained = [{m["key"]: m for m in found if "zero_shot" in m["meta"]["detail"]} for found in stores]
    assert untrained[0].keys() == untrained[1].keys() != set()  # the number of ranks is in no key
    for key, manifest in untrained[0].items():
        assert manifest["files"]["table.parquet"] == untrained[1][key]["files"]["table.parquet"]  # equal hashes
        assert untrained[1][key]["hardware"]["ranks"] == 2
        assert "ranks" not in manifest["hardware"]


@pytest.mark.slow
def test_training_that_fails_ends_the_launch_with_one_message(launch, here, tmp_path):
    command = ["-m", "outgrow", "run", here / "tiny.yaml", "train.learning_rate=1.0e+30", "--store", tmp_path / "store"]
    code, output = launch(*command)
    assert code == 1
    assert output.count("error: 1 of 4 jobs failed") == 1, output  # rank 0 tells it, with what failed
    assert output.count("not finite; rows") == 2, output  # when it happens, and at the end
    assert "lower the learning rate" in output
    assert "exitcode  : 1" in output
