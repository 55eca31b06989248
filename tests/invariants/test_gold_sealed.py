"""Gold is sealed: a method that did not declare `uses_gold=True` cannot get at it, whichever way it tries.

The labs are the real ones, built by `experiment.run_arm`; in place of the method `naive` stands one that tries.
"""

import csv
import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from outgrow.core.errors import ConfigError, DataError, SealedError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Student
from outgrow.core.tables import EXAMPLES, GOLD, ROWS, build, make_example_id
from outgrow.experiment.cells import Cell
from outgrow.experiment.graph import Job, run_arm
from outgrow.experiment.lab import gold_values
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import StepRequest
from outgrow.methods import METHODS, MethodSpec
from outgrow.methods.naive import Naive
from outgrow.methods.rows import gold_rows
from outgrow.recipe.recipe import parse_recipe
from outgrow.store import Step, Store
from outgrow.tasks.base import Task
from outgrow.tasks.table import TableTask
from outgrow.tasks.table_config import TableConfig

TRAIN = {"epochs": 1, "batch_size": 4, "max_length": 64, "checkpoints": 1}


def make_bench(model, folder, family="choice", known=0):
    questions = {"supervisor_train": 8, "pool": 12, "validation": 4, "test": 6, "known": known}
    mix = {"one_step": 1.0} if family == "sums" else "natural"
    recipe = parse_recipe(
        {
            "task": {"kind": "microworld", "family": family, "mix": mix, "questions": questions},
            "supervisors": [{"model": str(model), "name": "weak"}],
            "ask": {"variants": 3},
            "student": {"model": str(model)},
            "train": TRAIN,
            "methods": ["naive", "strong_ceiling"],
            "seeds": [0],
        }
    )
    return StepRunner(recipe, Store(folder / "store", unsealed=True))


@pytest.fixture(scope="module")
def runner(tiny_lm, tmp_path_factory):
    return make_bench(tiny_lm, tmp_path_factory.mktemp("sealed"), "choice")


@pytest.fixture(scope="module")
def supervisors(runner):
    return (runner.tune_supervisor(0, 0),)


@pytest.fixture
def within(runner, supervisors, monkeypatch):
    """Runs `action(lab)` as the body of a method, by default an undeclared one, and gives back what it gave."""

    def run(action, *, uses_gold=False, own=runner, sources=supervisors):
        found = []

        def method(lab, config):
            found.append(action(lab))
            return Student("naive", "no-model")

        monkeypatch.setitem(METHODS, "naive", MethodSpec("naive", Naive, method, uses_gold=uses_gold))
        run_arm(own, Job(0, "naive"), Cell((0,), 0), sources)
        return found[0]

    return run


# lab.gold -----------------------------------------------------------------------------------------------------------


def test_lab_gold_refuses_a_method_that_did_not_declare_it(within):
    message = "the method 'naive' asked for gold labels but is not declared uses_gold=True"
    for questions in (lambda lab: lab.pool, lambda lab: lab.validation, lambda lab: lab.pool.slice(0, 1)):
        with pytest.raises(SealedError, match=message):
            within(lambda lab, of=questions: lab.gold(of(lab)))


def test_the_private_function_behind_lab_gold_refuses_too(within):
    with pytest.raises(SealedError, match="not declared uses_gold=True"):
        within(lambda lab: lab._gold(lab.pool))


def test_a_declared_method_gets_gold_of_pool_and_validation_and_not_of_test(within, runner):
    some, *found = within(
        lambda lab: (lab.pool.slice(2, 3), lab.gold(lab.pool.slice(2, 3)), lab.gold(lab.validation)), uses_gold=True
    )
    assert gold_values(found[0]).items() <= gold_values(runner.gold("pool")).items()
    assert list(gold_values(found[0])) == some["example_id"].to_pylist()
    assert gold_values(found[1]) == gold_values(runner.gold("validation"))
    with pytest.raises(ConfigError, match=r"lab\.validation, lab\.supervisor_train: of one"):
        within(lambda lab: lab.gold(runner.examples("test")), uses_gold=True)


