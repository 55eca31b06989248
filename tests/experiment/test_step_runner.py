"""The runner: models kept apart, training rows in words, and what the keys of its steps depend on."""

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.lab import Source
from outgrow.core.tables import ANSWERS, ROWS, build, iter_examples
from outgrow.experiment.lab import gold_values, identity_values
from outgrow.experiment.sources import content_hash
from outgrow.experiment.step_runner import StepRunner
from outgrow.methods.rows import gold_rows
from outgrow.recipe.recipe import parse_recipe
from outgrow.store import Store
from outgrow.training.render import render_rows

QUESTIONS = {"supervisor_train": 6, "pool": 8, "validation": 4, "test": 4}


@pytest.fixture
def make(tiny_lm, tmp_path):
    """Benches over the microworld with the tiny model as both supervisor and student."""

    def runner(family="choice", supervisor=None, student=None, **changes):
        task = {"kind": "microworld", "family": family, "questions": QUESTIONS}
        raw = {
            "task": task if family == "sums" else {**task, "mix": "natural"},
            "supervisors": [{"model": str(tiny_lm), "name": "weak", **(supervisor or {})}],
            "student": {"model": str(tiny_lm), **(student or {})},
            "ask": {"variants": 2},
            "train": {"epochs": 1, "batch_size": 4, "max_length": 64, "checkpoints": 1},
            "methods": ["naive"],
            "seeds": [0],
            **changes,
        }
        return StepRunner(parse_recipe(raw), Store(tmp_path / "store", unsealed=True))

    return runner


# Models -------------------------------------------------------------------------------------------------------------


def test_one_folder_cut_to_its_first_layer_and_whole_are_two_models(make):
    runner = make(supervisor={"layers": 1})
    weak = runner.sources.base(runner.recipe.supervisors[0], "weak")
    strong = runner.sources.base(runner.recipe.student, "student")
    assert weak.source.key != strong.source.key
    assert runner.sources.find(weak.source).ref.layers == 1
    assert runner.sources.find(strong.source).ref.layers is None
    layers = [
        len(runner.sources.load(runner.sources.find(start.source)).model.model.layers) for start in (weak, strong)
    ]
    assert layers == [1, 2]


def test_a_student_trained_beside_a_cut_supervisor_keeps_all_its_layers(make):
    runner = make(supervisor={"layers": 1})
    runner.tune_supervisor(0, 0)
    student = runner.sources.base(runner.recipe.student, "student")
    rows = gold_rows(runner.gold("pool"))
    trained = runner.train(
        student,
        rows,
        name="arm",
        examples=runner.examples("pool"),
        config=runner.recipe.train,
        seed=0,
        steps=1,
        sealed=True,
    )
    assert len(runner.sources.load(runner.sources.find(trained)).model.model.layers) == 2


def test_the_same_model_in_the_same_use_is_one_model_under_any_name(make):
    runner = make()
    weak = runner.sources.base(runner.recipe.supervisors[0], "weak")
    strong = runner.sources.base(runner.recipe.student, "student")
    assert weak.source.key == strong.source.key
    assert (weak.source.name, strong.source.name) == ("weak", "student")


def test_a_model_from_elsewhere_is_refused(make):
    with pytest.raises(DataError, match="'stranger' is not a model of this lab"):
        make().sources.find(Source("stranger", "0" * 64))


def test_a_classifier_needs_a_task_with_classes(make):
    runner = make(student={"head": "classifier"})
    with pytest.raises(ConfigError, match="task 'microworld/choice' has no fixed classes, so head 'classifier' cannot"):
        runner.sources.load(runner.sources.base(runner.recipe.student, "student"))


# Words --------------------------------------------------------------------------------------------------------------


