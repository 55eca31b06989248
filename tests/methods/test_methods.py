"""Every method on one small table of answers, against training rows worked out by hand.

K = 5 answers to six questions, in the order of wordings; - is an answer that could not be parsed:

    question  answers    votes        entropy H                              R(consensus), T = .2, so e^n / sum
    q1        a a a a a  a 5          0                                      1
    q2        b a a a a  a 4, b 1     -.8 ln .8 - .2 ln .2      = .50040     e^4 / (e^4 + e)         = .95257
    q3        b b b a a  b 3, a 2     -.6 ln .6 - .4 ln .4      = .67301     e^3 / (e^3 + e^2)       = .73106
    q4        - c c c -  c 3, inv. 2  -.6 ln .6 + .4 ln 5       = .95027     e^3 / (e^3 + 2 e)       = .78699
    q5        - - - - -  none         ln 5                      = 1.60944    0; never trained on
    q6        a a b b -  a 2, b 2     -2 x .4 ln .4 + .2 ln 5   = 1.05492    e^2 / (2 e^2 + e)       = .42232
                         b by its log-probabilities (-.5 against -1)
"""

import importlib.util
from collections import Counter
from math import e
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab
from outgrow.methods import METHODS, MethodConfig, MethodSpec
from outgrow.methods.base import TrainingSet
from outgrow.methods.rows import answer_rows

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

SAID = {
    "q1": ["a", "a", "a", "a", "a"],
    "q2": ["b", "a", "a", "a", "a"],
    "q3": ["b", "b", "b", "a", "a"],
    "q4": [None, "c", "c", "c", None],
    "q5": [None, None, None, None, None],
    "q6": ["a", "a", "b", "b", None],
}
LOGPROBS = {"q6": [-1.0, -1.0, -0.5, -0.5, -0.1]}
PROBABILITIES = {
    ("q1", 0): {"a": 0.9, "b": 0.1},
    ("q1", 1): {"a": 0.7, "c": 0.3},
    ("q2", 0): {"a": 0.4, "b": 0.6},
    ("q3", 0): {"a": 0.2, "b": 0.8},
    ("q6", 0): {"a": 0.5, "b": 0.3, "c": 0.2},
}
TRUTH = {"q1": "a", "q2": "b", "q3": "b", "q4": "c", "q5": "d", "q6": "a"}

CONSENSUS = {"q1/sup/0": "a", "q2/sup/0": "a", "q3/sup/0": "b", "q4/sup/0": "c", "q6/sup/0": "b"}
R = {
    "q1/sup/0": 1.0,
    "q2/sup/0": e**4 / (e**4 + e),
    "q3/sup/0": e**3 / (e**3 + e**2),
    "q4/sup/0": e**3 / (e**3 + 2 * e),
    "q6/sup/0": e**2 / (2 * e**2 + e),
}
# all valid answers, in their own wordings
EVERY = {f"{q}/sup/{v}/0": value for q, values in SAID.items() for v, value in enumerate(values) if value is not None}


def table():
    return fake.answers_table(SAID, logprobs=LOGPROBS, probabilities=PROBABILITIES)


def run(name, answers=None, *, seed=0, truth=None, bought=None, tuned_on=None, equal=None, **settings):
    """The lab after a method has run on it, and the one training it asked for."""
    spec = METHODS[name]
    given = table() if answers is None else answers
    lab = fake.FakeLab(
        given, truth or {}, known_truth=bought or {}, supervisor_truth=tuned_on or {}, equal=equal or {}, seed=seed
    )
    assert isinstance(lab, Lab)
    student = spec.function(lab, spec.config(**settings))
    assert len(lab.trained) == 1
    assert student.n_rows == lab.trained[0].rows.num_rows
    assert lab.trained[0].start == lab.student
    assert lab.trained[0].objective is None  # imitation
    return lab, lab.trained[0]


def of(prefixes, rows=EVERY):
    return {row: value for row, value in rows.items() if row.split("/")[0] in prefixes}


# One row per answer or question -------------------------------------------------------------------------------------


def test_naive_trains_on_the_valid_answers_to_the_identity_wording_and_asks_once():
    lab, trained = run("naive")
    assert lab.asked == [("sup", 1)]
    assert trained.targets == {"q1/sup/0/0": "a", "q2/sup/0/0": "b", "q3/sup/0/0": "b", "q6/sup/0/0": "a"}
    assert set(trained.settled.values()) == {1.0}


