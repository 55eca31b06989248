"""One graph, several interpreters: what is run is what was counted, planned and looked up, whatever asks for it."""

import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, SealedError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import ONCE, How, Probe
from outgrow.experiment.cells import Cell, cells_of
from outgrow.experiment.dry import count_jobs, counted_steps, plan
from outgrow.experiment.graph import jobs_of, perform
from outgrow.experiment.planning.steps import Planner
from outgrow.experiment.progress import states
from outgrow.experiment.results import collect
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Size, StepRequest
from outgrow.methods import METHODS, MethodSpec
from outgrow.methods.naive import Naive
from outgrow.methods.rows import answer_rows
from outgrow.recipe.recipe import parse_recipe
from outgrow.store import Step, Store

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).parents[1] / "end_to_end" / "tiny_run.py")
tiny_run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_run)
within = tiny_run.within


@dataclass(frozen=True, eq=False)
class CountWords(StepRequest):
    """A kind of step that nothing but this test knows."""

    questions: tuple[str, ...]

    @property
    def step(self):
        return Step("count words", 1, {"questions": list(self.questions)})

    @property
    def what(self):
        return "counting words"

    def make(self, work):
        work.save_table(pa.table({"words": [len(question.split()) for question in self.questions]}))

    def read(self, artefact):
        return artefact.table()["words"].to_pylist()

    def sketch(self):
        return [1] * len(self.questions)

    def size(self):
        return Size(prompts=len(self.questions))


def two_stages(lab, config):
    """A method in two stages: the weak answers first, then what the student made of them; long questions alone."""
    words = lab.do(CountWords(tuple(sorted(lab.pool["question"].to_pylist()))))  # the order is another for each seed
    assert len(words) == lab.pool.num_rows
    weak = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    first = lab.train(lab.student, answer_rows(weak), stage="weak", select="last", settings={"epochs": 1})
    own = lab.ask(first, lab.pool.slice(0, 20), How(variants=1, samples=1, temperature=0.0))
    assert set(own["source"].to_pylist()) == {"new"}
    return lab.train(lab.student, answer_rows(own), stage="own")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_lm):
    folder = tmp_path_factory.mktemp("graph")
    tiny_run.write_data(folder)
    tiny_run.write_models(folder, tiny_run.make_model(tiny_lm))
    return folder


@pytest.fixture
def recipe(folder, monkeypatch):
    monkeypatch.setitem(METHODS, "two_stages", MethodSpec("two_stages", Naive, two_stages))
    methods = ["naive", {"name": "two_stages", "id": "new"}, "strong_ceiling"]
    return parse_recipe(tiny_run.recipe(folder, methods=methods, seeds=[0, 1], primary=None))


def test_a_new_kind_of_step_and_a_method_in_stages_are_run_counted_planned_looked_up_and_collected(recipe, tmp_path):
    store = Store(tmp_path / "store", unsealed=True)
    assert all(state.missing is not None for state in states(recipe, store))  # nothing is there, nothing is made
    assert not list(store.steps())

    done = []
    for job in jobs_of(recipe):
        runner = StepRunner(recipe, store)
        done.append(perform(runner, job))
    made = sorted((use.name, use.detail.partition(", seed")[0]) for use in store.log)

    counted = [
        (step.request.step.name, step.request.meta["detail"].partition(", seed")[0])
        for _, steps in counted_steps(count_jobs(recipe))
        for step in steps
    ]
    assert sorted(counted) == made  # counted beforehand is what was made, step by step
    assert made.count(("count words", "counting words")) == 1  # the same for both seeds
    assert made.count(("train", "new")) == 4  # two stages, two seeds

    planned = {(step.kind, step.key) for job in Planner(recipe).jobs() for step in job.steps}
    assert {kind for kind, _ in planned} == {"answer", "train", "count words"}
    # what draws nothing and starts from a base model is planned under a key of its own for all seeds
    sizes = {job.name: job for job in plan(recipe)}
    pool = StepRunner(recipe, store).examples("pool").num_rows
    test = StepRunner(recipe, store).examples("test").num_rows
    checks = StepRunner(recipe, store).examples("validation").num_rows * recipe.train.checkpoints
    assert sizes["new"].rows == pool + 20
    assert sizes["new"].prompts == pool + 20 + checks + test  # words counted, own answers, checkpoints, the test

    looked_up = {state.job.label: state for state in states(recipe, store)}
    assert all(state.missing is None for state in looked_up.values())
    assert looked_up["seed 0: new"].made["count words"] == 1

    results, tables, _ = collect(recipe, store, done)
    (cell,) = results["cells"]
    new = next(arm for arm in cell["arms"] if arm["name"] == "new")
    assert [stage["name"] for stage in new["stages"]] == ["weak", "own"]
    assert new["stages"][1]["rows"] == [20, 20]
    assert any(note.startswith("Takes ") for note in new["notes"])  # more steps than the others
    assert "arm:new" in tables["answers.parquet"].column_names


