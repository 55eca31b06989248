"""`outgrow.pairs`: which pairs come out of answers and judgements, how they weigh, and what is refused."""

import math

import numpy as np
import pyarrow as pa
import pytest

import outgrow
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import PAIRS, build

SAID = {"q1": "aab", "q2": "aaa", "q3": "bca", "q4": "b--"}  # "-" could not be parsed
OTHERS = {"q1": "b", "q2": "a", "q3": "a", "q5": "a"}


def answers(said, source="big", **columns):
    rows = [(q, None if v == "-" else v) for q, values in said.items() for v in values]
    ids, values = zip(*rows, strict=True)
    table = {
        "example_id": ids,
        "source": [source] * len(ids),
        "value": values,
        "prompt": [f"What of {q}?" for q in ids],
    }
    return outgrow.as_answers(pa.table(table | columns))


BOTH = pa.concat_tables([answers(SAID), answers(OTHERS, "small")])


def of(paired):
    return {row["example_id"]: (row["chosen"], row["rejected"]) for row in paired.pairs.to_pylist()}


def judgements(*rows):
    """Of one prompt each: p_better, weight."""
    names = [f"r{i}" for i in range(len(rows))]
    columns = {"row_id": names, "example_id": names, "variant": [0] * len(rows), "prompt": names}
    columns |= {"chosen": ["yes"] * len(rows), "rejected": ["no"] * len(rows), "flip_probability": [0.0] * len(rows)}
    return build(PAIRS, columns | {"p_better": [p for p, _ in rows], "weight": [w for _, w in rows]})


def test_one_source_gives_its_votes_and_says_why_other_questions_gave_none():
    paired = outgrow.pairs(answers(SAID))
    assert of(paired)["q1"] == ("a", "b")
    assert set(of(paired)) == {"q1", "q3"}
    summary = paired.summary
    assert (summary.given, summary.what, summary.questions, summary.made, summary.pairs) == (12, "answers", 4, 2, 2)
    assert summary.without == {"all valid answers are the same": 1, "fewer than two valid answers to compare": 1}
    assert (summary.mean_weight, summary.removed, summary.known) == (1.0, 0, 1.0)
    tied = {of(outgrow.pairs(answers(SAID), seed=seed))["q3"] for seed in range(20)}
    assert len(tied) > 1


def test_two_sources_are_taken_by_their_first_answers():
    paired = outgrow.pairs(BOTH, chosen="small", rejected="big")
    assert of(paired) == {"q1": ("b", "a"), "q3": ("a", "b")}
    # q2 the same, q4 of one source, q5 of the other
    assert paired.summary.without == {
        "all valid answers are the same": 1, "fewer than two valid answers to compare": 2,
    }  # fmt: skip
    assert (paired.summary.questions, paired.summary.known) == (5, 0.0)


def test_scores_give_the_best_over_the_worst_and_log_odds_their_probability():
    scores = np.array([1.0, np.nan, 3.0, 1, 2, 3, 5, 5, 5, 0, 0, 0])
    paired = outgrow.pairs(answers(SAID), scores=scores, judge="rm", log_odds=True)
    (row,) = paired.pairs.to_pylist()
    assert (row["chosen"], row["rejected"], row["margin"], row["judge"]) == ("b", "a", 2.0, "rm")
    assert row["p_better"] == pytest.approx(1 / (1 + math.exp(-2)))
    assert paired.summary.without == {
        "all valid answers are the same": 1,
        "no answer scores above a different one": 1,
        "fewer than two valid answers to compare": 1,
    }
    assert outgrow.pairs(answers(SAID), scores=scores).pairs["p_better"].null_count == 1


def test_confidence_flips_and_weights_follow_p_better_and_those_of_no_weight_are_gone():
    given = judgements((0.75, 2.0), (1.0, 1.0), (0.5, 1.0), (None, 1.0))
    paired = outgrow.pairs(given, weigh="confidence", flips="p_better")
    # 2 (2 * .75 - 1) = 1, 1, 0, and unknown stays 1
    assert paired.pairs["row_id"].to_pylist() == ["r0", "r1", "r3"]
    assert paired.pairs["weight"].to_pylist() == [1.0, 1.0, 1.0]
    assert paired.pairs["flip_probability"].to_pylist() == [0.25, 0.0, 0.0]
    assert (paired.summary.mean_weight, paired.summary.removed, paired.summary.known) == (0.75, 1, 0.75)
    turned = outgrow.pairs(given, weigh="confidence", reverse=True).pairs
    assert turned["chosen"].to_pylist() == ["no"] * 3
    assert turned["p_better"].to_pylist() == [0.25, 0.0, None]
    heavy = outgrow.pairs(judgements((None, 3.0), (None, 1.0)), weights="threshold", min_weight=1)
    assert (heavy.pairs["row_id"].to_pylist(), heavy.summary.left_out) == (["r0"], 1)
    drawn = outgrow.pairs(judgements((None, 3.0), (None, 1.0), (None, 0.0)), weights="resample")
    assert (drawn.pairs.num_rows, set(drawn.pairs["weight"].to_pylist())) == (2, {1.0})