def rows_of(*given):
    """Rows of (example_id, source, variant, target or probabilities)."""
    return build(
        ROWS,
        {
            "row_id": [f"r{i}" for i in range(len(given))],
            "example_id": [g[0] for g in given],
            "source": [g[1] for g in given],
            "variant": [g[2] for g in given],
            "target": [g[3] if isinstance(g[3], str) else None for g in given],
            "probabilities": [g[3] if isinstance(g[3], dict) else None for g in given],
            "weight": [0.5] * len(given),
        },
    )


def words(runner, rows):
    return render_rows(runner.task, rows, runner.examples("pool"))


def examples_of(runner):
    return {e.example_id: e for e in iter_examples(runner.examples("pool"))}


def test_rows_are_worded_in_their_own_variant(make):
    runner = make()
    examples = examples_of(runner)
    example = next(iter(examples.values()))
    first, second = words(
        runner,
        rows_of(
            (example.example_id, "weak", 0, example.choices[2]), (example.example_id, "weak", 1, example.choices[2])
        ),
    )
    assert first.prompt == runner.task.wording(example, 0).prompt
    assert second.prompt == runner.task.wording(example, 1).prompt != first.prompt
    assert (first.target, first.row_id, first.weight) == (example.choices[2], "r0", 0.5)


def test_soft_rows_follow_the_order_of_the_options_and_sum_to_one(make):
    runner = make()
    examples = examples_of(runner)
    example = next(iter(examples.values()))
    shares = {example.choices[3]: 0.3, example.choices[0]: 0.1, "elsewhere": 0.6}
    (row,) = words(runner, rows_of((example.example_id, "weak", 1, shares)))
    # one cyclic shift: options 1, 2, 3, 0; what is no option of the question counts nothing
    assert row.options == (*example.choices[1:], example.choices[0])
    assert row.probabilities == pytest.approx((0, 0, 0.75, 0.25))
    assert row.target is None


def test_gold_rows_of_sums_are_worked_answers_and_others_stay_as_they_are(make):
    runner = make("sums")
    truth = gold_values(runner.gold("pool"))
    name, value = next(iter(truth.items()))
    gold, said = words(runner, rows_of((name, "gold", 0, value), (name, "weak", 0, "So 5")))
    assert gold.target.endswith(f"So {value}")
    assert "=" in gold.target
    assert said.target == "So 5"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("nowhere", "weak", 0, "moss"), "training row 'r0' asks example 'nowhere', which is not in the pool"),
        ((None, "weak", 0, {"elsewhere": 1.0}), "gives no probability to any of"),
        ((None, "weak", 0, "elsewhere"), "'elsewhere' is not among the options"),
        ((None, "weak", 99, "moss"), "variant 99 asked of microworld/choice"),
    ],
)
def test_rows_that_cannot_be_put_into_words_are_refused(make, row, message):
    runner = make()
    examples = examples_of(runner)
    row = (next(iter(examples)) if row[0] is None else row[0], *row[1:])
    with pytest.raises((DataError, ConfigError), match=message):
        words(runner, rows_of(row))


def test_soft_labels_of_questions_without_options_are_refused(make):
    runner = make("sums")
    examples = examples_of(runner)
    with pytest.raises(DataError, match="has probabilities, but its question has no options"):
        words(runner, rows_of((next(iter(examples)), "weak", 0, {"3": 1.0})))


# Keys ---------------------------------------------------------------------------------------------------------------


def trained_key(runner, **changes):
    rows = gold_rows(runner.gold("pool"))
    settings = {"seed": 0, "steps": 1, "config": runner.recipe.train, "validation": {}, **changes}
    start = runner.sources.base(runner.recipe.student, "student")
    return runner.train(start, rows, name="arm", examples=runner.examples("pool"), sealed=True, **settings).key


