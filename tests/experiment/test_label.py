"""Answers without an experiment, from each kind of supervisor and in each kind of wording."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import Example, iter_examples
from outgrow.experiment.label import label
from outgrow.experiment.step_runner import StepRunner
from outgrow.io import as_answers
from outgrow.recipe.recipe import load_labelling, parse_labelling
from outgrow.store import Store
from outgrow.training.render import render_rows, with_options, without_option_texts

QUESTIONS = {"supervisor_train": 6, "pool": 8, "validation": 4, "test": 4}
TASK = {"kind": "microworld", "mix": "natural", "questions": QUESTIONS}


def recipe(model, **changes):
    supervisor = {"model": str(model), "name": "weak", "train": None}
    return {"task": TASK, "supervisors": [supervisor], "ask": {"variants": 3}, **changes}


def test_a_model_answers_every_question_of_a_split_in_every_wording(tiny_lm, tmp_path):
    found = label(recipe(tiny_lm), split="validation", store=tmp_path)
    keys = zip(*(found.answers[name].to_pylist() for name in ("example_id", "variant")), strict=True)
    task = parse_labelling(recipe(tiny_lm)).build_task()
    assert list(keys) == [(i, v) for i in task.examples("validation")["example_id"].to_pylist() for v in range(3)]
    assert (found.supervisor, found.usage) == ("weak", ())
    assert set(found.answers["source"].to_pylist()) == {"weak"}


def test_what_a_recipe_says_about_students_is_left_aside(tmp_path):
    (tmp_path / "r.yaml").write_text(
        json.dumps({"task": TASK, "supervisors": [{"model": "microworld/mini"}], "student": 3, "methods": "nonsense"})
    )
    assert load_labelling(tmp_path / "r.yaml").supervisors[0].name == "mini"
    with pytest.raises(ConfigError, match="supervisor: unknown key; did you mean 'supervisors'"):
        parse_labelling({"task": TASK, "supervisor": [{"model": "microworld/mini"}]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "pond"}, "unknown split 'pond'"),
        ({"supervisor": "week"}, "unknown supervisor 'week'; did you mean 'weak'?"),
    ],
)
def test_wrong_names_are_told_with_the_right_ones(tiny_lm, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        label(recipe(tiny_lm), store=tmp_path, **options)


# Demonstrations -----------------------------------------------------------------------------------------------------


def test_demonstrations_change_what_a_model_is_asked_but_not_the_question(tiny_lm, tmp_path):
    plain = label(recipe(tiny_lm), store=tmp_path).answers
    ask = {"variants": 3, "demonstrations": 2}
    shown = label(recipe(tiny_lm, ask=ask), store=tmp_path).answers
    assert shown["prompt"] == plain["prompt"]
    assert shown["logprob"] != plain["logprob"]


def test_rotated_demonstrations_are_wordings_of_their_own(tiny_lm, tmp_path):
    ask = {"variants": 3, "demonstrations": 3, "kinds": ["demonstrations"]}
    answers = label(recipe(tiny_lm, ask=ask), store=tmp_path).answers
    kinds = pc.struct_field(answers["wording"], "kind").to_pylist()
    assert kinds == ["identity", "demonstrations", "demonstrations"] * 8
    by_variant = [answers.filter(pc.equal(answers["variant"], v)) for v in range(3)]
    assert by_variant[0]["prompt"] == by_variant[1]["prompt"] == by_variant[2]["prompt"]
    assert by_variant[0]["logprob"] != by_variant[1]["logprob"] != by_variant[2]["logprob"]


def test_the_seed_draws_the_demonstrations(tiny_lm, tmp_path):
    ask = {"variants": 1, "demonstrations": 2}
    zero, one = (label(recipe(tiny_lm, ask=ask), seed=seed, store=tmp_path).answers for seed in (0, 1))
    assert zero["logprob"] != one["logprob"]


def test_rotation_needs_two_demonstrations_and_a_paraphraser_needs_paraphrases(tiny_lm):
    with pytest.raises(ConfigError, match=r"ask.demonstrations: rotating demonstrations needs two or more"):
        parse_labelling(recipe(tiny_lm, ask={"kinds": ["demonstrations"], "demonstrations": 1}))
    with pytest.raises(ConfigError, match=r"ask.kinds: a paraphraser needs 'paraphrase' among ask.kinds"):
        parse_labelling(recipe(tiny_lm, ask={"paraphraser": {"model": "microworld/base"}}))
    for writer, message in (
        ({"kind": "file", "path": "a.csv"}, "a file cannot write paraphrases"),
        ({"model": "microworld/base", "train": {}}, "a paraphraser is taken as it is; leave 'train' out"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_labelling(recipe(tiny_lm, ask={"kinds": ["paraphrase"], "paraphraser": writer}))
    message = "ask.paraphraser: the first supervisor, 'answers.jsonl', is a file and cannot write paraphrases"
    with pytest.raises(ConfigError, match=message):
        parse_labelling({**file_recipe("."), "ask": {"kinds": ["paraphrase"], "variants": 2}})


# Paraphrases --------------------------------------------------------------------------------------------------------


def test_the_supervisors_own_paraphrases_are_asked_and_trained_on_as_they_were_written(tmp_path):
    """The small model writes word salad; what counts here is that every usable salad goes where it belongs."""
    raw = recipe("microworld/mini", ask={"variants": 3, "kinds": ["paraphrase", "task"]})
    answers = label(raw, store=tmp_path).answers
    runner = StepRunner(parse_labelling(raw), Store(tmp_path, unsealed=True))
    runner.reword()
    examples = {e.example_id: e for e in iter_examples(runner.examples("pool"))}
    asked = answers.select(["example_id", "variant", "prompt", "wording"]).to_pylist()
    reworded = [row for row in asked if row["wording"]["kind"] == "paraphrase"]
    assert reworded
    assert all(examples[row["example_id"]].question not in row["prompt"] for row in reworded)
    assert {row["variant"] for row in reworded} == {1}
    own = {row["example_id"]: row["prompt"] for row in asked if row["variant"] == 2}
    assert own == {i: runner.plain_task.wording(example, 1).prompt for i, example in examples.items()}
    from outgrow.methods.rows import answer_rows

    rows = answer_rows(answers)
    worded = render_rows(runner.task, rows, runner.examples("pool"))
    said = {row["row_id"]: row["prompt"] for row in rows.to_pylist()}
    assert all(row.prompt == said[row.row_id] for row in worded)
    steps = [use.detail for use in runner.steps.store.log if use.name == "answer"]
    assert steps == ["weak paraphrases pool", "weak paraphrases test"]
    assert all(use.cached for use in runner.steps.store.log)


# Words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "kept"), [("claim", None), ("sums", "Let me see. So 7.")])
def test_a_question_with_options_is_trained_on_in_its_options_words(family, kept, tiny_lm, tmp_path):
    """ "Yes." was read as "yes": the target is "yes". A worked sum has no options and stays as it was said."""
    from outgrow.methods.rows import answer_rows

    mix = "sums" if family == "sums" else "natural"
    raw = recipe(tiny_lm, task={"kind": "microworld", "family": family, "mix": mix, "questions": QUESTIONS})
    runner = StepRunner(parse_labelling(raw), Store(tmp_path, unsealed=True))
    questions = runner.examples("pool").slice(0, 1)
    value, text = ("yes", "Yes.") if family == "claim" else ("7", kept)
    said = as_answers(
        pa.table({"example_id": questions["example_id"], "value": [value], "text": [text], "finish_reason": ["stop"]})
    )
    plain = without_option_texts(said, with_options(runner.task, questions))
    assert plain["text"].to_pylist() == [kept]
    (row,) = render_rows(runner.task, answer_rows(plain), questions)
    assert row.target == (kept or "yes")


# Files --------------------------------------------------------------------------------------------------------------


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def file_recipe(folder, **options):
    supervisor = {"kind": "file", "path": "answers.jsonl", **options}
    return {"task": TASK, "supervisors": [supervisor], "ask": {"variants": 3}, "data_dir": str(folder)}


@pytest.fixture
def pool():
    return list(iter_examples(parse_labelling(recipe("microworld/mini")).build_task().examples("pool")))


def test_answers_given_before_are_a_supervisor(tmp_path, pool):
    rows = [{"example_id": e.example_id, "value": e.choices[k]} for e in pool[:3] for k in (0, 0, 1)]
    write(tmp_path / "answers.jsonl", [*rows, {"example_id": pool[3].example_id, "value": "gibberish"}])
    found = label(file_recipe(tmp_path), store=tmp_path / "store")
    assert found.supervisor == "answers.jsonl"
    assert found.answers["value"].to_pylist() == [row["value"] for row in rows] + [None]  # no option: invalid
    assert found.answers["sample"].to_pylist() == [0, 1, 2] * 3 + [0]
    task = parse_labelling(file_recipe(tmp_path)).build_task()
    prompts = {example.example_id: task.wording(example, 0).prompt for example in pool}
    assert all(row["prompt"] == prompts[row["example_id"]] for row in found.answers.to_pylist())


def test_all_answers_of_a_file_count_where_a_task_has_one_wording_and_the_first_where_one_is_asked_for(tmp_path):
    rows = [{"n": f"r{i}", "q": f"question {i}", "a": "good"} for i in range(6)]
    write(tmp_path / "q.jsonl", rows)
    write(tmp_path / "answers.jsonl", [{"example_id": f"r{i}", "value": v} for i in range(6) for v in ("good", "bad")])
    task = {"kind": "table", "path": "q.jsonl", "text": "q", "id": "n", "label": "a", "answer": "text",
            "splits": {"validation": 1, "test": 1, "pool": "rest"}}  # fmt: skip
    raw = parse_labelling({**file_recipe(tmp_path), "task": task})
    runner = StepRunner(raw, Store(tmp_path / "store", unsealed=True))
    assert runner.task.n_variants == 1
    for full, said in ((True, ["good", "bad"]), (False, ["good"])):
        found = runner.answer(runner.sources.supervisor(runner.recipe.supervisors[0]), "test", seed=0, full=full)
        assert found["value"].to_pylist() == said


def test_samples_that_are_counted_from_one_begin_at_nought(tmp_path, pool):
    first, second = pool[0], pool[1]
    rows = [{"example_id": e.example_id, "value": e.choices[k], "variant": v, "sample": s} for e, k, v, s in (
        (first, 1, 0, 2), (first, 0, 0, 1), (second, 2, 0, 5), (first, 3, 1, 1))]  # fmt: skip
    write(tmp_path / "answers.jsonl", rows)
    said = label(file_recipe(tmp_path), store=tmp_path / "store").answers
    assert said.select(["variant", "sample", "value"]).to_pylist() == [
        {"variant": 0, "sample": 1, "value": first.choices[1]}, {"variant": 0, "sample": 0, "value": first.choices[0]},
        {"variant": 0, "sample": 0, "value": second.choices[2]}, {"variant": 1, "sample": 0, "value": first.choices[3]},
    ]  # fmt: skip


def test_a_crowds_file_needs_to_be_told_how_its_workers_count(tmp_path, pool):
    rows = [{"task": pool[0].example_id, "worker": w, "label": pool[0].choices[k]} for w, k in (("ann", 1), ("bob", 2))]
    write(tmp_path / "answers.jsonl", rows)
    with pytest.raises(DataError, match=r"answers of 2 sources \('ann', 'bob', ...\); choose one with source: NAME"):
        label(file_recipe(tmp_path), store=tmp_path / "store")
    bob = label(file_recipe(tmp_path, source="bob"), store=tmp_path / "store").answers
    assert bob["value"].to_pylist() == [pool[0].choices[2]]
    crowd = label(file_recipe(tmp_path, together=True, name="crowd"), store=tmp_path / "store").answers
    assert crowd.select(["source", "sample"]).to_pylist() == [
        {"source": "crowd", "sample": 0}, {"source": "crowd", "sample": 1}
    ]  # fmt: skip
    with pytest.raises(DataError, match="no answer has the source 'bop'; did you mean 'bob'"):
        label(file_recipe(tmp_path, source="bop"), store=tmp_path / "store")


@pytest.mark.parametrize(
    ("answer", "said", "meant"),
    [
        ("number", ["1,119", "1119.0", "$1119", "a dozen"], ["1119", "1119", "1119", "a dozen"]),
        ("text", ["The Awl", "awl.", " an  awl"], ["awl"] * 3),
    ],
)
def test_free_answers_of_a_file_are_read_as_the_task_reads_them(tmp_path, answer, said, meant):
    write(tmp_path / "q.jsonl", [{"n": "one", "q": "Which?"}])
    write(tmp_path / "answers.jsonl", [{"example_id": "one", "value": value} for value in said])
    task = {"kind": "table", "path": "q.jsonl", "text": "q", "id": "n", "answer": answer}
    found = label({**file_recipe(tmp_path), "task": task}, store=tmp_path / "store")
    assert found.answers["value"].to_pylist() == meant


def test_formulas_and_worked_sums_of_a_file_keep_their_meaning(tmp_path):
    from outgrow.supervisors.file import _read

    example = Example("e", "e", "What is 2 plus 3?")
    sums = parse_labelling(recipe("microworld/mini", task={**TASK, "family": "sums", "mix": "sums"})).build_task()
    assert _read(sums, example, "5") == "5"  # the canonical form, which alone is no worked answer

    for split, count in (("train", 10), ("test", 2)):
        rows = [{"problem": f"{split} {i}", "level": "1", "solution": rf"So \boxed{{{i}}}."} for i in range(count)]
        write(tmp_path / f"{split}.jsonl", rows)
    maths = parse_labelling(recipe("microworld/mini", task={"kind": "math", "path": str(tmp_path)})).build_task()
    example = next(iter_examples(maths.examples("pool")))
    said = [r"\dfrac12", r"\text{even number}", "1,119", None]
    assert [_read(maths, example, value) for value in said] == ["0.5", r"\text{even number}", "1119", None]


def test_a_file_whose_ids_match_no_question_shows_both_kinds_of_id(tmp_path, pool):
    write(tmp_path / "answers.jsonl", [{"example_id": "row-17", "value": "red"}])
    with pytest.raises(DataError, match=r"none of its 1 example_ids is a question of task .* the file has 'row-17'"):
        label(file_recipe(tmp_path), store=tmp_path / "store")


def test_a_file_that_is_not_there_and_one_without_answers_to_the_split_are_told(tmp_path, pool):
    with pytest.raises(DataError, match=r"no such file: answers.jsonl, which supervisor 'answers.jsonl' reads"):
        label(file_recipe(tmp_path), store=tmp_path / "store")
    write(tmp_path / "answers.jsonl", [{"example_id": pool[0].example_id, "value": pool[0].choices[0]}])
    with pytest.raises(DataError, match="has no answer to any question of split 'test'"):
        label(file_recipe(tmp_path), split="test", store=tmp_path / "store")


def test_another_content_of_the_file_is_another_supervisor(tmp_path, pool):
    for k in (0, 1):
        write(tmp_path / "answers.jsonl", [{"example_id": pool[0].example_id, "value": pool[0].choices[k]}])
        said = label(file_recipe(tmp_path), store=tmp_path / "store").answers["value"].to_pylist()
        assert said == [pool[0].choices[k]]
