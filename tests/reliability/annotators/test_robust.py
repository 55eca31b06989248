"""Hard tasks and copies: what plain Dawid-Skene takes for evidence and the robust model does not."""

import numpy as np
import pytest

from outgrow.evaluation import ece
from outgrow.reliability.annotators import DawidSkene, RobustDawidSkene, annotator_table, crowd_votes
from outgrow.reliability.annotators.task_states import DRAWN, GUESSED, task_states
from outgrow.studies.crowds import Crowd, simulate

COPIES = (("a00", 0.9), ("a00", 0.9), ("a01", 0.6))


def calibration(model, crowd):
    labels = model.posterior_table()
    ids, values = labels["example_id"].to_pylist(), labels["value"].to_pylist()
    correct = np.array([crowd.gold[i] == value for i, value in zip(ids, values, strict=True)])
    return ece(labels["reliability"].to_numpy(), correct, draws=1).value, correct.mean()


@pytest.fixture(scope="module")
def copied():
    return simulate(Crowd(tasks=1000, hard=0.3, copies=COPIES), 1)


@pytest.fixture(scope="module")
def fitted(copied):
    return RobustDawidSkene().fit(copied.answers)


def test_every_copier_is_found_with_whom_it_copies_and_nobody_else(copied, fitted):
    pairs = {(row["annotator"], row["other"]): row for row in fitted.copies_.to_pylist()}
    assert {("a00", "b00"), ("a00", "b01"), ("a01", "b02")} <= set(pairs) <= copied.copies
    assert pairs["a00", "b00"]["low"] < 0.9 < pairs["a00", "b00"]["high"]
    assert pairs["a01", "b02"]["low"] < 0.6 < pairs["a01", "b02"]["high"]
    assert all(row["p_value"] < 0.05 and row["tasks"] > 50 for row in pairs.values())


def test_it_is_calibrated_where_dawid_skene_is_overconfident(copied, fitted):
    plain, plain_right = calibration(DawidSkene(prior=0.0).fit(copied.answers), copied)
    robust, robust_right = calibration(fitted, copied)
    assert robust < plain / 2
    assert robust_right > plain_right


@pytest.mark.parametrize(
    "kind", [Crowd(tasks=600), Crowd(tasks=600, hard=0.4), Crowd(tasks=600, prior=(0.8, 0.15, 0.05))]
)
def test_agreement_on_easy_tasks_and_shared_difficulty_are_no_copying(kind):
    for seed in range(2):
        assert RobustDawidSkene().fit(simulate(kind, seed).answers).copies_.num_rows == 0


def test_without_difficulty_and_copies_it_is_variational_dawid_skene():
    crowd = simulate(Crowd(tasks=200), 0)
    votes = crowd_votes(crowd.answers)
    one = RobustDawidSkene(difficulty=False, copies=False, tol=1e-9).fit(votes)
    other = DawidSkene(variational=True, prior=4.0, tol=1e-12).fit(votes)
    np.testing.assert_allclose(one.posterior_, other.posterior_, atol=2e-3)  # priors of classes are smoothed a little
    assert one.levels_.tolist() == [1.0]


def test_hard_tasks_are_told_from_easy_ones():
    crowd = simulate(Crowd(tasks=600, answers=10, hard=0.5), 0)
    fitted = RobustDawidSkene(copies=False).fit(crowd.answers)
    share = fitted.posterior_table()["vote_share"].to_numpy()
    assert fitted.difficulty_[share < 0.5].mean() > 0.8 > 0.4 > fitted.difficulty_[share > 0.9].mean()
    assert fitted.difficulty_.mean() == pytest.approx(1 - fitted.levels_[0], abs=0.02)


def test_memory_of_pieces_does_not_change_the_outcome(copied, monkeypatch, fitted):
    monkeypatch.setattr("outgrow.reliability.annotators.state_fit.CELLS", 5_000)
    monkeypatch.setattr("outgrow.reliability.annotators.copying.PAIRS_AT_ONCE", 700)
    again = RobustDawidSkene().fit(copied.answers)
    np.testing.assert_allclose(again.posterior_, fitted.posterior_, atol=1e-9)


def test_states_of_tasks_by_hand():
    votes = crowd_votes(simulate(Crowd(tasks=20, annotators=5, answers=3, prior=(0.5, 0.5)), 0).answers)
    states = task_states(votes, difficulty=True)
    assert len(states.guess) == 2 + 2 * len(GUESSED) + len(DRAWN)
    np.testing.assert_allclose(states.mix.sum(axis=1) + states.guess, 1)
    for level in range(states.levels):
        np.testing.assert_allclose(states.given[states.level == level].sum(axis=0), 1)
    # drawn to the other label by .3: right in seven of ten such tasks, if classes are alike
    joint = states.joint(np.array([0.5, 0.5]), np.full(states.levels, 1 / states.levels))
    row = joint[np.isclose(states.mix[:, 0], 0.7) & (states.guess == 0)]
    np.testing.assert_allclose(row / row.sum(), [[0.7, 0.3]])


def test_intervals_of_accuracy_hold_the_truth_about_as_often_as_they_say():
    held = []
    for seed in range(6):
        for kind in (Crowd(tasks=500), Crowd(tasks=500, hard=0.3), Crowd(tasks=200, answers=4)):
            crowd = simulate(kind, seed)
            table = annotator_table(RobustDawidSkene(copies=False).fit(crowd.answers))
            held += [row["low"] <= crowd.accuracy[row["annotator"]] <= row["high"] for row in table.to_pylist()]
    assert 0.92 < np.mean(held) <= 1