def test_the_key_of_a_training_depends_on_what_decides_it(make, monkeypatch):
    import outgrow.models.loading
    import outgrow.training.loop

    class Found:
        history, scores, chosen_step, truncated_prompts, boundary_mismatches = (), (), 1, 0, 0

    def save(loaded, folder):
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(outgrow.training.loop, "fit", lambda *args, **kwargs: Found)
    monkeypatch.setattr(outgrow.models.loading, "save", save)
    runner = make()
    base = trained_key(runner)
    assert trained_key(make()) == base
    assert trained_key(make(evaluation={"metrics": ["macro_f1"]}, seeds=[0, 1], jobs=2)) == base  # decides nothing here
    others = [
        trained_key(runner, seed=1),
        trained_key(runner, steps=2),
        trained_key(runner, validation={"q": "a"}),
        trained_key(runner, validation=None),
        trained_key(runner, config=runner.recipe.train.model_copy(update={"learning_rate": 0.5})),
        trained_key(make(threads=2)),
        trained_key(make(student={"layers": 1})),
        trained_key(make(ask={"variants": 2, "decoding": "generate"})),  # decides which checkpoint is chosen
    ]
    assert len({base, *others}) == 1 + len(others)


def test_the_key_of_answers_leaves_out_a_seed_that_decides_nothing(make, monkeypatch):
    import outgrow.supervisors.local

    def answer(loaded, task, examples, *, source, **settings):
        ids = examples["example_id"].to_pylist()
        zeros = [0] * len(ids)
        return build(ANSWERS, {"example_id": ids, "source": [source] * len(ids), "variant": zeros, "sample": zeros})

    monkeypatch.setattr(outgrow.supervisors.local, "answer", answer)

    def key(runner, seed, full):
        source = runner.sources.base(runner.recipe.student, "student").source
        table = runner.answer(source, "test", seed=seed, full=full)
        assert set(table["source"].to_pylist()) == {"student"}
        return runner.steps.store.log[-1].key

    greedy, drawn = make(), make(ask={"variants": 2, "temperature": 1.0})
    assert key(greedy, 0, True) == key(make(), 1, True)
    assert key(drawn, 0, True) != key(make(ask={"variants": 2, "temperature": 1.0}), 1, True)
    assert key(drawn, 0, False) == key(make(), 5, False)  # the identity's first answer is always greedy


def test_a_tables_hash_is_that_of_its_rows(make):
    table = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)]).replace_schema_metadata({"k": "v"})
    assert content_hash(chunked) == content_hash(table)
    assert content_hash(table.take([1, 0, 2])) != content_hash(table)


def test_identity_values_are_the_valid_first_answers_to_variant_0():
    answers = build(
        ANSWERS,
        {
            "example_id": ["a", "a", "a", "b"],
            "source": ["s"] * 4,
            "variant": [0, 0, 1, 0],
            "sample": [0, 1, 0, 0],
            "value": ["x", "y", "z", None],
        },
    )
    assert identity_values(answers) == {"a": "x"}


def test_a_generated_choice_is_trained_on_as_the_students_own_prompt_says_it(make):
    """The supervisor read the options in another order and said "B."; in the identity wording its option is another."""
    from outgrow.methods.rows import imitation_rows
    from outgrow.reliability import agreement
    from outgrow.training.render import without_option_texts

    runner = make(task={"kind": "microworld", "mix": "natural", "questions": QUESTIONS, "answer": "letter"})
    example = next(iter_examples(runner.examples("pool")))
    wording = runner.task.wording(example, 1)
    value = wording.values[wording.options.index("B")]
    said = {"example_id": [example.example_id] * 2, "source": ["weak"] * 2, "variant": [0, 1], "sample": [0, 0]}
    said |= {"text": ["?", "B."], "value": [None, value], "finish_reason": ["stop", "stop"]}
    answers = without_option_texts(build(ANSWERS, said), runner.with_options("pool"))
    (row,) = words(runner, imitation_rows(agreement(answers), answers))
    identity = runner.task.wording(example, 0)
    assert row.prompt == identity.prompt
    assert identity.values[identity.options.index(row.target)] == value
    assert row.target != "B"
