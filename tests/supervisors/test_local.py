"""A local model as a supervisor: options, classes and texts become answers."""

import math
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.tables import ANSWERS, EXAMPLES, build
from outgrow.models import ModelRef, classify, load, score_options
from outgrow.supervisors import local
from outgrow.supervisors.local import answer
from outgrow.supervisors.queries import Turn
from outgrow.tasks.base import Task, Wording


class Colours:
    """Questions about colours; variant v lists the options turned by v places, with capitals as surface forms."""

    name = "colours"
    classes = ("red", "green", "blue")
    splits = ("pool",)
    n_variants = 3
    public_meta = ()
    max_new_tokens = 4

    def __init__(self, options: bool = True) -> None:
        self.options = options

    def fingerprint(self):
        return "colours 1"

    def examples(self, split):
        names = [f"e{i}" for i in range(6)]
        return build(EXAMPLES, {"example_id": names, "group_id": names, "question": [f"w{i} w9" for i in range(6)]})

    def gold(self, split):
        raise AssertionError("nobody asks for gold here")

    def wording(self, example, variant):
        order = tuple((i + variant) % 3 for i in range(3))
        values = tuple(self.classes[i] for i in order)
        prompt = f"question : {example.question} {' '.join(values)} ?"
        if not self.options:
            return Wording(prompt)
        return Wording(prompt, tuple(f"is {v}" for v in values), values, "permutation", "default", order)

    def solution(self, example, value):
        return value

    def extract(self, text, example, wording):
        words = [word for word in text.split() if word in self.classes]
        return words[0] if words else None

    def canonicalise(self, answers):
        return answers


TASK = Colours()
EXAMPLES_TABLE = TASK.examples("pool")


@pytest.fixture(scope="module")
def lm(tiny_lm):
    return load(ModelRef(model=str(tiny_lm)))


@pytest.fixture(scope="module")
def classifier(tiny_bert):
    return load(ModelRef(model=str(tiny_bert), head="classifier"), Colours.classes, seed=2)


def ask(loaded, task=TASK, examples=EXAMPLES_TABLE, **options):
    return answer(loaded, task, examples, **{"source": "weak", "variants": 3, "seed": 0, **options})


def by_key(table):
    return {(r["example_id"], r["variant"], r["sample"]): r for r in table.to_pylist()}


def test_fake_task_is_a_task():
    assert isinstance(TASK, Task)


def test_every_question_is_answered_in_every_wording_in_order(lm):
    found = ask(lm)
    assert found.schema.equals(ANSWERS)
    keys = list(zip(*(found[c].to_pylist() for c in ("example_id", "variant", "sample")), strict=True))
    assert keys == [(f"e{i}", v, 0) for i in range(6) for v in range(3)]
    assert set(found["source"].to_pylist()) == {"weak"}


def test_value_is_the_canonical_form_of_the_most_probable_option(lm):
    for (example_id, variant, _), row in by_key(ask(lm)).items():
        wording = TASK.wording(next(e for e in examples_of() if e.example_id == example_id), variant)
        score = score_options(lm, [wording.prompt], [wording.options])[0]
        best = int(np.argmax(score.logprobs))
        assert row["value"] == wording.values[best]
        assert row["text"] == wording.options[best]
        assert row["logprob"] == pytest.approx(float(score.logprobs[best]), abs=1e-5)
        assert row["n_tokens"] == 3  # is, the colour, the end
        assert row["finish_reason"] == "scored"
        assert row["prompt"] == wording.prompt
        assert row["wording"]["permutation"] == list(wording.permutation)
        shares = dict(row["probabilities"])
        assert set(shares) == set(TASK.classes)  # canonical values, not surface forms
        assert math.fsum(shares.values()) == pytest.approx(1.0)
        assert max(shares, key=shares.get) == row["value"]


def examples_of():
    from outgrow.core.tables import iter_examples

    return list(iter_examples(EXAMPLES_TABLE))


def test_identity_wording_is_answered_greedily_even_when_sampling(lm):
    greedy = by_key(ask(lm))
    drawn = by_key(ask(lm, samples=4, temperature=3.0))
    for i in range(6):
        assert drawn[f"e{i}", 0, 0] == greedy[f"e{i}", 0, 0]
    # at temperature 3 over three options, 66 other answers are not all greedy
    assert any(row["value"] != greedy[e, v, 0]["value"] for (e, v, s), row in drawn.items())


def test_draws_depend_on_seed_question_wording_and_sample_only(lm):
    whole = by_key(ask(lm, samples=3, temperature=2.0))
    part = by_key(ask(lm, examples=EXAMPLES_TABLE.take([4, 1]), samples=3, temperature=2.0))
    for key, row in part.items():
        assert row["value"] == whole[key]["value"]
    other = by_key(ask(lm, samples=3, temperature=2.0, seed=1))
    assert any(other[key]["value"] != row["value"] for key, row in whole.items())


