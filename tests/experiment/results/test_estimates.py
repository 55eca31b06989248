"""Accuracy without gold and calibration in the results: the truth beside the estimate, per seed."""

from types import SimpleNamespace

import numpy as np
import pytest

from outgrow.core.lab import Source
from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.cells import Cell
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.estimates import accuracy_by_votes, calibration_quality
from outgrow.experiment.results.views import Seed, Split
from outgrow.experiment.steps import Maker
from outgrow.recipe.parts import Reliability
from outgrow.reliability import accuracy_from_votes, agreement
from outgrow.store import Store

LETTERS = "abcd"


def split_of(ids, gold):
    codes = np.arange(len(ids), dtype=np.int64)
    return Split(tuple(ids), codes, tuple(ids), (None,) * len(ids), ("",) * len(ids), dict(zip(ids, gold, strict=True)))


def answers_of(said):
    """Labels of question -> list of values."""
    keys = [(i, v) for i, values in said.items() for v in range(len(values))]
    columns = {
        "example_id": [i for i, _ in keys],
        "source": ["sup"] * len(keys),
        "variant": [v for _, v in keys],
        "sample": [0] * len(keys),
        "value": [said[i][v] for i, v in keys],
    }
    return build(ANSWERS, columns)


def simulate(n, prefix, seed):
    """Half the questions are known, half are guessed, five answers each, as the estimate assumes.

    Option probabilities are Dirichlet(.5, .5, .5, .5), with 8 more at the truth of a known question.
    """
    random = np.random.default_rng(seed)
    gold = random.integers(0, 4, n)
    said = {}
    for i, truth in enumerate(gold):
        weights = np.full(4, 0.5)
        weights[truth] += 8.0 * (i % 2 == 0)
        shares = random.dirichlet(weights)
        said[f"{prefix}{i:04d}"] = [LETTERS[k] for k in random.choice(4, size=5, p=shares)]
    return said, [LETTERS[i] for i in gold]


@pytest.fixture(scope="module")
def simulated():
    said, gold = simulate(1500, "p", 0)
    known_said, known_gold = simulate(300, "k", 1)
    pool, known = split_of(list(said), gold), split_of(list(known_said), known_gold)
    answers = answers_of(said)
    labels = agreement(answers)
    empty = labels.slice(0, 0)
    seed = Seed(0, Source("sup", "key"), answers, labels, empty, {}, answers, agreement(answers_of(known_said)))
    return seed, pool, known


def test_the_estimate_stands_beside_the_truth_and_its_interval_holds_it(simulated, tmp_path, monkeypatch):
    seed, pool, _ = simulated
    steps, options = Maker(Store(tmp_path)), dict.fromkeys(pool.ids, 4)
    found = accuracy_by_votes(steps, [seed], pool, options)
    (one,) = found["seeds"]
    labels = dict(zip(seed.pool["example_id"].to_pylist(), seed.pool["value"].to_pylist(), strict=True))
    assert one["truth"] == pytest.approx(np.mean([labels[i] == pool.gold[i] for i in pool.ids]))
    assert one["low"] <= one["truth"] <= one["high"]
    assert "guess" in found["assumptions"]
    groups = {i: str(group) for i, group in zip(pool.ids, pool.groups.tolist(), strict=True)}
    made = accuracy_from_votes(seed.pool, options=options, groups=groups, seed=0)
    assert (one["estimate"], one["low"], one["high"]) == (made.estimate, made.low, made.high)
    monkeypatch.setattr("outgrow.experiment.results.vote_accuracy.accuracy_from_votes", None)  # it is kept
    assert accuracy_by_votes(steps, [seed], pool, options) == found


def test_free_answers_have_no_estimate_and_the_reason_is_told_and_kept(simulated, tmp_path, monkeypatch):
    seed, pool, _ = simulated
    found = accuracy_by_votes(Maker(Store(tmp_path)), [seed], pool, None)
    assert found["seeds"] == []
    assert "number of options" in found["reason"]
    monkeypatch.setattr("outgrow.experiment.results.vote_accuracy.accuracy_from_votes", None)
    assert accuracy_by_votes(Maker(Store(tmp_path, makes=False)), [seed], pool, None) == found


def test_calibration_charges_its_gold_and_is_nearly_right(simulated):
    seed, pool, known = simulated
    found = calibration_quality([seed], pool, known)
    assert (found["known"], found["kind"], found["reason"]) == (300, "platt", None)
    assert found["seeds"][0]["debiased"] < 0.05
    assert calibration_quality([seed], pool, None) is None


def test_known_labels_that_are_all_right_cannot_calibrate(simulated):
    seed, pool, known = simulated
    said = dict(zip(seed.known["example_id"].to_pylist(), seed.known["value"].to_pylist(), strict=True))
    flattered = split_of(list(known.ids), [said[i] for i in known.ids])
    found = calibration_quality([seed], pool, flattered)
    assert found["seeds"] == []
    assert "right" in found["reason"]


def test_a_test_question_that_was_answered_in_other_wordings_alone_has_no_floor():
    collector = object.__new__(CollectedCell)
    collector.test = split_of(["q1", "q2", "q3"], ["a", "a", "a"])
    said = {
        "example_id": ["q1", "q2"],
        "source": ["file"] * 2,
        "variant": [0, 1],
        "sample": [0, 0],
        "value": [None, "a"],
    }
    # q2 and q3; the answer to q1 could not be parsed, but it was given
    assert collector._unanswered(build(ANSWERS, said)) == 2


def test_a_supervisor_without_answers_to_the_known_questions_still_gets_its_results(simulated, monkeypatch):
    """A file may hold answers to the pool alone: calibration then says why there is none."""
    seed, pool, known = simulated
    said = {"pool": seed.pool_answers, "test": seed.pool_answers.slice(0, 0), "known": seed.pool_answers.slice(0, 0)}
    collector = object.__new__(CollectedCell)
    collector.cell = Cell((0,), 0)
    collector.runner = SimpleNamespace(tune_supervisor=lambda index, number: seed.supervisor)
    collector.recipe = SimpleNamespace(reliability=Reliability())
    collector.known = known
    monkeypatch.setattr(CollectedCell, "_answers", lambda self, source, split, **asked: said[split])
    found = collector._seed(0)
    assert (found.pool.num_rows, found.test.num_rows, found.known.num_rows) == (1500, 0, 0)
    made = calibration_quality([found], pool, known)
    assert made["seeds"] == []
    assert "there are 300 known gold values and 0 known labels" in made["reason"]
