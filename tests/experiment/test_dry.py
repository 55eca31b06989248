"""Dry runs: every method on fabricated answers, and the sizes of the plan by hand."""

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.tables import ANSWERS
from outgrow.experiment.dry import (
    Planned,
    dry_run,
    plan,
)
from outgrow.experiment.sketch import made_up_answers, made_up_gold
from outgrow.methods import METHODS
from outgrow.recipe.recipe import parse_recipe

QUESTIONS = {"supervisor_train": 20, "pool": 50, "validation": 10, "test": 30, "known": 40}
ROWS = {
    "naive": 50,
    "majority_vote": 50,
    "all_answers": 50 * 4,
    "confidence_filtering": 25,
    "uncertainty_filtering": 25,
    "reliability_reweighting": 50,
    "soft_labels": 50,
    "calibrated_filtering": 25,
    "calibrated_reweighting": 50,
    "random_filtering": 25,
    "shuffled_reweighting": 50,
    "oracle_filtering": 25,
    "own_gold": 20,
    "strong_ceiling": 50,
}
"""Rows of methods that train once, by hand."""


def recipe(tiny, **changes):
    """A small recipe over the microworld; the model is never opened."""
    raw = {
        "task": {"kind": "microworld", "family": "choice", "mix": "natural", "questions": QUESTIONS},
        "supervisors": [{"model": str(tiny), "name": "weak", "train": {"epochs": 2, "batch_size": 8}}],
        "ask": {"variants": 4},
        "student": {"model": str(tiny)},
        "train": {"epochs": 3, "batch_size": 8, "checkpoints": 2},
        "methods": list(ROWS),
        "seeds": [0, 1, 2],
    }
    return parse_recipe({**raw, **changes})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder that passes for a model."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "config.json").write_text("{}")
    return folder


def test_the_sizes_of_a_plan(tiny):
    found = {job.name: job for job in plan(recipe(tiny))}
    assert found["zero_shot"] == Planned("student", "zero_shot", 30, 0, 0)  # every test question once
    # (50 pool + 30 test + 40 known) x 4 wordings + 10 validation; 2 epochs of ceil(20 / 8) = 3 steps
    assert found["weak"] == Planned("supervisor", "weak", 120 * 4 + 10, 20, 6)
    # test once, and validation for each of two checkpoints; 3 epochs of ceil(50 / 8) = 7 steps, in every arm
    for name, count in ROWS.items():
        assert found[name] == Planned("arm", name, 30 + 2 * 10, count, 21)
    assert len(found) == 2 + len(ROWS)


def test_probes_and_chains_are_planned(tiny):
    """Chains take several trainings; the states that probes read are counted once for all of them."""
    methods = ["confidence_loss", "bootstrapping", "self_training", "nearest_centroid", "linear_probe"]
    models = [{"model": str(tiny), "layers": layers} for layers in (1, 2)]
    found = {job.name: job for job in plan(recipe(tiny, methods=methods, models=models))}
    assert found["confidence_loss"] == Planned("arm", "confidence_loss", 30 + 2 * 10, 50, 21)
    # three links of 50 questions each, which the two below the student label: pool and validation once each
    assert found["bootstrapping"] == Planned("arm", "bootstrapping", 30 + 3 * 2 * 10 + 2 * (50 + 10), 150, 63)
    # checkpoints are compared in the first training alone; two students label the pool, and since made-up answers to
    # equal questions are equal, the second round is the training of the first
    assert found["self_training"] == Planned("arm", "self_training", 30 + 2 * 10 + 2 * 50, 100, 42)
    # states of pool and test, then the answers to test
    assert found["nearest_centroid"] == Planned("arm", "nearest_centroid", 50 + 30 + 30, 50, 0)
    assert found["linear_probe"] == Planned("arm", "linear_probe", 30, 50, 0)


def test_states_of_options_are_counted_one_by_one_and_need_options(tiny):
    found = {job.name: job for job in plan(recipe(tiny, methods=["contrast_consistent_search"]))}
    # the untrained student answers the pool, is read behind four options of pool and test, and the probe answers test
    planned = Planned("arm", "contrast_consistent_search", 50 + 4 * (50 + 30) + 30, 50, 0)
    assert found["contrast_consistent_search"] == planned
    sums = {"kind": "microworld", "family": "sums", "questions": QUESTIONS}
    with pytest.raises(ConfigError, match="has questions without options"):
        plan(recipe(tiny, task=sums, methods=["contrast_consistent_search"]))


def test_samples_and_wordings_multiply_and_wordings_end_with_the_tasks(tiny):
    claims = {"kind": "microworld", "family": "claim", "mix": "natural", "questions": QUESTIONS}
    changed = recipe(tiny, task=claims, ask={"variants": 5, "samples": 3, "temperature": 1.0}, methods=["all_answers"])
    found = {job.name: job for job in plan(changed)}
    assert found["weak"].prompts == 120 * 2 * 3 + 10  # a claim has two wordings
    assert found["all_answers"].rows == 50 * 2 * 3


