"""The study of simulated crowds: what is drawn is what was asked for, and its table tells the models apart."""

import numpy as np
import pytest

from outgrow.studies import crowds as module
from outgrow.studies.crowds import Crowd, crowds, simulate


def test_a_crowd_is_as_it_was_ordered():
    kind = Crowd(tasks=4000, prior=(0.7, 0.3), copies=(("a02", 0.8),), spammers=1, adversaries=1)
    crowd = simulate(kind, 0)
    rows = list(zip(*(crowd.answers[name].to_pylist() for name in ("example_id", "source", "value")), strict=True))
    assert len({row[:2] for row in rows}) == len(rows)
    assert np.mean([value == "a" for value in crowd.gold.values()]) == pytest.approx(0.7, abs=0.03)
    by_source = {}
    for task, who, value in rows:
        by_source.setdefault(who, {})[task] = value
    for who, expected in crowd.accuracy.items():
        right = np.mean([crowd.gold[task] == value for task, value in by_source[who].items()])
        assert right == pytest.approx(expected, abs=0.06), who
    both = by_source["b00"].keys() & by_source["a02"].keys()
    same = np.mean([by_source["b00"][task] == by_source["a02"][task] for task in both])
    assert len(both) == len(by_source["b00"])
    assert same > 0.8
    assert set(by_source["s00"].values()) == {"a"}
    assert crowd.copies == {("a02", "b00")}


def test_the_same_seed_gives_the_same_crowd():
    assert simulate(Crowd(tasks=50), 3).answers.equals(simulate(Crowd(tasks=50), 3).answers)
    assert not simulate(Crowd(tasks=50), 3).answers.equals(simulate(Crowd(tasks=50), 4).answers)


def test_the_table_has_every_crowd_by_every_model(monkeypatch):
    copying = Crowd(tasks=500, copies=(("a00", 0.9), ("a00", 0.9), ("a00", 0.9)))
    monkeypatch.setattr(module, "CROWDS", {"plain": Crowd(tasks=300), "copies": copying})
    study = crowds(range(2))
    rows = {(row["crowd"], row["model"]): row for row in study.table.to_pylist()}
    assert len(rows) == len(study.words) == 6
    assert rows["copies", "robust"]["ece"] < rows["copies", "Dawid-Skene"]["ece"]
    assert rows["copies", "robust"]["right"] > rows["copies", "Dawid-Skene"]["right"]
    found = [rows["copies", "robust"][f"pairs_{each}"] for each in ("found", "missed", "wrong")]
    assert found == [6, 0, 0]
    assert [rows["copies", "Dawid-Skene"][f"pairs_{each}"] for each in ("found", "missed", "wrong")] == [0, 6, 0]
    assert study.figure.svg.startswith("<?xml")
