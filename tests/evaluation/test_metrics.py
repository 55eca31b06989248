"""Metrics from statistics that add up: values as by scikit-learn, and what single answers contribute."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from outgrow.core.errors import ConfigError, DataError
from outgrow.evaluation import METRICS, MeanScore, PairedScores, judges_slots
from outgrow.evaluation.metrics import linearised

ACCURACY, BALANCED, MACRO_F1 = (METRICS[name] for name in ("accuracy", "balanced_accuracy", "macro_f1"))
GOLD = ["a", "a", "a", "b", "b", "c"]
PREDICTED = ["a", "a", "b", "b", None, "d"]
CLASSES = ["a", "b", "c", "d", "elsewhere"]


def measured(metric, predicted, gold, classes):
    return float(metric.value(metric.statistics(predicted, gold, classes).sum(axis=0)))


def test_the_three_metrics_by_hand():
    assert measured(ACCURACY, PREDICTED, GOLD, CLASSES) == 3 / 6
    # recalls: a 2/3, b 1/2, c 0; d and elsewhere are not in gold
    assert measured(BALANCED, PREDICTED, GOLD, CLASSES) == pytest.approx((2 / 3 + 1 / 2) / 3)
    # F1: a 2*2 / (3 + 2), b 2*1 / (2 + 2), c 0 / (1 + 0), d 0 / (0 + 1); elsewhere is seen nowhere and left out
    assert measured(MACRO_F1, PREDICTED, GOLD, CLASSES) == pytest.approx((4 / 5 + 1 / 2) / 4)


@pytest.mark.parametrize("seed", range(20))
def test_values_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    classes = list("abcdefg")
    gold = [str(v) for v in rng.choice(classes[: 2 + seed % 4], size=30)]
    right = rng.random(30) < 0.6
    predicted = [g if ok else str(v) for g, ok, v in zip(gold, right, rng.choice(classes[:6], size=30), strict=True)]
    assert measured(ACCURACY, predicted, gold, classes) == pytest.approx(oracle.accuracy_score(gold, predicted))
    assert measured(MACRO_F1, predicted, gold, classes) == pytest.approx(
        oracle.f1_score(gold, predicted, average="macro")
    )
    recall = oracle.recall_score(gold, predicted, labels=sorted(set(gold)), average="macro", zero_division=0.0)
    assert measured(BALANCED, predicted, gold, classes) == pytest.approx(recall)


def test_an_unparsed_answer_misses_its_class_and_is_no_class_of_its_own():
    gold, predicted = ["a", "a", "b", "b"], ["a", None, "b", "a"]
    wanted = oracle.f1_score(gold, ["a", "unparsed", "b", "a"], labels=["a", "b"], average="macro")
    assert measured(MACRO_F1, predicted, gold, ["a", "b"]) == pytest.approx(wanted)
    assert measured(BALANCED, predicted, gold, ["a", "b"]) == pytest.approx(0.5)
    assert measured(ACCURACY, predicted, gold, ["a", "b"]) == 0.5


def test_a_set_without_any_question_has_no_value():
    assert all(np.isnan(measured(metric, [], [], [])) for metric in METRICS.values())


def test_open_answers_have_no_classes():
    values = [str(i) for i in range(201)]
    with pytest.raises(DataError, match="macro_f1 takes every value for a class, and there are 201 different ones"):
        MACRO_F1.statistics(values, values, values)
    assert measured(ACCURACY, values, values, values) == 1.0


def test_a_metric_that_is_not_known_is_named_with_those_that_are():
    assert METRICS["macro_f1"] is MACRO_F1
    with pytest.raises(ConfigError, match="unknown metric 'macro_f'; did you mean 'macro_f1'"):
        METRICS.require("macro_f")


# Paired -------------------------------------------------------------------------------------------------------------


def simulated(n=600, seeds=3, answers=("a", "b", "c")):
    """Predictions of a good and a poor arm on three classes, the third one rare; as `PairedScores.of` takes them."""
    rng = np.random.default_rng(5)
    ids = [f"q{i}" for i in range(n)]
    gold = dict(zip(ids, rng.choice(answers, size=n, p=[0.6, 0.3, 0.1]).tolist(), strict=True))

    def arm(skill):
        return [
            {q: g if rng.random() < skill else str(rng.choice(answers)) for q, g in gold.items()} for _ in range(seeds)
        ]

    arms = {"floor": arm(0.3), "student": arm(0.6), "ceiling": arm(0.9)}
    return ids, np.arange(n) // 2, arms, gold


def test_accuracy_and_its_difference_are_those_of_right_and_wrong():
    ids, groups, arms, gold = simulated()
    paired = PairedScores.of(ACCURACY, groups, ids, arms, gold)
    right = np.array([[float(seed[q] == gold[q]) for q in ids] for seed in arms["student"]])
    assert paired.interval("student").value == right.mean()
    assert paired.per_seed("student") == right.mean(axis=1).tolist()
    np.testing.assert_array_equal(linearised(ACCURACY, paired.arms["student"]), right)


def test_contributions_to_balanced_accuracy_by_hand():
    # gold a a a b, recalls 1 of 3 and 1 of 1: value 2/3. One answer more of class a changes the recall of a by
    # (right - 1/3) / 3 and the mean by half of that; four answers: 2/3 + 4 * (right - 1/3) / 6; of class b nothing
    statistics = BALANCED.statistics(["a", "b", "b", "b"], ["a", "a", "a", "b"], ["a", "b"])
    found = linearised(BALANCED, statistics[None])
    np.testing.assert_allclose(found[0], [2 / 3 + 4 / 9, 2 / 3 - 2 / 9, 2 / 3 - 2 / 9, 2 / 3], atol=1e-6)
    assert found.mean() == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_the_errors_of_a_metric_agree_with_a_bootstrap_of_its_questions(metric):
    moss, fish, day = (
        '{"filler":"moss","type":"item"}',
        '{"filler":"fish","type":"item"}',
        '{"filler":"monday","type":"day"}',
    )
    of_slots = (f"[{moss}]", f"[{fish},{day}]", f"[{day}]")
    ids, groups, arms, gold = simulated(answers=of_slots if judges_slots(metric) else ("a", "b", "c"))
    one = {name: seeds[:1] for name, seeds in arms.items()}  # one seed, so that both are of questions alone
    paired, rng, drawn = PairedScores.of(metric, groups, ids, one, gold), np.random.default_rng(0), []
    n_groups = int(groups.max()) + 1
    for _ in range(3000):
        times = np.bincount(rng.integers(n_groups, size=n_groups), minlength=n_groups)[groups]
        student, floor = (metric.value(times @ paired.arms[name][0]) for name in ("student", "floor"))
        drawn.append([float(student), float(student - floor)])
    sd = np.std(drawn, axis=0)
    assert paired.interval("student").se == pytest.approx(sd[0], rel=0.06)
    assert paired.difference("student", "floor").se == pytest.approx(sd[1], rel=0.06)
    assert paired.interval("student").value == pytest.approx(paired.per_seed("student")[0], abs=1e-12)


def test_a_class_that_one_arm_alone_predicts_counts_against_that_arm_only():
    ids, gold = ["p", "q"], {"p": "a", "q": "a"}
    arms = {"plain": [{"p": "a", "q": "a"}], "strays": [{"p": "a", "q": "b"}]}
    paired = PairedScores.of(MACRO_F1, np.arange(2), ids, arms, gold)
    assert paired.interval("plain").value == 1.0
    assert paired.interval("strays").value == pytest.approx((2 / 3 + 0) / 2)
    assert paired.difference("plain", "strays").value == pytest.approx(2 / 3)


def test_where_lower_is_better_the_gap_is_turned_round():
    harm = MeanScore("toxicity", lambda predicted, gold: predicted, higher_is_better=False)
    ids = [f"q{i}" for i in range(100)]
    level = {"floor": 0.8, "student": 0.4, "ceiling": 0.2}
    arms = {arm: [{q: level[arm] for q in ids}] for arm in level}
    paired = PairedScores.of(harm, np.arange(100), ids, arms, dict.fromkeys(ids))
    gap = paired.gap_recovered("student", floor="floor", ceiling="ceiling")
    assert gap.value == pytest.approx((0.8 - 0.4) / (0.8 - 0.2))
    assert paired.interval("student").value == pytest.approx(0.4)
    assert paired.difference("student", "floor").value == pytest.approx(-0.4)


def test_an_f1_over_all_slots_is_a_metric_like_any_other():
    class SlotF1:
        """2 hits / (slots of gold + slots predicted), with slots as words."""

        name, higher_is_better = "slot_f1", True

        def statistics(self, predicted, gold, classes):
            pairs = [(set((p or "").split()), set(g.split())) for p, g in zip(predicted, gold, strict=True)]
            return np.array([[2.0 * len(p & g), len(p) + len(g)] for p, g in pairs])

        def value(self, sums):
            return sums[..., 0] / sums[..., 1]

    # hits 1 and 2 of slots 2 + 2 and 2 + 3: 6 / 9; against 10 / 10
    arms = {"x": [{"p": "u v", "q": "u v"}], "y": [{"p": "u w", "q": "u v w"}]}
    gold = {"p": "u w", "q": "u v w"}
    paired = PairedScores.of(SlotF1(), np.arange(2), ["p", "q"], arms, gold)
    assert paired.interval("x").value == pytest.approx(6 / 9)
    assert paired.difference("y", "x").value == pytest.approx(1 - 6 / 9)