def test_a_part_of_the_pool_costs_nothing_more_and_keeps_the_questions_order(recipe, monkeypatch, tmp_path):
    def action(lab):
        part = lab.pool.take([5, 3])
        whole, some = lab.ask(lab.supervisors[0], lab.pool), lab.ask(lab.supervisors[0], part)
        return part["example_id"].to_pylist(), whole, some

    (ids, whole, some), runner = within(recipe, monkeypatch, tmp_path, action)
    expected = [row for row in whole.to_pylist() if row["example_id"] in ids]
    assert some.to_pylist() == expected
    asked = [use.detail for use in runner.steps.store.log if use.name == "answer"]
    assert asked.count("weak answers pool") == 1


def test_questions_of_two_splits_or_of_none_are_refused(recipe, monkeypatch, tmp_path):
    def action(lab):
        mixed = pa.concat_tables([lab.pool.slice(0, 1), lab.validation.slice(0, 1)])
        with pytest.raises(ConfigError, match="of one of them at a time"):
            lab.ask(lab.supervisors[0], mixed)
        with pytest.raises(ConfigError, match="at least one; found 0 of none"):
            lab.ask(lab.supervisors[0], lab.pool.slice(0, 0))
        with pytest.raises(SealedError):
            lab.train(lab.student, answer_rows(lab.ask(lab.supervisors[0], lab.pool)), select="gold")
        return True

    assert within(recipe, monkeypatch, tmp_path, action)[0]


def test_scores_are_log_probabilities_and_activations_come_in_the_order_of_the_questions(recipe, monkeypatch, tmp_path):
    def action(lab):
        prompts, targets = ["w1 w2", "w3"], [" red", " green"]
        scores = lab.score(lab.student, prompts, targets)
        both = lab.activations(lab.student, lab.pool.take([1, 0]), layers=[0, -1])
        alone = lab.activations(lab.student, lab.pool.take([0]), layers=[-1], pool="last")
        return scores, both, alone

    (scores, both, alone), _ = within(recipe, monkeypatch, tmp_path, action)
    assert scores["n_tokens"].to_pylist() == [2, 2]  # a word and the end of the text
    assert all(value < 0 for value in scores["logprob"].to_pylist())
    assert both.shape == (2, 2, 32)
    np.testing.assert_allclose(both[1, 1], alone[0, 0], rtol=1e-4, atol=1e-5)


def test_a_probe_can_be_asked_once_and_neither_trained_nor_asked_in_other_wordings(recipe, monkeypatch, tmp_path):
    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
        probe = lab.derive(lab.student, rows, Probe("logistic"))
        said = lab.ask(probe, lab.validation, ONCE)
        with pytest.raises(ConfigError, match="answers each question once; ask it with variants=1"):
            lab.ask(probe, lab.pool)
        with pytest.raises(ConfigError, match="is a probe, not a model on this machine: it can only be asked"):
            lab.train(probe, rows)
        every = answer_rows(lab.ask(lab.supervisors[0], lab.pool))
        with pytest.raises(ConfigError, match="reads identity wordings alone"):
            lab.derive(lab.student, every, Probe())
        with pytest.raises(DataError, match="no row has a weight above 0"):
            lab.derive(lab.student, rows.slice(0, 0), Probe())
        gold = rows.set_column(2, rows.schema.field("source"), pa.array(["gold"] * rows.num_rows))
        with pytest.raises(SealedError, match="kept for gold"):
            lab.derive(lab.student, gold, Probe())
        return said, rows.num_rows, probe, lab.validation

    (said, labels, probe, validation), _ = within(recipe, monkeypatch, tmp_path, action)
    assert (probe.n_rows, probe.steps) == (labels, 0)
    assert said["example_id"].to_pylist() == validation["example_id"].to_pylist()
    for shares in said["probabilities"].to_pylist():
        assert math.fsum(p for _, p in shares) == pytest.approx(1.0)
    assert set(said["finish_reason"].to_pylist()) == {"scored"}


