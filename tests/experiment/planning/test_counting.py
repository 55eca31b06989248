"""What is counted without computing equals what a real model is given."""

import pytest

from outgrow.experiment.dry import counted_steps as own_steps
from outgrow.experiment.planning.counting import BUDGET, PASS_OVERHEAD, Counter, tokenizer_of
from outgrow.experiment.planning.recording import BytesTokenizer
from outgrow.experiment.planning.steps import Planner
from outgrow.models.batches import default_budget
from outgrow.models.config import ModelRef
from outgrow.models.known_shapes import find_shape
from outgrow.recipe.recipe import parse_recipe
from outgrow.supervisors.asking import Asking
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow

QUESTIONS = {"supervisor_train": 20, "pool": 40, "validation": 12, "test": 30, "known": 0}


def recipe(**changes):
    raw = {
        "task": {"kind": "microworld", "family": "choice", "questions": QUESTIONS},
        "supervisors": [{"model": "microworld/nano", "name": "weak", "train": {"epochs": 1, "batch_size": 8}}],
        "ask": {"variants": 3},
        "student": {"model": "microworld/mini"},
        "train": {"epochs": 2, "batch_size": 8, "checkpoints": 2},
        "methods": ["naive", "majority_vote", "uncertainty_filtering"],
        "seeds": [0, 1],
    }
    return parse_recipe({**raw, **changes})


def counter(task, model="microworld/mini"):
    ref = ModelRef(model=model)
    return Counter(ref, find_shape(ref, {}), tokenizer_of(ref)[0], task, 1000, "cpu")


def test_asking_is_counted_as_it_is_done(monkeypatch):
    from outgrow.models.loading import load
    from outgrow.supervisors.local import answer

    task = recipe().build_task()
    asking = Asking(3, 1, 0.0, 0, "auto")
    counted = counter(task).asked(task.examples("pool"), asking, None)
    loaded = load(ModelRef(model="microworld/mini"))
    seen = recorded(monkeypatch)
    answer(loaded, task, task.examples("pool"), source="x", **asking.settings())
    assert counted.asked.passes == len(seen)
    assert counted.asked.positions == sum(rows * width for (rows, width), _ in seen)
    assert counted.asked.pairs == sum(rows * width**2 for (rows, width), _ in seen)
    assert counted.asked.places == sum(places for _, places in seen)
    assert counted.asked.tokens <= counted.asked.positions
    assert (counted.questions, counted.answers) == (120, 120)


def recorded(monkeypatch):
    """Shapes of what language models read from now on, and how many places they are asked about."""
    from outgrow.models.heads import LanguageHead

    seen, forward = [], LanguageHead.forward

    def record(self, batch):
        seen.append((batch.ids.shape, len(batch.places)))
        return forward(self, batch)

    monkeypatch.setattr(LanguageHead, "forward", record)
    return seen


@pytest.mark.parametrize("together", [False, True])
def test_training_is_counted_as_it_is_done(tmp_path, monkeypatch, together):
    from outgrow.models.loading import load
    from outgrow.objectives import Imitation
    from outgrow.training.loop import fit

    rows = [
        TrainRow(str(i), "what is " + "the colour of " * (i % 5) + "it ?", question=str(i % 8),
                 **({"target": "red"} if i % 3 else {"options": ("red", "blue"), "probabilities": (0.5, 0.5)}))
        for i in range(22)
    ]  # fmt: skip
    config = TrainConfig(batch_size=6, micro_batch_tokens=60, together=together)
    counted = counter(recipe().build_task()).trained(rows, config, 9)
    loaded = load(ModelRef(model="microworld/mini"))
    seen = recorded(monkeypatch)
    fit(loaded, rows, Imitation(), config, seed=0, total_steps=9, work=tmp_path)
    del seen[:2]  # do draws of random numbers matter?
    assert counted.trained.passes == counted.micros == len(seen)
    assert counted.trained.positions == sum(rows * width for (rows, width), _ in seen)
    assert counted.trained.places == sum(places for _, places in seen)
    assert counted.largest_trained.positions == max(rows * width for (rows, width), _ in seen)


def test_the_numbers_that_batches_are_planned_with_are_those_of_training_and_asking(tmp_path):
    import torch

    from outgrow.models.loading import load
    from outgrow.objectives import Imitation
    from outgrow.training.encode import encode
    from outgrow.training.run import Training

    loaded = load(ModelRef(model="microworld/nano"))
    encoded = encode(loaded, [TrainRow("a", "what ?", "red")], 64)
    run = Training(loaded, encoded, Imitation(), TrainConfig(), 0, 1, tmp_path)
    assert run.overhead == PASS_OVERHEAD["cpu"]
    assert {kind: default_budget(torch.device(kind)) for kind in BUDGET} == BUDGET


