"""What every model of annotators keeps to, and values worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import LABELS
from outgrow.reliability.annotators import (
    MODELS,
    BradleyTerry,
    DawidSkene,
    DirichletVote,
    OneCoin,
    RobustDawidSkene,
    WeightedVote,
    crowd_votes,
    fit_annotators,
    make_model,
)
from outgrow.studies.crowds import Crowd, simulate

SMALL = Crowd(tasks=120, annotators=8, answers=4)


def table(rows):
    ids, who, values = zip(*rows, strict=True)
    return pa.table({"example_id": list(ids), "source": list(who), "value": pa.array(values, pa.string())})


def dense(model):
    return model.posterior_.toarray() if hasattr(model.posterior_, "toarray") else model.posterior_


def right(model, gold):
    labels = model.posterior_table()
    return np.mean(
        [gold[i] == v for i, v in zip(labels["example_id"].to_pylist(), labels["value"].to_pylist(), strict=True)]
    )


@pytest.fixture(scope="module")
def crowd():
    return simulate(SMALL, 0)


@pytest.mark.parametrize("name", MODELS)
def test_posteriors_are_probabilities_and_labels_are_mostly_right(name, crowd):
    model = make_model(name).fit(crowd.answers)
    posterior = dense(model)
    total = posterior.sum(axis=1) + getattr(model, "elsewhere_", 0)
    np.testing.assert_allclose(total, 1, atol=1e-9)
    assert posterior.min() >= 0
    assert right(model, crowd.gold) > 0.9
    assert ((model.accuracy_ >= 0) & (model.accuracy_ <= 1)).all()
    assert model.n_iter_ >= 1


@pytest.mark.parametrize("name", MODELS)
def test_the_order_of_rows_changes_nothing(name, crowd):
    shuffled = crowd.answers.take(pa.array(np.random.default_rng(0).permutation(crowd.answers.num_rows)))
    labels = [make_model(name).fit(each).posterior_table().sort_by("example_id") for each in (crowd.answers, shuffled)]
    assert labels[0]["value"].equals(labels[1]["value"])
    # tasks are summed in another order
    np.testing.assert_allclose(labels[0]["reliability"], labels[1]["reliability"], atol=2e-4)


@pytest.mark.parametrize("name", MODELS)
def test_known_labels_are_kept_even_against_every_vote(name, crowd):
    votes = crowd_votes(crowd.answers)
    gold = {i: next(c for c in "abcd" if c != label) for i, label in list(crowd.gold.items())[:10]}
    model = make_model(name).fit(votes, known=gold)
    labels = {row["example_id"]: row for row in model.posterior_table().to_pylist()}
    for i, value in gold.items():
        assert labels[i]["value"] == value
        assert labels[i]["reliability"] == pytest.approx(1)


@pytest.mark.parametrize("name", MODELS)
def test_a_fitted_model_can_be_cloned_and_begins_another_fit(name, crowd):
    model = make_model(name).fit(crowd.answers)
    again = clone(model).fit(crowd.answers, start=model)
    assert not hasattr(clone(model), "posterior_")
    assert right(again, crowd.gold) == pytest.approx(right(model, crowd.gold), abs=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_the_table_is_one_of_labels(name, crowd):
    labels = make_model(name).fit(crowd.answers).posterior_table()
    assert labels.schema.equals(LABELS)
    assert labels.num_rows == SMALL.tasks
    for row in labels.to_pylist()[:20]:
        probabilities, votes = dict(row["probabilities"]), dict(row["votes"])
        assert next(iter(probabilities)) == row["value"]
        assert row["reliability"] == pytest.approx(probabilities[row["value"]])
        assert sum(votes.values()) == row["n_valid"] == SMALL.answers
        assert row["vote_share"] == pytest.approx(votes.get(row["value"], 0) / SMALL.answers)
        entropy = -sum(p * np.log(p) for p in probabilities.values() if p > 0)
        assert row["entropy"] == pytest.approx(entropy, abs=1e-4)


def test_samples_of_one_source_are_a_distribution_and_not_annotators():
    """Asked thrice with 1, 1, 0 on one task and 0, 0, 0 on another: crowd-kit makes of it that 1 is certain for a.

    Shares are 2/3 and 0, so P(1) = 1/3; given 1, "1" has 2/3 of the answers, given 0 (2/3 1/3) / (4/3) = 1/6.
    """
    votes = [("a", "w", v) for v in "110"] + [("b", "w", v) for v in "000"]
    model = DawidSkene(prior=0.0, n_iter=1).fit(table(votes))
    rows = dict(zip(model.votes_.tasks.to_pylist(), model.posterior_[:, 1].tolist(), strict=True))
    one, zero = 1 / 3 * (2 / 3) ** (2 / 3) * (1 / 3) ** (1 / 3), 2 / 3 * (1 / 6) ** (2 / 3) * (5 / 6) ** (1 / 3)
    assert rows["a"] == pytest.approx(one / (one + zero), abs=1e-6)
    one, zero = 1 / 3 * 1 / 3, 2 / 3 * 5 / 6
    assert rows["b"] == pytest.approx(one / (one + zero), abs=1e-6)


def test_one_step_of_dawid_skene_by_hand():
    """Two tasks: x x y and y y y. Shares are 2/3 and 0 for x, so P(x) = 1/3; c says y in both."""
    rows = [("p", "a", "x"), ("p", "b", "x"), ("p", "c", "y"), ("q", "a", "y"), ("q", "b", "y"), ("q", "c", "y")]
    model = DawidSkene(prior=0.0, n_iter=1).fit(table(rows))
    # a, given x: says x always; given y: x in (1/3)/(4/3) = 1/4. The same for b. c says y always
    x, y = 1 / 3 * 1 * 1 * 1, 2 / 3 * 1 / 4 * 1 / 4 * 1
    assert model.posterior_[0].tolist() == pytest.approx([x / (x + y), y / (x + y)], abs=1e-6)
    assert model.posterior_[1, 1] == pytest.approx(1, abs=1e-6)


def test_weights_by_name_decide():
    rows = [("p", "a", "x"), ("p", "b", "y"), ("p", "c", "y")]
    model = WeightedVote({"a": 3.0, "b": 0.5}).fit(table(rows))
    assert model.posterior_.toarray().tolist() == [pytest.approx([3 / 4.5, 1.5 / 4.5])]
    assert model.posterior_table()["value"].to_pylist() == ["x"]


def test_ties_go_by_hash_and_not_by_alphabet():
    rows = [(f"q{i}", who, label) for i in range(40) for who, label in (("a", "x"), ("b", "y"))]
    values = WeightedVote().fit(table(rows)).posterior_table()["value"].to_pylist()
    assert 10 < values.count("x") < 30
    assert values == WeightedVote().fit(table(rows)).posterior_table()["value"].to_pylist()
    assert values != WeightedVote().fit(table(rows)).posterior_table(seed=1)["value"].to_pylist()


def test_a_dirichlet_posterior_by_hand():
    """Votes x x y in all: with one added at random the mix is (2.5, 1.5) / 4."""
    model = DirichletVote(concentration=4.0).fit(table([("p", "a", "x"), ("p", "b", "x"), ("q", "a", "y")]))
    assert model.alpha_.tolist() == [pytest.approx([4.5, 1.5]), pytest.approx([2.5, 2.5])]
    assert model.vacuity_.tolist() == pytest.approx([4 / 6, 4 / 5])


def test_free_answers_go_to_one_coin_and_tables_refuse_them():
    rng = np.random.default_rng(0)
    skill = {"a": 0.9, "b": 0.8, "c": 0.3}
    rows = [
        (f"q{i}", who, f"right {i}" if rng.random() < p else f"wrong {i} {rng.integers(50)}")
        for i in range(200)
        for who, p in skill.items()
    ]
    model = fit_annotators(table(rows))
    assert isinstance(model, OneCoin)
    accuracy = dict(zip(model.votes_.annotators.to_pylist(), model.accuracy_.tolist(), strict=True))
    assert accuracy["c"] < 0.5 < accuracy["b"]
    assert right(model, {f"q{i}": f"right {i}" for i in range(200)}) > 0.85
    for name in set(MODELS) - {"one_coin", "majority", "weighted_vote"}:
        with pytest.raises(PrerequisiteError, match="one_coin or weighted_vote"):
            make_model(name).fit(table(rows))


def test_tasks_without_a_valid_vote_have_no_label():
    rows = [("p", "a", "x"), ("p", "b", "x"), ("q", "a", None), ("q", "b", None), ("r", "a", "y"), ("r", "b", "y")]
    for name in MODELS:
        labels = make_model(name).fit(table(rows)).posterior_table()
        assert labels["value"].to_pylist() == ["x", None, "y"], name
        assert labels["reliability"][1].as_py() == 0
        assert labels["n_invalid"].to_pylist() == [0, 2, 0]


def test_a_warm_start_needs_fewer_iterations(crowd):
    cold = DawidSkene().fit(crowd.answers)
    assert DawidSkene().fit(crowd.answers, start=cold).n_iter_ < cold.n_iter_


def test_a_warm_start_serves_other_tasks_and_annotators(crowd):
    fitted = RobustDawidSkene(copies=False).fit(crowd.answers)
    other = simulate(Crowd(tasks=40, annotators=10, answers=4), 1)
    renamed = other.answers.set_column(
        0, "example_id", pa.array([f"new {i}" for i in other.answers["example_id"].to_pylist()])
    )
    model = RobustDawidSkene(copies=False).fit(renamed, start=fitted)
    assert right(model, {f"new {i}": value for i, value in other.gold.items()}) > 0.8


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"t00000": "z"}, "'z' is no label that an annotator gave"),
        ({"elsewhere": "a"}, "none is about a task of the votes"),
        (pa.table({"example_id": ["t00000"] * 2, "value": ["a", "b"]}), "task 't00000' has two different ones"),
    ],
)
def test_known_labels_that_do_not_fit_are_refused(known, message, crowd):
    with pytest.raises(DataError, match=message):
        DawidSkene().fit(crowd.answers, known=known)


def test_one_source_alone_is_refused():
    with pytest.raises(PrerequisiteError, match="all answers are of one source, 'w'"):
        fit_annotators(table([("a", "w", "x"), ("b", "w", "y")]))


def test_an_unknown_model_or_setting_is_named_with_what_there_is(crowd):
    with pytest.raises(ConfigError, match="dawid_skene"):
        fit_annotators(crowd.answers, model="david_skene")
    with pytest.raises(ConfigError, match=r"dawid_skene has no setting 'iterations'; it has n_iter"):
        fit_annotators(crowd.answers, model="dawid_skene", iterations=3)


def test_comparisons_of_an_item_with_itself_or_of_nothing_are_refused():
    with pytest.raises(DataError, match="row 2: 'a' is compared with itself"):
        BradleyTerry().fit(pa.table({"chosen": ["a", "a"], "rejected": ["b", "a"]}))
    with pytest.raises(DataError, match="0 comparisons"):
        BradleyTerry().fit(pa.table({"chosen": pa.array([], pa.string()), "rejected": pa.array([], pa.string())}))


def test_bradley_terry_by_hand():
    """A beats b three times of four: strengths 3 to 1; with a prior one who always wins stays finite."""
    games = pa.table({"chosen": ["a", "a", "a", "b"], "rejected": ["b", "b", "b", "a"]})
    model = BradleyTerry(prior=0.0).fit(games)
    assert model.strength_.tolist() == pytest.approx([0.75, 0.25], abs=1e-4)
    assert model.p_better(games["chosen"], games["rejected"]).tolist() == pytest.approx([0.75] * 3 + [0.25], abs=1e-4)
    weighted = BradleyTerry(prior=0.0).fit(games.slice(2).append_column("weight", pa.array([3.0, 1.0])))
    assert weighted.strength_.tolist() == pytest.approx([0.75, 0.25], abs=1e-4)
    always = BradleyTerry().fit(games.slice(0, 3))
    assert 0.8 < always.strength_[0] < 1
    assert np.isnan(always.p_better(pa.chunked_array([["a"]]), pa.chunked_array([["c"]]))).all()