def test_a_probe_of_options_reads_one_state_for_each(recipe, monkeypatch, tmp_path):
    def action(lab):
        rows = answer_rows(lab.ask(lab.student, lab.pool, ONCE))
        probe = lab.derive(lab.student, rows, Probe("contrast_consistent"))
        return lab.ask(probe, lab.validation, ONCE), lab.ask(lab.student, lab.validation, ONCE)

    (said, plain), _ = within(recipe, monkeypatch, tmp_path, action)
    for shares, options in zip(said["probabilities"].to_pylist(), plain["probabilities"].to_pylist(), strict=True):
        assert [name for name, _ in shares] == [name for name, _ in options]
        assert math.fsum(p for _, p in shares) == pytest.approx(1.0)
    assert len({tuple(shares) for shares in said["probabilities"].to_pylist()}) > 1


def test_reading_texts_changes_the_model_under_its_own_head_and_only_base_models_do(recipe, monkeypatch, tmp_path):
    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
        reader = lab.pretrain(lab.student, lab.pool, settings={"epochs": 1})
        before, after = (lab.activations(source, lab.pool, [-1]) for source in (lab.student, reader))
        taught = lab.train(reader, rows, stage="labels")
        with pytest.raises(ConfigError, match="was trained; only base models are shown demonstrations"):
            lab.prompt(taught, rows)
        with pytest.raises(ConfigError, match="was trained already; only base models go on reading texts"):
            lab.pretrain(taught, lab.pool)
        return reader, float(np.abs(before - after).max()), lab.ask(taught, lab.validation, ONCE), taught

    (reader, moved, said, taught), runner = within(recipe, monkeypatch, tmp_path, action)
    assert reader.steps > 0
    assert runner.sources.ref_of(taught) == recipe.students[0]  # whose folder is there on every machine
    assert Path(runner.sources.ref_of(reader).model).name == "model"
    assert moved > 1e-3
    assert said["value"].null_count < said.num_rows


def test_a_prompted_model_is_asked_behind_its_demonstrations(recipe, monkeypatch, tmp_path):
    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1)).slice(0, 3)
        prompted = lab.prompt(lab.student, rows)
        return prompted, lab.ask(prompted, lab.validation, ONCE), lab.ask(lab.student, lab.validation, ONCE)

    (prompted, said, plain), runner = within(recipe, monkeypatch, tmp_path, action)
    assert (prompted.n_rows, prompted.steps) == (3, 0)
    assert len(runner.sources.find(prompted).turns) == 3
    assert said["logprob"].to_pylist() != plain["logprob"].to_pylist()


def test_a_checkpoint_is_chosen_by_labels_that_a_method_gives(recipe, monkeypatch, tmp_path):
    """Labels that are the first checkpoint's own answers choose the first checkpoint, or one that says the same."""

    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
        settings = {"checkpoints": 3, "epochs": 3}
        first = lab.train(lab.student, rows, stage="a", select="last", settings={**settings, "epochs": 1})
        labels = lab.ask(first, lab.validation, ONCE).select(["example_id", "value"])
        chosen = lab.train(lab.student, rows, stage="b", select=labels, settings=settings)
        usual = lab.train(lab.student, rows, stage="c", settings=settings)
        with pytest.raises(ConfigError, match=r"takes questions of lab\.validation"):
            lab.train(lab.student, rows, select=lab.ask(lab.supervisors[0], lab.pool, variants=1))
        return chosen, usual

    (chosen, usual), _ = within(recipe, monkeypatch, tmp_path, action)
    assert chosen.key != usual.key
    assert 0 < chosen.chosen_step <= chosen.steps


