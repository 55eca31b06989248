"""Training sets out of answers, without training."""

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.curate import CURATED, curate

VOTES = {
    "q1": ["yes", "yes", "yes", "yes"],
    "q2": ["no", "no", "no", "yes"],
    "q3": ["yes", "yes", None, "no"],
    "q4": ["no", "no", "no", "no"],
    "q5": [None, None, None, None],
}
FIRST = {"q1": 0.6, "q2": 0.9, "q3": 0.95, "q4": 0.5, "q5": 0.5}


def answers_of(votes=VOTES, **columns):
    rows = [(q, i, v) for q, values in votes.items() for i, v in enumerate(values)]
    ids, samples, values = zip(*rows, strict=True)
    given = {
        "example_id": ids,
        "source": ["s"] * len(ids),
        "variant": samples,
        "sample": [0] * len(ids),
        "prompt": [f"{q} worded {i}" for q, i, _ in rows],
        "text": [None if v is None else f"I say {v}" for v in values],
        "value": values,
        "logprob": [np.log(FIRST.get(q, 0.5)) if i == 0 else -0.01 for q, i, _ in rows],
    }
    return build(ANSWERS, {**given, **columns})


def run(method, **options):
    return curate(options.pop("answers", answers_of()), method=method, **options)


def picked(curated):
    return dict(
        zip(curated.rows.column("example_id").to_pylist(), curated.rows.column("target").to_pylist(), strict=True)
    )


def test_majority_vote_gives_each_consensus_with_the_first_prompt_and_its_measures():
    found = run("majority_vote")
    assert found.rows.schema == CURATED
    assert picked(found) == {"q1": "yes", "q2": "no", "q3": "yes", "q4": "no"}
    row = found.rows.to_pylist()[1]
    assert row["prompt"] == "q2 worded 0"
    assert row["votes"] == [("no", 3), ("yes", 1)]
    # K T = .8: R = 1 / (1 + exp(-2 / .8))
    assert row["reliability"] == pytest.approx(1 / (1 + np.exp(-2.5)))
    assert row["weight"] == 1.0
    assert row["probabilities"] is None


def test_the_summary_counts_questions_invalid_answers_and_the_label_mix():
    found = run("uncertainty_filtering", keep=0.75).summary
    assert (found.questions, found.with_consensus, found.kept, found.rows) == (5, 4, 3, 3)
    assert (found.answers, found.invalid_answers, found.removed_rows) == (20, 5, 0)
    assert found.mix_before == {"no": 0.5, "yes": 0.5}
    assert found.mix_after == {"no": pytest.approx(2 / 3), "yes": pytest.approx(1 / 3)}


def test_uncertainty_filtering_keeps_the_questions_with_the_least_entropy():
    assert picked(run("uncertainty_filtering", keep=0.5)) == {"q1": "yes", "q4": "no"}
    assert picked(run("uncertainty_filtering", keep=0.75)) == {"q1": "yes", "q2": "no", "q4": "no"}


def test_stratified_filtering_keeps_the_label_mix():
    found = run("uncertainty_filtering", keep=0.5, stratify="label")
    assert sorted(picked(found).values()) == ["no", "yes"]


def test_all_answers_gives_every_valid_answer_with_its_own_prompt():
    found = run("all_answers")
    assert found.rows.num_rows == 15
    rows = [row for row in found.rows.to_pylist() if row["example_id"] == "q3"]
    assert [(row["prompt"], row["target"]) for row in rows] == [
        ("q3 worded 0", "yes"),
        ("q3 worded 1", "yes"),
        ("q3 worded 3", "no"),
    ]
    assert [row["row_id"] for row in rows] == ["q3/s/0/0", "q3/s/1/0", "q3/s/3/0"]
    assert found.summary.mix_after == {"no": pytest.approx(8 / 15), "yes": pytest.approx(7 / 15)}


def test_confidence_filtering_uses_the_first_answer_alone():
    # first answers: q3 .95, q2 .9, q1 .6, q4 .5; q5 invalid. keep .5 of the 4 valid ones
    assert picked(run("confidence_filtering", keep=0.5)) == {"q2": "no", "q3": "yes"}


def test_confidence_filtering_prefers_option_probabilities_over_log_probabilities():
    maps = [[("yes", p), ("no", 1 - p)] for q in VOTES for p in ([0.9, 0.5, 0.5, 0.5] if q == "q1" else [0.6] * 4)]
    # probability of what was said first: q1 yes .9, q2 no .4, q3 yes .6, q4 no .4
    found = run("confidence_filtering", keep=0.5, answers=answers_of(probabilities=maps))
    assert picked(found) == {"q1": "yes", "q3": "yes"}


def test_confidence_filtering_needs_a_confidence():
    with pytest.raises(PrerequisiteError, match="needs 'probabilities' or 'logprob'"):
        run("confidence_filtering", answers=answers_of(logprob=[None] * 20))


def test_reweighting_scales_reliability_to_mean_one():
    found = run("reliability_reweighting")
    weight, reliability = (found.rows.column(n).to_numpy() for n in ("weight", "reliability"))
    assert weight.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weight / weight[0], reliability / reliability[0])


def test_soft_labels_are_shares_of_the_valid_votes_and_keep_the_consensus_as_target():
    row = {row["example_id"]: row for row in run("soft_labels").rows.to_pylist()}["q3"]
    assert dict(row["probabilities"]) == {"yes": pytest.approx(2 / 3), "no": pytest.approx(1 / 3)}
    assert row["target"] == "yes"