def test_majority_vote_trains_on_one_consensus_row_per_question_in_the_identity_wording():
    lab, trained = run("majority_vote")
    assert lab.asked == [("sup", None)]
    assert trained.targets == CONSENSUS  # q5 has none; q6 goes to the more probable of the tied answers
    assert set(trained.column("variant")) == {0}
    assert set(trained.column("prompt")) == {None}  # worded by the lab
    assert set(trained.settled.values()) == {1.0}


def test_all_answers_trains_on_every_valid_answer_in_its_own_wording():
    _, trained = run("all_answers")
    assert len(EVERY) == 5 + 5 + 5 + 3 + 0 + 4
    assert trained.targets == EVERY
    prompts = dict(zip(trained.column("row_id"), trained.column("prompt"), strict=True))
    assert prompts["q4/sup/2/0"] == "q4 in wording 2"
    assert Counter(trained.column("variant")) == {0: 4, 1: 5, 2: 5, 3: 5, 4: 3}
    assert set(trained.settled.values()) == {1.0}


def test_soft_labels_average_option_probabilities_and_fall_back_to_vote_shares():
    _, trained = run("soft_labels")
    found = {
        row: dict(shares) for row, shares in zip(trained.column("row_id"), trained.column("probabilities"), strict=True)
    }
    expected = {
        "q1/sup/0": {"a": 0.8, "b": 0.05, "c": 0.15},  # means of the two maps, an option not listed counts 0
        "q2/sup/0": {"a": 0.4, "b": 0.6},
        "q3/sup/0": {"a": 0.2, "b": 0.8},
        "q4/sup/0": {"c": 1.0},  # no probabilities: three votes of three valid ones
        "q6/sup/0": {"a": 0.5, "b": 0.3, "c": 0.2},
    }
    assert set(found) == set(expected)
    for row, shares in expected.items():
        assert found[row] == pytest.approx(shares)
    assert set(trained.column("target")) == {None}


# Filters ------------------------------------------------------------------------------------------------------------


def test_uncertainty_filtering_keeps_the_questions_whose_answers_agree_most():
    lab, trained = run("uncertainty_filtering", keep=0.5)
    # five questions have a consensus: floor(2.5 + .5) = 3 of them
    assert trained.targets == {"q1/sup/0": "a", "q2/sup/0": "a", "q3/sup/0": "b"}
    assert set(trained.settled.values()) == {1.0}
    assert trained.weights == "mean_one"
    assert lab.asked == [("sup", None)]


@pytest.mark.parametrize(
    ("keep", "questions"),
    [
        (0.1, {"q1"}),  # floor(.5 + .5) = 1
        (0.3, {"q1", "q2"}),  # floor(1.5 + .5) = 2
        (0.8, {"q1", "q2", "q3", "q4"}),
        (1.0, {"q1", "q2", "q3", "q4", "q6"}),  # never q5
    ],
)
def test_uncertainty_filtering_counts_questions_with_a_consensus(keep, questions):
    _, trained = run("uncertainty_filtering", keep=keep)
    assert set(trained.column("example_id")) == questions


def test_uncertainty_filtering_can_break_ties_of_entropy_by_the_consensus_log_probability():
    said = {"p1": ["a", "a"], "p2": ["a", "a"], "p3": ["b", "b"], "p4": ["a", "b"]}
    logprobs = {"p1": [-3.0, -1.0], "p2": [-0.5, -0.5], "p3": [-1.0, -1.5]}  # means -2, -.5, -1.25
    answers = fake.answers_table(said, logprobs=logprobs)
    _, trained = run("uncertainty_filtering", answers, keep=0.5, order="entropy_then_logprob")
    assert set(trained.column("example_id")) == {"p2", "p3"}
    kept = {
        frozenset(run("uncertainty_filtering", answers, keep=0.5, seed=seed)[1].column("example_id"))
        for seed in range(20)
    }
    assert kept == {frozenset(pair) for pair in (("p1", "p2"), ("p1", "p3"), ("p2", "p3"))}  # else the seed decides


def test_uncertainty_filtering_as_published_keeps_all_answers_up_to_the_percentile():
    _, trained = run("uncertainty_filtering", form="published", percentile=50)
    # 30 rows, five per entropy; the median lies between q3 (rows 10 to 14) and q4 (15 to 19), so q4 is above it
    assert trained.targets == of({"q1", "q2", "q3"})
    assert trained.weights == "raw"
    _, wider = run("uncertainty_filtering", form="published", percentile=60)
    # place .6 x 29 = 17.4 among q4's rows: entropies equal to the threshold stay; invalid answers are no rows
    assert wider.targets == of({"q1", "q2", "q3", "q4"})
    _, all_of_them = run("uncertainty_filtering", form="published", percentile=100)
    assert all_of_them.targets == EVERY


