"""Several supervisors as annotators: who is asked, what labels come out, and rows that say whose answer they are."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.lab import Source
from outgrow.methods import METHODS
from outgrow.methods.annotators import components
from outgrow.objectives.annotators import CoNal, CrowdLayer, Madl
from outgrow.objectives.evidential import Evidential
from outgrow.objectives.raven import Raven
from outgrow.reliability.annotators import fit_annotators

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

# two who agree with each other eleven times of twelve, and the first supervisor, who says the opposite of both
TRUE = {f"q{i:02}": "ab"[i % 2] for i in range(10)} | {"v1": "a", "v2": "b"}
TURNED = {q: "b" if value == "a" else "a" for q, value in TRUE.items()}
OTHERS = (Source("ann", "key-ann"), Source("bob", "key-bob"))


def crowd_lab(**facts):
    answers = fake.answers_table({q: [value] for q, value in TURNED.items()})
    said = {"ann": TRUE, "bob": {**TRUE, "q03": "a"}}
    states = {q: [float(value == "a"), 1.0, i / 10] for i, (q, value) in enumerate(TRUE.items())}
    return fake.FakeLab(answers, held_out=("v1", "v2"), said=said, further=OTHERS, states=states, **facts)


def run(name, lab, **settings):
    METHODS[name].function(lab, METHODS[name].config(**settings))
    (trained,) = lab.trained
    return trained


def test_without_an_estimator_the_first_supervisor_alone_is_asked():
    lab = crowd_lab()
    trained = run("majority_vote", lab)
    assert [who for who, _ in lab.asked] == ["sup"]
    assert dict(zip(trained.column("example_id"), trained.column("target"), strict=True))["q00"] == TURNED["q00"]
    assert trained.select is None


@pytest.mark.parametrize(("estimator", "disputed"), [("majority", "a"), ("dawid_skene", "b")])
def test_an_estimator_labels_by_all_supervisors_and_chooses_the_checkpoint_by_its_labels(estimator, disputed):
    lab = crowd_lab(estimator=estimator)
    trained = run("majority_vote", lab)
    assert {who for who, _ in lab.asked} == {"sup", "ann", "bob"}
    assert dict(zip(trained.column("example_id"), trained.column("target"), strict=True)) == {
        **{q: value for q, value in TRUE.items() if q.startswith("q")},
        "q03": disputed,  # ann against bob and the one who is always wrong
    }
    told = trained.select
    assert dict(zip(*(told[name].to_pylist() for name in ("example_id", "value")), strict=True)) == {
        "v1": "a",
        "v2": "b",
    }


def test_soft_labels_are_the_posterior():
    lab = crowd_lab(estimator="dawid_skene")
    trained = run("soft_labels", lab)
    tables = [lab.ask(each, lab.pool, variants=1) for each in lab.supervisors]
    import pyarrow as pa

    posterior = fit_annotators(pa.concat_tables(tables), model="dawid_skene").posterior_table(seed=0)
    expected = dict(zip(posterior["example_id"].to_pylist(), posterior["probabilities"].to_pylist(), strict=True))
    for question, shares in zip(trained.column("example_id"), trained.column("probabilities"), strict=True):
        assert dict(shares) == pytest.approx(dict(expected[question]))


def test_what_is_for_one_source_says_so():
    with pytest.raises(PrerequisiteError, match=r"first answer .* one source, .* in a recipe without estimator"):
        run("naive", crowd_lab(estimator="auto"))


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [("crowd_layer", CrowdLayer, {}), ("conal", CoNal, {"items": 2}), ("madl", Madl, {"items": 2, "gamma": 0.5})],
)
def test_joint_methods_train_on_everybodys_answers(name, kind, settings):
    lab = crowd_lab()
    trained = run(name, lab, rate=0.02, **settings)
    assert trained.rows.num_rows == 30
    whose = dict(zip(trained.column("source"), trained.column("annotator"), strict=True))
    assert whose == {"ann": 0.0, "bob": 1.0, "sup": 2.0}
    answers = {(s, q): v for s, q, v in zip(*map(trained.column, ("source", "example_id", "target")), strict=True)}
    assert answers["ann", "q03"] == "b"
    assert answers["bob", "q03"] == answers["sup", "q03"] == "a"
    assert isinstance(trained.objective, kind)
    assert (trained.objective.annotators, trained.objective.rate) == (3, 0.02)
    assert trained.select["value"].to_pylist() == ["a", "b"]
    if name == "crowd_layer":
        assert "item" not in trained.rows.column_names
    else:
        assert trained.objective.items == 2
        items = np.array(trained.column("item"))
        assert items.shape == (30, 2)
        np.testing.assert_allclose(items.std(axis=0), 1.0, atol=1e-3)
    if name == "madl":
        assert trained.objective.gamma == 0.5


SHARES = {(q, 0): {"a": 0.9, "b": 0.1} if value == "a" else {"a": 0.3, "b": 0.7} for q, value in TURNED.items()}


def mixed_lab():
    """The first supervisor says probabilities, the others what they mean."""
    lab = crowd_lab()
    lab.answers = fake.answers_table({q: [value] for q, value in TURNED.items()}, probabilities=SHARES)
    return lab


def shares_of(trained):
    rows = zip(trained.column("example_id"), trained.column("probabilities"), strict=True)
    return {example: dict(shares) for example, shares in rows}


@pytest.mark.parametrize("name", ["naive_multi_weak", "bayesian_multi_weak"])
def test_labels_of_several_are_averaged_with_their_weights(name):
    trained = run(name, mixed_lab())
    # q00: sup says b at .7, ann and bob a; q03: sup a at .9, ann b, bob a
    assert shares_of(trained)["q00"] == pytest.approx({"a": (0.3 + 2) / 3, "b": 0.7 / 3})
    assert shares_of(trained)["q03"] == pytest.approx({"a": (0.9 + 1) / 3, "b": 1.1 / 3})
    assert trained.rows.num_rows == 10
    assert trained.select["value"].to_pylist() == ["a", "b"]
    weighted = run(name, mixed_lab(), weights=(2.0, 1.0, 0.0))
    assert shares_of(weighted)["q03"] == pytest.approx({"a": 2 * 0.9 / 3, "b": (2 * 0.1 + 1) / 3})
    hard = run(name, mixed_lab(), labels="hard")
    assert shares_of(hard)["q00"] == pytest.approx({"a": 2 / 3, "b": 1 / 3})
    objective = run(name, mixed_lab()).objective
    assert objective == (None if name == "naive_multi_weak" else Evidential())


def test_estimated_weights_leave_out_who_is_worse_than_chance():
    lab = mixed_lab()
    trained = run("naive_multi_weak", lab, weights="estimated", labels="hard")
    assert all(max(shares.values()) > 0.5 for shares in shares_of(trained).values())
    truth = {q: value for q, value in TRUE.items() if q.startswith("q")}
    assert {q: max(shares, key=shares.get) for q, shares in shares_of(trained).items() if q != "q03"} == {
        q: value for q, value in truth.items() if q != "q03"
    }
    (note,) = lab.notes
    assert re.fullmatch(r"Weights of the supervisors: .*sup 0\.00.*\.", note)


def test_discounted_weights_share_among_who_err_together():
    """dan says what cid says: the two weigh what one of them does, as their accuracies are alike."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    said = {
        name: {f"q{i:03}": "abcd"[(t + (rng.random() < 0.25) * rng.integers(1, 4)) % 4] for i, t in enumerate(truth)}
        for name in ("sup", "ann", "bob", "cid")
    }
    said["dan"] = said["cid"]
    found = {}
    for weights in ("estimated", "discounted"):
        answers = fake.answers_table({question: [value] for question, value in said["sup"].items()})
        further = tuple(Source(name, f"key-{name}") for name in ("ann", "bob", "cid", "dan"))
        lab = fake.FakeLab(answers, held_out=("q398", "q399"), said=said, further=further)
        run("naive_multi_weak", lab, weights=weights, labels="hard")
        found[weights] = {name: float(w) for name, w in re.findall(r"(\w+) (0\.\d+)", lab.notes[0])}
    assert all(weight == pytest.approx(0.2, abs=0.05) for weight in found["estimated"].values())
    assert found["discounted"]["cid"] == pytest.approx(0.125, abs=0.03)
    assert found["discounted"]["dan"] == pytest.approx(0.125, abs=0.03)
    assert found["discounted"]["ann"] == pytest.approx(0.25, abs=0.05)