def test_pairs_that_are_not_alike_are_counted():
    given = build(
        PAIRS,
        {
            **{name: judgements((None, 1.0), (None, 1.0))[name] for name in PAIRS.names},
            "chosen": ["yes", "yes of course"],
        },
    )
    paired = outgrow.pairs(given, match="length")
    assert (paired.pairs["row_id"].to_pylist(), paired.summary.unmatched, paired.summary.made) == (["r0"], 1, 2)


def test_prompts_come_from_questions_and_answers_to_choices_are_values():
    bare = pa.table({"example_id": ["q1"] * 3, "value": [*"aab"], "text": ["It is a.", "Surely a", "b!"]})
    assert of(outgrow.pairs(outgrow.as_answers(bare))) == {"q1": ("It is a.", "b!")}
    questions = pa.table({"example_id": ["q1"], "question": ["Which?"], "choices": [["a", "b"]], "label": [None]})
    paired = outgrow.pairs(outgrow.as_answers(bare), questions=questions)
    assert of(paired) == {"q1": ("a", "b")}
    assert paired.pairs["prompt"].to_pylist() == ["Which?\n- a\n- b\nAnswer:"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, PrerequisiteError, r"of 2 sources \(big, small\): name whose are chosen and whose rejected"),
        ({"chosen": "big"}, ConfigError, r"name both; there are big, small"),
        ({"chosen": "big", "rejected": "big"}, ConfigError, r"two sources"),
        ({"chosen": "big", "rejected": "smal"}, ConfigError, r"unknown source of answers 'smal'; did you mean 'small'"),
        ({"chosen": "big", "rejected": "small", "scores": np.zeros(16)}, ConfigError, r"scores have no meaning beside"),
        ({"scores": np.zeros(3)}, DataError, r"3 scores for 16 answers"),
        ({"scores": np.zeros(16)}, DataError, r"no pair comes out of 5 questions: no answer scores"),
        ({"scores": np.arange(16.0), "weigh": "confidence"}, PrerequisiteError, r"no pair has a p_better"),
        ({"scores": np.arange(16.0), "flips": "p_better"}, PrerequisiteError, r"several judgements of a pair"),
        ({"log_odds": True}, ConfigError, r"log odds are those of scores, and there are none"),
        ({"match": "words"}, ConfigError, r"unknown match 'words'"),
        ({"weigh": "much"}, ConfigError, r"unknown way to weigh 'much'"),
        ({"flips": "all"}, ConfigError, r"unknown source of flip probabilities 'all'"),
        ({"weights": "drop"}, ConfigError, r"unknown way with weights 'drop'"),
        ({"min_weight": 1}, ConfigError, r"belongs to --weights threshold"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        outgrow.pairs(BOTH, **options)


def test_a_preference_file_takes_no_sources_and_no_scores():
    for options in ({"chosen": "a"}, {"rejected": "b"}, {"scores": np.zeros(1)}):
        with pytest.raises(ConfigError, match="a preference file says which is better"):
            outgrow.pairs(judgements((None, 1.0)), **options)
    with pytest.raises(DataError, match=r"pairs: missing columns \['row_id'"):
        outgrow.pairs(judgements((None, 1.0)).select(["prompt", "chosen", "rejected"]))
    long = build(PAIRS, {**{n: judgements((None, 1.0))[n] for n in PAIRS.names}, "chosen": ["yes of course"]})
    with pytest.raises(DataError, match=r"not alike in length \(1 pairs\)"):
        outgrow.pairs(long, match="length")
    with pytest.raises(DataError, match="no row has a weight above 0"):
        outgrow.pairs(judgements((0.5, 1.0)), weigh="confidence")