def test_cells_pair_supervisors_with_students_as_the_grid_says(folder):
    weak, strong = {"model": str(folder / "weak"), "name": "a"}, {"model": str(folder / "strong"), "name": "b"}
    students = [{"model": str(folder / "weak")}, {"model": str(folder / "strong")}]

    def cells(grid):
        raw = tiny_run.recipe(folder, supervisors=[weak, strong], students=students, grid=grid)
        raw.pop("student")
        return cells_of(parse_recipe(raw))

    assert cells("each") == (
        Cell((0,), 0, "a to weak"), Cell((0,), 1, "a to strong"),
        Cell((1,), 0, "b to weak"), Cell((1,), 1, "b to strong"),
    )  # fmt: skip
    assert cells("smaller") == (Cell((0,), 1),)  # the small one teaches the large one
    assert cells("together") == (Cell((0, 1), 0, "a + b to weak"), Cell((0, 1), 1, "a + b to strong"))
    assert cells({"both": ["b", "a"]}) == (Cell((1, 0), 0, "both to weak"), Cell((1, 0), 1, "both to strong"))
    with pytest.raises(ConfigError, match=r"grid\.one: the 1st \(c\): unknown supervisor 'c'"):
        cells({"one": ["c"]})
    with pytest.raises(ConfigError, match=r"grid\.one: the 2nd \(a\): stands in this crowd already"):
        cells({"one": ["a", "a"]})


def test_crowds_of_one_student_are_cells_and_decide_jointly_each_for_itself(folder):
    names = "abc"
    supervisors = [{"model": str(folder / "weak"), "name": name} for name in names]
    grid = {"two": ["a", "b"], "three": ["c", "a", "b"]}
    raw = tiny_run.recipe(folder, supervisors=supervisors, grid=grid, methods=["raven"], seeds=[0], primary=None)
    recipe = parse_recipe(raw)
    assert cells_of(recipe) == (Cell((0, 1), 0, "two"), Cell((2, 0, 1), 0, "three"))
    needs = jobs_of(recipe)
    joint = {job.name: [names[each.place] for each in needs[job]] for job in needs if job.joint}
    assert joint == {"supervisors together, two": ["a", "b"], "supervisors together, three": ["c", "a", "b"]}
    arms = {job.name: [names[each.place] for each in needs[job]] for job in needs if job.arm}
    assert arms == {"two": ["a", "b"], "three": ["c", "a", "b"]}
    with pytest.raises(ConfigError, match=r"the 1st \(raven\): needs several annotators"):
        parse_recipe({**raw, "grid": {"two": ["a", "b"], "one": ["c"]}})


@dataclass(frozen=True)
class AgainstReference:
    """-log sigmoid of how much more probable a target has become than it is under the reference."""

    version: ClassVar[int] = 1
    reading: ClassVar[str] = "softmax"

    of_options: bool = False
    name: str = "against reference"

    def prepare(self, targets):
        return {}

    def __call__(self, outputs, batch, progress, state):
        from torch.nn.functional import softplus

        from outgrow.objectives.base import Losses
        from outgrow.objectives.losses import answer_nll, row_units
        from outgrow.objectives.options import choices

        if self.of_options:
            view = choices(outputs, batch)
            gained = ((view.logits - batch.fields["reference"]) * view.target).sum(dim=1)
        else:
            gained = -answer_nll(outputs.logits, batch.tokens) - batch.fields["reference"]
        return Losses(softplus(-gained), row_units(batch), {}, {})

    def advance(self, state, observed):
        return state


@pytest.mark.parametrize("of_options", [False, True])
def test_a_training_against_its_own_start_begins_at_ln_2(recipe, monkeypatch, tmp_path, of_options):
    """What the reference says was made as training reads the rows, so nothing has been gained at the first step."""

    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool))
        objective = AgainstReference(of_options)
        other = lab.train(lab.student, rows, objective, stage="other", reference=lab.supervisors[0])
        return lab.train(lab.student, rows, objective, reference=lab.student), other

    (own, other), runner = within(recipe, monkeypatch, tmp_path, action)
    losses = [step["loss"] for step in runner.fit_facts(own)["history"]]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)
    assert losses[-1] < losses[0] - 0.05
    assert abs(runner.fit_facts(other)["history"][0]["loss"] - math.log(2)) > 1e-3
    scores = runner.training_rows(own)["reference"].to_pylist()
    assert all(len(score) == 3 for score in scores) if of_options else all(score < 0 for score in scores)
    assert [use.name for use in runner.steps.store.log].count("reference") == 2


