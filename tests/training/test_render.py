"""Rows in words: their own prompts, their options, and further numbers."""

import pyarrow as pa
import pytest

from outgrow.core.errors import DataError
from outgrow.core.tables import ROWS, build, iter_examples
from outgrow.recipe.recipe import parse_recipe
from outgrow.training.render import render_rows


@pytest.fixture(scope="module")
def task():
    questions = {"supervisor_train": 6, "pool": 8, "validation": 4, "test": 4}
    raw = {
        "task": {"kind": "microworld", "family": "choice", "mix": "natural", "questions": questions},
        "supervisors": [{"model": "microworld/nano", "name": "weak"}],
        "student": {"model": "microworld/base"},
        "methods": ["naive"],
        "seeds": [0],
    }
    return parse_recipe(raw).build_task()


def rows_about(task, count, **columns):
    """Hard rows about the first questions of the pool, each with its first choice as the target."""
    examples = list(iter_examples(task.examples("pool")))[:count]
    table = build(
        ROWS,
        {
            "row_id": [f"r{i}" for i in range(count)],
            "example_id": [example.example_id for example in examples],
            "variant": [0] * count,
            "target": [example.choices[0] for example in examples],
            "weight": [1.0] * count,
            **{name: columns.pop(name) for name in list(columns) if name in ROWS.names},
        },
    )
    for name, values in columns.items():
        table = table.append_column(name, values)
    return examples, table


def test_own_prompt_comes_before_the_wordings(task):
    examples, rows = rows_about(task, 2, prompt=["Think first. Then answer:", None])
    first, second = render_rows(task, rows, task.examples("pool"))
    assert first.prompt == "Think first. Then answer:"
    assert second.prompt == task.wording(examples[1], 0).prompt
    assert first.target == examples[0].choices[0]


def test_hard_rows_get_their_options_only_where_asked(task):
    examples, rows = rows_about(task, 1)
    (plain,) = render_rows(task, rows, task.examples("pool"))
    (row,) = render_rows(task, rows, task.examples("pool"), options=True)
    assert plain.options is None
    assert row.options == task.wording(examples[0], 0).options
    assert row.target in row.options


def test_further_columns_of_numbers_are_fields(task):
    _, rows = rows_about(task, 2, reference=pa.array([-1.5, 2]), pair=pa.array([[1.0, 2.0], [3.0, 4.0]]))
    first, second = render_rows(task, rows, task.examples("pool"))
    assert first.fields == {"reference": -1.5, "pair": (1.0, 2.0)}
    assert second.fields == {"reference": 2.0, "pair": (3.0, 4.0)}


@pytest.mark.parametrize("values", [["much"], [None], [[None]]])
def test_further_column_without_a_number_is_an_error_that_names_it(task, values):
    _, rows = rows_about(task, 1, reference=pa.array(values))
    with pytest.raises(DataError, match=r"'r0' has .* in column 'reference'; further columns hold numbers"):
        render_rows(task, rows, task.examples("pool"))
