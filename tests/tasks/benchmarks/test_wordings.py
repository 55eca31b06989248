"""How questions are posed: orders undone, answer words per row, candidates in pairs, equal classes, worked answers."""

import json
from collections import Counter

import benchmark_sets
import pyarrow as pa
import pytest
from benchmark_sets import MADE, TOOLS, rows, virtue, write

from outgrow import tasks
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import ANSWERS, Example, build, iter_examples
from outgrow.tasks.base import MISSING
from outgrow.tasks.benchmarks import Row
from outgrow.tasks.benchmarks.slurp import read_as
from outgrow.tasks.orders import number_of_orders, option_order, variant_parts
from outgrow.tasks.variants import Dealt, VariedTask


def table(task, split):
    """(example, gold) of a split."""
    return list(zip(iter_examples(task.examples(split)), task.gold(split)["value"].to_pylist(), strict=True))


# Paraphrases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(MADE))
def test_a_paraphrase_is_put_in_place_of_the_question(load, kind):
    task = load(kind)
    example = next(iter_examples(task.examples("pool")))
    assert example.question in task.wording(example, 0).prompt
    varied = VariedTask(task, [Dealt("paraphrase", 1)], {example.example_id: ["Said otherwise?"]})
    reworded = varied.wording(example, 1)
    assert reworded.kind == "paraphrase"
    assert reworded.prompt == task.wording(example, 0).prompt.replace(example.question, "Said otherwise?")


def test_a_prompt_that_shows_no_question_has_no_paraphrase(tmp_path):
    write(tmp_path / "utilitarianism" / "util_train.csv", rows(benchmark_sets.utilitarian, 0, 15), False)
    write(tmp_path / "utilitarianism" / "util_test.csv", rows(benchmark_sets.utilitarian, 15, 20), False)
    task = tasks.load("ethics", subset="utilitarianism", path=str(tmp_path))
    example = next(iter_examples(task.examples("pool")))
    varied = VariedTask(task, [Dealt("paraphrase", 1)], {example.example_id: ["Said otherwise?"]})
    assert varied.wording(example, 1).kind == MISSING  # not a copy of the identity, which would agree with it


# Orders -----------------------------------------------------------------------------------------------------------


def test_four_orders_in_a_row_put_every_option_into_every_place_once():
    assert [option_order(4, n) for n in range(5)] == [
        (0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2), (3, 2, 1, 0),
    ]  # fmt: skip
    assert [number_of_orders(n) for n in (2, 3, 4)] == [2, 6, 8]
    assert len({option_order(4, n) for n in range(8)}) == 8


def test_templates_and_orders_are_walked_through_together():
    assert [variant_parts(v, 2, 2)[:2] for v in range(4)] == [(0, 0), (1, 1), (0, 1), (1, 0)]
    assert [variant_parts(v, 2, 2).kind for v in range(4)] == ["identity", "mixed", "permutation", "instruction"]


def test_a_letter_means_the_option_that_stands_behind_it(load):
    task = load("hellaswag")
    example, gold = next(pair for split in task.splits for pair in table(task, split) if "awl" in pair[0].question)
    # row 11: the right ending stands last of the four, the others are those of the next three tools
    assert example.choices == ("lays mortar", "weeds beds", "splits logs", "pricks leather")
    identity, third = task.wording(example, 0), task.wording(example, 2)
    assert identity.prompt == (
        "Use common sense: which ending continues the description best?\nDescription: A man picks up the awl and\n"
        "A. lays mortar\nB. weeds beds\nC. splits logs\nD. pricks leather\n### Answer:"
    )
    assert (identity.options, identity.values) == (("A", "B", "C", "D"), example.choices)
    assert identity.say(gold) == "D"
    # order 2 is (2, 3, 0, 1): the right one is now B
    assert third.permutation == (2, 3, 0, 1)
    assert third.say(gold) == "B"
    assert "\nB. pricks leather\n" in third.prompt
    assert [task.extract(text, example, third) for text in ("B", "b)", "The answer is B.", "D")] == [
        "pricks leather", "pricks leather", "pricks leather", "weeds beds",
    ]  # fmt: skip
    assert task.extract("E", example, third) is None
    assert task.n_variants == 8