def test_confidence_filtering_keeps_the_most_probable_first_answers_and_asks_once():
    lab, trained = run("confidence_filtering", keep=0.5)
    assert lab.asked == [("sup", 1)]
    # q1 .9, q2 .6 (for b), q3 .8, q6 .5; four valid answers, floor(2 + .5) = 2
    assert trained.targets == {"q1/sup/0": "a", "q3/sup/0": "b"}
    _, more = run("confidence_filtering", keep=0.75)
    assert more.targets == {"q1/sup/0": "a", "q2/sup/0": "b", "q3/sup/0": "b"}


@pytest.mark.parametrize("name", ["uncertainty_filtering", "confidence_filtering", "random_filtering"])
def test_stratifying_by_label_keeps_the_label_mix(name):
    # 8 questions labelled a, all unanimous; 4 labelled b, all split
    said = {f"a{i}": ["a", "a", "a"] for i in range(8)} | {f"b{i}": ["b", "b", "c"] for i in range(4)}
    sure = {(q, 0): {"a": 0.9} if q[0] == "a" else {"b": 0.6} for q in said}
    answers = fake.answers_table(said, probabilities=sure)
    for seed in range(5):
        _, plain = run(name, answers, keep=0.5, seed=seed)
        _, even = run(name, answers, keep=0.5, seed=seed, stratify="label")
        assert Counter(even.column("target")) == {"a": 4, "b": 2}  # 6 of 12, two thirds of them a
        if name != "random_filtering":
            assert Counter(plain.column("target")) == {"a": 6}


def test_confidence_filtering_names_what_is_missing_where_answers_have_no_probabilities():
    # q1, q2, q3 and q6 have a valid first answer; of these q6 has lost its probabilities
    given = {key: shares for key, shares in PROBABILITIES.items() if key[0] != "q6"}
    answers = fake.answers_table(SAID, logprobs=LOGPROBS, probabilities=given)
    with pytest.raises(
        PrerequisiteError, match=r"first answer; 1 of 6 have none. Give answers a column 'probabilities'"
    ):
        run("confidence_filtering", answers)


# Weights ------------------------------------------------------------------------------------------------------------


def test_reliability_reweighting_weighs_every_consensus_by_its_reliability():
    _, trained = run("reliability_reweighting")
    assert trained.targets == CONSENSUS
    assert trained.weights == "mean_one"
    mean = sum(R.values()) / 5
    assert trained.settled == pytest.approx({row: r / mean for row, r in R.items()})
    assert R["q2/sup/0"] == pytest.approx(0.95257, abs=1e-5)
    assert R["q6/sup/0"] == pytest.approx(0.42232, abs=1e-5)


def test_reliability_reweighting_follows_its_temperature():
    _, trained = run("reliability_reweighting", temperature=1.0)
    weights = dict(zip(trained.column("row_id"), trained.column("weight"), strict=True))
    # T = 1: e^(.6) / (e^(.6) + e^(.4)) for q3
    assert weights["q3/sup/0"] == pytest.approx(e**0.6 / (e**0.6 + e**0.4))


def test_reliability_reweighting_as_published_gives_every_answer_its_own_raw_weight():
    _, trained = run("reliability_reweighting", form="published")
    assert trained.targets == EVERY
    assert trained.weights == "raw"
    tie = e**2 / (2 * e**2 + e)
    by_answer = {
        ("q1", "a"): 1.0,
        ("q2", "a"): e**4 / (e**4 + e),
        ("q2", "b"): e / (e**4 + e),
        ("q3", "b"): e**3 / (e**3 + e**2),
        ("q3", "a"): e**2 / (e**3 + e**2),
        ("q4", "c"): e**3 / (e**3 + 2 * e),
        ("q6", "a"): tie,
        ("q6", "b"): tie,
    }
    expected = {row: by_answer[row.split("/")[0], value] for row, value in EVERY.items()}
    assert trained.settled == pytest.approx(expected)


# Controls -----------------------------------------------------------------------------------------------------------


def test_random_filtering_keeps_as_many_consensus_labels_and_redraws_them_per_seed():
    drawn = Counter()
    sets = set()
    for seed in range(60):
        _, trained = run("random_filtering", keep=0.5, seed=seed)
        assert len(trained.targets) == 3  # as many as the filter keeps
        assert trained.targets.items() <= CONSENSUS.items()
        drawn.update(trained.column("example_id"))
        sets.add(frozenset(trained.column("example_id")))
    assert len(sets) == 10  # every way to take three of five
    # each question is in 3 of 5 draws: 36 of 60, standard deviation 3.8
    assert all(20 <= drawn[q] <= 52 for q in ("q1", "q2", "q3", "q4", "q6"))
    assert run("random_filtering", seed=7)[1].rows == run("random_filtering", seed=7)[1].rows