def test_weights_by_name_leave_out_who_is_not_named():
    alone = run("naive_multi_weak", mixed_lab(), weights={"bob": 2.0})
    assert shares_of(alone)["q03"] == {"a": 1.0, "b": 0.0}
    with pytest.raises(ConfigError, match=r"or some of them by name, not all 0; found \{'rob': 1\.0\}"):
        run("naive_multi_weak", crowd_lab(), weights={"rob": 1.0})


def test_weights_by_hand_have_to_fit():
    with pytest.raises(ConfigError, match=r"one number for each of the supervisors \['sup', 'ann', 'bob'\]"):
        run("naive_multi_weak", crowd_lab(), weights=(1.0, 1.0))


def test_joint_decoding_trains_on_what_all_choose_together():
    lab = crowd_lab()
    lab.said["joint decoding"] = TRUE
    trained = run("joint_decoding", lab, weights=(1.0, 2.0, 3.0))
    assert lab.joints == [(lab.supervisors, (1.0, 2.0, 3.0))]
    assert set(trained.column("source")) == {"joint decoding"}
    answers = dict(zip(trained.column("example_id"), trained.column("target"), strict=True))
    assert answers == {q: value for q, value in TRUE.items() if q.startswith("q")}
    assert trained.select["value"].to_pylist() == ["a", "b"]


def test_raven_gets_everybodys_labels_and_where_all_agree():
    lab = crowd_lab()
    lab.said["ann"] = {**TRUE, "q01": TURNED["q01"]}
    lab.said["bob"] = {**TRUE, "q01": TURNED["q01"]}
    trained = run("raven", lab, start=0.25)
    assert trained.objective == Raven(annotators=3, rate=1e-3, start=0.25)
    easy = {q for q, flag in zip(trained.column("example_id"), trained.column("easy"), strict=True) if flag}
    assert easy == {"q01"}
    assert trained.rows.num_rows == 30


def test_one_annotator_is_none():
    lab = fake.FakeLab(fake.answers_table({q: [value] for q, value in TRUE.items()}), held_out=("v1", "v2"))
    with pytest.raises(PrerequisiteError, match="crowd_layer learns from the answers of several annotators, and there"):
        run("crowd_layer", lab)


def test_components_are_unit_and_leave_out_what_does_not_vary():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(200, 1)) @ rng.normal(size=(1, 5)) + 0.3 * rng.normal(size=(200, 1)) @ np.ones((1, 5)) + 7
    found = components(states, 4)
    assert found.shape == (200, 2)  # of rank two
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(2), atol=1e-3)
    assert components(np.ones((3, 4)), 2).tolist() == [[0.0]] * 3