def test_the_lab_judges_what_equals_a_gold_that_the_method_has_and_no_other(within, runner, monkeypatch):
    plain = runner.plain_task

    class Judge:
        def __getattr__(self, name):
            return getattr(plain, name)

        def canonicalise(self, answers):
            lower = [value.lower() for value in answers["value"].to_pylist()]
            return answers.set_column(answers.column_names.index("value"), "value", pa.array(lower, pa.string()))

    monkeypatch.setattr(runner, "plain_task", Judge())
    gold = pa.table({"example_id": ["q1", "q2"], "value": ["Red", "Blue"]})
    said = pa.table({"example_id": ["q1", "q2", "q2"], "value": ["RED", "red", None]})
    assert within(lambda lab: lab.in_form_of(gold, said))["value"].to_pylist() == ["Red", "red", None]


def test_gold_of_known_is_for_any_method_and_is_charged_to_it(tiny_lm, tmp_path, monkeypatch):
    runner = make_bench(tiny_lm, tmp_path, known=4)
    supervisors = (runner.tune_supervisor(0, 0),)
    bought = []

    def method(lab, config):
        bought.append((lab.known, lab.known_gold()))
        lab.ask(lab.supervisors[0], lab.known)
        return Student("naive", "no-model")

    monkeypatch.setitem(METHODS, "naive", MethodSpec("naive", Naive, method))
    done = run_arm(runner, Job(0, "naive"), Cell((0,), 0), supervisors)
    ((questions, gold),) = bought
    assert set(questions["example_id"].to_pylist()) == set(runner.examples("known")["example_id"].to_pylist())
    assert gold_values(gold) == gold_values(runner.gold("known"))
    assert questions["meta"].null_count == 4
    assert (done.known, done.asked) == (4, 4 * runner.recipe.ask.variants)


# lab.pool and its meta ----------------------------------------------------------------------------------------------


def test_pool_and_validation_have_the_columns_of_examples_and_no_meta(within, runner):
    assert runner.examples("pool")["meta"].null_count == 0  # the runner itself sees strata and cues
    for table in within(lambda lab: (lab.pool, lab.validation)):
        assert table.schema.names == EXAMPLES.names
        assert table["meta"].null_count == table.num_rows
        assert not table.schema.metadata
    ids = within(lambda lab: lab.pool["example_id"].to_pylist())
    assert set(ids) == set(runner.examples("pool")["example_id"].to_pylist())


def test_of_meta_only_the_keys_that_a_task_makes_public_are_shown(within, runner, monkeypatch):
    monkeypatch.setattr(type(runner.task), "public_meta", property(lambda self: ("relation",)))
    shown = [json.loads(meta) for meta in within(lambda lab: lab.pool)["meta"].to_pylist()]
    assert {key for meta in shown for key in meta} == {"relation"}


def test_the_place_of_gold_among_the_options_is_not_fixed(runner):
    places = set()
    for split in ("pool", "test", "supervisor_train"):
        truth = gold_values(runner.gold(split))
        rows = runner.examples(split).select(["example_id", "choices"]).to_pylist()
        places |= {row["choices"].index(truth[row["example_id"]]) for row in rows}
    assert places == {0, 1, 2, 3}


def test_a_change_to_the_methods_pool_does_not_reach_the_bench(within, runner):
    before = runner.examples("pool")

    def tamper(lab):
        lab.pool = lab.pool.slice(0, 1)
        return lab.pool.num_rows

    assert within(tamper) == 1
    assert runner.examples("pool") is before
    assert within(lambda lab: lab.pool.num_rows) == 12


# ids ----------------------------------------------------------------------------------------------------------------


