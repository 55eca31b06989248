"""Methods that buy the gold of known questions: whom they ask, what they weigh and keep, what they refuse."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab
from outgrow.methods import METHODS
from outgrow.reliability import agreement, calibrate
from outgrow.reliability.agreement import as_floats

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

KNOWN = {f"k{i:03d}": ["a"] * 5 if i < 120 else ["a", "a", "a", "b", "b"] for i in range(240)}
# unanimous: 110 of 120 right; three to two: 40 of 120 right
KNOWN_TRUTH = {k: "a" if (i < 110 or 120 <= i < 160) else "b" for i, k in enumerate(KNOWN)}
POOL = {"p1": ["a"] * 5, "p2": ["b", "b", "b", "a", "a"], "p3": ["b"] * 5, "p4": ["a", "a", "a", "c", "c"]}


def run(name, **settings):
    lab = fake.FakeLab(fake.answers_table({**KNOWN, **POOL}), known_truth=KNOWN_TRUTH)
    assert isinstance(lab, Lab)
    spec = METHODS[name]
    spec.function(lab, spec.config(**settings))
    (trained,) = lab.trained
    return lab, trained


def labels_of(lab, questions):
    return agreement(lab.answers.filter(pc.is_in(lab.answers["example_id"], questions["example_id"].combine_chunks())))


@pytest.mark.parametrize("name", ["calibrated_filtering", "calibrated_reweighting"])
def test_pool_and_known_are_asked_in_every_wording_and_only_the_pool_is_trained_on(name):
    lab, trained = run(name)
    assert lab.asked == [("sup", None), ("sup", None)]
    assert set(trained.column("example_id")) <= set(POOL)
    assert not METHODS[name].uses_gold


def test_weights_are_p_correct_and_follow_what_known_gold_taught():
    lab, trained = run("calibrated_reweighting", calibrator="beta")
    labels, known = labels_of(lab, lab.pool), labels_of(lab, lab.known)
    expected = as_floats(calibrate(labels, known, lab.known_gold(), kind="beta")["reliability"])
    weight = dict(zip(trained.column("example_id"), trained.column("weight"), strict=True))
    assert list(weight.values()) == pytest.approx(expected.tolist())
    assert weight["p1"] == weight["p3"] > weight["p2"] == weight["p4"]
    assert weight["p1"] == pytest.approx(110 / 120, abs=0.06)
    assert weight["p2"] == pytest.approx(40 / 120, abs=0.06)


def test_a_right_label_may_be_written_otherwise_than_gold():
    _, alike = run("calibrated_reweighting")
    truth = {i: value.upper() for i, value in KNOWN_TRUTH.items()}
    answers = fake.answers_table({**KNOWN, **POOL})
    lab = fake.FakeLab(answers, known_truth=truth, equal={"a": "A", "b": "B", "c": "C"})
    spec = METHODS["calibrated_reweighting"]
    spec.function(lab, spec.config())
    assert lab.trained[0].column("weight") == alike.column("weight")
    assert lab.trained[0].targets == alike.targets  # trained on as the supervisor wrote it


def test_the_filter_keeps_the_most_probable_half():
    _, trained = run("calibrated_filtering", keep=0.5)
    assert trained.targets == {"p1/sup/0": "a", "p3/sup/0": "b"}
    assert set(np.round(trained.column("weight"), 12)) == {1.0}


def test_without_known_questions_the_split_is_named():
    lab = fake.FakeLab(fake.answers_table(POOL))
    spec = METHODS["calibrated_filtering"]
    with pytest.raises(PrerequisiteError, match=r"there are none; give the task's split 'known' some"):
        spec.function(lab, spec.config())
