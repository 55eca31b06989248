"""Training sets out of answers, without training."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.curate import CURATED, curate
from outgrow.io.questions import QUESTIONS, read_decisions
from outgrow.methods import METHODS, MethodConfig, MethodSpec
from outgrow.methods.rows import normalise_weights

_spec = importlib.util.spec_from_file_location("fake_lab", Path(__file__).parents[1] / "methods" / "fake_lab.py")
fake = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fake)

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
        "value": values,
        "probabilities": [None if v is None else {v: FIRST.get(q, 0.5) if i == 0 else 0.99} for q, i, v in rows],
    }
    return build(ANSWERS, {**given, **columns})


def in_words(votes=VOTES, **columns):
    """The same answers as somebody would write them."""
    texts = [None if v is None else f"I say {v}" for values in votes.values() for v in values]
    return answers_of(votes, text=texts, **columns)


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
    assert (found.questions, found.labelled, found.kept, found.rows) == (5, 4, 3, 3)
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


def test_confidence_filtering_needs_option_probabilities_and_says_what_else_would_do():
    logprobs = answers_of(probabilities=[None] * 20, logprob=[-0.1] * 20)
    remedy = r"4 of 5 have none.*column 'probabilities' \(a 'logprob' is not enough\), or choose uncertainty_filtering"
    with pytest.raises(PrerequisiteError, match=remedy):
        run("confidence_filtering", answers=logprobs)


def test_reweighting_scales_reliability_to_mean_one():
    found = run("reliability_reweighting")
    weight, reliability = (found.rows.column(n).to_numpy() for n in ("weight", "reliability"))
    assert weight.mean() == pytest.approx(1.0)
    np.testing.assert_allclose(weight / weight[0], reliability / reliability[0])


def test_soft_labels_are_shares_of_the_valid_votes_and_keep_the_consensus_as_target():
    plain = answers_of(probabilities=[None] * 20)
    row = {row["example_id"]: row for row in run("soft_labels", answers=plain).rows.to_pylist()}["q3"]
    assert dict(row["probabilities"]) == {"yes": pytest.approx(2 / 3), "no": pytest.approx(1 / 3)}
    assert row["target"] == "yes"


def test_random_filtering_keeps_as_many_and_changes_with_the_seed():
    many = answers_of({f"q{i}": ["yes", "yes" if i % 2 else "no"] for i in range(100)})
    sets = [set(picked(run("random_filtering", answers=many, seed=s, keep=0.3))) for s in range(2)]
    assert [len(s) for s in sets] == [30, 30]
    assert sets[0] != sets[1]
    assert sets[0] == set(picked(run("random_filtering", answers=many, seed=0, keep=0.3)))


@pytest.mark.parametrize(
    ("target", "finish", "expected"),
    [
        (None, None, "I say no"),  # generated: as it was written
        (None, "stop", "I say no"),
        (None, "scored", "no"),  # an option that was scored, not written
        ("text", "scored", "no"),
        ("value", "stop", "no"),
    ],
)
def test_generated_text_is_trained_on_unless_the_value_is_asked_for(target, finish, expected):
    answers = in_words(finish_reason=[finish] * 20)
    for method in ("majority_vote", "all_answers", "naive"):
        rows = run(method, answers=answers, target=target).rows.to_pylist()
        row = next(row for row in rows if row["example_id"] == "q2")
        assert (row["target"], row["value"]) == (expected, "no")


def test_where_questions_have_choices_the_option_is_learnt_and_not_how_it_was_said():
    choices = [["yes", "no"] if q != "q2" else None for q in VOTES]
    columns = {"example_id": list(VOTES), "question": [f"{q}?" for q in VOTES], "choices": choices}
    questions = build(QUESTIONS, columns)
    expected = {"q1": "yes", "q2": "I say no", "q3": "yes", "q4": "no"}
    assert picked(run("majority_vote", answers=in_words(), questions=questions)) == expected
    texts = run("majority_vote", answers=in_words(), questions=questions, target="text")
    assert set(picked(texts).values()) == {"I say yes", "I say no"}


def test_the_order_of_answers_does_not_change_what_is_kept():
    back = answers_of().take(pa.array(range(19, -1, -1)))
    for method in ("uncertainty_filtering", "random_filtering", "confidence_filtering"):
        assert picked(run(method)) == dict(reversed(picked(run(method, answers=back)).items()))


def test_questions_asked_once_cannot_be_weighted_or_filtered_by_agreement():
    once = answers_of({"a": ["x"], "b": ["y"]})
    for method in ("reliability_reweighting", "shuffled_reweighting", "uncertainty_filtering"):
        with pytest.raises(PrerequisiteError, match=f"{method} needs at least two answers.*2 of 2 questions have one"):
            run(method, answers=once)
    assert picked(run("majority_vote", answers=once)) == {"a": "x", "b": "y"}


def test_unknown_names_and_settings_without_meaning_are_refused():
    with pytest.raises(ConfigError, match=r"unknown method 'magic'.*soft_labels"):
        run("magic")
    with pytest.raises(ConfigError, match="unknown target 'prompt'"):
        run("majority_vote", target="prompt")
    with pytest.raises(ConfigError, match="majority_vote has no setting 'stratify', 'keep'; it has none"):
        run("majority_vote", stratify="label", keep=0.5)
    with pytest.raises(ConfigError, match="random_filtering has no setting 'temperature'; it has keep, stratify"):
        run("random_filtering", temperature=0.5)
    with pytest.raises(ConfigError, match=r"random_filtering has 1 error:\n  keep: must be less than or equal to 1"):
        run("random_filtering", keep=1.5)
    with pytest.raises(ConfigError, match="known has no meaning for naive; it belongs to calibrated_filtering, cali"):
        run("naive", known=pa.table({"example_id": ["q1"], "value": ["yes"]}))
    two = answers_of().set_column(1, "source", pa.array(["s", "t"] * 10))
    for method, settings in (
        ("naive", {}),
        ("confidence_filtering", {}),
        ("uncertainty_filtering", {"form": "published"}),
    ):
        with pytest.raises(
            PrerequisiteError, match=r"is for answers of one source, .* take all answers for one source.s"
        ):
            run(method, answers=two, **settings)
    with pytest.raises(ConfigError, match="'softmax' rates one source, as the methods do; name a model of annotators"):
        run("majority_vote", answers=two, estimator="softmax")
    with pytest.raises(ConfigError, match="unknown estimator 'mase'; did you mean 'mace'"):
        run("majority_vote", answers=two, estimator="mase")


@pytest.mark.parametrize("name", [name for name, spec in METHODS.items() if spec.uses_gold])
def test_methods_that_see_gold_need_a_lab(name):
    with pytest.raises(ConfigError, match=f"{name} uses gold, so it needs a recipe.*curate offers"):
        run(name)


def test_a_method_that_trains_more_than_once_needs_a_lab(monkeypatch):
    monkeypatch.setitem(
        METHODS, "staged", MethodSpec("staged", MethodConfig, lambda lab, config: lab.train(None, None))
    )
    with pytest.raises(ConfigError, match="staged trains more than once, so it needs a recipe"):
        run("staged")


def test_known_gold_must_be_of_some_answered_questions_and_not_of_all():
    for ids, word in ((["x1"], "no"), (list(VOTES), "every")):
        known = pa.table({"example_id": ids, "value": ["yes"] * len(ids)})
        with pytest.raises(DataError, match=f"{word} answered question has known gold.*ids are like '{ids[0]}'"):
            run("calibrated_filtering", known=known)


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
    for method in ("majority_vote", "all_answers", "naive"):
        worded = run(method, answers=in_words())
        assert worded.rows["target"][0].as_py() == "I say yes"
        assert worded.summary.mix_after == run(method).summary.mix_after


def test_weights_have_no_meaning_where_rows_weigh_the_same():
    with pytest.raises(ConfigError, match="weights has no meaning for majority_vote; it belongs to reliability_rew"):
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
    (row,) = curate(answers, method="majority_vote").rows.to_pylist()
    assert (row["prompt"], row["target"]) == ("A blue B red", "A")
    (row,) = curate(answers, method="majority_vote", target="value").rows.to_pylist()
    assert (row["prompt"], row["target"]) == ("A red B blue", "blue")


# What a lab trains on ----------------------------------------------------------------------------------------------

SETTINGS = [
    *((name, {}) for name, spec in METHODS.items() if spec.choose),
    ("uncertainty_filtering", {"form": "published", "percentile": 40}),
    ("uncertainty_filtering", {"keep": 0.3, "order": "entropy_then_logprob", "stratify": "label"}),
    ("reliability_reweighting", {"form": "published", "temperature": 0.5}),
    ("calibrated_filtering", {"calibrator": "beta", "keep": 0.25}),
]


def made_up(worded):
    """Four answers each to 60 questions of a pool and 60 known ones, and the gold of those."""
    rng = np.random.default_rng(7)
    names = [*(f"p{i:02d}" for i in range(60)), *(f"k{i:02d}" for i in range(60))]
    shares = dict(zip(names, rng.dirichlet([0.6] * 3, len(names)).tolist(), strict=True))
    said = {q: [("a", "b", "c", None)[rng.choice(4, p=[*(0.9 * p for p in share), 0.1])] for _ in range(4)]
            for q, share in shares.items()}  # fmt: skip
    keys = [(q, v) for q in names for v in range(4)]
    maps = {key: dict(zip("abc", shares[key[0]], strict=True)) for key in keys}
    texts = {key: f"so, in wording {key[1]}, {said[key[0]][key[1]]}" for key in keys}
    logprobs = {q: (-rng.exponential(size=4)).tolist() for q in names}
    answers = fake.answers_table(
        said, logprobs=logprobs, probabilities=maps, texts=texts, finish="stop" if worded else "scored"
    )
    return answers, {q: "abc"[int(np.argmax(shares[q]))] if i % 3 else "c" for i, q in enumerate(names) if q[0] == "k"}


@pytest.mark.parametrize("worded", [False, True])
@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_curate_chooses_what_a_lab_trains_on(name, settings, worded):
    answers, truth = made_up(worded)
    spec = METHODS[name]
    known = {}
    if spec.needs == "known":
        known = {"known": pa.table({"example_id": list(truth), "value": list(truth.values())})}
    else:
        answers, truth = answers.slice(0, 240), {}  # the pool alone
    lab = fake.FakeLab(answers, known_truth=truth, seed=3)
    spec.function(lab, spec.config(**settings))
    (trained,) = lab.trained
    expected = normalise_weights(trained.rows, trained.weights).rows
    rows = curate(answers, method=name, seed=3, **known, **settings).rows
    assert rows.num_rows == expected.num_rows > 0
    for column in ("row_id", "example_id", "probabilities", "weight"):
        assert rows[column].to_pylist() == expected[column].to_pylist()  # bit for bit
    if name == "soft_labels":
        assert expected["target"].null_count == rows.num_rows
    else:
        assert rows["target"].to_pylist() == expected["target"].to_pylist()
    # a row that is an answer stands under the prompt it answers, in both
    prompts = zip(rows["prompt"].to_pylist(), expected["prompt"].to_pylist(), strict=True)
    assert all(theirs in (None, ours) for ours, theirs in prompts)
    assert rows["prompt"].null_count == 0


def decided(**choices):
    return pa.table({"example_id": list(choices), "decision": list(choices.values())})


def test_decisions_by_hand_drop_rows_and_add_those_to_keep():
    chosen = run("uncertainty_filtering", keep=0.5).rows["example_id"].to_pylist()
    other = next(i for i in run("majority_vote").rows["example_id"].to_pylist() if i not in chosen)
    curated = run("uncertainty_filtering", keep=0.5, decisions=decided(**{chosen[0]: "drop", other: "keep"}))
    assert set(curated.rows["example_id"].to_pylist()) == {*chosen[1:], other}
    assert "by hand: rows dropped 1, added 1" in curated.summary.notes
    label = {row["example_id"]: row["target"] for row in run("majority_vote").rows.to_pylist()}
    assert {row["example_id"]: row["target"] for row in curated.rows.to_pylist()}[other] == label[other]


def test_decisions_about_nothing_or_everything_are_refused():
    with pytest.raises(DataError, match="no decision is about a labelled question"):
        run("majority_vote", decisions=decided(zzz="drop"))
    every = {i: "drop" for i in run("majority_vote").rows["example_id"].to_pylist()}
    with pytest.raises(DataError, match="nothing is left to train on"):
        run("majority_vote", decisions=decided(**every))


def test_a_decision_that_is_none_is_named_with_its_line(tmp_path):
    (tmp_path / "d.csv").write_text("example_id,decision\nq1,keep\nq2,perhaps\n")
    with pytest.raises(DataError, match=r"line 3, column 'decision': 'perhaps' is neither keep nor drop"):
        read_decisions(tmp_path / "d.csv")
