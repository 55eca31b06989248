"""When a table is shown while seeds are left."""

from types import SimpleNamespace

import pytest

from outgrow.core.errors import DataError
from outgrow.execution import Graph
from outgrow.execution.so_far import SoFar
from outgrow.experiment.graph import Done, jobs_of
from outgrow.recipe.recipe import parse_recipe
from outgrow.store import StepUse

RECIPE = parse_recipe(
    {
        "name": "many",
        "task": {"kind": "microworld", "family": "choice"},
        "supervisors": [{"model": "microworld/mini"}],
        "student": {"model": "microworld/base"},
        "methods": ["naive", "strong_ceiling"],
        "seeds": [4, 0, 1, 2, 3],
    }
)


class Scene:
    def __init__(self):
        self.said, self.finished = [], []
        self.jobs = list(jobs_of(RECIPE))
        self.so_far = SoFar(RECIPE, "store", Graph(jobs_of(RECIPE)), self.render, self.said.append)

    def render(self, results):
        return f"{results['name']} {list(results['seeds'])} {results['jobs']}"

    def end(self, *jobs, cached=False):
        for job in jobs:
            self.finished.append(Done(job, log=(StepUse("train", "k", 1.0, cached, "", ""),)))
            self.so_far(self.finished)


def gather(recipe, store, found):
    assert {done.job.seed for done in found} == {None, *recipe.seeds}
    return SimpleNamespace(results={"seeds": recipe.seeds, "name": recipe.name, "jobs": len(found)})


@pytest.fixture(autouse=True)
def _made_up(monkeypatch):
    monkeypatch.setattr("outgrow.execution.so_far.gather", gather)


def of(scene, seed):
    return [job for job in scene.jobs if job.seed == seed]


def test_jobs_come_seed_by_seed():
    assert list(dict.fromkeys(job.seed for job in jobs_of(RECIPE))) == [None, 4, 0, 1, 2, 3]


def test_a_table_comes_with_1_2_and_4_complete_seeds_and_none_with_the_last():
    scene = Scene()
    scene.end(*scene.jobs)
    assert scene.said == [
        "many: 1 of 5 seeds [4] 4", "many: 2 of 5 seeds [4, 0] 7", "many: 4 of 5 seeds [4, 0, 1, 2] 13"
    ]  # fmt: skip


def test_seeds_end_in_any_order_and_what_is_half_done_is_left_out():
    scene = Scene()
    scene.end(*of(scene, 2), *of(scene, 1)[:2])
    assert scene.said == []  # the untrained student is missing
    scene.end(*of(scene, None))
    assert scene.said == ["many: 1 of 5 seeds [2] 4"]
    scene.end(*of(scene, 3))
    assert scene.said[1:] == ["many: 2 of 5 seeds [2, 3] 7"]


def test_what_was_in_the_store_needs_no_table():
    scene = Scene()
    scene.end(*of(scene, None), *of(scene, 4), *of(scene, 0), cached=True)
    assert scene.said == []
    scene.end(*of(scene, 1))
    assert scene.said == ["many: 3 of 5 seeds [4, 0, 1] 10"]


def test_a_table_that_cannot_be_made_stops_nothing(monkeypatch):
    def fail(recipe, store, found):
        raise DataError("labels.jsonl is gone")

    monkeypatch.setattr("outgrow.execution.so_far.gather", fail)
    scene = Scene()
    scene.end(*of(scene, None), *of(scene, 4))
    assert scene.said == ["no table of 1 of 5 seeds: labels.jsonl is gone"]