def test_drawn_answer_reports_the_log_probability_of_what_was_drawn(lm):
    for row in ask(lm, samples=3, temperature=2.0).to_pylist():
        score = score_options(lm, [row["prompt"]], [(row["text"],)])[0]
        assert row["logprob"] == pytest.approx(float(score.logprobs[0]), abs=1e-5)


def test_draws_follow_the_options_softmax_at_the_temperature(lm):
    example = EXAMPLES_TABLE.take([0])
    found = ask(lm, examples=example, variants=1, samples=601, temperature=2.0).to_pylist()
    shares = dict(found[0]["probabilities"])
    raised = {value: math.sqrt(p) for value, p in shares.items()}  # temperature 2: p ** (1/2)
    total = math.fsum(raised.values())
    for value, p in raised.items():
        count = sum(row["value"] == value for row in found[1:])
        assert count / 600 == pytest.approx(p / total, abs=0.07)  # 3.5 standard errors of .02


def test_copies_of_one_greedy_answer_are_refused_as_samples(lm):
    with pytest.raises(ConfigError, match="5 samples at temperature 0 are 5 copies"):
        ask(lm, samples=5)


@pytest.mark.parametrize("choice", [True, False])
def test_texts_are_generated_and_read_by_the_task_and_unread_ones_have_no_value(lm, choice):
    task = Colours(options=choice)
    found = ask(lm, task, samples=3, temperature=1.5, decoding="generate").to_pylist()
    assert {row["finish_reason"] for row in found} <= {"stop", "length"}
    assert all(row["probabilities"] is None for row in found)
    for row in found:
        said = row["text"].split()
        if row["finish_reason"] == "length":  # of a choice the last word may go on; anything else may not be all
            said = said[:-1] if choice and len(said) > 1 else said if choice else []
        words = [word for word in said if word in Colours.classes]
        assert row["value"] == (words[0] if words else None)
    assert any(row["value"] is None for row in found)
    assert any(row["value"] is not None for row in found) == choice  # this model never ends a text within 4 tokens
    assert all(row["logprob"] < 0 and 1 <= row["n_tokens"] <= 4 for row in found)


def test_generated_identity_answer_is_greedy_and_texts_are_order_independent(lm):
    task = Colours(options=False)
    greedy = by_key(ask(lm, task))
    drawn = by_key(ask(lm, task, samples=2, temperature=1.5))
    part = by_key(ask(lm, task, examples=EXAMPLES_TABLE.take([5, 0]), samples=2, temperature=1.5))
    assert all(drawn[f"e{i}", 0, 0]["text"] == greedy[f"e{i}", 0, 0]["text"] for i in range(6))
    assert all(row["text"] == drawn[key]["text"] for key, row in part.items())


def test_options_can_be_generated_instead_of_scored(lm):
    assert set(ask(lm, decoding="generate")["finish_reason"].to_pylist()) <= {"stop", "length"}


def test_classifier_answers_without_dropout_first_and_with_dropout_after(classifier):
    found = by_key(ask(classifier, variants=1, samples=4))
    prompts = [TASK.wording(example, 0).prompt for example in examples_of()]
    plain = classify(classifier, prompts)
    for i in range(6):
        first = found[f"e{i}", 0, 0]
        assert first["value"] == Colours.classes[int(plain[i].argmax())]
        assert first["logprob"] == pytest.approx(float(plain[i].max()), abs=1e-6)
        assert dict(first["probabilities"])["red"] == pytest.approx(math.exp(plain[i, 0]), abs=1e-6)
        samples = [found[f"e{i}", 0, s]["logprob"] for s in range(4)]
        assert len(set(samples)) == 4
    again = by_key(ask(classifier, variants=1, samples=4))
    assert again == found


class Dies(list):
    """A journal whose owner is killed after some entries."""

    lives = 2

    def append(self, entry):
        if len(self) == self.lives:
            raise KeyboardInterrupt
        super().append(entry)


@pytest.mark.parametrize("kind", ["options", "generate", "classify"])
def test_asking_that_was_stopped_goes_on_with_the_same_answers(kind, lm, classifier, monkeypatch):
    for name in ("score_options", "generate", "read_classes"):
        monkeypatch.setattr(local, name, partial(getattr(local, name), token_budget=40))
    loaded = classifier if kind == "classify" else lm
    options = {"samples": 2, "temperature": 0.0 if kind == "classify" else 1.0, "decoding": kind}
    whole = ask(loaded, **options)
    journal = Dies()
    with pytest.raises(KeyboardInterrupt):
        ask(loaded, **options, journal=journal)
    rest = [*journal]
    assert len(rest) == 2
    assert ask(loaded, **options, journal=rest).equals(whole)
    assert len(rest) > 2


