"""Pairs: whose answers they are made of, and what methods do to them, by hand."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError, SealedError
from outgrow.core.lab import Near, Source, Student
from outgrow.core.tables import PAIRS
from outgrow.experiment.lab import check_sealed
from outgrow.methods import METHODS, PREFERENCE
from outgrow.methods.pairs import (
    matched,
    merged,
    of_choices,
    of_scores,
    of_sources,
    of_votes,
    one_side,
    shuffled,
    turned,
    weighed,
)
from outgrow.objectives import Imitation
from outgrow.objectives.preference import BradleyTerry

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).with_name("fake_lab.py"))
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

SAID = {
    "q1": ["a", "a", "a", "b", "c"],  # a over b or c, which are tied
    "q2": ["b", "a", None, "a", "b"],  # tied
    "q3": ["a", "a", "a", "a", "a"],  # no minority
    "q4": [None, None, "c", None, None],
    "q5": ["b", None, "a", "b", None],
}
MIDDLE, STRONG = Source("middle", "key-middle"), Source("strong", "key-strong")
OTHER = {"q1": "b", "q2": "b", "q3": "c", "q4": "a", "q5": None}


def table(said=None, **facts):
    return fake.answers_table(SAID if said is None else said, **facts)


def of(source, values):
    answers = table({q: [v] for q, v in values.items()})
    return answers.set_column(1, answers.schema.field("source"), pa.array([source] * len(values)))


def pairs_of(rows):
    return {r["example_id"]: (r["chosen"], r["rejected"]) for r in rows.to_pylist()}


def test_two_sources_give_a_pair_where_both_are_valid_and_differ():
    found = of_sources(of("big", OTHER), of("small", {q: values[0] for q, values in SAID.items()}))
    assert pairs_of(found) == {"q1": ("b", "a"), "q3": ("c", "a")}  # q2 the same, q4 and q5 not valid
    assert found.schema.equals(PAIRS)
    first = found.to_pylist()[0]
    assert (first["chosen_source"], first["rejected_source"]) == ("big", "small")
    assert (first["judge"], first["p_better"], first["margin"]) == (None, None, None)
    assert (first["weight"], first["flip_probability"], first["prompt"]) == (1.0, 0.0, "q1 in wording 0")
    assert first["row_id"] == "q1/big/0/0/small/0/0"


def test_votes_give_the_majority_over_the_second():
    found = of_votes(table())
    rows = {r["example_id"]: r for r in found.to_pylist()}
    assert set(rows) == {"q1", "q2", "q5"}
    assert rows["q1"]["chosen"] == "a"
    assert rows["q1"]["rejected"] in ("b", "c")
    assert rows["q1"]["p_better"] == pytest.approx(3 / 4)
    assert rows["q1"]["margin"] == pytest.approx(2 / 5)
    assert {rows["q2"]["chosen"], rows["q2"]["rejected"]} == {"a", "b"}
    assert (rows["q2"]["p_better"], rows["q2"]["margin"]) == (0.5, 0.0)
    assert (rows["q5"]["chosen"], rows["q5"]["rejected"]) == ("b", "a")
    assert rows["q5"]["margin"] == pytest.approx(1 / 3)  # of valid answers
    assert {r["judge"] for r in rows.values()} == {"votes"}
    assert len({of_votes(table(), seed=seed).to_pylist()[1]["chosen"] for seed in range(20)}) == 2  # ties by hash


def judged(*rows):
    """Pairs of one prompt unless they say more: chosen, rejected and what differs."""
    plain = {"example_id": "q", "variant": 0, "prompt": "?", "weight": 1.0, "flip_probability": 0.0}
    return pa.Table.from_pylist(
        [
            {**plain, "row_id": f"r{i}", "chosen": chosen, "rejected": rejected, **more}
            for i, (chosen, rejected, more) in enumerate(rows)
        ],
        schema=PAIRS,
    )


def test_several_judgements_of_one_pair_become_the_share_that_the_better_side_has():
    ann, bob = {"judge": "ann", "chosen_source": "big"}, {"judge": "bob", "rejected_source": "small"}
    given = judged(("b", "a", ann), ("x", "y", ann), ("a", "b", bob), ("a", "b", bob), ("b", "a", {"prompt": "other"}))
    first, alone, other = merged(given).to_pylist()
    assert (first["row_id"], first["chosen"], first["rejected"]) == ("r0", "a", "b")
    assert (first["p_better"], first["margin"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (first["weight"], first["flip_probability"], first["judge"]) == (1.0, 0.0, "votes of 3")
    assert (first["chosen_source"], first["rejected_source"]) == (None, "big")  # the first's, turned with its texts
    assert [alone, other] == [given.to_pylist()[i] for i in (1, 4)]  # judged once: as they were
    assert merged(given).schema.equals(PAIRS)


def test_a_judgement_counts_by_its_own_doubt_and_weights_are_means():
    more = {"judge": "ann", "p_better": 0.75, "weight": 3.0, "flip_probability": 0.25}
    (row,) = merged(judged(("a", "b", more), ("b", "a", {**more, "p_better": 1.0, "weight": 1.0}))).to_pylist()
    assert (row["chosen"], row["p_better"], row["margin"]) == ("b", 0.625, 0.25)  # of a: (.75 + 0) / 2
    assert (row["weight"], row["flip_probability"], row["judge"]) == (2.0, 0.25, "ann")


def test_pairs_without_prompts_are_the_same_by_their_question_and_wording():
    nothing = {"prompt": None}
    rows = (("a", "b", nothing), ("b", "a", {**nothing, "variant": 1}), ("a", "b", {**nothing, "example_id": "p"}))
    assert merged(judged(*rows)).num_rows == 3
    assert merged(judged(*rows, ("b", "a", nothing))).num_rows == 3


def choices(*rows, **more):
    names = ("prompt", "first", "second", "choice")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)} | more)


def test_choices_of_people_become_pairs_and_a_tie_counts_half_for_each():
    table = choices(
        ("?", "a", "b", "first"), ("?", "b", "a", "first"), ("?", "a", "b", "first"), ("?", "a", "b", "tie"),
        ("!", "c", "d", "second"), judge=["ann", "bob", "ann", "bob", "ann"], first_source=["big"] * 5,
    )  # fmt: skip
    voted, once = of_choices(table).to_pylist()
    assert (voted["chosen"], voted["rejected"], voted["judge"]) == ("a", "b", "votes of 4")
    assert (voted["p_better"], voted["margin"]) == (0.625, 0.25)  # of a: 1, 0, 1, 1/2
    assert (once["chosen"], once["rejected"], once["p_better"], once["judge"]) == ("d", "c", 1.0, "ann")
    assert (once["rejected_source"], once["chosen_source"], once["weight"]) == ("big", None, 1.0)


def test_ties_of_choices_fall_by_hash_whatever_the_order():
    def chosen(seed, *rows):
        return of_choices(choices(*rows), seed=seed).to_pylist()[0]

    seen = set()
    for seed in range(20):
        row = chosen(seed, ("?", "a", "b", "tie"))
        assert (row["p_better"], row["margin"]) == (0.5, 0.0)
        assert row["chosen"] == chosen(seed, ("?", "b", "a", "tie"))["chosen"]
        assert row["chosen"] == chosen(seed, ("?", "a", "b", "first"), ("?", "a", "b", "second"))["chosen"]
        seen.add(row["chosen"])
    assert seen == {"a", "b"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("?", "a", "b", "left"),
            r"row 1: 'left' of 'a', 'b'; choose between two different answers by first, second or",
        ),
        (("?", "a", "a", "tie"), r"row 1: 'tie' of 'a', 'a'; choose between two different"),
        (("?", "a", " ", "tie"), r"row 1, column 'second': empty; fill it in"),
        (("?", "a", "b", None), r"row 1, column 'choice': empty"),
    ],
)
def test_choices_that_are_none_are_refused(row, message):
    with pytest.raises(DataError, match=message):
        of_choices(choices(row))
    with pytest.raises(DataError, match=r"missing columns \['choice'\]"):
        of_choices(choices(row).drop_columns(["choice"]))


def test_generated_answers_are_paired_by_their_texts_and_compared_by_their_values():
    texts = {("q", 0): "It is a.", ("q", 1): "Surely a", ("q", 2): "b, I think"}
    found = of_votes(table({"q": ["a", "a", "b"]}, texts=texts, finish="stop"))
    assert pairs_of(found) == {"q": ("It is a.", "b, I think")}
    assert found["row_id"].to_pylist() == ["q/sup/0/0/sup/2/0"]


def test_the_same_words_for_two_values_are_no_pair():
    """A letter stands for another option where the options stand in another order."""
    texts = {("q", 0): "B", ("q", 1): "B", ("q", 2): "B"}
    said = table({"q": ["moss", "fern", "moss"]}, texts=texts, finish="stop")
    assert of_votes(said).num_rows == 0
    assert of_sources(said.slice(0, 1), said.slice(1, 1)).num_rows == 0


def test_scores_give_the_best_over_the_worst():
    answers = table({"q1": ["a", "b", "c"], "q2": ["a", "b"], "q3": ["a", "b"], "q4": [None, "b"]})
    scores = np.array([0.5, 2.0, 1.0, 1.0, 1.0, math.nan, 3.0, 9.0, 1.0])
    found = of_scores(answers, scores, "referee", log_odds=True)
    assert pairs_of(found) == {"q1": ("b", "a")}  # q2 tied, q3 and q4 have one answer
    (row,) = found.to_pylist()
    assert (row["margin"], row["judge"]) == (1.5, "referee")
    assert row["p_better"] == pytest.approx(1 / (1 + math.exp(-1.5)))
    assert of_scores(answers, scores, "referee").to_pylist()[0]["p_better"] is None
    with pytest.raises(DataError, match="2 scores for 9 answers"):
        of_scores(answers, scores[:2], "referee")


def test_turned_pairs_are_the_same_pairs_the_other_way_round():
    pairs = of_votes(table())
    other = turned(pairs)
    assert pairs_of(other) == {q: pair[::-1] for q, pair in pairs_of(pairs).items()}
    assert other["p_better"].to_pylist() == pytest.approx([0.25, 0.5, 1 / 3])
    assert other["margin"].to_pylist() == pytest.approx([-0.4, 0.0, -1 / 3])
    assert pairs_of(turned(other)) == pairs_of(pairs)
    assert turned(other)["margin"].to_pylist() == pytest.approx(pairs["margin"].to_pylist())
    two = of_sources(of("big", OTHER), of("small", dict.fromkeys(OTHER, "z")))
    assert set(turned(two)["chosen_source"].to_pylist()) == {"small"}


def test_half_of_shuffled_pairs_are_turned_whatever_their_order():
    pairs = of_sources(of("big", {f"q{i}": "a" for i in range(40)}), of("small", {f"q{i}": "b" for i in range(40)}))
    found = shuffled(pairs, 0)
    assert found["chosen"].to_pylist().count("b") == 20
    assert pairs_of(shuffled(pairs.take(list(range(39, -1, -1))), 0)) == pairs_of(found)
    assert pairs_of(shuffled(pairs, 1)) != pairs_of(found)


def test_matched_pairs_are_alike():
    said = [
        ("One two three.", "Four five six."),
        ("One two three.", "Four five six"),  # as long, another style
        ("One two three four five six seven eight nine ten.", "Words are nine here and that will be enough."),
        ("One two.", "One two three four."),
    ]
    better, worse = ({f"q{i}": pair[side] for i, pair in enumerate(said)} for side in (0, 1))
    pairs = of_sources(of("big", better), of("small", worse))
    assert set(pairs_of(matched(pairs, "length"))) == {"q0", "q1", "q2"}
    assert set(pairs_of(matched(pairs, "style"))) == {"q0", "q2"}


def test_a_judges_confidence_becomes_weights_or_flips():
    """CW-PO: differences 0, .5, 1, 2, 5 of rewards give 0, .2449, .4621, .7616, .9866."""
    answers = table({f"q{i}": ["a", "b"] for i in range(5)})
    gaps = [1e-12, 0.5, 1.0, 2.0, 5.0]
    pairs = of_scores(answers, np.array([[gap, 0.0] for gap in gaps]).ravel(), "reward", log_odds=True)
    found = weighed(pairs, "confidence")
    assert found["weight"].to_pylist() == pytest.approx([0, 0.2449, 0.4621, 0.7616, 0.9866], abs=5e-5)
    assert found["flip_probability"].to_pylist() == [0.0] * 5
    doubted = weighed(pairs, flips="p_better")
    assert doubted["flip_probability"].to_pylist() == pytest.approx([1 / (1 + math.exp(gap)) for gap in gaps])
    assert doubted["weight"].to_pylist() == [1.0] * 5
    unjudged = of_sources(of("big", OTHER), of("small", dict.fromkeys(OTHER, "z")))
    assert weighed(unjudged, "confidence", "p_better") == unjudged


def test_one_side_is_rows_to_imitate():
    pairs = of_sources(of("big", OTHER), of("small", dict.fromkeys(OTHER, "z")))
    rows = one_side(pairs, "rejected").to_pylist()
    assert {(r["example_id"], r["target"], r["source"]) for r in rows} == {
        (q, "z", "small") for q, v in OTHER.items() if v
    }


# Methods ----------------------------------------------------------------------------------------------------------


def run(name, *, further=(), models=(), said=None, answers=None, seed=0, **settings):
    lab = fake.FakeLab(answers or table(), further=further, models=models, said=said or {}, seed=seed)
    spec = METHODS[name]
    spec.function(lab, spec.config(**settings))
    (trained,) = lab.trained
    assert trained.start == fake.STUDENT
    assert trained.objective is None  # the lab takes the recipe's, or the method's own
    return lab, trained


TWO = {"further": (MIDDLE,), "said": {"middle": OTHER}}


def test_methods_take_the_last_supervisor_over_the_first_or_the_votes_of_the_only_one():
    lab, trained = run("dpo")
    assert set(pairs_of(trained.rows)) == {"q1", "q2", "q5"}
    assert lab.asked == [("sup", None)]
    assert lab.notes == ["3 pairs of 5 questions: both answers valid, and different."]
    for name in ("dpo", "delta_learning"):
        lab, trained = run(name, **TWO)
        assert pairs_of(trained.rows) == {"q1": ("b", "a"), "q3": ("c", "a")}
        assert lab.asked == [("middle", 1), ("sup", 1)]
    with pytest.raises(PrerequisiteError, match="delta_learning takes answers of two sources"):
        run("delta_learning")


def test_sources_can_be_named_and_the_student_is_one():
    said = {"student": dict.fromkeys(SAID, "s"), "strong": dict.fromkeys(SAID, "t")}
    _, trained = run("delta_learning", chosen="student", rejected="sup", said=said)
    assert set(trained.column("chosen")) == {"s"}
    _, trained = run("delta_learning", chosen="student", rejected="strong", models=(STRONG,), said=said)
    assert set(trained.column("rejected")) == {"t"}
    with pytest.raises(ConfigError, match="unknown source of answers 'studnet'; did you mean 'student'"):
        run("dpo", chosen="studnet")
    with pytest.raises(ConfigError, match="'sup' is to be chosen over itself"):
        run("dpo", chosen="sup")


def test_placebos_have_the_same_pairs_and_settings():
    _, plain = run("delta_learning", **TWO, learning_rate=0.5, epochs=2)
    _, other = run("reversed_pairs", **TWO, learning_rate=0.5, epochs=2)
    assert pairs_of(other.rows) == {q: pair[::-1] for q, pair in pairs_of(plain.rows).items()}
    assert other.settings == plain.settings == {"learning_rate": 0.5, "epochs": 2}
    assert other.select == plain.select == Near(0.1)
    assert run("dpo", kl=None)[1].select == "last"
    found = [pairs_of(run("shuffled_pairs", **TWO, seed=seed)[1].rows) for seed in range(6)]
    assert all(set(each) == {"q1", "q3"} for each in found)
    assert all(sum(pair == pairs_of(plain.rows)[q] for q, pair in each.items()) == 1 for each in found)
    assert len({repr(each) for each in found}) == 2
    assert all(METHODS[name].control for name in ("reversed_pairs", "shuffled_pairs", "sft_chosen", "sft_rejected"))
    names = ("dpo", "delta_learning", "reversed_pairs", "shuffled_pairs")
    assert all(METHODS[name].objective == PREFERENCE for name in names)


def test_fine_tuning_on_one_side():
    _, chosen = run("sft_chosen", **TWO)
    assert chosen.targets == {"q1/middle/0/0/sup/0/0": "b", "q3/middle/0/0/sup/0/0": "c"}
    _, rejected = run("sft_rejected", **TWO)
    assert set(rejected.targets.values()) == {"a"}
    assert METHODS["sft_chosen"].objective is None


def test_a_reward_model_judges_several_answers_of_the_student():
    def answered(head="lm", **settings):
        said = {"middle": OTHER, "best": dict.fromkeys(SAID, "z")}
        lab = fake.FakeLab(table(), further=(MIDDLE,), models=(STRONG,), said=said, head=head, held_out=("q4",))
        spec = METHODS["reward_model"]
        return lab, spec.function(lab, spec.config(**settings))

    lab, student = answered(epochs=2, samples=5)
    (judge,) = lab.trained
    assert (judge.start, judge.head, judge.select, judge.objective) == (fake.STUDENT, "reward", "last", None)
    assert pairs_of(judge.rows) == {"q1": ("b", "a"), "q3": ("c", "a")}
    assert judge.settings == {"epochs": 2}
    assert lab.judged == [(fake.STUDENT, Student("reward model", "key-reward model", 2), 5, 1.0)]
    assert student.name == "best"
    lab, _ = answered(judge="strong", distil=True)
    assert [each.start for each in lab.trained] == [STRONG, fake.STUDENT]
    assert set(lab.trained[1].targets.values()) == {"z"}
    assert lab.trained[1].objective == Imitation()
    assert METHODS["reward_model"].objective == BradleyTerry()
    with pytest.raises(PrerequisiteError, match="this student has head 'classifier'"):
        answered(head="classifier")


def test_weights_and_matching_are_settings():
    _, trained = run("dpo", weights="confidence", flips="p_better")
    assert trained.column("weight") == pytest.approx([0.5, 0.0, 1 / 3])
    assert trained.column("flip_probability") == pytest.approx([0.25, 0.5, 1 / 3])
    lab, trained = run("dpo", match="style")
    assert lab.notes[1] == "3 pairs are alike in style."
    unlike = {"further": (MIDDLE,), "said": {"middle": dict.fromkeys(SAID, "a longer answer")}}
    with pytest.raises(PrerequisiteError, match="no pair is alike in length"):
        run("dpo", match="length", **unlike)
    with pytest.raises(PrerequisiteError, match="no question has two different answers"):
        run("dpo", answers=table({"q3": ["a", "a"]}))


@pytest.mark.parametrize("column", ["chosen_source", "rejected_source", "judge"])
def test_pairs_in_which_gold_had_a_part_are_for_oracles(column):
    pairs = of_sources(of("big", OTHER), of("small", dict.fromkeys(OTHER, "z")))
    gold = pairs.set_column(pairs.column_names.index(column), column, pa.array(["gold"] * pairs.num_rows))
    check_sealed("arm", pairs, sealed=False)
    check_sealed("arm", gold, sealed=True)
    with pytest.raises(SealedError):
        check_sealed("arm", gold, sealed=False)