def test_ids_are_made_of_task_question_and_choices_alone(within, runner):
    for row in within(lambda lab: lab.pool).to_pylist():
        assert row["example_id"] == make_example_id("microworld/choice", row["question"], row["choices"])


def test_the_same_question_with_other_gold_has_the_same_id_split_and_place(tmp_path):
    tables = []
    for shift in (0, 1):  # the same questions, every gold label another one
        path = tmp_path / f"{shift}" / "data.csv"
        path.parent.mkdir()
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows([[f"question {i}", "abc"[(i * i + shift) % 3]] for i in range(60)])
        config = TableConfig(path="data.csv", text="text", label="label", name="same")
        tables.append(TableTask(config, data_dir=path.parent))
    for split in ("pool", "validation", "test", "supervisor_train"):
        first, second = (table.examples(split) for table in tables)
        assert first == second
        golds = [table.gold(split)["value"].to_pylist() for table in tables]
        assert all(a != b for a, b in zip(*golds, strict=True))


# Attributes ---------------------------------------------------------------------------------------------------------


def attributes(thing, seen):
    """Everything that can be reached from `thing` by attributes, elements and bound methods, functions not entered."""
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | bool | type | type(None) | pa.ChunkedArray):
        return
    seen[id(thing)] = thing
    if isinstance(thing, pa.Table):
        return
    if isinstance(thing, dict):
        parts = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set):
        parts = list(thing)
    else:
        slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
        parts = [getattr(thing, name, None) for name in (*slots, "__self__", "__wrapped__", "__defaults__")]
        parts += list(getattr(thing, "__dict__", {}).values())
    for part in parts:
        attributes(part, seen)


def test_nothing_that_holds_gold_can_be_reached_through_the_labs_attributes(within):
    def walk(lab):
        assert not hasattr(lab, "__dict__")
        seen = {}
        attributes(lab, seen)
        return list(seen.values())

    found = within(walk)
    tables = [thing for thing in found if isinstance(thing, pa.Table)]
    assert len(tables) == 4  # pool, validation, known, supervisor_train
    assert all(table.schema.names == EXAMPLES.names and table["meta"].null_count == len(table) for table in tables)
    assert not any(isinstance(thing, StepRunner | Store | Task) for thing in found)
    assert len(found) > 8


def test_a_method_cannot_declare_itself_while_it_runs(within):
    def declare(lab):
        lab.uses_gold = True

    with pytest.raises(AttributeError):
        within(declare)


# Asking and training ------------------------------------------------------------------------------------------------


def test_only_pool_known_and_validation_can_be_asked_about(within, runner):
    for split in ("test", "supervisor_train"):
        table = runner.examples(split)
        with pytest.raises(ConfigError, match=r"lab\.pool, lab\.validation, lab\.known: of one"):
            within(lambda lab, asked=table: lab.ask(lab.supervisors[0], asked))


def test_training_rows_about_questions_of_other_splits_are_refused(within, runner):
    rows = gold_rows(runner.gold("test")).set_column(2, ROWS.field("source"), pa.array(["mine"] * 6))
    with pytest.raises(DataError, match="which is not in the pool"):
        within(lambda lab: lab.train(lab.student, rows))


def test_rows_that_claim_to_be_gold_are_refused(tiny_lm, tmp_path, within):
    """For sums the runner writes the worked answer of gold rows: a false label would be trained on as the truth."""
    sums = make_bench(tiny_lm, tmp_path, "sums")
    untrained = sums.sources.base(sums.recipe.supervisors[0], "weak").source

    def forge(lab):
        ids = lab.pool["example_id"].to_pylist()
        forged = build(GOLD, {"example_id": ids, "objective": ["truth"] * 12, "value": ["0"] * 12})
        return lab.train(lab.student, gold_rows(forged))

    with pytest.raises(SealedError, match="source 'gold'"):
        within(forge, own=sums, sources=(untrained,))


