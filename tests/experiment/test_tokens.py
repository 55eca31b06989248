"""What a lab says of the tokens of answers: spans and probabilities, of a search's texts and of joint decisions."""

import importlib.util
from pathlib import Path

import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.lab import ONCE, How
from outgrow.core.tables import TOKENS
from outgrow.recipe.recipe import parse_recipe

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).parents[1] / "end_to_end" / "tiny_run.py")
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

BEAMS = How(variants=1, samples=1, temperature=0.0, beams=3)
KEYS = ("example_id", "source", "variant", "sample")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_lm):
    folder = tmp_path_factory.mktemp("tokens")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


@pytest.fixture(scope="module")
def answered(folder, tmp_path_factory):
    """Answers and tokens by what was asked, of two supervisors and of both together."""

    def action(lab):
        weak, other = lab.supervisors
        joint = lab.joint(lab.supervisors, beams=3, stage="joint")
        asked = {"once": (weak, ONCE), "beams": (weak, BEAMS), "other": (other, BEAMS), "joint": (joint, ONCE)}
        for source in (weak, joint):
            with pytest.raises(ConfigError, match=r"a beam search writes texts|decides on one answer"):
                lab.ask(source, lab.validation, How(variants=1, samples=2, temperature=1.0, beams=3))
        return {
            name: (lab.ask(source, lab.validation, how).to_pylist(), lab.tokens(source, lab.validation, how))
            for name, (source, how) in asked.items()
        }

    questions = {"supervisor_train": 64, "pool": 8, "validation": 24, "test": 8}
    task = {"kind": "microworld", "family": "sums", "questions": questions}
    models = [{"model": f"microworld/{name}", "train": {"epochs": 6, "max_length": 128}} for name in ("mini", "base")]
    changes = {"task": task, "supervisors": models, "ask": {"variants": 1}, "methods": ["naive"], "seeds": [0]}
    recipe = parse_recipe(tiny.recipe(folder, primary=None, **changes))
    with pytest.MonkeyPatch.context() as patch:
        return tiny.within(recipe, patch, tmp_path_factory.mktemp("store"), action)[0]


@pytest.mark.parametrize("name", ["once", "beams", "joint"])
def test_tokens_make_up_the_texts_and_their_probabilities(answered, name):
    answers, tokens = answered[name]
    assert tokens.schema.equals(TOKENS)
    rows = {tuple(row[key] for key in KEYS): row for row in tokens.to_pylist()}
    assert len(rows) == len(answers)
    for answer in answers:
        row = rows[tuple(answer[key] for key in KEYS)]
        assert "".join(answer["text"][a:b] for a, b in zip(row["starts"], row["ends"], strict=True)) == answer["text"]
        if name != "joint":  # whose log-probability is that of all models
            assert sum(row["logprobs"]) == pytest.approx(answer["logprob"])
            assert len(row["logprobs"]) == answer["n_tokens"]


def test_the_texts_of_a_search_are_samples_best_first(answered):
    answers, _ = answered["beams"]
    means = {(row["example_id"], row["sample"]): row["logprob"] / row["n_tokens"] for row in answers}
    assert {sample for _, sample in means} == {0, 1, 2}
    assert all(mean <= means[example, sample - 1] for (example, sample), mean in means.items() if sample)
    greedy = {row["example_id"]: row["logprob"] / row["n_tokens"] for row in answered["once"][0]}
    better = [means[example, 0] - mean for example, mean in greedy.items()]
    assert sum(better) >= 0  # what the search is for


def test_a_joint_text_has_the_tokens_of_who_proposed_it_first(answered):
    proposed = {}
    for name in ("beams", "other"):
        answers, tokens = answered[name]
        rows = {tuple(row[key] for key in KEYS): row["logprobs"] for row in tokens.to_pylist()}
        for answer in answers:
            own = rows[tuple(answer[key] for key in KEYS)]
            proposed.setdefault((answer["example_id"], answer["text"]), (name, own))
    answers, tokens = answered["joint"]
    rows = {row["example_id"]: row["logprobs"] for row in tokens.to_pylist()}
    assert all(rows[answer["example_id"]] == proposed[answer["example_id"], answer["text"]][1] for answer in answers)
    assert {proposed[answer["example_id"], answer["text"]][0] for answer in answers} == {"beams", "other"}


def test_answers_that_were_chosen_have_no_tokens(folder, monkeypatch, tmp_path):
    def action(lab):
        with pytest.raises(ConfigError, match=r"weak answers validation: token probabilities .* use labels: hard"):
            lab.tokens(lab.supervisors[0], lab.validation, ONCE)
        with pytest.raises(ConfigError, match=r"beams is 3: a beam search writes texts, .* found decoding 'options'"):
            lab.ask(lab.supervisors[0], lab.validation, BEAMS)

    tiny.within(parse_recipe(tiny.recipe(folder)), monkeypatch, tmp_path, action)
