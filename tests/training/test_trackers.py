"""Curves of trainings: shown by real trackers, and of no consequence."""

import importlib.util
import shutil

import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.models import ModelRef, load
from outgrow.objectives import imitation
from outgrow.recipe.recipe import parse_recipe
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.trackers import Tracker, Tracking, TrackingWarning

ROWS = [TrainRow(f"r{i}", f"question : w{i} ?", "yes" if i % 2 else "no w1") for i in range(12)]


def train(folder, work, tracking, progress=None):
    loaded = load(ModelRef(model=str(folder)))
    scores = iter([0.25, 0.75, 0.5])
    with tracking.run("naive/3", {"seed": 3}) as tracker:
        return fit(
            loaded, ROWS, imitation, TrainConfig(batch_size=4, learning_rate=3e-3), seed=3, total_steps=6, work=work,
            evaluate=lambda model: next(scores), tracker=tracker, progress=progress,
        )  # fmt: skip


@pytest.fixture(scope="module")
def untracked(tiny_lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return train(tiny_lm, folder / "work", Tracking((), folder, "demo"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tensorboard_has_the_numbers_of_the_history(tiny_lm, tmp_path, untracked):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = train(tiny_lm, tmp_path / "work", Tracking(("tensorboard",), tmp_path / "curves", "demo"))
    assert found == untracked
    events = EventAccumulator(str(tmp_path / "curves" / "demo" / "naive" / "3"))
    events.Reload()
    for key in ("loss", "lr", "grad_norm", "tokens"):
        assert [(e.step, e.value) for e in events.Scalars(key)] == [
            (entry["step"], pytest.approx(entry[key], rel=1e-6)) for entry in found.history
        ]
    assert [(e.step, e.value) for e in events.Scalars("validation")] == found.scores
    assert [e.value for e in events.Scalars("chosen_step")] == [found.chosen_step]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_file_store_has_the_numbers_of_the_history(tiny_lm, tmp_path, monkeypatch, untracked):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = train(tiny_lm, tmp_path / "work", Tracking(("mlflow",), tmp_path / "curves", "demo"))
    assert found == untracked
    from mlflow import MlflowClient

    client = MlflowClient((tmp_path / "curves" / "mlflow").as_uri())
    experiment = client.get_experiment_by_name("demo")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "demo/naive/3"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "3"}
    for key in ("loss", "lr", "grad_norm", "tokens"):
        shown = sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key))
        assert shown == [(entry["step"], pytest.approx(entry[key])) for entry in found.history]
    assert [m.value for m in client.get_metric_history(run.info.run_id, "chosen_step")] == [found.chosen_step]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tracker_whose_folder_vanishes_does_not_end_the_training(tiny_lm, tmp_path, monkeypatch, untracked):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def vanish(step, total, loss):
        if step == 2:
            shutil.rmtree(tmp_path / "curves")

    with pytest.warns(TrackingWarning, match="mlflow has failed") as told:
        found = train(tiny_lm, tmp_path / "work", Tracking(("mlflow",), tmp_path / "curves", "demo"), vanish)
    assert found == untracked
    assert len([w for w in told if w.category is TrackingWarning]) == 1
    import mlflow

    assert mlflow.active_run() is None  # nothing is in the way of the next training


def test_one_tracker_that_fails_leaves_the_others():
    class Fails:
        def log(self, values, step):
            raise OSError("gone")

    class Keeps(list):
        def log(self, values, step):
            self.append((step, values))

    kept = Keeps()
    tracker = Tracker({"wandb": Fails(), "trackio": kept})
    with pytest.warns(TrackingWarning, match="wandb has failed.*gone"):
        tracker.log({"step": 1, "loss": 0.5})
    tracker.log({"step": 2, "loss": 0.25})
    assert kept == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]


@pytest.mark.parametrize(("kind", "package"), [("wandb", "wandb"), ("mlflow", r"outgrow\[mlflow\]")])
def test_missing_package_is_named_before_anything_is_done(tmp_path, monkeypatch, kind, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == kind else find(name))
    with pytest.raises(PrerequisiteError, match=f'tracking: {kind} .*pip install "{package}"'):
        Tracking((kind,), tmp_path, "demo")


def test_tracking_is_no_part_of_what_decides_the_numbers():
    from outgrow.experiment.results.plain import without_places

    raw = {
        "task": {"kind": "microworld"},
        "supervisors": [{"model": "microworld/mini"}],
        "student": {"model": "microworld/base"},
        "methods": ["naive"],
    }
    one, two = parse_recipe(raw), parse_recipe({**raw, "tracking": ["mlflow", "wandb"], "tracking_dir": "elsewhere"})
    assert two.tracking == ("mlflow", "wandb")
    assert one.canonical_json() == two.canonical_json()
    assert without_places(one.model_dump(mode="json")) == without_places(two.model_dump(mode="json"))
