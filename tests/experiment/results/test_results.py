"""From answers to numbers: the blocks of results.json on small tables, expected values by hand."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from outgrow.core.lab import Source
from outgrow.core.tables import ANSWERS, ROWS, Example, build
from outgrow.evaluation import auroc
from outgrow.experiment.results import clean
from outgrow.experiment.results.arm import agreement_at_test, gap, label_mix, target_accuracy
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.comparisons import comparisons, further_metrics, strata
from outgrow.experiment.results.labels import auroc_interval, label_quality, mean_of, rate
from outgrow.experiment.results.tables import answers_table, labels_table
from outgrow.experiment.results.views import Seed, Split
from outgrow.recipe.recipe import parse_recipe
from outgrow.reliability import agreement
from outgrow.tasks.microworld.task import MicroworldConfig, MicroworldTask

# The pool: consensus and truth of six questions, three answers each.
#           answers   consensus  truth  H              R, T = .2: e^(n / .6) over the sum
SAID = {
    "q1": ["a", "a", "a"],  # a      a      0              1
    "q2": ["b", "b", "b"],  # b      a      0              1
    "q3": ["a", "a", "b"],  # a      a      .63651         e^3.333 / (e^3.333 + e^1.667) = .84113
    "q4": ["b", "b", None],  # b     b      .63651         the same: an invalid answer is a singleton
    "q5": ["a", "b", "b"],  # b      a      .63651         .84113
    "q6": [None, None, None],  # -   b      ln 3; never rated
}
TRUTH = {"q1": "a", "q2": "a", "q3": "a", "q4": "b", "q5": "a", "q6": "b"}
H2 = -(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3)
R2 = 1 / (1 + math.exp(-1 / 0.6))


def answers_of(said, source="weak"):
    keys = [(q, v) for q, values in said.items() for v in range(len(values))]
    return build(
        ANSWERS,
        {
            "example_id": [q for q, _ in keys],
            "source": [source] * len(keys),
            "variant": [v for _, v in keys],
            "sample": [0] * len(keys),
            "value": [said[q][v] for q, v in keys],
            "logprob": [-1.0] * len(keys),
        },
    )


def seed_of(said, number=0, test=None):
    answers = answers_of(said)
    test = answers if test is None else answers_of(test)
    floor = {row["example_id"]: row["value"] for row in test.to_pylist() if row["variant"] == 0 and row["value"]}
    labels = agreement(answers, seed=number)
    return Seed(number, Source("weak", f"key{number}"), answers, labels, agreement(test, seed=number), floor, test)


def split_of(truth, strata=None, groups=None):
    ids = tuple(truth)
    codes = np.arange(len(ids)) if groups is None else np.array(groups)
    return Split(
        ids,
        codes,
        tuple(f"question {i}" for i in ids),
        tuple(["a", "b"] for _ in ids),
        tuple(strata or [""] * len(ids)),
        truth,
    )


POOL = split_of(TRUTH)


# Label quality ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quality():
    return label_quality([seed_of(SAID)], POOL, estimator="softmax", temperature=0.2)


def test_label_accuracy_counts_a_question_without_consensus_as_wrong(quality):
    assert quality["label_accuracy"] == pytest.approx(3 / 6)  # q1, q3, q4 of six
    assert quality["all_invalid"] == 1
    assert quality["unparsed_share"] == pytest.approx(4 / 18)
    assert quality["differing_share"] == pytest.approx(4 / 6)  # q3, q4, q5, and q6: invalid answers agree with nobody


def test_auroc_of_reliability(quality):
    # q6 has no label, but reliability 0 is its own and it is left out. Right: q1 (1), q3, q4 (.84); wrong: q2 (1), q5.
    # pairs right-wrong: q1-q2 tie 1/2, q1-q5 1, q3-q2 0, q3-q5 1/2, q4-q2 0, q4-q5 1/2: 2.5 of 6
    assert quality["auroc"]["value"] == pytest.approx(2.5 / 6)
    assert quality["auroc"]["per_seed"] == [pytest.approx(2.5 / 6)]
    assert np.isnan([quality["auroc"]["low"], quality["auroc"]["high"]]).all()  # one seed


def test_row_level_auroc_rates_single_answers_by_their_questions_entropy(quality):
    # rows by -H: at H = 0 q1 gives 3 right, q2 3 wrong; at .6365 q3 gives 2 right (a) and 1 wrong, q4 2 right,
    # q5 1 right (a) and 2 wrong. Right 3 + 5, wrong 3 + 3.
    # pairs: (3 right above, 3 wrong above) ties 9/2; 3 right above over 3 wrong below: 9; 5 below over 3 above: 0;
    # 5 below with 3 below: 15/2. Sum 21 of 48.
    assert quality["auroc_rows"] == pytest.approx(21 / 48)


def test_risk_and_coverage(quality):
    # five rated labels: two of reliability 1 with one wrong, three of .84 with one wrong
    risk = quality["risk_coverage"]
    assert risk["coverage"] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    # ties in expectation: 1/2, 1/2, then (1 + 1/3) / 3, (1 + 2/3) / 4, 2 / 5
    assert risk["risk"] == pytest.approx([1 / 2, 1 / 2, 4 / 9, 5 / 12, 2 / 5])
    assert risk["oracle"] == pytest.approx([0, 0, 0, 1 / 4, 2 / 5])  # three right ones first
    assert risk["random"] == pytest.approx(2 / 5)
    assert quality["aurc"] == pytest.approx((1 / 2 + 1 / 2 + 4 / 9 + 5 / 12 + 2 / 5) / 5)


def test_accuracy_by_entropy(quality):
    levels = quality["by_entropy"]
    assert [(round(x["entropy"], 4), x["right"], x["wrong"]) for x in levels] == [(0.0, 1, 1), (round(H2, 4), 2, 1)]
    assert [x["accuracy"] for x in levels] == pytest.approx([1 / 2, 2 / 3])
    assert all(x["low"] < x["accuracy"] < x["high"] for x in levels)


def test_the_heat_map_has_truth_in_rows_and_labels_in_columns(quality):
    heat = quality["heat"]
    assert (heat["truth"], heat["label"]) == (["a", "b"], ["a", "b"])
    # a called a: q1 (1), q3 (.84); a called b: q2 (1), q5 (.84); b called a: none; b called b: q4
    assert heat["count"] == [[2, 2], [0, 1]]
    assert heat["mean"][0] == pytest.approx([(1 + R2) / 2, (1 + R2) / 2])
    assert math.isnan(heat["mean"][1][0])
    assert heat["mean"][1][1] == pytest.approx(R2)
    assert pytest.approx(0.84113, abs=1e-5) == R2


def test_above_thirty_values_there_is_no_heat_map():
    said = {f"q{i}": [f"v{i}"] * 2 for i in range(31)}
    found = label_quality(
        [seed_of(said)], split_of({q: values[0] for q, values in said.items()}), estimator="softmax", temperature=0.2
    )
    assert found["heat"] is None


def test_seeds_are_pooled_in_counts_and_averaged_in_auroc():
    # a second seed with the truth in every answer of q1..q5: one class only, so it has no AUROC
    right = {q: [TRUTH[q]] * 3 for q in SAID}
    found = label_quality([seed_of(SAID), seed_of(right, 1)], POOL, estimator="softmax", temperature=0.2)
    assert found["auroc"]["value"] == pytest.approx(2.5 / 6)
    assert math.isnan(found["auroc"]["per_seed"][1])
    assert found["label_accuracy"] == pytest.approx((3 / 6 + 6 / 6) / 2)
    assert found["by_entropy"][0]["right"] == 1 + 6
    assert found["unparsed_share"] == pytest.approx(4 / 36)


def test_one_answer_per_question_gives_no_reliability_and_no_error():
    once = {q: said[:1] for q, said in SAID.items()}
    found = label_quality([seed_of(once)], POOL, estimator="softmax", temperature=0.2)
    assert math.isnan(found["auroc"]["value"])
    assert math.isnan(found["auroc_rows"])
    assert math.isnan(found["aurc"])
    assert found["by_entropy"] == []
    assert found["heat"] is None
    assert found["risk_coverage"]["coverage"] == []
    assert found["label_accuracy"] == pytest.approx(
        4 / 6
    )  # first answers a, b, a, b, a and none: q2 and q6 are not right
    assert found["differing_share"] == 0


def test_the_interval_of_the_auroc_takes_groups_whole_and_needs_two_seeds():
    # every question twice in one group: the interval must not get narrower than that of the groups alone
    rng = np.random.default_rng(0)
    single, doubled = [], []
    truth = {f"q{i}": "a" if rng.random() < 0.6 else "b" for i in range(40)}
    twice = split_of({f"{q}{c}": value for q, value in truth.items() for c in "xy"}, groups=[i // 2 for i in range(80)])
    for _ in range(3):
        said = {q: ["a", "a", "a" if rng.random() < 0.5 else "b"] for q in truth}
        single.append(rate(seed_of(said), split_of(truth)))
        doubled.append(rate(seed_of({f"{q}{c}": values for q, values in said.items() for c in "xy"}), twice))
    low, high = auroc_interval(single, split_of(truth))
    assert 0 < low < np.mean([auroc(r.score, r.right) for r in single]) < high
    assert auroc_interval(doubled, twice) == pytest.approx((low, high))
    assert np.isnan(auroc_interval(single[:1], split_of(truth))).all()


def test_a_mean_leaves_out_what_is_missing():
    assert mean_of([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(mean_of([math.nan]))
    assert math.isnan(mean_of([]))


# Training rows ------------------------------------------------------------------------------------------------------


def collector(**attributes):
    """The part of a collector that a block needs."""
    made = object.__new__(CollectedCell)
    given = {
        "pool": POOL,
        "trained_on": POOL.gold,
        "seeds": [seed_of(SAID)],
        "runner": SimpleNamespace(task=MicroworldTask(MicroworldConfig())),
        "answered_freely": {},
    }
    for name, value in {**given, **attributes}.items():
        setattr(made, name, value)
    return made


def training_rows(*rows, source="weak"):
    """Rows of (question, target or probabilities, weight)."""
    return build(
        ROWS,
        {
            "row_id": [f"{q}/{source}/{i}" for i, (q, _, _) in enumerate(rows)],
            "example_id": [q for q, _, _ in rows],
            "source": [source] * len(rows),
            "variant": [0] * len(rows),
            "target": [t if isinstance(t, str) else None for _, t, _ in rows],
            "probabilities": [t if isinstance(t, dict) else None for _, t, _ in rows],
            "weight": [w for _, _, w in rows],
        },
    )


def test_target_accuracy_is_weighted():
    rows = training_rows(("q1", "a", 0.5), ("q2", "b", 1.5), ("q3", "a", 1.0))
    assert target_accuracy(collector(), rows) == pytest.approx(1.5 / 3)  # q2 is wrong


def test_target_accuracy_of_soft_labels_is_that_of_the_most_probable_value():
    rows = training_rows(("q1", {"b": 0.3, "a": 0.7}, 1.0), ("q2", {"a": 0.4, "b": 0.6}, 1.0))
    assert target_accuracy(collector(), rows) == pytest.approx(1 / 2)


def test_target_accuracy_of_worked_answers_is_that_of_the_parsed_number():
    task = MicroworldTask(MicroworldConfig(family="sums"))
    stories = {name: Example(name, "Bo", f"Bo had {n} nuts, got 1.") for name, n in (("s1", 6), ("s2", 2), ("s3", 4))}
    pool = split_of({"s1": "7", "s2": "3", "s3": "5"})
    made = collector(pool=pool, trained_on=pool.gold, runner=SimpleNamespace(task=task), answered_freely=stories)
    rows = training_rows(("s1", "6 + 1 = 7. So 7.", 1.0), ("s2", "2 + 1 = 4. So 4", 1.0), ("s3", "So 15", 2.0))
    assert target_accuracy(made, rows) == pytest.approx(1 / 4)
    assert target_accuracy(made, training_rows(("s2", "3", 1.0), source="gold")) == 1.0  # gold is the value itself


def test_a_class_whose_last_word_is_the_truth_is_not_the_truth():
    rows = training_rows(("q1", "very a", 1.0), ("q3", "a", 1.0))
    assert target_accuracy(collector(), rows) == pytest.approx(1 / 2)


def test_the_label_mix_before_is_that_of_consensus_labels_and_after_that_of_weighted_targets():
    rows = [training_rows(("q1", "a", 2.0), ("q4", "b", 1.0)), training_rows(("q3", {"a": 0.5, "b": 0.5}, 1.0))]
    mix = label_mix(collector(), rows)
    assert mix["before"] == pytest.approx({"a": 2 / 5, "b": 3 / 5})  # q1, q3 against q2, q4, q5
    assert mix["after"] == pytest.approx({"a": 2.5 / 4, "b": 1.5 / 4})


def test_there_is_no_label_mix_of_free_texts():
    assert label_mix(collector(), [training_rows(("q1", "2 + 2 = 4. So 4", 1.0))]) is None


# Strata, comparisons, agreement -------------------------------------------------------------------------------------

METHODS = ["naive", "uncertainty_filtering", "random_filtering"]


def small_recipe(tmp_path, **changes):
    (tmp_path / "config.json").write_text("{}")
    raw = {
        "task": {"kind": "table", "path": "data.csv", "text": "text", "label": "label"},
        "supervisors": [{"model": str(tmp_path), "name": "weak"}],
        "student": {"model": str(tmp_path)},
        "methods": METHODS,
        "seeds": [0, 1],
    }
    return parse_recipe({**raw, **changes})


def paired(recipe, right):
    """A collector with the given scores: arm -> matrix of 0 and 1."""
    from outgrow import evaluation as ev

    scores = {name: np.array(matrix, dtype=np.float64) for name, matrix in right.items()}
    n = next(iter(scores.values())).shape[1]
    counted = {name: np.stack([score, np.ones(score.shape)], axis=2) for name, score in scores.items()}
    accuracy = ev.PairedScores(ev.METRICS["accuracy"], np.arange(n), counted)
    return collector(recipe=recipe, scores=scores, paired=accuracy, arm_answers={})


def test_comparisons_are_each_arm_against_naive_and_the_primary_one(tmp_path):
    recipe = small_recipe(tmp_path, primary={"a": "uncertainty_filtering", "b": "random_filtering"})
    right = {
        "arm:naive": [[1, 0, 0, 1], [1, 0, 0, 1]],
        "arm:uncertainty_filtering": [[1, 1, 0, 1], [1, 1, 1, 1]],
        "arm:random_filtering": [[1, 0, 0, 0], [1, 0, 0, 1]],
    }
    found = comparisons(paired(recipe, right))
    assert [(c["a"], c["b"]) for c in found] == [
        ("uncertainty_filtering", "naive"),
        ("random_filtering", "naive"),
        ("uncertainty_filtering", "random_filtering"),
    ]
    # (3 + 4) / 8 - 4 / 8, 3 / 8 - 4 / 8, 7 / 8 - 3 / 8
    assert [c["value"] for c in found] == pytest.approx([3 / 8, -1 / 8, 1 / 2])
    # over two seeds t(.975) is 12.7: hardly anything could be found
    assert all(c["high"] - c["low"] > 0.3 and c["detectable"] > 0.5 for c in found)
    low, high = sorted(found[:2], key=lambda c: c["p"])
    assert low["p_holm"] == pytest.approx(min(1, 2 * low["p"]))  # Holm over the two arms of the table
    assert high["p_holm"] == pytest.approx(max(low["p_holm"], high["p"]))
    assert found[2]["p_holm"] == found[2]["p"]  # named beforehand, one test


def test_a_primary_comparison_against_naive_stands_once(tmp_path):
    recipe = small_recipe(tmp_path, primary={"a": "uncertainty_filtering", "b": "naive"})
    right = {f"arm:{name}": [[1, 0], [0, 1]] for name in METHODS}
    assert len(comparisons(paired(recipe, right))) == 2


def test_without_naive_the_first_arm_is_the_base(tmp_path):
    recipe = small_recipe(tmp_path, methods=["majority_vote", "soft_labels"])
    found = comparisons(paired(recipe, {f"arm:{name}": [[1, 0], [0, 1]] for name in ("majority_vote", "soft_labels")}))
    assert [(c["a"], c["b"], c["value"]) for c in found] == [("soft_labels", "majority_vote", 0.0)]


def test_without_a_ceiling_the_gap_says_why_it_is_undefined(tmp_path):
    cell = paired(small_recipe(tmp_path), {"arm:naive": [[1.0], [1.0]], "floor": [[0.0], [0.0]]})
    found = gap(cell, "naive", "floor")
    assert found["defined"] is False
    assert found["value"] is None
    assert found["reason"] == "the recipe has no strong_ceiling"


def test_chance_is_one_of_a_questions_options_or_of_the_tasks_classes():
    two = split_of({"t1": "a", "t2": "b"})
    texts, kinds = SimpleNamespace(classes=None), SimpleNamespace(classes=tuple("abcde"))
    none, mixed = replace(two, choices=(None, None)), replace(two, choices=(("a", "b"), tuple("abcd")))
    assert collector(test=two, runner=SimpleNamespace(task=texts)).chance == 0.5
    assert collector(test=mixed, runner=SimpleNamespace(task=texts)).chance == 0.375
    assert collector(test=none, runner=SimpleNamespace(task=kinds)).chance == 0.2
    assert collector(test=none, runner=SimpleNamespace(task=texts)).chance is None


def test_a_supervisor_below_chance_has_no_gap_and_an_untrained_student_has(tmp_path):
    right = {
        "arm:naive": [[1.0] * 100 + [0.0] * 100] * 2,
        "arm:strong_ceiling": [[1.0] * 180 + [0.0] * 20] * 2,
        "floor": [[1.0] * 80 + [0.0] * 120] * 2,
        "zero_shot": [[1.0] * 80 + [0.0] * 120] * 2,
    }
    cell = paired(small_recipe(tmp_path, methods=["naive", "strong_ceiling"]), right)
    cell.test, cell.unanswered = split_of({"t1": "a"}), 0
    assert gap(cell, "naive", "floor")["reason"].startswith("the supervisor is below chance: 0.4000")
    assert gap(cell, "naive", "zero_shot")["value"] == pytest.approx(0.2)


def test_a_further_metric_has_its_own_gap_without_chance(tmp_path):
    right = {
        "arm:naive": [[1.0] * 100 + [0.0] * 100] * 2,
        "arm:strong_ceiling": [[1.0] * 180 + [0.0] * 20] * 2,
        "floor": [[1.0] * 80 + [0.0] * 120] * 2,
        "vote": [[1.0] * 80 + [0.0] * 120] * 2,
        "zero_shot": [[0.0] * 200] * 2,
    }
    cell = paired(small_recipe(tmp_path, methods=["naive", "strong_ceiling"]), right)
    cell.test, cell.unanswered, cell.metrics = split_of({"t1": "a"}), 0, {"slot_f1": cell.paired}
    (metric,) = further_metrics(cell)
    # (.5 - .4) / (.9 - .4), of a floor that would be below the chance of a choice
    assert metric["arms"]["naive"]["pgr"]["value"] == pytest.approx(0.2)
    assert metric["arms"]["strong_ceiling"]["difference"]["value"] == pytest.approx(0.4)


def strata_collector(said=SAID):
    test = split_of({"t1": "a", "t2": "b", "t3": "a"}, strata=["read", "read", "misleading"])
    scores = {
        "floor": np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]),
        "zero_shot": np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]),
        "arm:naive": np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]),
    }
    pool = split_of(TRUTH, strata=["read", "read", "read", "misleading", "misleading", "read"])
    return collector(test=test, pool=pool, scores=scores, arm_answers={"naive": []}, seeds=[seed_of(said)])


def test_strata_of_test_and_pool():
    read = next(s for s in strata(strata_collector()) if s["stratum"] == "read")
    assert read["questions"] == 2
    assert read["floor"] == pytest.approx(3 / 4)
    assert read["zero_shot"] == 0
    assert read["arms"] == {"naive": 1.0}
    # of the pool's q1, q2, q3 and q6, two labels are right; q6 has no label and reliability 0
    assert read["consensus_accuracy"] == pytest.approx(2 / 4)
    assert read["mean_reliability"] == pytest.approx((1 + 1 + R2 + 0) / 4)


def test_strata_without_reliability_are_undefined_and_give_no_warning():
    found = strata(strata_collector({q: said[:1] for q, said in SAID.items()}))
    assert [s["stratum"] for s in found] == ["misleading", "read"]
    assert all(math.isnan(s["mean_reliability"]) for s in found)


def test_agreement_with_the_supervisor_is_split_by_whether_it_was_right():
    # the supervisor's identity answers on test: t1 a (right), t2 a (wrong), t3 none
    test = split_of({"t1": "a", "t2": "b", "t3": "a"})
    seeds = [seed_of(SAID, test={"t1": ["a", "a"], "t2": ["a", "b"], "t3": [None, "a"]})]
    made = collector(test=test, seeds=seeds, arm_answers={"naive": [{"t1": "a", "t2": "a"}]})
    found = agreement_at_test(made, "naive")
    assert found["overall"] == pytest.approx(2 / 3)  # nobody agrees about t3: neither could be parsed
    assert found["when_right"] == 1.0
    assert found["when_wrong"] == pytest.approx(1 / 2)


# Tables and JSON ----------------------------------------------------------------------------------------------------


def test_the_answers_table_has_a_row_per_question_and_seed_with_what_everybody_said():
    test = split_of({"t1": "a", "t2": "b"}, strata=["read", "no_cue"])
    seeds = [seed_of(SAID, number, test={"t2": ["a", "b", "b"], "t1": ["a", "a", None]}) for number in (4, 7)]
    table = answers_table(seeds, test, {"t1": "b"}, {"naive": [{"t1": "a", "t2": "b"}, {"t2": "a"}]})
    assert table["example_id"].to_pylist() == ["t1", "t2", "t1", "t2"]  # the split's order, whatever the labels' was
    assert table["seed"].to_pylist() == [4, 4, 7, 7]
    assert table["gold"].to_pylist() == ["a", "b", "a", "b"]
    assert table["supervisor_value"].to_pylist() == ["a", "a", "a", "a"]
    assert table["label"].to_pylist() == ["a", "b", "a", "b"]
    assert dict(table["votes"][1].as_py()) == {"b": 2, "a": 1}
    assert table["zero_shot"].to_pylist() == ["b", None, "b", None]
    assert table["arm:naive"].to_pylist() == ["a", "b", None, "a"]
    assert table["stratum"].to_pylist() == ["read", "no_cue", "read", "no_cue"]
    assert table["entropy"][1].as_py() == pytest.approx(H2)


def test_the_labels_table_has_gold_beside_every_label():
    table = labels_table([seed_of(SAID, 4), seed_of(SAID, 7)], POOL)
    assert table.num_rows == 12
    assert table["seed"].to_pylist() == [4] * 6 + [7] * 6
    assert table["gold"].to_pylist() == list(TRUTH.values()) * 2
    assert table["question"][2].as_py() == "question q3"


def test_right_is_what_equals_gold_and_an_answer_that_is_missing_is_wrong():
    split = split_of({"t1": "a", "t2": "b", "t3": "a"})
    assert split.right({"t1": "a", "t2": "a"}).tolist() == [1.0, 0.0, 0.0]
    assert split.right({"t1": None}).tolist() == [0.0, 0.0, 0.0]


def test_json_has_no_nan_and_no_numpy():
    found = clean({"a": [np.float64(0.5), math.nan, (np.int64(3), math.inf)], 1: np.bool_(True), "n": None})
    assert found == {"a": [0.5, None, [3, None]], "1": True, "n": None}
    assert type(found["1"]) is bool
    assert type(found["a"][2][0]) is int