def test_content_is_answered_in_the_options_own_words(load):
    task = load("hellaswag", posed="content")
    example, gold = table(task, "test")[0]
    wording = task.wording(example, 3)
    assert wording.options == wording.values
    assert f"\n- {gold}\n" in wording.prompt
    assert task.extract(f"It is: {gold}.", example, wording) == gold
    assert task.extract("A", example, wording) is None


def test_a_subject_is_named_in_mmlus_prompt(load):
    task = load("mmlu")
    example, _ = next((e, g) for e, g in table(task, "supervisor_train") if "spade" in e.question)
    assert "a multiple-choice question about tool lore.\n" in task.wording(example, 0).prompt


def test_other_variants_than_there_are_and_foreign_examples_are_refused(load):
    task = load("piqa")
    example, _ = table(task, "pool")[0]
    assert task.n_variants == 2
    with pytest.raises(ConfigError, match=r"variant 2 asked of piqa, which has 2 wordings; lower ask\.variants"):
        task.wording(example, 2)
    with pytest.raises(DataError, match="example x is no question of piqa"):
        task.wording(Example("x", "g", "?"), 0)


# Answer words -----------------------------------------------------------------------------------------------------


def test_short_and_long_items_of_ethics_have_their_own_answer_words(load):
    task = load("ethics")
    for split in task.splits:
        for example, gold in table(task, split):
            plain, swapped = task.wording(example, 0), task.wording(example, 1)
            short = "usual" not in example.question
            words = ("acceptable", "unacceptable") if short else ("right", "wrong")
            assert plain.options == words
            assert swapped.options == words[::-1]
            assert f"{words[0]} or {words[1]}" in plain.prompt
            assert f"{words[1]} or {words[0]}" in swapped.prompt
            assert plain.values == ("acceptable", "unacceptable") == swapped.values[::-1]
            said = words[gold == "unacceptable"]
            assert task.extract(f"{said.title()}, because", example, swapped) == gold
    assert task.classes == ("acceptable", "unacceptable")
    assert task.n_variants == 2


@pytest.mark.parametrize(
    ("subset", "make", "cut", "golds", "groups", "asked"),
    [
        ("justice", benchmark_sets.justice, (30, 40), {"yes": 15, "no": 15}, 15, "I lend him my"),
        ("deontology", benchmark_sets.deontology, (30, 40), {"yes": 15, "no": 15}, 15, "\nReply: No, "),
        ("virtue", benchmark_sets.virtue, (75, 100), {"yes": 15, "no": 60}, 15, "\nTrait: "),
        ("utilitarianism", benchmark_sets.utilitarian, (15, 20), None, 15, "- "),
    ],
)
def test_the_other_sets_of_ethics(tmp_path, subset, make, cut, golds, groups, asked):
    short = {"utilitarianism": "util"}.get(subset, subset)
    header = subset != "utilitarianism"  # as in the original release
    write(tmp_path / subset / f"{short}_train.csv", rows(make, 0, cut[0]), header)
    write(tmp_path / subset / f"{short}_test.csv", rows(make, *cut), header)
    task = tasks.load("ethics", subset=subset, path=str(tmp_path))
    trained = [pair for split in ("supervisor_train", "validation", "pool") for pair in table(task, split)]
    assert len(trained) == cut[0]
    assert task.examples("test").num_rows == cut[1] - cut[0]
    assert task.name == f"ethics/{subset}"
    assert len({example.group_id for example, _ in trained}) == groups
    if golds is None:
        assert all(gold.startswith("I found my") for _, gold in trained)
        assert {example.choices.index(gold) for example, gold in trained} == {
            0,
            1,
        }  # the better one is not always first
        assert all("\nA. I " in task.wording(example, 0).prompt for example, _ in trained)
    else:
        assert Counter(gold for _, gold in trained) == golds
        assert all(asked in task.wording(example, 0).prompt for example, _ in trained)
        assert task.classes == ("no", "yes")