def test_a_sample_is_scaled_to_the_whole():
    task = recipe().build_task()
    whole = counter(task).asked(task.examples("pool"), Asking(2, 1, 0.0, 0, "auto"), None)
    ref = ModelRef(model="microworld/mini")
    few = Counter(ref, find_shape(ref, {}), tokenizer_of(ref)[0], task, 20, "cpu")
    part = few.asked(task.examples("pool"), Asking(2, 1, 0.0, 0, "auto"), None)
    assert part.answers == whole.answers == 80
    assert part.asked.tokens == pytest.approx(whole.asked.tokens, rel=0.1)


def test_texts_are_bounded_by_the_longest_allowed():
    task = parse_recipe({**recipe().given, "task": {"kind": "microworld", "family": "sums", "questions": QUESTIONS}})
    task = task.build_task()
    found = counter(task)
    usual = found.typical_answer()
    work = found.asked(task.examples("pool"), Asking(1, 1, 0.0, 0, "auto"), usual)
    assert 0 < usual <= task.max_new_tokens
    assert work.answer_bound == 40 * task.max_new_tokens
    assert work.answer_tokens == 40 * usual
    assert work.asked.passes == task.max_new_tokens * len(found.loaded.head.texts)  # a batch goes on to the limit
    longest = found.asked(task.examples("pool"), Asking(1, 1, 0.0, 0, "auto"), None)
    assert longest.asked.positions - work.asked.positions == 39 * (task.max_new_tokens - usual)  # with one text left


@pytest.mark.parametrize(("samples", "temperature"), [(1, 0.0), (3, 0.7)])
def test_writing_is_counted_as_it_is_done_where_no_text_ends_early(monkeypatch, samples, temperature):
    from outgrow.models.heads import LanguageHead
    from outgrow.models.loaded import Loaded
    from outgrow.models.loading import load
    from outgrow.supervisors.local import answer

    sums = {"kind": "microworld", "family": "sums", "questions": QUESTIONS}
    task = parse_recipe({**recipe().given, "task": sums}).build_task()
    asking = Asking(2, samples, temperature, 0, "auto")
    counted = counter(task, "microworld/nano").asked(task.examples("validation"), asking, None)
    loaded = load(ModelRef(model="microworld/nano"))
    seen, forward = [], LanguageHead.forward

    def record(self, batch, cache=None):
        seen.append((*batch.ids.shape, cache.get_seq_length(), len(batch.places)))
        return forward(self, batch, cache)

    monkeypatch.setattr(LanguageHead, "forward", record)
    monkeypatch.setattr(Loaded, "ends", frozenset())
    answer(loaded, task, task.examples("validation"), source="x", **asking.settings())
    assert loaded.head.abilities.grow
    assert counted.asked.passes == len(seen)
    assert counted.asked.positions == sum(rows * width for rows, width, _, _ in seen)
    assert counted.asked.pairs == sum(rows * width * (before + width) for rows, width, before, _ in seen)
    assert counted.asked.places == sum(places for *_, places in seen)
    assert counted.answer_bound == 12 * 2 * samples * task.max_new_tokens
    held = max(rows * (width + before) for rows, width, before, _ in seen)
    assert counted.largest_asked.positions == held


def test_arms_that_would_train_on_the_same_rows_share_a_training():
    twice = [{"name": "uncertainty_filtering", "id": name, "keep": 0.5} for name in ("one", "two")]
    jobs = Planner(recipe(methods=[*twice, "naive"])).jobs()
    fresh = {(job.name, job.seed): steps for job, steps in own_steps(jobs)}
    assert [step.kind for step in fresh["one", 0]] == ["train", "answer"]
    assert fresh["two", 0] == []
    assert len(fresh["naive", 0]) == len(fresh["one", 1]) == 2  # another seed is another training


def test_an_untuned_greedy_supervisor_is_asked_once_for_all_seeds():
    jobs = Planner(recipe(supervisors=[{"model": "microworld/nano", "name": "weak", "train": None}])).jobs()
    fresh = {(job.name, job.seed): steps for job, steps in own_steps(jobs)}
    assert {step.about for step in fresh["weak", 0]} == {"pool", "validation", "test"}
    assert fresh["weak", 1] == []
    drawn = Planner(recipe(supervisors=[{"model": "microworld/nano", "name": "weak", "train": None}],
                           ask={"variants": 2, "temperature": 1.0})).jobs()  # fmt: skip
    again = {(job.name, job.seed): steps for job, steps in own_steps(drawn)}
    assert {step.about for step in again["weak", 1]} == {"pool", "test"}  # the greedy answers are shared


def test_a_tokenizer_that_is_not_here_is_replaced_by_bytes():
    tokens = BytesTokenizer()
    assert len(tokens("twelve bytes")["input_ids"]) == 3
    assert tokens(["abcdefgh"], max_length=1)["input_ids"] == [tokens("efgh")["input_ids"]]
    planner = Planner(recipe(student={"model": "Qwen/Qwen3-0.6B"}))
    assert planner.jobs()
    assert planner.notes == ["The tokenizer of Qwen/Qwen3-0.6B is not on this machine: a token for 4 bytes is assumed."]