def test_random_filtering_keeps_as_many_and_changes_with_the_seed():
    many = answers_of({f"q{i}": ["yes", "yes" if i % 2 else "no"] for i in range(100)})
    sets = [set(picked(run("random_filtering", answers=many, seed=s, keep=0.3))) for s in range(2)]
    assert [len(s) for s in sets] == [30, 30]
    assert sets[0] != sets[1]
    assert sets[0] == set(picked(run("random_filtering", answers=many, seed=0, keep=0.3)))


def test_targets_can_be_the_texts_behind_the_values():
    assert picked(run("majority_vote", target="text"))["q2"] == "I say no"
    assert picked(run("all_answers", target="text"))["q1"] == "I say yes"
    assert picked(run("majority_vote"))["q2"] == "no"


def test_the_order_of_answers_does_not_change_what_is_kept():
    back = answers_of().take(pa.array(range(19, -1, -1)))
    for method in ("uncertainty_filtering", "random_filtering", "confidence_filtering"):
        assert picked(run(method)) == dict(reversed(picked(run(method, answers=back)).items()))


def test_questions_asked_once_cannot_be_weighted_or_filtered_by_agreement():
    once = answers_of({"a": ["x"], "b": ["y"]})
    with pytest.raises(PrerequisiteError, match="2 of 2 questions have one"):
        run("reliability_reweighting", answers=once)
    with pytest.raises(PrerequisiteError, match="no entropy"):
        run("uncertainty_filtering", answers=once)
    assert picked(run("majority_vote", answers=once)) == {"a": "x", "b": "y"}


def test_unknown_names_and_settings_without_meaning_are_refused():
    with pytest.raises(ConfigError, match=r"unknown method 'magic'.*soft_labels"):
        run("magic")
    with pytest.raises(ConfigError, match="unknown target 'prompt'"):
        run("majority_vote", target="prompt")
    with pytest.raises(ConfigError, match="stratify has no meaning for majority_vote"):
        run("majority_vote", stratify="label")
    with pytest.raises(PrerequisiteError, match="above 0 and at most 1"):
        run("random_filtering", keep=1.5)
    two = answers_of().set_column(1, "source", pa.array(["s", "t"] * 10))
    with pytest.raises(PrerequisiteError, match="several sources"):
        run("majority_vote", answers=two)


def test_resampling_spends_the_weights_and_the_mix_says_so():
    # R of 4, 3 and 2 of 4 votes: 1, 1 / (1 + exp(-2.5)) = .924; q3 is 2 yes, 1 no, 1 invalid
    plain, drawn = run("reliability_reweighting"), run("reliability_reweighting", weights="resample", seed=1)
    assert drawn.rows.num_rows == plain.rows.num_rows
    assert set(drawn.rows.column("weight").to_pylist()) == {1.0}
    counts = [target.count("yes") for target in [drawn.rows.column("target").to_pylist()]]
    assert drawn.summary.mix_after["yes"] == counts[0] / 4
    assert len(set(drawn.rows.column("row_id").to_pylist())) == 4


def test_the_mix_after_reweighting_is_that_of_the_weight():
    found = run("reliability_reweighting")
    weight = dict(
        zip(found.rows.column("example_id").to_pylist(), found.rows.column("weight").to_pylist(), strict=True)
    )
    assert found.summary.mix_after["yes"] == pytest.approx((weight["q1"] + weight["q3"]) / 4)
    unused = run("reliability_reweighting", weights="keep-unused")
    assert unused.rows.equals(found.rows)
    assert unused.summary.mix_after == {"no": 0.5, "yes": 0.5}


def test_a_threshold_on_weights_leaves_the_lighter_rows_out():
    # weights in proportion to R: q1 and q4 have 1, q2 .924, q3 less; the mean is below 1, so q1 and q4 exceed it
    found = run("reliability_reweighting", weights="threshold", min_weight=1.1)
    assert picked(found) == {"q1": "yes", "q4": "no"}
    assert found.summary.left_out == 2


def test_the_mix_is_of_labels_also_where_the_target_is_text():
    assert run("majority_vote", target="text").summary.mix_after == {"no": 0.5, "yes": 0.5}
    assert run("all_answers", target="text").summary.mix_after == run("all_answers").summary.mix_after


def test_weights_have_no_meaning_where_rows_weigh_the_same():
    with pytest.raises(ConfigError, match="weights has no meaning for majority_vote"):
        run("majority_vote", weights="resample")


def test_a_text_stands_under_the_prompt_it_answered():
    """With permuted letters the same option is "A" under one prompt and "B" under another."""
    answers = build(
        ANSWERS,
        {
            "example_id": ["q"] * 3,
            "source": ["sup"] * 3,
            "variant": [0, 1, 2],
            "sample": [0, 0, 0],
            "prompt": ["A red B blue", "A blue B red", "A red B blue ?"],
            "text": ["A", "A", "B"],
            "value": ["red", "blue", "blue"],
        },
    )
    (row,) = curate(answers, method="majority_vote", target="text").rows.to_pylist()
    assert (row["prompt"], row["target"]) == ("A blue B red", "A")
    (row,) = curate(answers, method="majority_vote").rows.to_pylist()
    assert (row["prompt"], row["target"]) == ("A red B blue", "blue")