def test_progress_reaches_all_queries(lm, classifier):
    for loaded, options, total in ((lm, {}, 18), (classifier, {"samples": 2}, 36)):
        seen = []
        ask(loaded, **options, progress=lambda done, of: seen.append((done, of)))  # noqa: B023
        assert seen[-1] == (total, total)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variants": 4}, "variants is 4; task 'colours' has 1 to 3"),
        ({"variants": 0}, "variants is 0"),
        ({"samples": 0}, "samples is 0"),
        ({"decoding": "classify"}, "needs head 'classifier'"),
    ],
)
def test_settings_that_contradict_the_task_or_the_model_are_refused(lm, options, message):
    with pytest.raises(ConfigError, match=message):
        ask(lm, **options)


def test_scoring_needs_options_and_a_language_model(lm, classifier):
    with pytest.raises(ConfigError, match="needs options in every wording"):
        ask(lm, Colours(options=False), decoding="options")
    with pytest.raises(ConfigError, match="needs head 'lm'"):
        ask(classifier, decoding="options")


def test_no_questions_give_no_answers(lm):
    empty = pa.table({name: [] for name in EXAMPLES.names}, schema=EXAMPLES)
    assert ask(lm, examples=empty).num_rows == 0


# Demonstrations -----------------------------------------------------------------------------------------------------


def test_demonstrations_are_text_before_the_question_and_no_part_of_its_prompt(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    turns = [Turn("question : w1 w9 ?", "is red"), Turn("question : w2 w9 ?", "is blue")]
    shown = answer(loaded, TASK, TASK.examples("pool"), source="weak", variants=1, seed=0, turns=turns)
    first = shown.slice(0, 1).to_pylist()[0]
    assert first["prompt"] == "question : w0 w9 red green blue ?"
    said = f"question : w1 w9 ? is red\n\nquestion : w2 w9 ? is blue\n\n{first['prompt']}"
    by_hand = score_options(loaded, [said], [("is red", "is green", "is blue")])[0]
    assert first["logprob"] == pytest.approx(float(by_hand.logprobs.max()), abs=1e-4)


def test_a_chatting_model_is_shown_demonstrations_as_turns(tiny_lm, tmp_path):
    import shutil

    from transformers import AutoTokenizer

    folder = tmp_path / "chat"
    shutil.copytree(tiny_lm, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    turn = "{{ m.role == 'user' and 'question' or 'answer' }} {{ m.content }} "
    tokenizer.chat_template = "<s> {% for m in messages %}" + turn + "{% endfor %}"
    tokenizer.save_pretrained(folder)
    turns = [Turn("w1 ?", "is red")]
    chat = load(ModelRef(model=str(folder), chat=True))
    found = answer(chat, TASK, TASK.examples("pool").slice(0, 1), source="weak", variants=1, seed=0, turns=turns)
    plain = load(ModelRef(model=str(folder)))
    said = "question w1 ? answer is red question question : w0 w9 red green blue ? answer"
    by_hand = score_options(plain, [said], [("is red", "is green", "is blue")])[0]
    assert found["logprob"][0].as_py() == pytest.approx(float(by_hand.logprobs.max()), abs=1e-3)


def test_a_classifier_cannot_be_shown_demonstrations(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm), head="classifier"), TASK.classes)
    with pytest.raises(ConfigError, match="demonstrations need head 'lm'"):
        answer(loaded, TASK, TASK.examples("pool"), source="w", variants=1, seed=0, turns=[Turn("a", "b")])


def test_a_model_may_compare_options_by_their_mean_log_probability(tiny_lm, lm):
    class Uneven(Colours):
        def wording(self, example, variant):
            plain = super().wording(example, variant)
            return Wording(plain.prompt, ("red w3 w4", "is green", "blue"), self.classes)

    normalised = load(ModelRef(model=str(tiny_lm), length_normalise="tokens"))
    found = by_key(ask(normalised, Uneven()))
    asked = by_key(ask(lm, Uneven(), length_normalise="tokens"))
    assert {key: row["probabilities"] for key, row in found.items()} == {
        key: row["probabilities"] for key, row in asked.items()
    }
    assert found != by_key(ask(lm, Uneven()))
    with pytest.raises(ValueError, match="length_normalise: tokens is of head: lm"):
        ModelRef(model=str(tiny_lm), head="reward", length_normalise="tokens")
