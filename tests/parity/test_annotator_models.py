"""The same posteriors as crowd-kit after the same iterations, where it has the model."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from outgrow.reliability.annotators import GLAD, MACE, BradleyTerry, DawidSkene, OneCoin, WeightedVote

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import crowdkit.aggregation as theirs


def crowd(seed, tasks=150, annotators=12, classes=4, answers=5):
    """A crowd of mixed quality; every class and annotator occurs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, tasks)
    skill = rng.uniform(0.4, 0.95, annotators)
    rows = []
    for task in range(tasks):
        for who in rng.permutation(annotators)[:answers]:
            label = truth[task] if rng.random() < skill[who] else rng.integers(0, classes)
            rows.append((f"t{task:03d}", f"w{who:02d}", "abcdefgh"[label]))
    return pd.DataFrame(rows, columns=["task", "worker", "label"])


def as_table(frame):
    return pa.table({"example_id": frame["task"], "source": frame["worker"], "value": frame["label"]})


def dense(model):
    posterior = model.posterior_
    return posterior.toarray() if hasattr(posterior, "toarray") else posterior


def probabilities(model, frame):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit_predict_proba(frame)


def assert_same(ours, expected, atol=1e-6):
    rows = ours.votes_.tasks.to_pylist()
    expected = expected.reindex(index=rows, columns=ours.votes_.classes.to_pylist()).fillna(0)
    np.testing.assert_allclose(dense(ours), expected.to_numpy(), atol=atol)
    assert expected.to_numpy().max() > 0.9  # not all alike


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("iterations", [1, 2, 7, 30])
def test_dawid_skene(seed, iterations):
    frame = crowd(seed)
    ours = DawidSkene(n_iter=iterations, tol=-1.0, prior=0.0).fit(as_table(frame))
    assert_same(ours, probabilities(theirs.DawidSkene(n_iter=iterations, tol=-1e9), frame))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("iterations", [1, 7, 30])
def test_dawid_skene_with_known_labels(seed, iterations):
    frame = crowd(seed)
    known = {f"t{i:03d}": "abcd"[i % 4] for i in range(20)}  # some contradict every vote
    ours = DawidSkene(n_iter=iterations, tol=-1.0, prior=0.0).fit(as_table(frame), known=known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = theirs.DawidSkene(n_iter=iterations, tol=-1e9).fit(frame, true_labels=pd.Series(known))
    assert_same(ours, model.probas_)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("iterations", [1, 2, 7, 30])
def test_one_coin(seed, iterations):
    frame = crowd(seed)
    ours = OneCoin(n_iter=iterations, tol=-1.0, prior=0.0).fit(as_table(frame))
    expected = probabilities(theirs.OneCoinDawidSkene(n_iter=iterations, tol=-1e9), frame)
    total = dense(ours).sum(axis=1) + ours.elsewhere_
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    unseen = dense(ours) == 0
    expected = expected.reindex(index=ours.votes_.tasks.to_pylist(), columns=ours.votes_.classes.to_pylist())
    np.testing.assert_allclose(dense(ours), np.where(unseen, 0, expected), atol=1e-6)
    np.testing.assert_allclose(ours.elsewhere_, np.where(unseen, expected, 0).sum(axis=1), atol=1e-6)


@pytest.mark.parametrize("method", ["vb", "em"])
@pytest.mark.parametrize("seed", range(3))
def test_mace(seed, method):
    frame = crowd(seed, tasks=60)
    labels = pd.factorize(frame["label"])[1]
    ours = MACE(n_iter=10, restarts=1, variational=method == "vb")
    # crowd-kit numbers annotators and labels by first appearance, and starts from random numbers in that order
    workers = pd.factorize(frame["worker"])[1]
    renamed = frame.assign(
        worker=frame["worker"].map({name: f"w{i:02d}" for i, name in enumerate(workers)}),
        label=frame["label"].map({name: f"l{i}" for i, name in enumerate(labels)}),
    )
    ours.fit(as_table(renamed))
    expected = probabilities(theirs.MACE(n_restarts=1, n_iter=10, method=method), renamed)
    assert_same(ours, expected)


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_glad(seed, iterations):
    frame = crowd(seed, tasks=60)
    ours = GLAD(n_iter=iterations, tol=-1e9).fit(as_table(frame))
    assert_same(ours, probabilities(theirs.GLAD(n_iter=iterations, tol=-1e9), frame))


@pytest.mark.parametrize("seed", range(3))
def test_majority_vote_and_agreement_with_the_majority(seed):
    frame = crowd(seed, answers=7)
    assert_same(WeightedVote().fit(as_table(frame)), probabilities(theirs.MajorityVote(), frame))
    counts = frame.groupby(["task", "label"]).size().unstack(fill_value=0).to_numpy()
    top = np.sort(counts, axis=1)
    names = sorted(frame["task"].unique())
    clear = {name for name, row in zip(names, top, strict=True) if row[-1] > row[-2]}
    frame = frame[frame["task"].isin(clear)]  # ties are broken differently
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        skills = theirs.Wawa().fit(frame).skills_
        expected = theirs.MajorityVote().fit_predict_proba(frame, skills)
    assert_same(WeightedVote("agreement").fit(as_table(frame)), expected)


@pytest.mark.parametrize("iterations", [1, 5, 200])
def test_bradley_terry(iterations):
    rng = np.random.default_rng(0)
    strength = np.array([1.0, 2.0, 4.0, 8.0])
    rows = []
    for _ in range(400):
        i, j = rng.permutation(4)[:2]
        first = rng.random() < strength[i] / (strength[i] + strength[j])
        rows.append((f"i{i}", f"i{j}", f"i{i if first else j}"))
    frame = pd.DataFrame(rows, columns=["left", "right", "label"]).assign(worker="w")
    loser = np.where(frame["label"] == frame["left"], frame["right"], frame["left"])
    ours = BradleyTerry(n_iter=iterations, tol=-1.0, prior=0.0).fit(
        pa.table({"chosen": frame["label"], "rejected": loser})
    )
    expected = theirs.BradleyTerry(n_iter=iterations, tol=-1).fit_predict(frame)
    np.testing.assert_allclose(ours.strength_, expected[ours.items_.to_pylist()], atol=1e-9)
    assert ours.strength_.argmax() == 3
