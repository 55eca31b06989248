"""Definition 4: one representative for each class of equal answers of a question."""

from itertools import permutations

import pyarrow as pa
import pytest

from outgrow.core.tables import ANSWERS, build
from outgrow.tasks.parsing import canonicalise_answers, cluster, representatives


def within_one(a, b):
    return abs(int(a) - int(b)) <= 1


def test_clusters_are_the_transitive_closure_in_order_of_first_appearance():
    # 1-2-3 chain, 7 alone, 10-11
    assert cluster(["10", "3", "7", "1", "2", "11", "3"], within_one) == [0, 1, 2, 1, 1, 0, 1]
    assert cluster([], within_one) == []


def test_the_order_of_the_answers_does_not_change_the_groups():
    expected = {frozenset("123"), frozenset("57"), frozenset("9")}

    def same(a, b):
        return {a, b} in ({"1", "3"}, {"3", "2"}, {"5", "7"})

    for order in permutations("123579"):
        groups = cluster(order, same)
        found = {frozenset(v for v, g in zip(order, groups, strict=True) if g == number) for number in groups}
        assert found == expected


def test_only_distinct_unconnected_pairs_are_compared_smaller_first():
    asked = []

    def same(a, b):
        asked.append((a, b))
        return True

    assert cluster(["b", "a", "b", "c", "a"], same) == [0] * 5
    assert asked == [("a", "b"), ("a", "c")]  # b and c are connected by then


def test_the_representative_is_the_shortest_then_the_smallest():
    def same(a, b):
        return a.strip("0") == b.strip("0")

    assert representatives(["500", "05", "50", "7"], same) == {"500": "05", "05": "05", "50": "05", "7": "7"}


@pytest.fixture
def answers():
    rows = [
        ("q1", "one", "x+1"),
        ("q2", "one", "1+x "),
        ("q1", "two", "1+x "),
        ("q1", "one", None),
        ("q1", "one", "x"),
    ]
    return build(
        ANSWERS,
        {
            "example_id": [row[0] for row in rows],
            "source": [row[1] for row in rows],
            "variant": [0] * 5,
            "sample": list(range(5)),
            "value": [row[2] for row in rows],
            "probabilities": [[("x+1", 0.5), ("1+x ", 0.25), ("x", 0.25)], None, None, None, None],
        },
    ).replace_schema_metadata({"made": "by hand"})


def sorted_letters(a, b):
    return sorted(a.strip()) == sorted(b.strip())


def test_values_become_one_within_a_question_and_not_across(answers):
    table = canonicalise_answers(answers, sorted_letters)
    assert table["value"].to_pylist() == ["x+1", "1+x ", "x+1", None, "x"]
    assert table["probabilities"].to_pylist()[0] == [("x+1", 0.75), ("x", 0.25)]
    assert table.schema.equals(answers.schema, check_metadata=True)
    kept = [name for name in table.column_names if name not in ("value", "probabilities")]
    assert table.select(kept).equals(answers.select(kept))


def test_canonicalising_twice_changes_nothing_and_row_order_does_not_matter(answers):
    once = canonicalise_answers(answers, sorted_letters)
    assert canonicalise_answers(once, sorted_letters).equals(once)
    backward = answers.take(pa.array([4, 3, 2, 1, 0]))
    assert canonicalise_answers(backward, sorted_letters)["value"].to_pylist() == once["value"].to_pylist()[::-1]


def test_tables_without_probabilities_or_rows_pass():
    table = pa.table({"example_id": ["q", "q"], "value": ["b ", "b"]})
    assert canonicalise_answers(table, sorted_letters)["value"].to_pylist() == ["b", "b"]
    assert (
        canonicalise_answers(
            build(ANSWERS, {"example_id": [], "source": [], "variant": [], "sample": []}), sorted_letters
        ).num_rows
        == 0
    )
