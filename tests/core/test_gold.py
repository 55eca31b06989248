"""Several truths about one question are never mixed."""

import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.gold import choose_objective
from outgrow.core.tables import GOLD, build


def gold(*rows):
    ids, objectives, values = zip(*rows, strict=True)
    return build(GOLD, {"example_id": ids, "objective": objectives, "value": values})


BOTH = gold(("a", "harm", "yes"), ("a", "help", "no"), ("b", "help", "yes"), ("b", "harm", "no"))


def test_one_objective_needs_no_name():
    single = gold(("a", "truth", "x"), ("b", "truth", "y"))
    assert choose_objective(single) is single
    assert choose_objective(single, "truth").equals(single)


def test_gold_without_the_column_is_of_one_objective():
    table = BOTH.select(["example_id", "value"])
    assert choose_objective(table) is table
    with pytest.raises(ConfigError, match="gold has no objective 'help'; it has none"):
        choose_objective(table, "help")


def test_no_gold_is_no_conflict():
    assert choose_objective(GOLD.empty_table()).num_rows == 0


def test_several_objectives_are_refused_unless_one_is_named():
    with pytest.raises(ConfigError, match="gold has 2 objectives \\('harm', 'help'\\); name the one to use"):
        choose_objective(BOTH)
    assert choose_objective(BOTH, "help").to_pydict() == {
        "example_id": ["a", "b"], "objective": ["help", "help"], "value": ["no", "yes"]
    }  # fmt: skip


def test_an_objective_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ConfigError, match="gold has no objective 'helpful'; it has 'harm', 'help'"):
        choose_objective(BOTH, "helpful")
