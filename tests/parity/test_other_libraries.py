"""The same numbers as crowd-kit and scikit-learn where both define the same thing."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from outgrow.evaluation import auroc, brier, ece
from outgrow.reliability import agreement


def majority_vote(crowd):
    """crowd-kit's labels and probabilities; its own warnings (of imports, of pandas) are not ours to fail on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from crowdkit.aggregation import MajorityVote

        return MajorityVote().fit_predict(crowd).to_dict(), MajorityVote().fit_predict_proba(crowd)


def random_answers(seed, questions=300, k=5, values="abcd"):
    rng = np.random.default_rng(seed)
    ids = np.repeat([f"q{i}" for i in range(questions)], k)
    return pd.DataFrame({"example_id": ids, "value": rng.choice(list(values), len(ids), p=[0.5, 0.3, 0.1, 0.1])})


@pytest.mark.parametrize("seed", range(3))
def test_consensus_equals_crowd_kits_majority_vote_where_there_is_no_tie(seed):
    frame = random_answers(seed)
    counts = frame.value_counts().unstack(fill_value=0)
    top = np.sort(counts.to_numpy(), axis=1)
    clear = top[:, -1] > top[:, -2]
    assert 0.5 < clear.mean() < 1
    keep = set(counts.index[clear])
    frame = frame[frame["example_id"].isin(keep)].reset_index(drop=True)
    crowd = frame.rename(columns={"example_id": "task", "value": "label"}).assign(
        worker=frame.groupby("example_id").cumcount()
    )
    expected, probabilities = majority_vote(crowd)
    for row in agreement(pa.Table.from_pandas(frame, preserve_index=False)).to_pylist():
        assert row["value"] == expected[row["example_id"]]
        for value, share in row["probabilities"]:
            assert share == pytest.approx(probabilities.loc[row["example_id"], value], abs=1e-12)


@pytest.mark.parametrize("levels", [3, 50, None])
def test_auroc_equals_scikit_learns(levels):
    rng = np.random.default_rng(levels or 0)
    score = rng.random(2000) if levels is None else rng.integers(0, levels, 2000).astype(float)
    correct = rng.random(2000) < 0.3 + 0.4 * score / score.max()
    assert auroc(score, correct) == pytest.approx(roc_auc_score(correct, score), abs=1e-12)


def test_brier_equals_scikit_learns():
    rng = np.random.default_rng(0)
    prob = rng.random(1000)
    correct = rng.random(1000) < prob
    assert brier(prob, correct) == pytest.approx(brier_score_loss(correct, prob), abs=1e-12)


def test_calibration_bins_equal_scikit_learns_quantile_bins_without_ties():
    rng = np.random.default_rng(1)
    prob = rng.random(1500)
    correct = rng.random(1500) < prob**2
    found = ece(prob, correct, bins=15, draws=1)
    accuracy, confidence = calibration_curve(correct, prob, n_bins=15, strategy="quantile")
    np.testing.assert_allclose(found.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(found.confidence, confidence, atol=1e-12)
    assert found.value == pytest.approx(np.abs(accuracy - confidence).mean(), abs=1e-12)  # 100 items a bin