def test_random_filtering_does_not_follow_the_filters_own_ties():
    said = {f"t{i}": ["a", "a"] for i in range(30)}  # all equal: both draw by hash
    answers = fake.answers_table(said)
    _, certain = run("uncertainty_filtering", answers, keep=0.5, seed=1)
    _, chance = run("random_filtering", answers, keep=0.5, seed=1)
    assert len(certain.targets) == len(chance.targets) == 15
    assert set(certain.targets) != set(chance.targets)


def test_shuffled_reweighting_gives_the_same_weights_to_other_questions():
    orders = set()
    for seed in range(12):
        _, trained = run("shuffled_reweighting", seed=seed)
        assert trained.targets == CONSENSUS
        assert sorted(trained.column("weight")) == pytest.approx(sorted(R.values()))
        orders.add(tuple(trained.column("weight")))
    assert len(orders) > 6
    mean = sum(R.values()) / 5
    assert sorted(trained.settled.values()) == pytest.approx(sorted(r / mean for r in R.values()))


def test_oracle_filtering_takes_right_labels_first():
    lab, trained = run("oracle_filtering", keep=0.5, truth=TRUTH)
    assert set(trained.targets) == {"q1/sup/0", "q3/sup/0", "q4/sup/0"}  # the consensus of q2 and q6 is wrong
    assert lab.notes == []


def test_oracle_filtering_takes_a_label_for_right_that_gold_writes_otherwise():
    _, alike = run("oracle_filtering", keep=0.5, truth=TRUTH)
    capitals = {value: value.upper() for value in {*TRUTH.values(), *CONSENSUS.values()}}
    truth = {i: value.upper() for i, value in TRUTH.items()}
    lab, trained = run("oracle_filtering", keep=0.5, truth=truth, equal=capitals)
    assert (trained.targets, lab.notes) == (alike.targets, [])


def test_oracle_filtering_says_when_there_are_fewer_right_labels_than_it_keeps():
    lab, trained = run("oracle_filtering", keep=0.8, truth=TRUTH)
    assert {"q1/sup/0", "q3/sup/0", "q4/sup/0"} < set(trained.targets)
    assert len(trained.targets) == 4
    assert trained.targets.items() <= CONSENSUS.items()  # consensus labels, never gold itself
    assert lab.notes == ["only 3 consensus labels are right; 1 of the 4 kept are wrong"]


def test_the_strong_ceiling_trains_on_gold_of_the_whole_pool():
    lab, trained = run("strong_ceiling", truth=TRUTH)
    assert trained.targets == {f"{q}/gold/0": value for q, value in TRUTH.items()}
    assert lab.asked == []  # no supervisor is needed
    assert set(trained.settled.values()) == {1.0}


def test_own_gold_trains_on_what_the_supervisor_was_tuned_on():
    lab, trained = run("own_gold", truth=TRUTH, tuned_on={"s1": "a", "s2": "c"})
    assert trained.targets == {"s1/gold/0": "a", "s2/gold/0": "c"}
    assert lab.asked == []
    with pytest.raises(PrerequisiteError, match="give the split 'supervisor_train' some"):
        run("own_gold", truth=TRUTH)


# All of them --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("uncertainty_filtering", {}),
        ("uncertainty_filtering", {"form": "published"}),
        ("uncertainty_filtering", {"order": "entropy_then_logprob"}),
        ("reliability_reweighting", {}),
        ("reliability_reweighting", {"form": "published"}),
        ("shuffled_reweighting", {}),
    ],
)
def test_one_answer_per_question_is_refused_where_agreement_is_needed(name, settings):
    once = fake.answers_table({q: values[:1] for q, values in SAID.items()})
    with pytest.raises(
        PrerequisiteError, match=f"{name} needs at least two answers to a question; 4 of 4 .*ask.variants"
    ):
        run(name, once, **settings)
    # q4 and q5 have no valid first answer, so no label; here q1 alone was asked once
    some = fake.answers_table({**SAID, "q1": ["a"]})
    with pytest.raises(PrerequisiteError, match=f"{name} needs at least two answers to a question; 1 of 5 "):
        run(name, some, **settings)