def test_a_reference_is_not_given_twice(recipe, monkeypatch, tmp_path):
    def action(lab):
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool))
        rows = rows.append_column("reference", pa.array([0.0] * rows.num_rows))
        with pytest.raises(ConfigError, match="a column 'reference' of their own"):
            lab.train(lab.student, rows, reference=lab.student)
        return True

    assert within(recipe, monkeypatch, tmp_path, action)[0]


def telling(folder):
    """The words in a file sorted by label, with ids and groups that say the label."""
    data = folder / "telling"
    data.mkdir()
    rows = [json.loads(line) for line in (folder / "words.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["label"])
    for i, row in enumerate(rows):
        row |= {"n": f"{row['label']}/{i:04}", "topic": f"{row['label']}-{i}"}
    (data / "words.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = tiny_run.recipe(folder, methods=["naive"], seeds=[0], primary=None)
    raw["task"] |= {"id": "n", "group": "topic", "splits": {**raw["task"]["splits"], "known": 20}}
    return parse_recipe({**raw, "data_dir": str(data)})


def test_neither_ids_nor_order_tell_a_method_what_gold_is(folder, monkeypatch, tmp_path):
    def action(lab):
        answers = lab.ask(lab.supervisors[0], lab.pool)
        rows = answer_rows(lab.ask(lab.supervisors[0], lab.known, variants=1))
        student = lab.train(lab.student, rows)
        bought = lab.known_gold()
        same = lab.in_form_of(bought, rows.select(["example_id"]).append_column("value", rows["target"]))
        return lab.pool, lab.known, lab.validation, answers, bought, student, rows, same

    recipe = telling(folder)
    (pool, known, validation, answers, bought, student, rows, same), runner = within(
        recipe, monkeypatch, tmp_path, action
    )
    gold = {row["example_id"]: row["value"] for row in runner.gold("pool").to_pylist()}
    assert all(i.startswith(value) for i, value in gold.items())  # the file's own ids say it
    for table in (pool, known, validation, answers, bought, rows, same):
        shown = [name for name in ("example_id", "group_id", "row_id", "source") if name in table.column_names]
        said = json.dumps(table.select(shown).to_pylist())
        assert not any(colour in said for colour in tiny_run.COLOURS)
        ids = list(dict.fromkeys(table["example_id"].to_pylist()))
        assert ids == sorted(ids, key=lambda i: sha256_text(0, i))
    assert list(dict.fromkeys(answers["example_id"].to_pylist())) == pool["example_id"].to_pylist()

    # what was trained on, and what the results say, stands under the file's ids
    trained = runner.training_rows(student)
    assert set(trained["example_id"].to_pylist()) == set(runner.examples("known")["example_id"].to_pylist())
    assert all(row["row_id"].startswith(row["example_id"] + "/") for row in trained.to_pylist())
    own = {row["question"]: row["example_id"] for row in runner.examples("known").to_pylist()}
    seen = {row["example_id"]: own[row["question"]] for row in known.to_pylist()}
    assert sorted((seen[row["example_id"]], row["target"]) for row in rows.to_pylist()) == sorted(
        (row["example_id"], row["target"]) for row in trained.to_pylist()
    )
    assert {seen[row["example_id"]]: row["value"] for row in bought.to_pylist()} == {
        row["example_id"]: row["value"] for row in runner.gold("known").to_pylist()
    }


def test_ids_that_a_task_makes_of_its_texts_stay_and_seeds_order_them_anew(recipe, monkeypatch, tmp_path):
    runner = StepRunner(recipe, Store(tmp_path / "store", unsealed=True))
    pool, opaque = runner.public("pool"), runner.opaque(("pool",))
    first, second = (opaque.hide(pool, seed)["example_id"].to_pylist() for seed in (0, 1))
    assert set(first) == set(second) == set(pool["example_id"].to_pylist())
    assert first != second
    assert opaque.show(opaque.hide(pool, 0)).num_rows == pool.num_rows
