"""The table of annotators: measures by hand, and flags for those who were planted and nobody else."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from outgrow.reliability.annotators import (
    ANNOTATORS,
    DawidSkene,
    FlagRules,
    OneCoin,
    WeightedVote,
    annotator_table,
    annotators,
)
from outgrow.studies.crowds import Crowd, simulate


def by_name(table):
    return {row["annotator"]: row for row in table.to_pylist()}


def flagged(table):
    return {name: row["flags"] for name, row in by_name(table).items() if row["flags"]}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind",
    [
        Crowd(tasks=800, copies=(("a03", 0.95),), spammers=2, adversaries=1),
        Crowd(tasks=800, hard=0.2, prior=(0.6, 0.3, 0.1), copies=(("a03", 0.95),), spammers=1, adversaries=1),
    ],
)
def test_those_who_were_planted_are_flagged_and_nobody_else(kind, seed):
    crowd = simulate(kind, seed)
    found = flagged(annotators(crowd.answers))
    assert found.pop("x00") == ["adversarial"]
    for i in range(kind.spammers):
        assert found.pop(f"s{i:02d}") == ["spammer"]
    # votes do not tell the copy from the original
    assert len(found) == 1
    assert set(found) <= {"a03", "b00"}
    assert next(iter(found.values())) == ["near-copy"]


def test_the_copier_is_told_by_how_good_it_is_where_the_source_is_absent():
    """The better one of two, and a copier all the same: it is right nine times of ten where it answers alone."""
    crowd = simulate(Crowd(tasks=1500, copies=(("a03", 0.95),), skill=(4.0, 3.0)), 0)
    rng = np.random.default_rng(5)
    there = set(crowd.answers["example_id"].filter(pc.equal(crowd.answers["source"], "b00")).to_pylist())
    tasks = [task for task in crowd.gold if task not in there]
    alone = [crowd.gold[task] if rng.random() < 0.97 else "a" for task in tasks]
    more = pa.table({"example_id": tasks, "source": ["b00"] * len(tasks), "value": alone})
    table = annotators(pa.concat_tables([crowd.answers, more]))
    rows = by_name(table)
    assert rows["b00"]["accuracy"] > rows["a03"]["accuracy"]
    assert flagged(table) == {"b00": ["near-copy"]}
    assert rows["b00"]["copy_of"] == "a03"


def test_few_answers_are_no_ground_for_another_flag():
    crowd = simulate(Crowd(tasks=300, spammers=1), 0)
    some = crowd.answers.filter(
        pa.array(
            [
                s != "s00" or i < "t00030"
                for s, i in zip(
                    crowd.answers["source"].to_pylist(), crowd.answers["example_id"].to_pylist(), strict=True
                )
            ]
        )
    )
    rows = by_name(annotators(some, rules=FlagRules(few=20)))
    assert rows["s00"]["answers"] < 20
    assert rows["s00"]["flags"] == ["too few answers"]


def test_measures_by_hand():
    """Known labels make everything countable: ann 3 of 4 right, bob 2 of 4 (x whatever is asked)."""
    truth = dict(zip("pqrs", "xyxy", strict=True))
    votes = {"ann": "xyxx", "bob": "xxxx"}
    rows = [(task, who, label) for who, labels in votes.items() for task, label in zip("pqrs", labels, strict=True)]
    ids, who, values = zip(*rows, strict=True)
    answers = pa.table({"example_id": list(ids), "source": list(who), "value": list(values)})
    model = DawidSkene().fit(answers, known=truth)
    table = annotator_table(model, FlagRules(few=2))
    assert table.schema.equals(ANNOTATORS)
    ann, bob = by_name(table)["ann"], by_name(table)["bob"]
    assert (ann["accuracy"], bob["accuracy"]) == (pytest.approx(0.75), pytest.approx(0.5))
    assert (ann["agreement"], bob["agreement"]) == (pytest.approx(0.75), pytest.approx(0.75))
    assert ann["confusion"] == [[1.0, 0.0], [0.5, 0.5]]
    assert bob["confusion"] == [[1.0, 0.0], [1.0, 0.0]]
    # rows with half an answer at chance (.25 of it right): (2.25 / 2.5, 1.25 / 2.5) and (.9, .1)
    assert ann["informedness"] == pytest.approx(0.9 + 0.5 - 1)
    assert bob["informedness"] == pytest.approx(0.9 + 0.1 - 1)
    assert (bob["over_used"], bob["excess"]) == ("x", pytest.approx(0.5))
    # nothing is missing, so the interval is Jeffreys' own: Beta(3.5, 1.5)
    from scipy.stats import beta

    assert (ann["low"], ann["high"]) == (
        pytest.approx(beta.ppf(0.025, 3.5, 1.5)),
        pytest.approx(beta.ppf(0.975, 3.5, 1.5)),
    )


def test_an_interval_is_wider_where_nobody_knows_what_is_right():
    crowd = simulate(Crowd(tasks=200), 0)
    widths = [
        np.mean([row["high"] - row["low"] for row in annotators(crowd.answers, known=known).to_pylist()])
        for known in (None, dict(crowd.gold))
    ]
    assert widths[0] > widths[1] * 1.05


@pytest.mark.parametrize("model", [OneCoin(), WeightedVote()])
def test_models_without_tables_leave_out_what_needs_them(model):
    table = annotator_table(model.fit(simulate(Crowd(tasks=100), 0).answers))
    for name in ("informedness", "over_used", "excess", "confusion"):
        assert table[name].null_count == table.num_rows
    assert table["accuracy"].null_count == 0