def test_the_instruction_of_gsm8k_has_five_wordings_and_the_question_stays(load):
    task = load("gsm8k")
    example, _ = table(task, "pool")[0]
    prompts = [task.wording(example, v).prompt for v in range(task.n_variants)]
    assert len(set(prompts)) == 5
    assert all(f"\nProblem: {example.question}\n### Answer:" in p and "####" in p for p in prompts)
    assert task.wording(example, 1).kind == "instruction"
    assert task.wording(example, 0).options is None
    assert task.max_new_tokens == 512
    shorter = load("gsm8k", max_new_tokens=64)
    assert shorter.max_new_tokens == 64
    assert shorter.fingerprint() != task.fingerprint()


def test_a_worked_answer_of_gsm8k_loses_its_calculator_notes(load):
    task = load("gsm8k")
    example, gold = next(p for split in task.splits for p in table(task, split) if "A shop has 7 " in p[0].question)
    assert gold == "7000"
    assert task.solution(example, gold) == "There are 7*1000=7,000 of them.\n#### 7,000"
    wording = task.wording(example, 0)
    assert task.extract("So 7 * 1000 = 7000.\n#### $7,000", example, wording) == "7000"
    assert task.extract("I cannot tell", example, wording) is None


def test_equal_answers_of_math_become_one(load):
    pytest.importorskip("math_verify")
    task = load("math")
    example, _ = table(task, "pool")[0]
    wording = task.wording(example, 0)
    said = [r"Thus \boxed{x+1}", r"The answer is $1+x$.", r"\boxed{x+2}", "no idea at all"]
    values = [task.extract(text, example, wording) for text in said]
    assert values[3] is None
    answers = build(ANSWERS, {"example_id": [example.example_id] * 4, "source": ["m"] * 4, "variant": [0] * 4,
                              "sample": [0, 1, 2, 3], "value": values})  # fmt: skip
    first, second, third, none = task.canonicalise(answers)["value"].to_pylist()
    assert first == second != third
    assert none is None


def test_slots_are_compared_without_their_order_and_case(load):
    task = load("slurp", target="slots")
    example, gold = next(p for split in task.splits for p in table(task, split) if "rake" in p[0].question)
    assert gold == '[{"filler":"rake","type":"thing"}]'
    said = 'Here you are: [{"type": "thing", "filler": "RAKE"}]'
    assert task.extract(said, example, task.wording(example, 2)) == gold
    answers = build(ANSWERS, {"example_id": ["a"], "source": ["m"], "variant": [0], "sample": [0], "value": [gold]})
    assert task.canonicalise(answers) is answers
    assert task.solution(example, gold) == gold


def test_what_slots_are_trained_on_keeps_the_files_order():
    row = Row({"sentence": "wake me at ten and at nine in may", "scenario": "alarm",
               "slots": [{"type": "time", "filler": "Ten"}, {"type": "time", "filler": "nine"},
                         {"type": "date", "filler": "may"}]}, "devel", "devel.jsonl, line 1")  # fmt: skip
    question = read_as("slots", row)
    assert [slot["filler"] for slot in json.loads(question.gold)] == ["may", "nine", "ten"]
    assert [slot["filler"] for slot in json.loads(question.solution)] == ["ten", "nine", "may"]


