"""Labels rated by P(correct) from known questions: cross-fitting, what is charged, and bad input."""

import math

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import ANSWERS, LABELS, build
from outgrow.reliability import agreement, calibrate, fit_calibrator

KINDS = ("platt", "beta", "isotonic")


def answers_of(questions):
    """Answers of one source: {"q": ["x", "x", None]} asks question q three times."""
    rows = [(q, i, value) for q, values in questions.items() for i, value in enumerate(values)]
    ids, samples, values = zip(*rows, strict=True)
    given = {"example_id": ids, "source": ["s"] * len(ids), "variant": [0] * len(ids), "sample": samples}
    return build(ANSWERS, {**given, "value": values})


def labels_of(n, seed, prefix):
    """n labels of K = 5 answers "r" (right) or others, and the gold "r" for each."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(2, 1, n)
    questions = {
        f"{prefix}{i}": ["r" if rng.random() < p else f"w{rng.integers(3)}" for _ in range(5)]
        for i, p in enumerate(skill)
    }
    labels = agreement(answers_of(questions))
    return labels, gold_of(dict.fromkeys(questions, "r"))


def gold_of(values):
    return pa.table({"example_id": pa.array(list(values), pa.string()), "value": pa.array(list(values.values()))})


def flipped(gold, name):
    """Gold under which the label of `name` is wrong where it was right, and right where it was wrong."""
    values = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    said = dict(zip(KNOWN["example_id"].to_pylist(), KNOWN["value"].to_pylist(), strict=True))[name]
    return gold_of({**values, name: "something else" if values[name] == said else said})


def reliability(table):
    return dict(zip(table["example_id"].to_pylist(), table["reliability"].to_pylist(), strict=True))


KNOWN, GOLD = labels_of(60, 0, "k")
POOL, POOL_GOLD = labels_of(200, 1, "p")


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_label_is_rated_by_fits_that_have_not_seen_its_gold(kind):
    both = pa.concat_tables([POOL, KNOWN])
    before = reliability(calibrate(both, KNOWN, GOLD, kind=kind, folds=5))
    for name in ("k0", "k17", "k59"):
        after = reliability(calibrate(both, KNOWN, flipped(GOLD, name), kind=kind, folds=5))
        assert after[name] == before[name]
        others = [k for k in before if k.startswith("k") and after[k] != before[k]]
        assert 0 < len(others) <= 48  # the twelve labels of its own fold are rated by the same fit as before
        assert any(after[k] != before[k] for k in before if k.startswith("p"))


def test_a_known_label_is_rated_without_its_whole_group():
    groups = {"k1": "g", "k2": "g", "k3": "g"}
    before = reliability(calibrate(KNOWN, KNOWN, GOLD, groups=groups))
    for name in groups:
        after = reliability(calibrate(KNOWN, KNOWN, flipped(GOLD, name), groups=groups))
        assert [after[k] for k in groups] == [before[k] for k in groups]


def test_other_labels_get_the_fit_on_all_known_labels():
    found = calibrate(POOL, KNOWN, GOLD)
    right = np.array([v == "r" for v in KNOWN["value"].to_pylist()])
    shares = [np.stack([t["vote_share"].to_numpy(), np.zeros(t.num_rows)], 1) for t in (KNOWN, POOL)]
    assert np.array_equal(found["reliability"].to_numpy(), fit_calibrator(shares[0], right)(shares[1]))
    assert found.schema.equals(LABELS)
    for name in LABELS.names:
        if name != "reliability":
            assert found[name].equals(POOL[name])


def test_log_probability_and_margin_enter_as_the_logarithm_and_the_artanh():
    def with_measures(labels, seed):
        rng = np.random.default_rng(seed)
        for name, x in (
            ("mean_logprob", -rng.exponential(size=labels.num_rows)),
            ("margin", rng.uniform(-1, 1, labels.num_rows)),
        ):
            at = LABELS.get_field_index(name)
            labels = labels.set_column(at, LABELS.field(at), pa.array(x))
        return labels

    known, pool = with_measures(KNOWN, 0), with_measures(POOL, 1)

    def matrix(t):
        logprob = [math.log(max(-x, 0.001)) for x in t["mean_logprob"].to_pylist()]
        margin = [math.atanh(min(max(x, -0.98), 0.98)) for x in t["margin"].to_pylist()]
        return np.stack([t["vote_share"].to_numpy(), logprob, margin, np.zeros(t.num_rows)], 1)

    found = calibrate(pool, known, GOLD)
    right = np.array([v == "r" for v in known["value"].to_pylist()])
    expected = fit_calibrator(matrix(known), right)(matrix(pool))
    assert np.allclose(found["reliability"].to_numpy(), expected, atol=1e-9)
    assert found.schema.metadata[b"features"] == b"vote_share,mean_logprob,margin,invalid_share"


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_says_how_many_gold_labels_were_bought_and_how_they_were_used(kind):
    metadata = calibrate(POOL, KNOWN, GOLD, kind=kind, folds=7, seed=3).schema.metadata
    assert metadata == {
        b"estimator": b"calibrated", b"kind": kind.encode(), b"known_labels": b"60",
        b"features": b"vote_share,invalid_share", b"folds": b"7", b"seed": b"3",
    }  # fmt: skip


def test_an_unanswered_known_question_is_charged_but_not_learnt_from():
    known = pa.concat_tables([KNOWN, agreement(answers_of({"none": [None] * 5}))])
    found = calibrate(POOL, known, pa.concat_tables([GOLD, gold_of({"none": "r"})]))
    assert found.schema.metadata[b"known_labels"] == b"61"
    assert found["reliability"].equals(calibrate(POOL, KNOWN, GOLD)["reliability"])


def test_a_label_without_a_value_is_right_with_probability_0():
    pool = pa.concat_tables([agreement(answers_of({"none": [None] * 5})), POOL])
    found = calibrate(pool, KNOWN, GOLD)["reliability"].to_pylist()
    assert found[0] == 0.0
    assert min(found[1:]) > 0
    assert calibrate(pool.slice(0, 1), KNOWN, GOLD)["reliability"].to_pylist() == [0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_on_average_as_many_labels_are_right_as_the_probabilities_say(kind):
    known, gold = labels_of(2_000, 2, "k")
    pool, _ = labels_of(2_000, 3, "p")
    p = calibrate(pool, known, gold, kind=kind)["reliability"].to_numpy()
    right = np.array([v == "r" for v in pool["value"].to_pylist()])
    for share in (0.6, 0.8, 1.0):
        at = np.isclose(pool["vote_share"].to_numpy(), share)
        assert abs(p[at].mean() - right[at].mean()) < 4 * math.sqrt(0.5 / at.sum())


def test_gold_that_contradicts_itself_is_named_with_both_values():
    twice = pa.concat_tables([GOLD, gold_of({"k5": "x"})])
    with pytest.raises(DataError, match="'k5' has two values, 'r' and 'x'; correct the file"):
        calibrate(POOL, KNOWN, twice)
    same = pa.concat_tables([GOLD, gold_of({"k5": "r"})])
    assert calibrate(POOL, KNOWN, same)["reliability"].equals(calibrate(POOL, KNOWN, GOLD)["reliability"])


def test_gold_of_two_objectives_is_told_from_a_contradiction():
    gold = pa.table({"example_id": ["a", "a"], "objective": ["truth", "harm"], "value": ["x", "y"]})
    with pytest.raises(DataError, match="keep the rows of one objective"):
        calibrate(POOL, KNOWN, gold)


def test_known_questions_without_gold_or_gold_without_questions_are_named():
    with pytest.raises(DataError, match=r"1 known gold values belong to no known label.*'typo'"):
        calibrate(POOL, KNOWN, pa.concat_tables([GOLD, gold_of({"typo": "r"})]))
    with pytest.raises(DataError, match=r"20 known labels have no gold value.*'k40'"):
        calibrate(POOL, KNOWN, GOLD.slice(0, 40))
    with pytest.raises(DataError, match="0 known gold values and 60 known labels"):
        calibrate(POOL, KNOWN, GOLD.slice(0, 0))
    with pytest.raises(DataError, match="60 known gold values and 0 known labels"):
        calibrate(POOL, KNOWN.slice(0, 0), GOLD)


def test_gold_in_other_words_than_the_labels_is_told_from_wrong_labels():
    loud = gold_of({example_id: value.upper() + "!" for example_id, value in zip(
        GOLD["example_id"].to_pylist(), GOLD["value"].to_pylist(), strict=True)})  # fmt: skip
    with pytest.raises(DataError, match=r"all 60 known labels are wrong: no label is a value.*gold like '.!'"):
        calibrate(POOL, KNOWN, loud)


def test_known_labels_of_one_kind_alone_teach_nothing():
    with pytest.raises(DataError, match="all 60 known labels are wrong"):
        calibrate(POOL, KNOWN, gold_of(dict.fromkeys(KNOWN["example_id"].to_pylist(), "else")))


def test_a_single_wrong_known_label_cannot_be_rated_without_itself():
    gold = gold_of(dict(zip(KNOWN["example_id"].to_pylist(), KNOWN["value"].to_pylist(), strict=True)))
    one_wrong = flipped(gold, "k0")
    assert calibrate(POOL, KNOWN, one_wrong)["reliability"].null_count == 0  # the pool needs no fit without it
    with pytest.raises(DataError, match="of 60 known labels 59 are right, and those that are wrong fall into one fold"):
        calibrate(KNOWN, KNOWN, one_wrong)


def test_labels_of_several_sources_are_refused():
    with pytest.raises(DataError, match="labels: several rows for one question"):
        calibrate(pa.concat_tables([POOL, POOL]), KNOWN, GOLD)
    with pytest.raises(DataError, match="known labels: several rows for one question"):
        calibrate(POOL, pa.concat_tables([KNOWN, KNOWN]), GOLD)


def test_one_answer_per_question_without_log_probabilities_leaves_nothing_to_learn_from():
    single = agreement(answers_of({f"k{i}": ["r" if i % 2 else "w"] for i in range(10)}))
    gold = gold_of({f"k{i}": "r" for i in range(10)})
    with pytest.raises(PrerequisiteError, match="ask each question at least twice, or bring log-probabilities"):
        calibrate(single, single, gold)


def test_one_fold_is_refused():
    with pytest.raises(ConfigError, match="folds must be at least 2, not 1"):
        calibrate(POOL, KNOWN, GOLD, folds=1)