def test_checkpoints_of_an_undeclared_method_are_chosen_by_the_supervisors_labels(within, runner, supervisors):
    student = within(lambda lab: METHODS_NAIVE(lab, Naive()))
    said = runner.answer(supervisors[0], "validation", seed=0, full=False)
    labels = dict(zip(said["example_id"].to_pylist(), said["value"].to_pylist(), strict=True))
    inputs = runner.steps.store.open(student.key).manifest["inputs"]
    assert inputs["validation"] == sha256_text(sorted(labels.items()))
    assert labels != gold_values(runner.gold("validation"))


METHODS_NAIVE = METHODS["naive"].function  # before any test puts another in its place


# The store ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ceiling(runner, supervisors):
    """The student of the strong ceiling: its training rows hold gold."""
    student = run_arm(runner, Job(0, "strong_ceiling"), Cell((0,), 0), supervisors).student
    runner.answer(student, "test", seed=0, full=False)
    return student


def test_a_store_opened_like_any_other_does_not_read_results_that_hold_gold(runner, supervisors, ceiling):
    assert set(runner.training_rows(ceiling)["source"].to_pylist()) == {"gold"}  # it is there, for the runner
    store = Store(runner.steps.store.path)
    for source in (ceiling, supervisors[0]):
        with pytest.raises(SealedError, match="holds gold labels and is sealed"):
            store.open(source.key)


def test_a_sealed_result_is_not_had_by_naming_its_step_either(runner, ceiling):
    facts = runner.steps.store.open(ceiling.key).manifest
    step = Step(facts["step"], facts["version"], facts["config"], facts["inputs"])
    assert step.key == ceiling.key
    with pytest.raises(SealedError):
        Store(runner.steps.store.path).get(step)
    with pytest.raises(SealedError):
        Store(runner.steps.store.path).make(step, lambda work: work.save_json({}, "fit.json"))


def test_the_manifests_that_a_store_lists_tell_no_gold(runner, ceiling):
    manifests = list(Store(runner.steps.store.path).steps())
    assert any(manifest["meta"].get("sealed") for manifest in manifests)
    known = {i for split in runner.task.splits for i in runner.examples(split)["example_id"].to_pylist()}
    text = json.dumps([dict(manifest) for manifest in manifests])
    assert not any(example_id in text for example_id in known)


def test_results_that_are_not_sealed_hold_no_gold(within, runner, supervisors, ceiling):
    within(lambda lab: METHODS_NAIVE(lab, Naive()))
    store = Store(runner.steps.store.path)
    truth = {**gold_values(runner.gold("pool")), **gold_values(runner.gold("test"))}
    kinds = set()
    for manifest in store.steps():
        if manifest["meta"].get("sealed"):
            continue
        artefact = store.open(manifest["key"])
        kinds.add(artefact.step)
        for file in artefact.files:
            if not file.endswith(".parquet"):
                continue
            table = artefact.table(file)
            if "source" in table.schema.names:
                assert not pc.any(pc.equal(table["source"], "gold")).as_py()
            assert "gold" not in table.schema.names
            said = table["value" if "value" in table.schema.names else "target"].to_pylist()
            pairs = list(zip(table["example_id"].to_pylist(), said, strict=True))
            assert any(truth.get(i, v) != v for i, v in pairs) or set(truth).isdisjoint(i for i, _ in pairs)
    assert kinds == {"answer", "train"}


def test_a_step_of_the_methods_own_does_not_open_a_sealed_result(within, runner, ceiling):
    facts = runner.steps.store.open(ceiling.key).manifest

    class Names(StepRequest):
        step = Step(facts["step"], facts["version"], facts["config"], facts["inputs"])
        what = "naming the ceiling"

        def make(self, work):
            raise AssertionError

        def read(self, artefact):
            return artefact.table("rows.parquet")

        def sketch(self):
            raise AssertionError

    with pytest.raises(SealedError, match="asked for a step whose result holds gold"):
        within(lambda lab: lab.do(Names()))