# Candidates and balance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hellaswag", "mmlu", "sciq", "cosmos_qa", "openbookqa", "arc", "piqa"])
def test_candidates_are_one_right_and_one_wrong_per_question_in_one_group(load, kind):
    whole, task = load(kind, posed="letters"), load(kind, posed="candidates")
    assert task.classes == ("no", "yes")
    for split in task.splits:
        originals = {e.question: (e.choices, gold, e.group_id) for e, gold in table(whole, split)}
        groups = {}
        for example, gold in table(task, split):
            question, _, candidate = example.question.partition("\nProposed answer: ")
            choices, right, group = originals[question]
            assert candidate in choices
            assert (candidate == right) == (gold == "yes")
            assert example.group_id == group
            groups.setdefault(question, []).append(gold)
            assert task.wording(example, 1).options == ("yes", "no")
            assert task.extract("Yes, it is", example, task.wording(example, 1)) == "yes"
        assert all(sorted(own) == ["no", "yes"] for own in groups.values())
    firsts = [table(task, "pool")[2 * i][1] for i in range(len(table(task, "pool")) // 2)]
    assert set(firsts) == {"no", "yes"}  # the right one does not always come first


def test_a_candidate_that_speaks_of_the_others_is_not_posed_alone(load):
    task = load("cosmos_qa", posed="candidates")
    texts = [e.question for split in task.splits for e, _ in table(task, split)]
    assert not any("None of the above" in text for text in texts)
    assert not any("drill" in text.partition("?")[0] for text in texts)  # its answer was none of the above
    assert len(texts) == 2 * 19
    assert task.audit.not_posed == 1


def test_downsampling_makes_the_classes_of_each_split_equally_frequent(tmp_path):
    write(tmp_path / "virtue_train.csv", rows(virtue, 0, 50))
    write(tmp_path / "virtue_test.csv", rows(virtue, 50, 100))
    kept = tasks.load("ethics", subset="virtue", path=str(tmp_path))
    thin = tasks.load("ethics", subset="virtue", path=str(tmp_path), balance="downsample")
    for split in kept.splits:
        before, after = (Counter(t.gold(split)["value"].to_pylist()) for t in (kept, thin))
        assert before["no"] == 4 * before["yes"]  # one trait of five fits
        assert after == {"yes": before["yes"], "no": before["yes"]}
        ids = [set(t.examples(split)["example_id"].to_pylist()) for t in (kept, thin)]
        assert ids[1] < ids[0]
    assert kept.audit.downsampled == 0
    assert thin.audit.downsampled == 3 * 20  # of 20 right ones and 80 others in all


def test_downsampling_needs_shared_classes(load):
    with pytest.raises(ConfigError, match="balance: downsample needs questions that share their classes"):
        load("mmlu", balance="downsample")
    assert load("mmlu", posed="candidates", balance="downsample").audit.downsampled == 0


# Fingerprints -----------------------------------------------------------------------------------------------------


def test_a_fingerprint_depends_on_content_and_words_not_on_the_place(load, folders, tmp_path):
    first = load("openbookqa")
    elsewhere = MADE["openbookqa"].write(tmp_path / "elsewhere")
    assert load("openbookqa").fingerprint() == first.fingerprint()
    assert load("openbookqa", path=str(elsewhere)).fingerprint() == first.fingerprint()
    assert load("openbookqa", revision="main").fingerprint() == first.fingerprint()
    others = [
        load("openbookqa", seed=1), load("openbookqa", posed="content"), load("openbookqa", posed="candidates"),
        load("openbookqa", name="other"), load("openbookqa", limit=10),
    ]  # fmt: skip
    assert len({first.fingerprint(), *(t.fingerprint() for t in others)}) == 6


def test_a_fingerprint_depends_on_the_worked_answers(tmp_path):
    rows_now = [dict(row) for row in MADE["gsm8k"].files["train.jsonl"]]
    write(tmp_path / "train.jsonl", rows_now)
    before = tasks.load("gsm8k", path=str(tmp_path)).fingerprint()
    rows_now[0]["answer"] = rows_now[0]["answer"].replace("There are", "We count")
    write(tmp_path / "train.jsonl", rows_now)
    assert tasks.load("gsm8k", path=str(tmp_path)).fingerprint() != before


def test_examples_are_tables_of_the_right_schema(load):
    task = load("boolq")
    assert isinstance(task.examples("pool"), pa.Table)
    assert task.examples("known").num_rows == 0
    assert task.splits == ("supervisor_train", "pool", "validation", "test")
    assert len(TOOLS) == len(set(TOOLS)) == 20
