"""Confident learning: what cleanlab says, mapped to labels by id, and bad input."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.tables import ANSWERS, LABELS, build
from outgrow.reliability import agreement, confident_learning

CLASSES = ["a", "b", "c"]


def answers(values, maps=None):
    n = len(values)
    columns = {"example_id": list(values), "source": ["s"] * n, "variant": [0] * n, "sample": [0] * n}
    columns["value"] = list(values.values())
    if maps is not None:
        columns["probabilities"] = [list(m.items()) for m in maps]
    return build(ANSWERS, columns)


def made(n=300, seed=0):
    """Given labels of which a tenth are exchanged, and another model's probabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n)
    given = np.where(rng.random(n) < 0.1, (truth + 1) % 3, truth)
    p = rng.dirichlet([1, 1, 1], n) + 3 * np.eye(3)[truth]
    return given, truth, p / p.sum(axis=1, keepdims=True)


def tables(given, p):
    names = [f"q{i}" for i in range(len(given))]
    labels = agreement(answers({q: CLASSES[v] for q, v in zip(names, given, strict=True)}))
    maps = [dict(zip(CLASSES, row.tolist(), strict=True)) for row in p]
    return labels, answers(dict.fromkeys(names, "a"), maps)


def test_flags_and_scores_are_cleanlabs_whatever_the_order_of_rows():
    pytest.importorskip("cleanlab")
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    given, truth, p = made()
    labels, predicted = tables(given, p)
    found = confident_learning(labels, predicted.take(pa.array(np.random.default_rng(1).permutation(len(given)))))
    assert np.array_equal(found["label_issue"].to_numpy(), find_label_issues(given, p, n_jobs=1))
    assert np.allclose(found["reliability"].to_numpy(), get_label_quality_scores(given, p), atol=1e-12)
    assert found.select(LABELS.names).schema.equals(LABELS)
    assert found.schema.metadata[b"estimator"] == b"confident_learning"
    flagged = found["label_issue"].to_numpy()
    assert flagged[given != truth].mean() > 0.8 > 0.1 > flagged[given == truth].mean()


def test_the_reliability_is_the_probability_of_the_given_label_averaged_over_answers():
    pytest.importorskip("cleanlab")
    given, _, p = made()
    labels, predicted = tables(given, p)
    again = tables(given, np.full_like(p, 1 / 3))[1]
    found = confident_learning(labels, pa.concat_tables([predicted, again]))["reliability"].to_numpy()
    assert np.allclose(found, (p[np.arange(len(given)), given] + 1 / 3) / 2, atol=1e-12)


def test_a_label_without_a_value_is_an_issue_and_an_unlisted_class_has_probability_0():
    pytest.importorskip("cleanlab")
    given, _, p = made()
    labels, predicted = tables(given, p)
    labels = pa.concat_tables([labels, agreement(answers({"none": None, "last": "c"}))])
    predicted = pa.concat_tables([predicted, answers({"last": "a"}, [{"a": 0.75, "b": 0.25}])])
    found = confident_learning(labels, predicted).to_pylist()[-2:]
    assert [(r["example_id"], r["reliability"], r["label_issue"]) for r in found] == [
        ("none", 0, True),
        ("last", 0, True),
    ]


def test_bad_probabilities_and_classes_are_named():
    pytest.importorskip("cleanlab")
    labels, predicted = tables(*made()[::2])
    with pytest.raises(DataError, match=r"1 of 300 labels with a value have no predicted prob.*first: 'q299'"):
        confident_learning(labels, predicted.slice(0, 299))
    with pytest.raises(DataError, match="no predicted probabilities"):
        confident_learning(labels, answers({"q0": "a"}))
    with pytest.raises(DataError, match="'c' is a label or a predicted option, but not among the classes"):
        confident_learning(labels, predicted, classes=["a", "b"])
    with pytest.raises(DataError, match="several rows for one question"):
        confident_learning(pa.concat_tables([labels, labels]), predicted)
    one = agreement(answers({"q": "a"}))
    for maps in ({"a": 0.5}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(DataError, match="probabilities of 'q' are negative or sum to"):
            confident_learning(one, answers({"q": "a"}, [maps]), classes=CLASSES)
    with pytest.raises(DataError, match="at least two classes"):
        confident_learning(one, answers({"q": "a"}, [{"a": 1.0}]))


def test_without_cleanlab_the_extra_is_named(monkeypatch):
    for name in ("cleanlab", "cleanlab.filter", "cleanlab.rank"):
        monkeypatch.setitem(sys.modules, name, None)
    labels, predicted = tables(*made()[::2])
    with pytest.raises(PrerequisiteError, match=r'pip install "outgrow\[cleanlab\]"'):
        confident_learning(labels, predicted)
