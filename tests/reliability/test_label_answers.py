"""One function for labels: agreement within one source, models for several."""

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.experiment.curate import curate
from outgrow.io import as_answers
from outgrow.reliability import agreement, label_answers
from outgrow.reliability.annotators import MODELS, make_model
from outgrow.studies.crowds import Crowd, simulate


@pytest.fixture(scope="module")
def crowd():
    made = simulate(Crowd(tasks=200, annotators=8, answers=4, spammers=1), 0)
    return as_answers(made.answers), made.gold


def right(ids, values, gold):
    return sum(gold[i] == v for i, v in zip(ids, values, strict=True)) / len(ids)


def test_one_source_is_labelled_by_agreement():
    answers = as_answers(pa.table({"example_id": [*"qqqr"], "value": [*"xxyz"]}))
    assert repr(label_answers(answers).to_pylist()) == repr(agreement(answers).to_pylist())  # NaN among them
    assert label_answers(answers, estimator="vote_share")["reliability"][0].as_py() == pytest.approx(2 / 3)


@pytest.mark.parametrize("estimator", [None, "auto", *MODELS])
def test_several_annotators_are_labelled_by_a_model(crowd, estimator):
    answers, _ = crowd
    labels = label_answers(answers, estimator=estimator)
    name = "robust_dawid_skene" if estimator in (None, "auto") else estimator
    assert labels.equals(make_model(name).fit(answers).posterior_table())
    assert labels["source"].null_count == labels.num_rows


def test_each_source_may_have_its_own_labels(crowd):
    answers, _ = crowd
    labels = label_answers(answers, one_label_per_source=True)
    assert repr(labels.to_pylist()) == repr(agreement(answers, one_label_per_source=True).to_pylist())


def test_an_estimator_that_there_is_not_and_settings_of_none_are_refused(crowd):
    answers, _ = crowd
    with pytest.raises(ConfigError, match="unknown estimator 'dawid'"):
        label_answers(answers, estimator="dawid")
    with pytest.raises(ConfigError, match="prior: settings of models of annotators; softmax has none"):
        label_answers(as_answers(pa.table({"example_id": ["q"], "value": ["x"]})), prior=2.0)
    with pytest.raises(PrerequisiteError, match="several sources"):
        label_answers(answers, estimator="softmax")


def test_methods_choose_by_what_the_model_believes(crowd):
    answers, gold = crowd
    whole = curate(answers, method="majority_vote").rows
    assert right(whole["example_id"].to_pylist(), whole["target"].to_pylist(), gold) > 0.93
    half = curate(answers, method="uncertainty_filtering", keep=0.5, stratify="label")
    rows = half.rows
    assert right(rows["example_id"].to_pylist(), rows["target"].to_pylist(), gold) > 0.97
    assert "labels by RobustDawidSkene from the answers of 9 annotators" in half.summary.notes
    weighted = curate(answers, method="reliability_reweighting").rows
    labels = {
        row["example_id"]: row for row in make_model("robust_dawid_skene").fit(answers).posterior_table().to_pylist()
    }
    weights = dict(zip(weighted["example_id"].to_pylist(), weighted["weight"].to_pylist(), strict=True))
    mean = sum(labels[i]["reliability"] for i in weights) / len(weights)
    assert all(w == pytest.approx(labels[i]["reliability"] / mean) for i, w in weights.items())
    soft = curate(answers, method="soft_labels").rows
    for row in soft.to_pylist()[:10]:
        assert dict(row["probabilities"]) == pytest.approx(dict(labels[row["example_id"]]["probabilities"]), abs=1e-4)


def test_known_labels_teach_the_model_and_stay_among_the_rows(crowd):
    answers, gold = crowd
    wrong = {i: next(c for c in "abcd" if c != v) for i, v in list(gold.items())[:5]}
    known = pa.table({"example_id": list(wrong), "value": list(wrong.values())})
    curated = curate(answers, method="majority_vote", known=known, estimator="dawid_skene")
    targets = dict(zip(curated.rows["example_id"].to_pylist(), curated.rows["target"].to_pylist(), strict=True))
    assert {i: targets[i] for i in wrong} == wrong
    assert "labels by DawidSkene from the answers of 9 annotators and 5 known labels" in curated.summary.notes


def test_calibrated_methods_want_one_source(crowd):
    answers, gold = crowd
    known = pa.table({"example_id": list(gold)[:50], "value": list(gold.values())[:50]})
    with pytest.raises(PrerequisiteError, match="calibration is for answers of one source"):
        curate(answers, method="calibrated_filtering", known=known)