def test_decoys_are_asked_once_per_option_in_every_wording(tiny):
    plain = {job.name: job for job in plan(recipe(tiny, methods=["naive"]))}
    found = {job.name: job for job in plan(recipe(tiny, methods=["naive"], reliability={"decoys": 10}))}
    extra = found["weak"].prompts - plain["weak"].prompts
    assert extra % 4 == 0  # every decoy question in four wordings
    assert 0 < extra <= 10 * 4 * 4  # of ten questions those that share options with others, once per option


def test_an_untuned_supervisor_trains_nothing(tiny):
    found = plan(recipe(tiny, supervisors=[{"model": str(tiny), "name": "weak", "train": None}]))
    weak = next(job for job in found if job.name == "weak")
    assert (weak.rows, weak.steps) == (0, 0)


@pytest.mark.parametrize("form", ["corrected", "published"])
def test_published_forms_are_planned_too(tiny, form):
    methods = [{"name": name, "form": form} for name in ("uncertainty_filtering", "reliability_reweighting")]
    found = {job.name: job.rows for job in plan(recipe(tiny, methods=methods))}
    assert found["reliability_reweighting"] == {"corrected": 50, "published": 200}[form]
    assert found["uncertainty_filtering"] % {"corrected": 1, "published": 4}[form] == 0


def test_the_table_of_a_dry_run_counts_all_jobs(tiny):
    table = dry_run(recipe(tiny, methods=["naive", "strong_ceiling"]))
    # the untrained student, and per seed the supervisor and two arms: 1 + 3 x 3
    assert table.caption == "per seed; 3 seeds, 10 jobs in all"
    assert table.row_count == 4


def test_what_a_real_run_would_refuse_a_dry_run_refuses(tiny):
    with pytest.raises(PrerequisiteError, match="needs at least two answers"):
        plan(recipe(tiny, ask={"variants": 1}, methods=["uncertainty_filtering"]))


def test_made_up_answers_have_the_exact_shape_and_depend_on_the_seed(tiny):
    task = recipe(tiny).build_task()
    questions = task.examples("pool")
    answers = made_up_answers(task, questions, "weak", 3, 2, seed=1)
    assert answers.schema == ANSWERS
    assert answers.num_rows == 50 * 3 * 2
    keys = list(zip(*(answers[c].to_pylist() for c in ("example_id", "variant", "sample")), strict=True))
    assert len(set(keys)) == len(keys)
    options = dict(zip(questions["example_id"].to_pylist(), questions["choices"].to_pylist(), strict=True))
    rows = answers.to_pylist()
    assert all(row["value"] in options[row["example_id"]] for row in rows)
    assert all(sum(p for _, p in row["probabilities"]) == pytest.approx(1) for row in rows)
    assert answers == made_up_answers(task, questions, "weak", 3, 2, seed=1)
    assert answers != made_up_answers(task, questions, "weak", 3, 2, seed=2)


def test_made_up_gold_is_not_the_truth(tiny):
    task = recipe(tiny).build_task()
    gold = made_up_gold(task, task.examples("pool"), seed=0)
    assert gold["example_id"] == task.gold("pool")["example_id"]
    right = pa.compute.equal(gold["value"], task.gold("pool")["value"]).to_pylist()
    assert sum(right) < 30  # one of four by chance


@pytest.mark.parametrize("family", ["claim", "sums"])
def test_every_method_runs_dry_on_the_other_families(tiny, family):
    other = {"kind": "microworld", "family": family, "mix": "natural", "questions": QUESTIONS}
    if family == "sums":
        del other["mix"]
    pairs = {"no_conflict", "explicit_conflict", "implicit_conflict"}  # of two options
    crowds = {name for name, spec in METHODS.items() if spec.needs == "annotators"}  # tests/end_to_end/test_crowd.py
    of_options = {"contrast_consistent_search", "confidence_filtering", "product_loss"}  # sums have none
    methods = sorted(set(METHODS) - pairs - crowds - (of_options if family == "sums" else set()))
    two = {"delta_learning": {"name": "delta_learning", "chosen": "student"}}  # the recipe has one supervisor
    arms = [two.get(name, name) for name in methods]
    changes = {"task": other, "ask": {"variants": 2}, "methods": arms, "models": [{"model": str(tiny)}]}
    arms = [job for job in plan(recipe(tiny, **changes)) if job.stage == "arm"]
    assert [job.name for job in arms] == methods
    shared = {"naive", "nearest_centroid", "logit_contrast"}  # made for others before, or of no rows
    assert {job.name for job in arms if job.rows == 0} == shared