@pytest.mark.parametrize(
    "name", ["naive", "majority_vote", "all_answers", "confidence_filtering", "soft_labels", "random_filtering"]
)
def test_one_answer_per_question_is_enough_elsewhere(name):
    values = {q: said[:1] for q, said in SAID.items()}
    first = {key: shares for key, shares in PROBABILITIES.items() if key[1] == 0}
    _, trained = run(name, fake.answers_table(values, probabilities=first))
    assert 0 < trained.rows.num_rows <= 4


def test_generated_answers_are_trained_on_as_they_were_written():
    said = {"s1": ["7", "7", "8"], "s2": ["3", None, "3"]}
    texts = {("s1", 0): "3 + 4 = 7. So 7", ("s1", 1): "So 7", ("s1", 2): "So 8"}
    texts |= {("s2", 0): "5 - 2 = 3. So 3", ("s2", 1): "So", ("s2", 2): "So 3"}
    answers = fake.answers_table(said, texts=texts, finish="stop")
    _, naive = run("naive", answers)
    assert naive.targets == {"s1/sup/0/0": "3 + 4 = 7. So 7", "s2/sup/0/0": "5 - 2 = 3. So 3"}
    _, voted = run("majority_vote", answers)
    assert voted.targets == {"s1/sup/0": "3 + 4 = 7. So 7", "s2/sup/0": "5 - 2 = 3. So 3"}
    _, every = run("all_answers", answers)
    assert every.targets["s1/sup/2/0"] == "So 8"
    assert "s2/sup/1/0" not in every.targets


CHOOSING = sorted({name for name, spec in METHODS.items() if spec.choose} | {"oracle_filtering", "own_gold"})
"""Methods that choose rows and train once; `test_trainings` has the others."""


@pytest.mark.parametrize("name", CHOOSING)
def test_a_method_depends_on_answers_and_seed_alone_and_not_on_the_order_of_rows(name):
    truth, tuned_on = (TRUTH, {"s1": "a"}) if METHODS[name].uses_gold else ({}, {})
    bought = {f"k{i:02d}": "ab"[i % 3 == 0] for i in range(24)} if name.startswith("calibrated") else {}
    answers = pa.concat_tables(
        [table(), fake.answers_table({k: ["a", "a", "ab"[i % 2]] for i, k in enumerate(bought)})]
    )
    upside_down = answers.take(list(range(answers.num_rows))[::-1])

    def facts(given):
        trained = run(name, given, seed=3, truth=truth, bought=bought, tuned_on=tuned_on)[1]
        columns = ("row_id", "target", "probabilities", "weight")
        return sorted(zip(*(map(str, trained.column(c)) for c in columns), strict=True))

    assert facts(answers) == facts(answers)
    assert facts(upside_down) == facts(answers)


def test_a_choice_of_rows_becomes_a_method_of_a_lab_that_asks_notes_and_trains_once():
    def longest(answered, config):
        """Train on the last wording alone."""
        last = answered.answers.filter(pc.equal(answered.answers["variant"], 4))
        return TrainingSet(answer_rows(last), weights="raw", notes=(f"seed {answered.seed}",))

    spec = MethodSpec.choosing("longest", MethodConfig, longest, control=True)
    lab = fake.FakeLab(table(), seed=5)
    spec.function(lab, MethodConfig())
    (trained,) = lab.trained
    assert trained.targets == {f"{q}/sup/4/0": "a" for q in ("q1", "q2", "q3")}
    assert (lab.asked, lab.notes, trained.weights) == ([("sup", None)], ["seed 5"], "raw")
    assert (spec.doc, spec.control, spec.uses_gold) == ("Train on the last wording alone.", True, False)


def test_gold_is_declared_by_the_oracles_and_the_reference_alone():
    oracles = {
        "oracle_filtering", "own_gold", "strong_ceiling", "linear_probe_gold", "finetuned_probe_gold",
        "early_stopping_gold", "generative_ceiling", "error_structure", "explicit_conflict",
    }  # fmt: skip
    assert {name for name, spec in METHODS.items() if spec.uses_gold} == oracles
    assert {name for name, spec in METHODS.items() if spec.control} == {
        "random_filtering",
        "shuffled_reweighting",
        "few_shot",
        "contrast_consistent_search",
        "nearest_centroid",
        "zero_shot_self_training",
        "reversed_pairs",
        "shuffled_pairs",
        "sft_chosen",
        "sft_rejected",
        "no_conflict",
        "implicit_conflict",
        *oracles,
    }
    assert all(name == spec.name and spec.doc for name, spec in METHODS.items())
