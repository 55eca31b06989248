"""Every set from files in its own on-disk form: counts, three rows, words and answers."""

import pytest
from benchmark_sets import MADE

from outgrow import tasks
from outgrow.core.tables import iter_examples
from outgrow.tasks.base import Task
from outgrow.tasks.splits import overlap

PUBLIC = [kind for kind in tasks.TASKS if kind not in ("microworld", "microworld2", "table")]


def gold_of(task):
    """Question text -> gold, over all splits."""
    found = {}
    for split in task.splits:
        texts = task.examples(split)["question"].to_pylist()
        found |= dict(zip(texts, task.gold(split)["value"].to_pylist(), strict=True))
    return found


def test_every_public_set_has_a_fixture():
    assert set(MADE) == set(PUBLIC)
    assert len(PUBLIC) == 15


@pytest.mark.parametrize("kind", PUBLIC)
def test_counts_and_three_rows(load, kind):
    task = load(kind)
    assert isinstance(task, Task)
    assert {split: task.examples(split).num_rows for split in task.splits} == MADE[kind].sizes
    gold = gold_of(task)
    assert {text: gold.get(text) for text in MADE[kind].spots} == MADE[kind].spots
    assert len(MADE[kind].spots) == 3


@pytest.mark.parametrize("kind", PUBLIC)
def test_splits_are_disjoint_and_examples_carry_no_gold(load, kind):
    task = load(kind)
    tables = {split: task.examples(split) for split in task.splits}
    assert set(overlap(tables).values()) == {0}
    ids = [i for table in tables.values() for i in table["example_id"].to_pylist()]
    assert len(set(ids)) == len(ids) == sum(MADE[kind].sizes.values())
    assert task.public_meta == ()


@pytest.mark.parametrize("kind", PUBLIC)
def test_what_training_says_is_read_back_in_every_wording(load, kind):
    task = load(kind)
    for split in task.splits:
        gold = dict(zip(*(task.gold(split)[c].to_pylist() for c in ("example_id", "value")), strict=True))
        for example in iter_examples(task.examples(split)):
            value = gold[example.example_id]
            prompts = set()
            for variant in range(task.n_variants):
                wording = task.wording(example, variant)
                said = wording.say(task.solution(example, value))
                assert task.extract(said, example, wording) == value
                assert wording.prompt.endswith("\n### Answer:") or kind == "preferences"
                assert "{" not in wording.prompt.replace("boxed{}", "").replace('{"type"', "")
                prompts.add(wording.prompt)
            assert len(prompts) == task.n_variants
            assert task.wording(example, 0).kind == "identity"


@pytest.mark.parametrize("kind", PUBLIC)
def test_classes_are_what_the_golds_are_among(load, kind):
    task = load(kind)
    golds = set(gold_of(task).values())
    choices = {c for split in task.splits for own in task.examples(split)["choices"].to_pylist() for c in own or ()}
    if task.classes is not None:
        assert golds <= set(task.classes)
        assert not choices
    elif choices:
        assert golds <= choices


@pytest.mark.parametrize("kind", PUBLIC)
def test_the_example_row_of_the_docstring_is_in_the_sets_form(kind, tmp_path):
    """It is read, and its answer is among its options, by the set's own reader."""
    import json
    import re
    from importlib import import_module

    from outgrow.tasks.benchmarks.cells import Row

    config = tasks.spec(kind).config_model()
    module = import_module(config.__module__)
    raw = re.search(r"\n    (\{.*?\})\n\n", module.__doc__, re.DOTALL).group(1)
    cells = json.loads(" ".join(raw.split()))
    benchmark = config(path=str(tmp_path)).benchmark()
    assert set(benchmark.columns) <= set(cells)
    question = benchmark.read(Row(cells, "train", "docstring"))
    assert question.gold
    assert question.choices is None or question.gold in question.choices


@pytest.mark.parametrize("kind", PUBLIC)
def test_a_docstring_states_source_words_and_canonical_answer(kind):
    from importlib import import_module

    doc = import_module(tasks.spec(kind).config_model().__module__).__doc__
    doc = " ".join(doc.split())
    for part in ("Source:", "On disk:", "licence", "ours", "Canonical answer:", "Variants:"):
        assert part.casefold() in doc.casefold()
